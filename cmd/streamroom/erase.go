package main

import (
	"cmp"
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
	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
)

// eraseRate leaves fanout time for what each write has it send.
const eraseRate = 100

// eraseSettle is longer than a function has for a send.
const eraseSettle = 15 * time.Second

// eraseCommand is one call of erase.
type eraseCommand struct {
	where  where
	config erase.Config
	json   bool
}

func newErase() *cobra.Command {
	e := eraseCommand{config: erase.Config{Now: time.Now, ReadRate: defaultRate, Rate: eraseRate, Settle: eraseSettle}}
	cmd := &cobra.Command{
		Use: "erase", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Remove a user, and what they wrote",
		Long: `Remove a user. Their messages become tombstones that name no one; their profile,
memberships, connections, reactions, files and all else of theirs goes, and so does what
others' items say of them. Without --apply it only counts what there is.
First see to it that the user can't sign in any more. A run that was interrupted is
started again, and does what is left. It reads the whole table.`,
		Example: `  streamroom erase --env prod --user alice
  streamroom erase --env prod --user alice --apply`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	e.where.flags(cmd)
	e.where.filesFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&e.config.UserID, "user", "", "`id` of the user, as rooms show it")
	flags.BoolVar(&e.config.Apply, "apply", false, "erase, instead of counting what there is")
	cli.Rate(flags, &e.config.ReadRate, "read-rate", "the `number` of read units to use a second; 0 is no limit")
	cli.Rate(flags, &e.config.Rate, "rate", "the `number` of write units to use a second; 0 is no limit")
	cli.Wait(flags, &e.config.Settle, "settle", "the `duration` to wait for sends that read, before it was erased, what is erased")
	flags.BoolVar(&e.json, "json", false, "write one JSON object a line")
	return cmd
}

func (e *eraseCommand) run(ctx context.Context, stdout, stderr io.Writer) error {
	c := e.config
	if c.UserID == "" {
		return cli.Usage(errors.New("--user is missing: the id of the user to erase"))
	}
	if err := chat.ValidateUserID(c.UserID); err != nil {
		return cli.Usage(fmt.Errorf("invalid --user %q: %s", c.UserID, chat.Reason(err).Message))
	}
	clients, deployment, err := e.where.open(ctx, "")
	if err != nil {
		return e.where.explain(err)
	}
	if deployment.Attachments == "" {
		return cli.Usage(errors.New("--attachments is missing: the name of the bucket that has the table's files"))
	}
	c.DB, c.Table, c.Files = clients.Table, deployment.Table, objects.New(clients.Config, deployment.Attachments)
	line := progress.New(stderr)
	out := jsonLines{line.Above(stdout)}
	c.Progress = func(items int) { line.Update("  " + count(items) + " items read") }
	c.Left = func(k table.Key) { fmt.Fprintf(out.w, "  left: %s %s\n", k.PK, k.SK) }
	if e.json {
		c.Progress = func(items int) { out.write("progress", map[string]int{"items": items}) }
		c.Left = func(k table.Key) { out.write("left", map[string]string{"pk": k.PK, "sk": k.SK}) }
	}
	report, err := erase.Run(ctx, c)
	line.Done()
	if e.json {
		out.write("report", report)
	} else if report.Items > 0 || len(report.Kinds) > 0 {
		fmt.Fprint(stdout, erased(report, c.Apply, err == nil))
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return exitError{exitInterrupted, errors.New("interrupted; start it again to go on")}
	case err != nil:
		return e.where.explain(err)
	case report.Left > 0:
		return exitError{exitIncomplete, fmt.Errorf("%s left that name the user and are of no kind that erase knows", things(report.Left, "item"))}
	}
	return nil
}

// became says what becomes of what is found, by kind.
var became = map[string]string{
	"message": "tombstones that name no one", "member": "left their rooms", "participation": "left their rooms",
	"connection": "ended", "lastmessage": "without the sender and the preview", "room": "made or invited to by no one",
	"reacted": "taken back", "attachment": "removed, with their files", "mention": "taken out of others' messages",
	"quote": "without the sender and the text", "moderated": "deleted by no one",
}

// erased renders a report.
func erased(r erase.Report, apply, complete bool) string {
	var lines []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		lines = append(lines, fmt.Sprintf("  %-13s %9s  %s\n", kind, count(r.Kinds[kind].Found), cmp.Or(became[kind], "removed")))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Kept)) {
		lines = append(lines, fmt.Sprintf("  %-13s %9s  kept, and gone by themselves within days\n", kind, count(r.Kept[kind])))
	}
	text := fmt.Sprintf("Read %s in %s, using %s and %s.\n",
		things(r.Items, "item"), seconds(r.Seconds), things(int(r.ReadUnits), "read unit"), things(int(r.WriteUnits), "write unit")) + strings.Join(lines, "")
	switch {
	case !complete:
		text += "Not complete: start it again to go on.\n"
	case len(r.Kinds) == 0:
		text += "There is nothing of the user.\n"
	case !apply:
		text += "Nothing was erased: add --apply.\n"
	default:
		text += "Erased. Another run finds nothing, unless the user has come back.\n"
	}
	return text
}
