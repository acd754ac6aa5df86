// Command cmd plays the simulation of large rooms and writes its tables and its
// plot into docs. Run it from the root of the module.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/streamroom/streamroom/test/capacity"
)

func main() {
	docs := flag.String("docs", "docs", "the folder of large-rooms.md and large-rooms.svg")
	flag.Parse()
	if err := run(*docs); err != nil {
		fmt.Fprintln(os.Stderr, "simulation:", err)
		os.Exit(1)
	}
}

func run(docs string) error {
	path := filepath.Join(docs, "large-rooms.md")
	page, err := os.ReadFile(path) //nolint:gosec // whose page it is, the caller says
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	report := capacity.NewReport()
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
