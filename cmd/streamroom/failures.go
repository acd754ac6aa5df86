package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

const failuresUsage = `usage: streamroom failures list|show ID|retry [ID…]|drop ID… [flags]

  list    what the stream's consumers gave up, oldest first
  show    the records of an entry, without their content
  retry   send the records of entries, or of all, again; an entry goes once that worked
  drop    remove entries

`

// readPause is the time between two reads of the stream.
const readPause = 250 * time.Millisecond

func runFailures(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var w where
	f := failures{stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("failures", flag.ContinueOnError)
	w.sendingFlags(flags)
	flags.StringVar(&f.target, "target", topology.LastMessage, "retry: the function whose entries to send, lastmessage or fanout (with --deliver)")
	flags.BoolVar(&f.deliver, "deliver", false, "retry: let fanout send frames to people's devices again")
	flags.Float64Var(&f.rate, "rate", defaultRate, "retry: `records` to send a second")
	flags.BoolVar(&f.json, "json", false, "write one JSON object a line")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		err := parse(flags, args, io.Discard)
		if !errors.Is(err, flag.ErrHelp) {
			return usageError{errors.New("say what to do: list, show, retry or drop")}
		}
		fmt.Fprint(stdout, failuresUsage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return err
	}
	action, rest := args[0], args[1:]
	f.ids = rest[:indexOf(rest, func(a string) bool { return strings.HasPrefix(a, "-") })]
	if err := parse(flags, rest[len(f.ids):], stdout); err != nil {
		return err
	}
	do, ok := map[string]func(context.Context) error{"list": f.list, "show": f.show, "retry": f.retry, "drop": f.drop}[action]
	switch {
	case !ok:
		return usageError{fmt.Errorf("there is no failures %s; use list, show, retry or drop", action)}
	case action == "list" && len(f.ids) > 0, action == "show" && len(f.ids) != 1, action == "drop" && len(f.ids) == 0:
		return usageError{fmt.Errorf("failures %s is called with other ids than that: see the usage", action)}
	}
	var err error
	if f.clients, f.deployment, err = w.open(ctx, f.target); err != nil {
		return replay.Explain(err)
	}
	if f.queue, err = replay.NewFailures(f.clients, f.deployment, readPause); err != nil {
		return usageError{err}
	}
	return replay.Explain(do(ctx))
}

// indexOf is where the first that meets a condition stands; the length if none.
func indexOf(list []string, meets func(string) bool) int {
	if i := slices.IndexFunc(list, meets); i >= 0 {
		return i
	}
	return len(list)
}

// failures is one call of the command.
type failures struct {
	ids            []string
	target         string
	deliver, json  bool
	rate           float64
	stdout, stderr io.Writer

	clients    replay.Clients
	deployment replay.Deployment
	queue      *replay.Failures
}

func (f *failures) print(value any, format string, args ...any) error {
	if !f.json {
		fmt.Fprintf(f.stdout, format, args...)
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("render as JSON: %w", err)
	}
	fmt.Fprintln(f.stdout, string(text))
	return nil
}

func (f *failures) list(ctx context.Context) error {
	entries, err := f.queue.List(ctx)
	for _, e := range entries {
		err = errors.Join(err, f.entry(e))
	}
	if len(entries) == 0 && err == nil && !f.json {
		fmt.Fprintln(f.stdout, "The queue is empty.")
	}
	return err
}

func (f *failures) entry(e replay.Entry) error {
	return f.print(e, "%s  %s  %-12s %6s records  %s, written %s to %s\n", e.ID, e.At.UTC().Format(time.RFC3339), e.Function,
		count(e.Records), e.Condition, e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339))
}

func (f *failures) show(ctx context.Context) error {
	e, records, err := f.queue.Show(ctx, f.ids[0])
	if e.ID != "" {
		err = errors.Join(err, f.entry(e))
	}
	for _, r := range records {
		err = errors.Join(err, f.print(r, "  %s %-6s %-12s %s %s %s\n", r.At.Format(time.RFC3339), r.EventName, r.Entity, r.PK, r.SK, r.Problem))
	}
	return err
}

func (f *failures) drop(ctx context.Context) error {
	if err := f.queue.Drop(ctx, f.ids); err != nil {
		return err
	}
	return f.print(map[string]any{"dropped": f.ids}, "Dropped %d entries.\n", len(f.ids))
}

func (f *failures) retry(ctx context.Context) error {
	c := replay.Config{
		Source: replay.FromFailures, Target: f.target, Entries: f.ids, Apply: true, Deliver: f.deliver, Rate: f.rate,
		RunID: ulid.Make().String(),
	}
	if err := c.Check(time.Now()); err != nil {
		return usageError{err}
	}
	out := replayOutput{json: f.json, stdout: f.stdout, stderr: f.stderr, target: f.target}
	return out.run(ctx, replay.Env{Clients: f.clients, Deployment: f.deployment, Now: time.Now}, c, nil)
}
