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

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/export"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/shared/atomicfile"
	"github.com/streamroom/streamroom/shared/chat"
)

// exportCommand is one call of export.
type exportCommand struct {
	where  where
	config export.Config
	file   string
}

func newExport() *cobra.Command {
	e := exportCommand{config: export.Config{Now: time.Now, ReadRate: defaultRate}}
	cmd := &cobra.Command{
		Use: "export", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Write all that is held of a user or of a room",
		Long: `Write all that is held of a user or of a room, as one JSON object a line: what erase
would remove of a user, or what a room has. Of a user it reads the whole table.
A file appears when it is complete; after an interruption start again.`,
		Example: `  streamroom export --env prod --user alice --out alice.jsonl
  streamroom export --env prod --room ROOM > room.jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	e.where.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&e.config.UserID, "user", "", "`id` of the user, as rooms show it")
	flags.StringVar(&e.config.RoomID, "room", "", "`id` of the room")
	flags.StringVar(&e.file, "out", "", "`file` to write, instead of stdout")
	cli.Rate(flags, &e.config.ReadRate, "read-rate", "the `number` of read units to use a second; 0 is no limit")
	return cmd
}

func (e *exportCommand) check() error {
	user, room := e.config.UserID, e.config.RoomID
	if (user == "") == (room == "") {
		return errors.New("want one of --user and --room")
	}
	if room != "" {
		if err := chat.ValidateRoomID(room); err != nil {
			return fmt.Errorf("invalid --room %q: %s", room, chat.Reason(err).Message)
		}
		return nil
	}
	if err := chat.ValidateUserID(user); err != nil {
		return fmt.Errorf("invalid --user %q: %s", user, chat.Reason(err).Message)
	}
	return nil
}

func (e *exportCommand) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := e.check(); err != nil {
		return cli.Usage(err)
	}
	clients, deployment, err := e.where.open(ctx, "")
	if err != nil {
		return e.where.explain(err)
	}
	c := e.config
	c.DB, c.Table = clients.Table, deployment.Table
	line := progress.New(stderr)
	c.Progress = func(items int) { line.Update("  " + count(items) + " items read") }
	var report export.Report
	write := func(w io.Writer) (err error) {
		c.Out = w
		report, err = export.Run(ctx, c)
		return err
	}
	if e.file == "" {
		err = write(line.Above(stdout))
	} else {
		err = atomicfile.Stream(e.file, write)
	}
	line.Done()
	switch {
	case err != nil && ctx.Err() != nil:
		return exitError{exitInterrupted, errors.New("interrupted; start it again")}
	case err != nil:
		return e.where.explain(err)
	}
	fmt.Fprint(stderr, exported(report))
	return nil
}

// exported renders a report.
func exported(r export.Report) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		parts = append(parts, count(r.Kinds[kind])+" "+kind)
	}
	if len(parts) == 0 {
		parts = []string{"nothing"}
	}
	return fmt.Sprintf("Read %s, using %s. Written: %s.\n", things(r.Items, "item"), things(int(r.ReadUnits), "read unit"), strings.Join(parts, ", "))
}
