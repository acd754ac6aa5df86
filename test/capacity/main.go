// Command capacity simulates, event by event, how a message reaches the
// connections of a room, and writes the tables and the plot of
// docs/large-rooms.md. Run it from the root of the module:
//
//	go run ./test/capacity
//
// The simulation covers the way from the table's stream through fanout and its
// slices to API Gateway's @connections. What is deployed (shards, batches, memory,
// deadlines, attempts) comes from the packages that deploy it, quotas and prices
// from AWS's documents; what is not published is a named assumption in
// assumptions.go. Nothing of it was measured on AWS.
//
// A run is determined by its seed. Posts are made in rounds, one post for each
// worker of an invocation, so that a million connections take a second.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	docs := flag.String("docs", "docs", "the folder of large-rooms.md and large-rooms.svg")
	flag.Parse()
	if err := update(*docs); err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func update(docs string) error {
	path := filepath.Join(docs, "large-rooms.md")
	page, err := os.ReadFile(path) //nolint:gosec // whose page it is, the caller says
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	report := NewReport()
	updated, err := report.Update(string(page))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(updated), 0o644); err != nil { //nolint:gosec // a document
		return fmt.Errorf("write the page: %w", err)
	}
	plot := filepath.Join(docs, "large-rooms.svg")
	if err := os.WriteFile(plot, []byte(report.Plot()), 0o644); err != nil { //nolint:gosec // a document
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}
