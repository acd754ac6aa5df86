package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	// A line of Linux 6.1, the program's name changed to one with brackets.
	p, ok := parseStat([]byte("4242 (a) b (c) S 17 4242 4242 0 -1 4194560 5122 31 2 0 110 40 5 2 20 0 9 0 123456 1234567 256 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0"))
	want := process{usage{cpu: 1570 * time.Millisecond, resident: 256 * int64(os.Getpagesize())}, 17}
	if !ok || p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	if _, ok := parseStat([]byte("4242 (a) S 17")); ok {
		t.Error("a line that ends early is taken")
	}
}

func TestUsed(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("/proc is Linux's: ", err)
	}
	u, err := used([]int{os.Getpid()})
	if err != nil || u.resident < 1<<20 {
		t.Errorf("this process uses %+v, %v", u, err)
	}
	const none = 1 << 23 // greater than Linux's largest process id
	if _, err := used([]int{none}); err == nil {
		t.Error("a process that does not exist is taken")
	}
}
