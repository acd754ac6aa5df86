package main

import "syscall"

// apart starts a process that the terminal's Ctrl-C doesn't reach.
var apart = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
