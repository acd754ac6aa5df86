package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/operate/verify"
)

func runVerify(ctx context.Context, args []string, _ io.Reader, stdout, _ io.Writer) error {
	var w where
	c := verify.Config{Now: time.Now}
	var asJSON bool
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	w.flags(flags)
	flags.BoolVar(&c.Repair, "repair", false, "mend what can be mended, if it is still as it was seen")
	flags.Float64Var(&c.ReadRate, "read-rate", defaultRate, "read `units` of the table a second; 0 is as many as it takes")
	flags.DurationVar(&c.Settle, "settle", 15*time.Second, "how `long` the stream's consumers may be behind")
	flags.DurationVar(&c.Leftover, "leftover", 72*time.Hour, "how `long` DynamoDB may take to delete what has expired")
	flags.BoolVar(&asJSON, "json", false, "write one JSON object a line")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	if c.ReadRate < 0 || c.Settle < 0 || c.Leftover < 0 {
		return usageError{errors.New("a rate or time must not be negative")}
	}
	clients, deployment, err := w.open(ctx, "")
	if err != nil {
		return replay.Explain(err)
	}
	c.DB, c.Table = clients.Table, deployment.Table
	line := func(name string, value any) {
		if text, err := json.Marshal(map[string]any{name: value}); err == nil { // numbers and texts marshal
			fmt.Fprintln(stdout, string(text))
		}
	}
	c.Progress = func(items int) { fmt.Fprintf(stdout, "  %s items read\n", count(items)) }
	c.Found = func(d verify.Difference) { fmt.Fprintln(stdout, differenceLine(d, c.Repair)) }
	if asJSON {
		c.Progress = func(items int) { line("progress", map[string]int{"items": items}) }
		c.Found = func(d verify.Difference) { line("difference", d) }
	}
	report, err := verify.Run(ctx, c)
	if asJSON {
		line("report", report)
	} else {
		fmt.Fprint(stdout, summarize(report))
	}
	switch left := report.Differences - report.Repaired; {
	case err != nil && ctx.Err() != nil:
		return exitError{exitInterrupted, errors.New("stopped before its end")}
	case err != nil:
		return replay.Explain(err)
	case left > 0:
		return exitError{exitIncomplete, fmt.Errorf("%s differences%s", count(left), hint(c.Repair))}
	}
	return nil
}

func hint(repair bool) string {
	if repair {
		return " are left"
	}
	return "; --repair mends what can be mended"
}

func differenceLine(d verify.Difference, repair bool) string {
	text := fmt.Sprintf("  %-11s %s %s: %s", d.Kind, d.PK, d.SK, d.Problem)
	switch {
	case d.Repaired:
		text += " (mended)"
	case repair:
		text += " (left: " + d.Note + ")"
	}
	return text
}

func summarize(r verify.Report) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		parts = append(parts, count(r.Kinds[kind])+" "+kind)
	}
	text := fmt.Sprintf("Read %s items (%s) by %s read units in %s.\n", count(r.Items), strings.Join(parts, ", "), count(int(r.ReadUnits)), seconds(r.Seconds))
	if r.Foreign > 0 {
		text += count(r.Foreign) + " items have keys that are none of ours.\n"
	}
	return text + fmt.Sprintf("%s did not fit at first, %s differ, %s mended.\n", count(r.Suspects), count(r.Differences), count(r.Repaired))
}
