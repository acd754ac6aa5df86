// Package cputime tells benchmarks how much processor time they take, which a busy machine
// changes less than the time that passes.
package cputime

import (
	"testing"
	"time"
)

// Used returns how much processor time, of user and system, this process has used.
func Used(t testing.TB) time.Duration {
	t.Helper()
	d, err := used()
	if err != nil {
		t.Fatal("read the processor time of this process: ", err)
	}
	return d
}
