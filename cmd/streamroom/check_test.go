package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/soak"
)

func TestCheckReportsAsJSON(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{
		"check", "--minutes", "0.02", "--seed", "7", "--users", "2", "--clients", "1", "--rooms", "1", "--crowd", "0", "--faults", "table,clocks", "--json",
	}, nil, &out, &errs)
	var report soak.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s", err, &out)
	}
	if code != 0 || report.Seed != 7 || report.Devices != 2 || report.Counts.Acked == 0 || len(report.Violations) != 0 {
		t.Errorf("exit code %d: %s%s", code, &out, &errs)
	}
}

func TestCheckIsCalledWrongly(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no time":         {[]string{"--minutes", "0"}, "--minutes must be more than 0"},
		"unknown faults":  {[]string{"--faults", "table,moon"}, `there is no "moon"; choose all, none, or some of table,posts,`},
		"one user":        {[]string{"--users", "1"}, "it needs 2 users"},
		"too many":        {[]string{"--clients", "100"}, "at most"},
		"nothing is sent": {[]string{"--sends", "0"}, "it needs some sends a second"},
		"a stray word":    {[]string{"now"}, `unexpected argument "now"`},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"check"}, test.args...), nil, &out, &errs); code != 2 || !strings.Contains(errs.String(), test.want) {
			t.Errorf("%s: exit code %d and %q, want 2 and %q", name, code, &errs, test.want)
		}
	}
}

func TestCheckExplainsItself(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"check", "-h"}, nil, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, kind := range append(faultKinds, "exits with 0", "-minutes", "-seed") {
		if !strings.Contains(out.String(), kind) {
			t.Errorf("the help doesn't say %q:\n%s", kind, &out)
		}
	}
	if n := strings.Count(out.String(), "usage:"); n != 1 {
		t.Errorf("the help says %d times how to use it:\n%s", n, &out)
	}
}
