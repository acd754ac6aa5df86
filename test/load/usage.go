package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what processes have used of the machine.
type usage struct {
	cpu      time.Duration // by user and system code
	resident int64         // bytes of memory now
}

// ticksPerSecond is the unit of /proc/PID/stat, which is 100 on every Linux that Go
// runs on (USER_HZ).
const ticksPerSecond = 100

// errNotLinux says that what processes use is not known.
var errNotLinux = errors.New("the CPU time of a process is known on Linux only: leave --pid out")

// used reads what processes and those that they started have used until now, from
// Linux's /proc (proc_pid_stat(5)).
func used(pids []int) (usage, error) {
	stats, err := readProcesses()
	if err != nil {
		return usage{}, err
	}
	var sum usage
	wanted := slices.Clone(pids)
	for i := 0; i < len(wanted); i++ {
		s, ok := stats[wanted[i]]
		if !ok {
			return usage{}, fmt.Errorf("process %d has ended, or is none", wanted[i])
		}
		sum.cpu += s.cpu
		sum.resident += s.resident
		for pid, child := range stats {
			if child.parent == wanted[i] && !slices.Contains(wanted, pid) {
				wanted = append(wanted, pid)
			}
		}
	}
	return sum, nil
}

type process struct {
	usage
	parent int
}

func readProcesses() (map[int]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return nil, errNotLinux
	}
	found := map[int]process{}
	for _, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // a file of the kernel
		if errors.Is(err, fs.ErrNotExist) || (err != nil && strings.Contains(err.Error(), "no such process")) {
			continue // it has ended since
		}
		if err != nil {
			return nil, err
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name))) // the pattern matches digits only
		if p, ok := parseStat(text); ok {
			found[pid] = p
		}
	}
	return found, nil
}

// parseStat reads /proc/PID/stat. The second field, the program's name in brackets,
// may have blanks and brackets, so what follows is counted from the last bracket.
func parseStat(text []byte) (process, bool) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const parent, user, system, endedUser, endedSystem, pages = 1, 11, 12, 13, 14, 21
	if len(fields) <= pages {
		return process{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64) // the kernel writes numbers
		return n
	}
	ticks := number(user) + number(system) + number(endedUser) + number(endedSystem)
	return process{
		usage: usage{
			cpu:      time.Duration(ticks) * time.Second / ticksPerSecond,
			resident: number(pages) * int64(os.Getpagesize()),
		},
		parent: int(number(parent)),
	}, true
}
