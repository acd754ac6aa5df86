//go:build unix

package main

import "syscall"

// apart starts a process that the terminal's Ctrl-C doesn't reach.
var apart = &syscall.SysProcAttr{Setpgid: true}
