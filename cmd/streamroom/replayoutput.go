package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// replayOutput prints a run, for people or as JSON.
type replayOutput struct {
	json   bool
	stdout io.Writer
	line   *progress.Line

	explain func(error) error
	begun   bool // there is a plan
}

// newReplayOutput returns an output that prints progress on line, and all else on
// stdout; as JSON, progress too.
func newReplayOutput(asJSON bool, stdout io.Writer, line *progress.Line, explain func(error) error) *replayOutput {
	return &replayOutput{json: asJSON, stdout: line.Above(stdout), line: line, explain: explain}
}

// object writes one JSON object, named by its only field.
func (o *replayOutput) object(name string, value any) { jsonLines{o.stdout}.write(name, value) }

func (o *replayOutput) run(ctx context.Context, env replay.Env, c replay.Config, at *replay.Checkpoint) error {
	env.Events = replay.Events{Planned: o.planned, Progress: o.progress, Shown: o.shown, Note: o.note}
	summary, err := replay.Run(ctx, env, c, at)
	o.line.Done()
	switch {
	case err != nil && !o.begun:
		// There is nothing to report.
	case o.json:
		o.object("summary", summary)
	default:
		o.summary(c, summary)
	}
	again := ""
	if summary.Checkpoint != "" {
		again = "; continue with: streamroom replay --resume " + summary.Checkpoint
	}
	switch {
	case err != nil && ctx.Err() != nil:
		why := ""
		if !errors.Is(ctx.Err(), err) && err.Error() != ctx.Err().Error() {
			why = " (" + err.Error() + ")"
		}
		return exitError{exitInterrupted, errors.New("interrupted between two batches" + why + again)}
	case err != nil:
		return fmt.Errorf("%w%s", o.explain(err), again)
	case len(summary.Failed) > 0 || len(summary.Kept) > 0:
		return exitError{exitIncomplete, unfinished(summary)}
	}
	return nil
}

// unfinished says what a run has left undone.
func unfinished(s replay.Summary) error {
	var left []string
	switch len(s.Failed) {
	case 0:
	case 1:
		left = append(left, "1 record still fails")
	default:
		left = append(left, things(len(s.Failed), "record")+" still fail")
	}
	switch len(s.Kept) {
	case 0:
	case 1:
		left = append(left, "1 entry stays in the bucket")
	default:
		left = append(left, things(len(s.Kept), "entry")+" stay in the bucket")
	}
	return errors.New(strings.Join(left, ", "))
}

func (o *replayOutput) planned(p replay.Plan) {
	o.begun = true
	if o.json {
		o.object("plan", p)
		return
	}
	begin := "the beginning"
	if !p.From.IsZero() {
		begin = p.From.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(o.stdout, "Plan of run %s\n", p.RunID)
	fmt.Fprintf(o.stdout, "  from %s to %s: %s, from %s to %s\n", p.Source, p.Target, kinds(p), begin, p.To.UTC().Format(time.RFC3339))
	if p.Unreadable > 0 {
		fmt.Fprintf(o.stdout, "  left out because they can't be read: %s\n", things(p.Unreadable, "record"))
	}
	if p.Target != replay.ToNone {
		fmt.Fprintf(o.stdout, "  at most %s and %s in %s, $%.4f in us-east-1\n",
			things(int(p.WriteUnits), "write unit"), things(int(p.ReadUnits), "read unit"), things(p.Batches, "batch"), p.Dollars)
	}
	if p.Target == topology.Fanout {
		fmt.Fprintf(o.stdout, "  and one post for each batch, room and device online\n")
	}
	if p.PlanUnits > 0 {
		fmt.Fprintf(o.stdout, "  planning took %s\n", things(int(p.PlanUnits), "read unit"))
	}
	if p.Seconds > 0 && p.Target != replay.ToNone {
		fmt.Fprintf(o.stdout, "  about %s at this rate\n", seconds(p.Seconds))
	}
	if !p.Apply && p.Target != replay.ToNone {
		fmt.Fprintln(o.stdout, "Nothing was sent. Add --apply to send it.")
	}
}

// kinds renders the number of records of each kind.
func kinds(p replay.Plan) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(p.Kinds)) {
		parts = append(parts, count(p.Kinds[kind])+" of "+kind)
	}
	text := things(p.Records, "record")
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if p.Rooms > 0 {
		text += " in " + things(p.Rooms, "room")
	}
	return text
}

func (o *replayOutput) progress(p replay.Progress) {
	if o.json {
		o.object("progress", p)
		return
	}
	text := fmt.Sprintf("  %s of %s sent, %s a second, %s left", count(p.Records), count(p.Total), count(int(p.PerSecond)), seconds(p.SecondsTo))
	if p.Failed > 0 {
		text += fmt.Sprintf(", %s fail", count(p.Failed))
	}
	o.line.Update(text)
}

func (o *replayOutput) shown(s replay.Shown) {
	if o.json {
		o.object("record", s)
		return
	}
	fmt.Fprintf(o.stdout, "  %s %-6s %-14s %s %s\n", s.At.Format(time.RFC3339), s.EventName, s.Entity, s.PK, s.SK)
	if s.Problem != "" {
		fmt.Fprintln(o.stdout, "   ", s.Problem)
	}
}

func (o *replayOutput) note(text string) {
	if o.json {
		o.object("note", text)
		return
	}
	fmt.Fprintln(o.stdout, "  "+text)
}

func (o *replayOutput) summary(c replay.Config, s replay.Summary) {
	for _, f := range s.Failed {
		fmt.Fprintf(o.stdout, "  fails: %s %s (%s): %s\n", f.PK, f.SK, f.Sequence, f.Reason)
	}
	for _, kept := range s.Kept {
		fmt.Fprintln(o.stdout, "  stays in the bucket:", kept)
	}
	if s.Applied {
		fmt.Fprintf(o.stdout, "Sent %s in %s by %s in %s; failed: %s.\n",
			things(s.Records, "record"), things(s.Batches, "batch"), things(s.Invocations, "invocation"), seconds(s.Seconds), count(len(s.Failed)))
	}
	if s.Applied && c.Source == replay.FromFailures {
		fmt.Fprintf(o.stdout, "Removed %s from the bucket of failures.\n", things(s.Entries, "entry"))
	}
	if c.Save != "" && s.Records > 0 {
		fmt.Fprintf(o.stdout, "Saved %s in %s, with their content.\n", things(s.Records, "record"), c.Save)
	}
}
