package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// readPause is the time between two reads of the stream.
const readPause = 250 * time.Millisecond

// failures is one call of a command on the bucket of failures.
type failures struct {
	where         where
	target        string
	deliver, json bool
	rate          float64

	ids            []string
	stdout, stderr io.Writer
	clients        replay.Clients
	deployment     replay.Deployment
	bucket         *replay.Failures
}

func newFailures() *cobra.Command {
	cmd := &cobra.Command{
		Use: "failures", GroupID: groupOperate, DisableFlagsInUseLine: true,
		Short: "List and retry the changes that a consumer of the stream gave up",
		Long: `List and retry the changes that a consumer of the stream gave up. A consumer that
keeps failing on a batch gives it up, and its records are kept in a bucket for 14 days.`,
		Example: `  streamroom failures list --env prod
  streamroom failures show ID --env prod
  streamroom failures retry --env prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usage(unknown(cmd, args[0]))
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			return cli.Usage(errors.New("the command is missing: want list, show, retry or drop"))
		},
	}
	cmd.AddCommand(
		newFailuresCommand((*failures).list, &cobra.Command{
			Use: "list", Args: cli.NoArguments,
			Short:   "List the entries, oldest first",
			Example: "  streamroom failures list --env prod",
		}),
		newFailuresCommand((*failures).show, &cobra.Command{
			Use: "show ID", Args: oneID,
			Short:   "Show the records of an entry, without their content",
			Example: "  streamroom failures show 6f1c… --env prod",
		}),
		newFailuresCommand((*failures).retry, &cobra.Command{
			Use:     "retry [ID…]",
			Short:   "Send the records of some or all entries again",
			Long:    "Send the records of some entries, or of all, again. An entry is removed once all of its\nrecords have succeeded. Exit code 3 says that some still fail.",
			Example: "  streamroom failures retry --env prod\n  streamroom failures retry 6f1c… --env prod --target fanout --deliver",
		}),
		newFailuresCommand((*failures).drop, &cobra.Command{
			Use: "drop ID…", Args: someIDs,
			Short:   "Remove entries without sending their records",
			Example: "  streamroom failures drop 6f1c… --env prod",
		}),
	)
	return cmd
}

// newFailuresCommand completes one of the commands below failures. All of them
// accept the same flags; those of retry are hidden in the help of the others.
func newFailuresCommand(do func(*failures, context.Context) error, cmd *cobra.Command) *cobra.Command {
	f := failures{target: topology.LastMessage, rate: defaultRate}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.ids, f.stdout, f.stderr = args, cmd.OutOrStdout(), cmd.ErrOrStderr()
		return f.run(cmd.Context(), do)
	}
	f.where.sendingFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "write one JSON object a line")
	targets := []string{topology.LastMessage, topology.Fanout}
	cli.Choice(cmd, &f.target, targets, "target", "the `function` whose entries to send: lastmessage, or fanout, which needs --deliver")
	flags.BoolVar(&f.deliver, "deliver", false, "allow --target fanout, which posts frames to devices again")
	cli.Rate(flags, &f.rate, "rate", "the `number` of records to send a second; 0 is no limit")
	if cmd.Name() != "retry" {
		for _, name := range []string{"target", "deliver", "rate", "function"} {
			flags.Lookup(name).Hidden = true
		}
	}
	return cmd
}

func oneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.Usage(fmt.Errorf("%s needs exactly one id, got %d", cmd.Name(), len(args)))
	}
	return nil
}

func someIDs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cli.Usage(fmt.Errorf("%s needs at least one id", cmd.Name()))
	}
	return nil
}

func (f *failures) run(ctx context.Context, do func(*failures, context.Context) error) error {
	var err error
	if f.clients, f.deployment, err = f.where.open(ctx, f.target); err != nil {
		return f.where.explain(err)
	}
	if f.bucket, err = replay.NewFailures(f.clients, f.deployment, readPause); err != nil {
		return cli.Usage(err)
	}
	return f.where.explain(do(f, ctx))
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
	entries, err := f.bucket.List(ctx)
	for _, e := range entries {
		err = errors.Join(err, f.entry(e))
	}
	if len(entries) == 0 && err == nil && !f.json {
		fmt.Fprintln(f.stdout, "There are no failures.")
	}
	return err
}

func (f *failures) entry(e replay.Entry) error {
	return f.print(e, "%s  %s  %-12s %13s  %s, written %s to %s\n", e.ID, e.At.UTC().Format(time.RFC3339), e.Function,
		things(e.Records, "record"), e.Condition, e.First.UTC().Format(time.RFC3339), e.Last.UTC().Format(time.RFC3339))
}

func (f *failures) show(ctx context.Context) error {
	e, records, err := f.bucket.Show(ctx, f.ids[0])
	if e.ID != "" {
		err = errors.Join(err, f.entry(e))
	}
	for _, r := range records {
		err = errors.Join(err, f.print(r, "  %s %-6s %-12s %s %s %s\n", r.At.Format(time.RFC3339), r.EventName, r.Entity, r.PK, r.SK, r.Problem))
	}
	return err
}

func (f *failures) drop(ctx context.Context) error {
	if err := f.bucket.Drop(ctx, f.ids); err != nil {
		return err
	}
	return f.print(map[string]any{"dropped": f.ids}, "Dropped %s.\n", things(len(f.ids), "entry"))
}

func (f *failures) retry(ctx context.Context) error {
	c := replay.Config{
		Source: replay.FromFailures, Target: f.target, Entries: f.ids, Apply: true, Deliver: f.deliver, Rate: f.rate,
		RunID: ulid.Make().String(),
	}
	if err := c.Check(time.Now()); err != nil {
		return cli.Usage(err)
	}
	env := replay.Env{Clients: f.clients, Deployment: f.deployment, Now: time.Now}
	return newReplayOutput(f.json, f.stdout, progress.New(f.stderr), f.where.explain).run(ctx, env, c, nil)
}
