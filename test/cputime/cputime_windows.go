package cputime

import (
	"syscall"
	"time"
)

// unit is that of the times of a process, which a Filetime has in two halves.
const unit = 100 * time.Nanosecond

func used() (time.Duration, error) {
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, err
	}
	var created, ended, system, user syscall.Filetime
	if err := syscall.GetProcessTimes(process, &created, &ended, &system, &user); err != nil {
		return 0, err
	}
	return time.Duration(ticks(system)+ticks(user)) * unit, nil
}

func ticks(t syscall.Filetime) int64 { return int64(t.HighDateTime)<<32 | int64(t.LowDateTime) }
