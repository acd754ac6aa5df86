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
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
)

// verifyCommand is one call of verify.
type verifyCommand struct {
	where  where
	config verify.Config
	files  bool
	json   bool
}

func newVerify() *cobra.Command {
	v := verifyCommand{config: verify.Config{
		Now: time.Now, ReadRate: defaultRate, Settle: 15 * time.Second, Leftover: 72 * time.Hour, OrderInterval: chat.OrderInterval,
		MinAge: chat.PendingTime,
	}}
	cmd := &cobra.Command{
		Use: "verify", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Check derived items against their sources; --repair fixes them",
		Long: `Read the whole table and check what the stream's consumers derived from messages and
members: previews, the order of room lists, read cursors, numbers of members and of
reactions, and the items of connections. Unread counts are not stored, so not checked.
List the bucket of attachments, and compare its files with their items and messages.
Nothing is changed without --repair, which fixes an item only if it is still as it
was read. The table may be in use. Exit code 3 says that differences are left.`,
		Example: `  streamroom verify --endpoint http://` + defaultDynamoDBAddr + `
  streamroom verify --env prod --read-rate 200
  streamroom verify --env prod --repair`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return v.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	v.where.flags(cmd)
	v.where.filesFlag(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&v.config.Repair, "repair", false, "fix what can be fixed, if it is still as it was read")
	cli.Rate(flags, &v.config.ReadRate, "read-rate", "the `number` of the table's read units to use a second; 0 is no limit")
	cli.Wait(flags, &v.config.Settle, "settle", "the longest `duration` that the stream's consumers may be behind")
	cli.Wait(flags, &v.config.Leftover, "leftover", "the longest `duration` in which DynamoDB deletes expired items")
	cli.Wait(flags, &v.config.OrderInterval, "order-interval", "the deployment's setting orderInterval, as a `duration`: how far a room may stand behind its last message in lists")
	flags.BoolVar(&v.files, "files", true, "check the bucket of attachments, too")
	cli.Wait(flags, &v.config.MinAge, "min-age", "the least age of a file to remove because no message has it, as a `duration`; younger ones may be of messages that are being sent")
	flags.BoolVar(&v.json, "json", false, "write one JSON object a line")
	return cmd
}

func (v *verifyCommand) run(ctx context.Context, stdout, stderr io.Writer) error {
	clients, deployment, err := v.where.open(ctx, "")
	if err != nil {
		return v.where.explain(err)
	}
	c := v.config
	c.DB, c.Table = clients.Table, deployment.Table
	if v.files && deployment.Attachments != "" {
		c.Files = objects.New(clients.Config, deployment.Attachments)
	}
	line := progress.New(stderr)
	out := jsonLines{line.Above(stdout)}
	c.Progress = func(items, files int) { line.Update("  " + readSoFar(items, files)) }
	c.Found = func(d verify.Difference) { fmt.Fprintln(out.w, differenceLine(d, c.Repair)) }
	if v.json {
		c.Progress = func(items, files int) { out.write("progress", map[string]int{"items": items, "files": files}) }
		c.Found = func(d verify.Difference) { out.write("difference", d) }
	}
	report, err := verify.Run(ctx, c)
	line.Done()
	switch {
	case err != nil && report.Items == 0:
		// There is nothing to report.
	case v.json:
		out.write("report", report)
	default:
		fmt.Fprint(stdout, summarize(report, c.Files != nil, err == nil))
	}
	switch left := report.Differences - report.Repaired; {
	case err != nil && ctx.Err() != nil:
		return exitError{exitInterrupted, errors.New("interrupted")}
	case err != nil:
		return v.where.explain(err)
	case left > 0:
		return exitError{exitIncomplete, fmt.Errorf("%s%s", things(left, "difference"), hint(c.Repair))}
	}
	return nil
}

func hint(repair bool) string {
	if repair {
		return " left"
	}
	return "; --repair fixes what can be fixed"
}

func differenceLine(d verify.Difference, repair bool) string {
	text := fmt.Sprintf("  %-11s %s %s: %s", d.Kind, d.PK, d.SK, d.Problem)
	switch {
	case d.Repaired:
		text += " (fixed)"
	case repair:
		text += " (left: " + d.Note + ")"
	}
	return text
}

// readSoFar renders the progress. Files are read after items.
func readSoFar(items, files int) string {
	if files > 0 {
		return count(items) + " items and " + count(files) + " files read"
	}
	return count(items) + " items read"
}

// summarize renders a report. files is false if the bucket of attachments was left out,
// complete if the run ended before it had read everything.
func summarize(r verify.Report, files, complete bool) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		parts = append(parts, count(r.Kinds[kind])+" "+kind)
	}
	read, checked := things(r.Items, "item"), things(r.Items-r.Foreign, "item")
	if files {
		read, checked = read+" and "+things(r.Files, "file"), checked+" and "+things(r.Files-r.ForeignFiles, "file")
	}
	text := fmt.Sprintf("Read %s in %s, using %s.\n", read, seconds(r.Seconds), things(int(r.ReadUnits), "read unit"))
	if len(parts) > 0 {
		text += "  " + strings.Join(parts, ", ") + "\n"
	}
	if !files {
		text += "Not checked: the files of attachments.\n"
	}
	if r.Foreign > 0 {
		text += "Not checked, because their keys are unknown: " + things(r.Foreign, "item") + ".\n"
	}
	if r.ForeignFiles > 0 {
		text += "Not checked, because their keys are unknown: " + things(r.ForeignFiles, "file") + ".\n"
	}
	if r.Suspects > r.Differences {
		text += "Fitted when they were read again: " + things(r.Suspects-r.Differences, "item") + ".\n"
	}
	switch {
	case !complete:
		text += "Not complete: it ended before everything was read. Differences until then: " + count(r.Differences) + ".\n"
	case r.Differences == 0:
		text += "Everything fits: " + checked + " checked, 0 differ.\n"
	case r.Repaired == r.Differences:
		text += "Everything fits now: " + checked + " checked, " + count(r.Repaired) + " fixed.\n"
	default:
		text += checked + " checked: " + things(r.Differences, "difference") + ", " + count(r.Repaired) + " fixed.\n"
	}
	return text
}
