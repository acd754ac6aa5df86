package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/cost"
)

// costCommand is one call of cost.
type costCommand struct {
	workload       cost.Workload
	show           string
	json, markdown bool
}

func newCost() *cobra.Command {
	c := costCommand{workload: cost.DefaultWorkload(), show: "month"}
	cmd := &cobra.Command{
		Use: "cost", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Estimate what a month on AWS costs, beside two other designs",
		Long: `Estimate what a month of 30 days costs on AWS (us-east-1, list prices, no tax), by
service, beside the design in which sendMessage itself broadcasts, and beside AppSync
Events. It asks nothing of AWS: what each action takes is measured by this
repository's tests, prices are dated (--show prices), and how long functions run is
assumed. docs/operations.md says what the other designs are taken to do.

--show selects a table:
  month    the bill of a month
  message  a million messages, at --pace and busy (ten in a window of lastmessage)
  idle     connections that send nothing
  pings    the cost of pings by their interval
  actions  what each action asks of AWS
  parts    a million busy messages, connects, syncs and pings, by service
  people   what it costs that users learn of each other
  figures  the numbers by which the design is judged
  prices   the prices, their dates and their pages
  backends what events, pushes and services add
  rooms    one message, by the size of the room`,
		Example: `  streamroom cost --members 10 --online 0.3 --messages-per-second 5 --connections 10000
  streamroom cost --show message --members 100 --json
  streamroom cost --attachments-per-message 0.1 --attachment-bytes 2000000
  streamroom cost --show idle --connections 1000 --ping-every 9m`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.OutOrStdout()) },
	}
	c.flags(cmd)
	return cmd
}

func (c *costCommand) flags(cmd *cobra.Command) {
	w, flags := &c.workload, cmd.Flags()
	cli.Choice(cmd, &c.show, cost.Shows(), "show", "the `table` to show")
	flags.BoolVar(&c.json, "json", false, "write one JSON object")
	flags.BoolVar(&c.markdown, "markdown", false, "write a Markdown table, as in docs/operations.md")
	flags.IntVar(&w.Connections, "connections", w.Connections, "the `number` of connections that are open on average")
	flags.IntVar(&w.Members, "members", w.Members, "the `number` of members of a room")
	cli.Rate(flags, &w.Online, "online", "the `share` of a room's members who are connected, from 0 to 1")
	flags.IntVar(&w.Rooms, "rooms", w.Rooms, "the `number` of rooms of a user")
	cli.Rate(flags, &w.MessagesPerSecond, "messages-per-second", "the `number` of messages that are sent a second, by all users together")
	flags.IntVar(&w.Content, "content", w.Content, "the `bytes` of a message's content")
	cli.Positive(flags, &w.Pace, "pace", "the `duration` between two messages in a room in which people talk")
	cli.Rate(flags, &w.Reads, "reads", "the `number` of read cursors that a message moves")
	cli.Positive(flags, &w.Session, "session", "the `duration` of a connection, 2h at most")
	cli.Rate(flags, &w.Lists, "lists", "the `number` of times that rooms are listed in a session")
	cli.Rate(flags, &w.Histories, "histories", "the `number` of pages of messages that are read in a session")
	cli.Wait(flags, &w.PingEvery, "ping-every", "the `duration` between two pings; 0 is never")
	cli.Wait(flags, &w.SyncEvery, "sync-every", "the `duration` between two syncs within a session; 0 is never")
	cli.Rate(flags, &w.Months, "months", "the `number` of months of messages that the table holds, and of files that the bucket does")
	cli.Rate(flags, &w.FilesPerMessage, "attachments-per-message", "the `number` of files that a message has, on average")
	flags.IntVar(&w.FileBytes, "attachment-bytes", w.FileBytes, "the `bytes` of a file")
	cli.Rate(flags, &w.Downloads, "attachment-downloads", "the `number` of times that a file is downloaded")
	flags.IntVar(&w.Users, "users", w.Users, "the `number` of users who sign in in the month; 0 is connections divided by online")
	flags.BoolVar(&w.Events, "events", w.Events, "with events on a bus of EventBridge")
	flags.BoolVar(&w.Push, "push", w.Push, "with Web Push to users who are offline")
	flags.IntVar(&w.Services, "services", w.Services, "the `number` of services, which have tokens of their own")
	cli.Choice(cmd, &w.Tier, []string{cost.Lite, cost.Essentials, cost.Plus}, "tier", "the user pool's `tier`")
	flags.BoolVar(&w.Traced, "traced", w.Traced, "with X-Ray traces of the functions")
	flags.BoolVar(&w.Free, "free-tier", false, "leave out what an account gets free each month, if nothing else runs in it")
}

func (c *costCommand) run(stdout io.Writer) error {
	if c.json && c.markdown {
		return cli.Usage(errors.New("use --json or --markdown, not both"))
	}
	if err := c.workload.Check(); err != nil {
		return cli.Usage(err)
	}
	table, err := cost.Show(c.show, c.workload)
	if err != nil {
		return cli.Usage(err)
	}
	switch {
	case c.json && c.show == "month":
		return json.NewEncoder(stdout).Encode(cost.NewEstimate(c.workload))
	case c.json:
		return json.NewEncoder(stdout).Encode(table)
	case c.markdown:
		table.WriteMarkdown(stdout)
	default:
		table.WriteText(stdout)
	}
	return nil
}
