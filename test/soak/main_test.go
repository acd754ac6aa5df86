package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestCommand_PrintsReportAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- command(t.Context(), []string{
			"--minutes", "0.02", "--seed", "7", "--users", "2", "--clients", "1", "--browsers", "0", "--rooms", "1", "--crowd", "0", "--faults", "table,clocks", "--json",
		}, &out, &errs)
	}()
	t.Parallel() // it began before the planted bugs, which compute all the time, and mostly waits
	code := <-ended
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("decode the report: %v\n%s", err, &out)
	}
	if code != 0 || report.Seed != 7 || report.Devices != 2 || report.Counts.Acked == 0 || len(report.Violations) != 0 {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}

func TestCommand_InvalidFlagsExitWith2(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no time":                  {[]string{"--minutes", "0"}, "--minutes must be positive"},
		"unknown faults":           {[]string{"--faults", "table,moon"}, `invalid --faults: want all, none, or some of table,posts,`},
		"one user":                 {[]string{"--users", "1"}, "want at least 2 users"},
		"too many":                 {[]string{"--clients", "100"}, "at most"},
		"more browsers than users": {[]string{"--users", "2", "--browsers", "3"}, "want 0 browsers to as many as there are users"},
		"nothing is sent":          {[]string{"--sends", "0"}, "want sends a second > 0"},
		"a stray word":             {[]string{"now"}, `unexpected argument "now"`},
	} {
		var out, errs bytes.Buffer
		if code := command(t.Context(), test.args, &out, &errs); code != 2 || !strings.Contains(errs.String(), test.want) {
			t.Errorf("%s: exit code %d and %q, want 2 and %q", name, code, &errs, test.want)
		}
	}
}

func TestCommand_Help(t *testing.T) {
	var out bytes.Buffer
	if code := command(t.Context(), []string{"-h"}, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, kind := range append(faultKinds, "Exit codes: 0", "-minutes", "-seed") {
		if !strings.Contains(out.String(), kind) {
			t.Errorf("the help does not mention %q:\n%s", kind, &out)
		}
	}
	if n := strings.Count(out.String(), "usage:"); n != 1 {
		t.Errorf("the help has %d usage lines, want 1:\n%s", n, &out)
	}
}

func TestCommand_WithoutNodeSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out, errs bytes.Buffer
	code := command(t.Context(), []string{"--minutes", "0.02", "--users", "2", "--clients", "1", "--browsers", "1", "--crowd", "0"}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "no Node.js is installed") || !strings.Contains(errs.String(), "--browsers 0") {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}
