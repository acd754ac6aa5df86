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
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// defaultRate is kind to a table that is in use: records a second, and read
// units a second.
const defaultRate = 1_000

// defaultCheckpoint is where a run keeps how far it has come.
const defaultCheckpoint = "streamroom-replay.json"

func runReplay(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var w where
	var c replay.Config
	var source, from, to, entities, resume string
	var asJSON bool
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	w.sendingFlags(flags)
	flags.StringVar(&source, "source", string(replay.FromTable), "where records come from: `table` (rebuilt, of any age), stream (24 h), failures (the on-failure queue) or file")
	flags.StringVar(&c.Target, "target", topology.LastMessage, "where they go: lastmessage, fanout (with --deliver) or none (count, show and save)")
	flags.StringVar(&from, "from", "", "the first `time`: RFC 3339, or how long ago, such as 2h")
	flags.StringVar(&to, "to", "", "the `time` before which to end; by default now")
	flags.StringVar(&c.Selection.Room, "room", "", "only the `room` with this id")
	flags.StringVar(&c.Selection.User, "user", "", "only the rooms of this `user`")
	flags.StringVar(&entities, "entity", "", "only these `kinds`, with commas, of "+strings.Join(replay.Entities(), ", "))
	flags.BoolVar(&c.Apply, "apply", false, "send; without it, only say what would be sent")
	flags.BoolVar(&c.Deliver, "deliver", false, "let fanout send frames to people's devices again")
	flags.BoolVar(&c.PauseMapping, "pause-mapping", false, "with --source stream: disable the target's own mapping meanwhile")
	flags.Float64Var(&c.Rate, "rate", defaultRate, "`records` to send a second; 0 is as many as it takes")
	flags.Float64Var(&c.ReadRate, "read-rate", defaultRate, "read `units` of the table a second; 0 is as many as it takes")
	flags.IntVar(&c.Attempts, "attempts", 5, "how often to send what fails")
	flags.IntVar(&c.GiveUp, "give-up", 100, "stop once so many records keep failing")
	flags.IntVar(&c.Show, "show", 0, "with --target none: show so many records, without their content")
	flags.StringVar(&c.Save, "save", "", "with --target none: `file` to save the records in, with their content")
	flags.StringVar(&c.File, "file", "", "with --source file: a `file` that was saved")
	flags.StringVar(&c.Checkpoint, "checkpoint", defaultCheckpoint, "`file` that keeps how far it has come")
	flags.StringVar(&resume, "resume", "", "go on with the run of this checkpoint `file`; all else but rates is in it")
	flags.BoolVar(&asJSON, "json", false, "write one JSON object a line")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	c.Source = replay.Source(source)
	now := time.Now()
	var at *replay.Checkpoint
	if resume != "" {
		var err error
		if at, err = resumed(flags, resume, &c); err != nil {
			return err
		}
		w.fromMap(at.Where)
	} else {
		if err := selectTimes(&c.Selection, from, to, now); err != nil {
			return usageError{err}
		}
		if entities != "" {
			c.Selection.Entities = strings.Split(entities, ",")
		}
		c.RunID = ulid.Make().String()
		if err := c.Check(now); err != nil {
			return usageError{err}
		}
	}
	clients, deployment, err := w.open(ctx, c.Target)
	if err != nil {
		return replay.Explain(err)
	}
	out := replayOutput{json: asJSON, stdout: stdout, stderr: stderr, target: c.Target}
	return out.run(ctx, replay.Env{Clients: clients, Deployment: deployment, Where: w.toMap(), Now: time.Now}, c, at)
}

// resumed loads a checkpoint. What it holds can't be said again, but rates.
func resumed(flags *flag.FlagSet, path string, c *replay.Config) (*replay.Checkpoint, error) {
	var wrong error
	again := *c
	flags.Visit(func(f *flag.Flag) {
		if !slices.Contains([]string{"resume", "rate", "read-rate", "attempts", "give-up", "json", "apply"}, f.Name) {
			wrong = fmt.Errorf("--resume takes everything from the checkpoint: leave out --%s", f.Name)
		}
	})
	if wrong != nil {
		return nil, usageError{wrong}
	}
	at, err := replay.LoadCheckpoint(path)
	if err != nil {
		return nil, err
	}
	*c = at.Config
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "rate":
			c.Rate = again.Rate
		case "read-rate":
			c.ReadRate = again.ReadRate
		case "attempts":
			c.Attempts = again.Attempts
		case "give-up":
			c.GiveUp = again.GiveUp
		}
	})
	return at, nil
}

func selectTimes(s *replay.Selection, from, to string, now time.Time) (err error) {
	if s.From, err = moment("--from", from, now); err != nil {
		return err
	}
	s.To, err = moment("--to", to, now)
	return err
}

// moment reads a time, or how long ago it was.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s %q is no time such as 2026-01-31T09:00:00Z, and no duration such as 2h or 30m", flag, text)
	}
	return t, nil
}

// replayOutput tells people, or machines, of a run.
type replayOutput struct {
	json           bool
	stdout, stderr io.Writer
	target         string
}

// line writes one JSON object, named by its only field.
func (o *replayOutput) line(name string, value any) {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		fmt.Fprintln(o.stderr, "streamroom replay: cannot render as JSON:", err)
		return
	}
	fmt.Fprintln(o.stdout, string(text))
}

func (o *replayOutput) run(ctx context.Context, env replay.Env, c replay.Config, at *replay.Checkpoint) error {
	env.Events = replay.Events{Planned: o.planned, Progress: o.progress, Shown: o.shown, Note: o.note}
	summary, err := replay.Run(ctx, env, c, at)
	if o.json {
		o.line("summary", summary)
	} else {
		o.summary(c, summary)
	}
	again := ""
	if summary.Checkpoint != "" {
		again = "; go on with: streamroom replay --resume " + summary.Checkpoint
	}
	switch {
	case err != nil && ctx.Err() != nil:
		why := ""
		if !errors.Is(ctx.Err(), err) && err.Error() != ctx.Err().Error() {
			why = " (" + err.Error() + ")"
		}
		return exitError{exitInterrupted, errors.New("stopped between two batches" + why + again)}
	case err != nil:
		return fmt.Errorf("%w%s", replay.Explain(err), again)
	case len(summary.Failed) > 0 || len(summary.Kept) > 0:
		return exitError{exitIncomplete, fmt.Errorf("%d records still fail, %d entries stay in the queue", len(summary.Failed), len(summary.Kept))}
	}
	return nil
}

func (o *replayOutput) planned(p replay.Plan) {
	if o.json {
		o.line("plan", p)
		return
	}
	begin := "the beginning"
	if !p.From.IsZero() {
		begin = p.From.UTC().Format(time.RFC3339)
	}
	fmt.Fprintf(o.stdout, "Plan of run %s\n", p.RunID)
	fmt.Fprintf(o.stdout, "  from %s to %s: %s, from %s to %s\n", p.Source, p.Target, kinds(p), begin, p.To.UTC().Format(time.RFC3339))
	if p.Unreadable > 0 {
		fmt.Fprintf(o.stdout, "  %s records can't be read and are left out\n", count(p.Unreadable))
	}
	if p.Target != replay.ToNone {
		fmt.Fprintf(o.stdout, "  at most %s write units and %s read units in %s batches, $%.4f in us-east-1\n",
			count(int(p.WriteUnits)), count(int(p.ReadUnits)), count(p.Batches), p.Dollars)
	}
	if p.Target == topology.Fanout {
		fmt.Fprintf(o.stdout, "  and a post for each device that is online, batch and room\n")
	}
	if p.PlanUnits > 0 {
		fmt.Fprintf(o.stdout, "  finding this out took %s read units\n", count(int(p.PlanUnits)))
	}
	if p.Seconds > 0 && p.Target != replay.ToNone {
		fmt.Fprintf(o.stdout, "  %s at the rate\n", seconds(p.Seconds))
	}
	if !p.Apply && p.Target != replay.ToNone {
		fmt.Fprintln(o.stdout, "Nothing was sent. Add --apply to send it.")
	}
}

// kinds says how many records of which kind there are.
func kinds(p replay.Plan) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(p.Kinds)) {
		parts = append(parts, count(p.Kinds[kind])+" of "+kind)
	}
	text := count(p.Records) + " records"
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if p.Rooms > 0 {
		text += " in " + count(p.Rooms) + " rooms"
	}
	return text
}

func (o *replayOutput) progress(p replay.Progress) {
	if o.json {
		o.line("progress", p)
		return
	}
	fmt.Fprintf(o.stdout, "  %s of %s sent, %s a second, %s left", count(p.Records), count(p.Total), count(int(p.PerSecond)), seconds(p.SecondsTo))
	if p.Failed > 0 {
		fmt.Fprintf(o.stdout, ", %s fail", count(p.Failed))
	}
	fmt.Fprintln(o.stdout)
}

func (o *replayOutput) shown(s replay.Shown) {
	if o.json {
		o.line("record", s)
		return
	}
	fmt.Fprintf(o.stdout, "  %s %-6s %-14s %s %s\n", s.At.Format(time.RFC3339), s.EventName, s.Entity, s.PK, s.SK)
	if s.Problem != "" {
		fmt.Fprintln(o.stdout, "   ", s.Problem)
	}
}

func (o *replayOutput) note(text string) {
	if o.json {
		o.line("note", text)
		return
	}
	fmt.Fprintln(o.stdout, "  "+text)
}

func (o *replayOutput) summary(c replay.Config, s replay.Summary) {
	for _, f := range s.Failed {
		fmt.Fprintf(o.stdout, "  fails: %s %s (%s): %s\n", f.PK, f.SK, f.Sequence, f.Reason)
	}
	for _, kept := range s.Kept {
		fmt.Fprintln(o.stdout, "  stays in the queue:", kept)
	}
	if s.Applied {
		fmt.Fprintf(o.stdout, "Sent %s records in %s batches by %s invocations within %s; %s fail.\n",
			count(s.Records), count(s.Batches), count(s.Invocations), seconds(s.Seconds), count(len(s.Failed)))
	}
	if s.Applied && c.Source == replay.FromFailures {
		fmt.Fprintf(o.stdout, "Removed %d entries from the on-failure queue.\n", s.Entries)
	}
	if c.Save != "" && s.Records > 0 {
		fmt.Fprintf(o.stdout, "Saved %s records in %s, with their content.\n", count(s.Records), c.Save)
	}
}

// count renders a number with its thousands apart.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// seconds renders a duration as roughly as it is known.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
