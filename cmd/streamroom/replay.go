package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// defaultRate leaves most of a table's capacity to live traffic: records a
// second, and read units a second.
const defaultRate = 1_000

// defaultCheckpoint is the file in which a run keeps its position.
const defaultCheckpoint = "streamroom-replay.json"

// replayCommand is one call of replay.
type replayCommand struct {
	now      time.Time
	where    where
	config   replay.Config
	source   string
	entities string
	resume   string
	json     bool
}

const replayLong = `Send changes of the table to a consumer of its stream again: to rebuild what it
derives, or to repeat what it did wrongly. Without --apply it only plans: how many
records, of which kind, at what cost.

--source says where the records come from:
  table     rebuilt from messages and members, of any age (the default)
  stream    the stream itself, which keeps 24 hours
  failures  what a consumer gave up, by the bucket of failures
  file      what --save wrote
--target says where they go: lastmessage (the default); fanout, which posts to
devices and so needs --deliver; or none, to count, --show or --save records.

Exit code 3 says that some records still fail. An interrupted run continues with --resume.`

const replayExample = `  streamroom replay --endpoint http://` + defaultDynamoDBAddr + `
  streamroom replay --env prod --from 2h --apply
  streamroom replay --env prod --room ROOM --target none --save room.jsonl
  streamroom replay --resume ` + defaultCheckpoint

func newReplay() *cobra.Command {
	r := replayCommand{now: time.Now(), source: string(replay.FromTable), config: replay.Config{
		Target: topology.LastMessage, Rate: defaultRate, ReadRate: defaultRate,
	}}
	cmd := &cobra.Command{
		Use: "replay", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Send changes of the table to a consumer of its stream again", Long: replayLong, Example: replayExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.run(cmd.Context(), cmd.Flags(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	r.where.sendingFlags(cmd)
	r.selectionFlags(cmd)
	r.runFlags(cmd)
	return cmd
}

// selectionFlags define which records go where.
func (r *replayCommand) selectionFlags(cmd *cobra.Command) {
	c, flags := &r.config, cmd.Flags()
	sources := []string{string(replay.FromTable), string(replay.FromStream), string(replay.FromFailures), string(replay.FromFile)}
	cli.Choice(cmd, &r.source, sources, "source", "the `source` of the records: table, stream, failures or file")
	targets := []string{topology.LastMessage, topology.Fanout, replay.ToNone}
	cli.Choice(cmd, &c.Target, targets, "target", "the `target` of the records: lastmessage, fanout or none")
	cli.Moment(flags, &c.Selection.From, r.now, "from", "the first `time`: RFC 3339, or how long ago, such as 2h")
	cli.Moment(flags, &c.Selection.To, r.now, "to", "the `time` before which to end (default now)")
	flags.StringVar(&c.Selection.Room, "room", "", "only the `room` with this id")
	flags.StringVar(&c.Selection.User, "user", "", "only the rooms of this `user`")
	flags.StringVar(&r.entities, "entity", "", "only these `kinds`, separated by commas: "+strings.Join(replay.Entities(), ", "))
	flags.IntVar(&c.Show, "show", 0, "with --target none: the `number` of records to show, without their content")
	flags.StringVar(&c.Save, "save", "", "with --target none: the new `file` to save the records in, with their content")
	flags.StringVar(&c.File, "file", "", "with --source file: the saved `file`")
}

// runFlags define how the records are sent.
func (r *replayCommand) runFlags(cmd *cobra.Command) {
	c, flags := &r.config, cmd.Flags()
	flags.BoolVar(&c.Apply, "apply", false, "send the records; without it they are only counted")
	flags.BoolVar(&c.Deliver, "deliver", false, "allow --target fanout, which posts frames to devices again")
	flags.BoolVar(&c.PauseMapping, "pause-mapping", false, "with --source stream: disable the target's own mapping during the run")
	cli.Rate(flags, &c.Rate, "rate", "the `number` of records to send a second; 0 is no limit")
	cli.Rate(flags, &c.ReadRate, "read-rate", "the `number` of the table's read units to use a second; 0 is no limit")
	flags.IntVar(&c.Attempts, "attempts", 5, "the `number` of times to send a record that fails")
	flags.IntVar(&c.GiveUp, "give-up", 100, "the `number` of records that may keep failing before the run stops")
	flags.StringVar(&c.Checkpoint, "checkpoint", defaultCheckpoint, "`file` that keeps the run's position")
	flags.StringVar(&r.resume, "resume", "", "continue the run of this checkpoint `file`, with its flags; only rates, --attempts and --give-up can differ")
	flags.BoolVar(&r.json, "json", false, "write one JSON object a line")
}

func (r *replayCommand) run(ctx context.Context, flags *pflag.FlagSet, stdout, stderr io.Writer) error {
	c := r.config
	var at *replay.Checkpoint
	if r.resume != "" {
		var err error
		if at, err = resumed(flags, r.resume, &c); err != nil {
			return err
		}
		r.where.fromMap(at.Where)
	} else {
		c.Source = replay.Source(r.source)
		if r.entities != "" {
			c.Selection.Entities = strings.Split(r.entities, ",")
		}
		c.RunID = ulid.Make().String()
		if err := c.Check(r.now); err != nil {
			return cli.Usage(err)
		}
	}
	clients, deployment, err := r.where.open(ctx, c.Target)
	if err != nil {
		return r.where.explain(err)
	}
	env := replay.Env{Clients: clients, Deployment: deployment, Where: r.where.toMap(), Now: time.Now}
	return newReplayOutput(r.json, stdout, progress.New(stderr), r.where.explain).run(ctx, env, c, at)
}

// resumed loads a checkpoint into c, except for the flags that a resumed run may
// change. Any other flag is a cli.UsageError.
func resumed(flags *pflag.FlagSet, path string, c *replay.Config) (*replay.Checkpoint, error) {
	var usage error
	given := *c
	flags.Visit(func(f *pflag.Flag) {
		if !slices.Contains([]string{"resume", "rate", "read-rate", "attempts", "give-up", "json", "apply"}, f.Name) {
			usage = cli.Usage(fmt.Errorf("--%s does not go with --resume, which takes it from the checkpoint", f.Name))
		}
	})
	if usage != nil {
		return nil, usage
	}
	at, err := replay.LoadCheckpoint(path)
	if err != nil {
		return nil, err
	}
	*c = at.Config
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "rate":
			c.Rate = given.Rate
		case "read-rate":
			c.ReadRate = given.ReadRate
		case "attempts":
			c.Attempts = given.Attempts
		case "give-up":
			c.GiveUp = given.GiveUp
		}
	})
	return at, nil
}
