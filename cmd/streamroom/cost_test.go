package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/operate/cost"
)

var update = flag.Bool("update", false, "rewrite the tables of the pages")

// A page's tables stand between two marks, of which the first is the command that
// writes them.
var costTable = regexp.MustCompile("(?s)(<!-- begin: go run ./cmd/streamroom (cost [^\n]*) -->\n).*?(<!-- end -->)")

// The tables of the pages are what the command writes today.
func TestCostPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob("../../docs/adr/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, path := range append(pages, decisions...) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		current := costTable.ReplaceAllStringFunc(string(page), func(found string) string {
			tables++
			parts := costTable.FindStringSubmatch(found)
			code, stdout, stderr := tool(t, strings.Fields(parts[2])...)
			if code != exitDone {
				t.Errorf("%s: streamroom %s: exit code %d\n%s", path, parts[2], code, stderr)
			}
			return parts[1] + "\n" + stdout + "\n" + parts[3]
		})
		if current == string(page) {
			continue
		}
		if *update {
			if err := os.WriteFile(path, []byte(current), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s has other numbers: run go test ./cmd/streamroom -run TestCostPages -update, and read whether its text still holds\n%s",
			path, cmp.Diff(string(page), current))
	}
	if tables < 5 {
		t.Errorf("the pages have %d tables of streamroom cost, want those of docs/operations.md", tables)
	}
}

func TestCost_AMonth(t *testing.T) {
	args := []string{"cost", "--members", "10", "--online", "0.3", "--messages-per-second", "5", "--connections", "10000"}
	code, stdout, stderr := tool(t, args...)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"A month of 10,000 connections", "WebSocket messages", "AppSync Events", "\ntotal "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	code, stdout, _ = tool(t, append(args, "--json")...)
	var estimate cost.Estimate
	if err := json.Unmarshal([]byte(stdout), &estimate); code != exitDone || err != nil {
		t.Fatalf("exit code %d: %v\n%s", code, err, stdout)
	}
	if len(estimate.Designs) != 3 || estimate.Designs[0].Total <= 0 || estimate.Workload.Connections != 10_000 {
		t.Errorf("--json writes %+v", estimate)
	}
}

func TestCost_EveryTableInEveryForm(t *testing.T) {
	_, help, _ := tool(t, "cost", "--help")
	for _, show := range cost.Shows() {
		if !strings.Contains(help, "\n  "+show+" ") {
			t.Errorf("cost --help does not say what --show %s is", show)
		}
		for _, form := range []string{"--json", "--markdown", "--free-tier"} {
			code, stdout, stderr := tool(t, "cost", "--show", show, form)
			if code != exitDone || stderr != "" {
				t.Errorf("--show %s %s: exit code %d: %s", show, form, code, stderr)
			}
			if isJSON := json.Valid([]byte(stdout)); isJSON != (form == "--json") {
				t.Errorf("--show %s %s writes %s", show, form, stdout)
			}
		}
	}
}
