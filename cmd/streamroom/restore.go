package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/operate/restore"
)

// restoreCommand is one call of restore.
type restoreCommand struct {
	where    where
	config   restore.Config
	entities string
	json     bool
}

func newRestore() *cobra.Command {
	r := restoreCommand{config: restore.Config{ReadRate: defaultRate, Rate: defaultRate}}
	cmd := &cobra.Command{
		Use: "restore", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Copy what the table lacks from one that was restored from a backup",
		Long: `Copy what the table lacks from one that was restored from a backup of it. Nothing is
overwritten, and a run may be repeated. Without --apply it only counts what is missing.
Messages are never removed, so each that is missing was lost. Of rooms and members the
backup also has those that were removed on purpose since: choose them with --entity.
Afterwards, ` + "`verify --repair`" + ` corrects what follows from them.`,
		Example: `  streamroom restore --env prod --from RESTORED
  streamroom restore --env prod --from RESTORED --apply
  streamroom restore --env prod --from RESTORED --room ROOM --entity room,member,message --apply`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	r.where.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&r.config.From, "from", "", "`name` of the restored table")
	flags.StringVar(&r.entities, "entity", "message", "what to copy, separated by commas: "+strings.Join(restore.Entities(), ", "))
	flags.StringVar(&r.config.Room, "room", "", "only what is of the room with this `id`")
	flags.BoolVar(&r.config.Apply, "apply", false, "copy, instead of counting what is missing")
	cli.Rate(flags, &r.config.ReadRate, "read-rate", "the `number` of read units to use a second; 0 is no limit")
	cli.Rate(flags, &r.config.Rate, "rate", "the `number` of items to write a second; 0 is no limit")
	flags.BoolVar(&r.json, "json", false, "write one JSON object a line")
	return cmd
}

func (r *restoreCommand) run(ctx context.Context, stdout, stderr io.Writer) error {
	if r.config.From == "" {
		return cli.Usage(errors.New("--from is missing: the name of the table that was restored from a backup"))
	}
	c := r.config
	for entity := range strings.SplitSeq(r.entities, ",") {
		if !slices.Contains(restore.Entities(), entity) {
			return cli.Usage(fmt.Errorf("invalid --entity %q: want %s", entity, strings.Join(restore.Entities(), ", ")))
		}
		c.Entities = append(c.Entities, entity)
	}
	clients, deployment, err := r.where.open(ctx, "")
	if err != nil {
		return r.where.explain(err)
	}
	c.DB, c.To = clients.Table, deployment.Table
	line := progress.New(stderr)
	out := jsonLines{line.Above(stdout)}
	c.Progress = func(items int) { line.Update("  " + count(items) + " items read") }
	if r.json {
		c.Progress = func(items int) { out.write("progress", map[string]int{"items": items}) }
	}
	report, err := restore.Run(ctx, c)
	line.Done()
	if r.json {
		out.write("report", report)
	} else if report.Read > 0 {
		fmt.Fprint(stdout, restored(report, c))
	}
	if err != nil && ctx.Err() != nil {
		return exitError{exitInterrupted, errors.New("interrupted; a run may be repeated")}
	}
	return r.where.explain(err)
}

// restored renders a report.
func restored(r restore.Report, c restore.Config) string {
	var parts []string
	missing := 0
	for _, kind := range slices.Sorted(maps.Keys(r.Missing)) {
		parts = append(parts, count(r.Missing[kind])+" "+kind)
		missing += r.Missing[kind]
	}
	text := fmt.Sprintf("Read %s of %s.\n", things(r.Read, "item"), c.From)
	if missing == 0 {
		return text + "The table lacks none of them.\n"
	}
	text += "The table lacks: " + strings.Join(parts, ", ") + ".\n"
	if !c.Apply {
		return text + "Nothing was copied: add --apply.\n"
	}
	return text + "Copied " + things(r.Copied, "item") + ". Run verify --repair next.\n"
}
