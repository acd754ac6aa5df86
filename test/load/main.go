// Command load puts many WebSocket clients on a Streamroom or another chat server
// and measures how long what they do takes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes: all went through; a delivery was lost, came twice or was refused,
// or the run could not be made; the command line is invalid.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand() //nolint:contextcheck // cobra passes it
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	var invalid cli.UsageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &invalid):
		fmt.Fprintf(stderr, "load: %v; see go run ./test/load --help\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "load: %v\n", err)
	return exitFailed
}

const long = `Put many WebSocket clients on a chat server, and measure how long it takes to
connect, from a send to its ack, to each delivery and to the last one. Without --url
it builds and starts the ` + "`streamroom local`" + ` of this tree in a process of its own.

With --rate, messages are sent by the clock, whatever comes back, and latencies count
from when a message was to be sent: a server that stalls pays for all that it kept
waiting. With --window, that number of messages of each room is under way, and the next is
sent when all members have one of them: what a server can do at most.

Each user has one connection, and members of a room send in turn. Each delivery is
accounted for: those that did not come, came twice or came late are counted, and the
first two make the exit code 1.

Peers:
  streamroom   local or deployed; --url and --api of its two APIs. A deployed one wants
               --tokens, and its limits a user raised: each user sends rate/users a second
  tinode       --url ws://…/v0/channels; its configuration asks for no validated
               credentials (acc_validation) and lets in enough subscribers
  centrifugo   --url ws://…/connection/websocket; Centrifugo or another server of
               Centrifuge's protocol, run with --client.insecure; stores nothing`

const examples = `  go run ./test/load
  go run ./test/load --users 100 --rooms 1 --members 100 --rate 50 --for 30s --html load.html
  go run ./test/load --window 4 --rooms 8 --users 80
  go run ./test/load --peer tinode --url ws://127.0.0.1:6060/v0/channels --pid $(pgrep -n tinode) --json tinode.json
  go run ./test/load compare streamroom.json tinode.json
  go run ./test/load merge machine1.json machine2.json --html all.html`

// The values of --sync, which are those of `streamroom local`.
const (
	syncNormal = "normal"
	syncFull   = "full"
)

// options are the command line of a run.
type options struct {
	plan     Plan
	peer     string
	url, api string
	tokens   string
	key      string
	pids     []int
	inMemory bool
	sync     string
	outputs
}

// outputs are where a report goes beside standard output.
type outputs struct{ json, html string }

func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "load", Short: "Measure a chat server under load", Long: long, Example: examples,
		SilenceUsage: true, SilenceErrors: true,
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return measure(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.SetFlagErrorFunc(cli.FlagError)
	cmd.CompletionOptions.DisableDefaultCmd = true
	flags := cmd.Flags()
	p := &o.plan
	flags.IntVar(&p.Users, "users", 80, "`number` of users, each with one connection")
	flags.IntVar(&p.Rooms, "rooms", 8, "`number` of rooms")
	flags.IntVar(&p.Members, "members", 10, "`number` of members of each room; users follow each other from room to room")
	flags.Float64Var(&p.Rate, "rate", 0, "`messages` a second, over all rooms (default 50 where there is no --window)")
	flags.IntVar(&p.Window, "window", 0, "`messages` of each room under way at a time, instead of a rate")
	p.For, p.WarmUp, p.Drain, p.Late = 10*time.Second, 2*time.Second, 10*time.Second, time.Second
	cli.Wait(flags, &p.For, "for", "how long messages are sent and measured; 0 only connects")
	cli.Wait(flags, &p.WarmUp, "warm-up", "how long messages are sent before, and not measured")
	cli.Wait(flags, &p.Drain, "drain", "how long messages may take to arrive after the last send")
	cli.Positive(flags, &p.Late, "late", "a delivery that takes longer is counted as late")
	flags.Float64Var(&p.ConnectRate, "connect-rate", 200, "`connections` opened a second")
	flags.IntVar(&p.Bytes, "bytes", 100, "`bytes` of a message's content")
	o.peer = "streamroom"
	cli.Choice(cmd, &o.peer, slices.Sorted(maps.Keys(peers)), "peer", "the `server`: "+strings.Join(slices.Sorted(maps.Keys(peers)), ", "))
	cli.URL(flags, &o.url, "url", "ws://127.0.0.1:8080/local", "`URL` of its WebSocket; \"\" starts a streamroom local")
	cli.URL(flags, &o.api, "api", "http://127.0.0.1:8080/api", "`URL` of its HTTP API, for streamroom")
	flags.StringVar(&o.tokens, "tokens", "", "`file` with a line \"user token\" for each user, for a deployed streamroom")
	flags.StringVar(&o.key, "key", "", "API `key`, for tinode (default that of its example configuration)")
	flags.IntSliceVar(&o.pids, "pid", nil, "`process` whose CPU time and memory are the server's, with those that it started; can be repeated")
	flags.BoolVar(&o.inMemory, "memory", false, "the streamroom local that is started keeps its data in memory, instead of a file")
	o.sync = syncNormal
	cli.Choice(cmd, &o.sync, []string{syncNormal, syncFull}, "sync", "when the streamroom local that is started acknowledges a write: `normal` once the system has it, full once the disk has it, as PostgreSQL does")
	o.addTo(cmd)
	cmd.AddCommand(newMerge(), newCompare())
	return cmd
}

func (o *outputs) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.json, "json", "", "`file` for the report, with whole histograms")
	cmd.Flags().StringVar(&o.html, "html", "", "`file` for the report as a page with plots")
}

func newMerge() *cobra.Command {
	var o outputs
	cmd := &cobra.Command{
		Use: "merge REPORT…", Short: "Add what several machines measured of one server at the same time",
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := readReports(args)
			if err != nil {
				return err
			}
			sum, err := merge(reports)
			if err != nil {
				return err
			}
			return o.write(cmd.OutOrStdout(), sum)
		},
	}
	o.addTo(cmd)
	return cmd
}

func newCompare() *cobra.Command {
	var page string
	cmd := &cobra.Command{
		Use: "compare REPORT…", Short: "Show reports side by side, with ratios to the first",
		Args: atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			reports, err := readReports(args)
			if err != nil {
				return err
			}
			return outputs{html: page}.write(cmd.OutOrStdout(), reports...)
		},
	}
	cmd.Flags().StringVar(&page, "html", "", "`file` for the comparison as a page with plots")
	return cmd
}

func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return cli.Usage(fmt.Errorf("invalid arguments of %s: want at least %d reports, which --json wrote, got %d", cmd.Name(), n, len(args)))
		}
		return nil
	}
}

func readReports(names []string) (reports []Report, err error) {
	for _, name := range names {
		r, err := readReport(name)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// write prints reports and writes the files that are asked for.
func (o outputs) write(stdout io.Writer, reports ...Report) error {
	err := printReports(stdout, reports...)
	if o.json != "" {
		encoded, encodeErr := json.Marshal(reports[0])
		err = errors.Join(err, encodeErr, os.WriteFile(o.json, append(encoded, '\n'), 0o600))
	}
	if o.html != "" {
		encoded, encodeErr := page(reports)
		err = errors.Join(err, encodeErr, os.WriteFile(o.html, encoded, 0o600))
	}
	return err
}

// check completes the command line.
func (o *options) check() error {
	if o.plan.Rate == 0 && o.plan.Window == 0 {
		o.plan.Rate = 50
	}
	if err := o.plan.check(); err != nil {
		return cli.Usage(err)
	}
	if o.url == "" && (o.peer != "streamroom" || o.api != "" || len(o.pids) > 0 || o.tokens != "") {
		return cli.Usage(errors.New("--url is missing: the URL of the server's WebSocket, such as ws://127.0.0.1:8080/local"))
	}
	switch {
	case o.url != "" && o.inMemory:
		return cli.Usage(errors.New("--memory is for the streamroom that is started where --url is missing"))
	case o.url != "" && o.sync != syncNormal:
		return cli.Usage(errors.New("--sync is for the streamroom that is started where --url is missing"))
	case o.inMemory && o.sync != syncNormal:
		return cli.Usage(errors.New("--sync full is for data in a file, and --memory has none"))
	}
	return nil
}

// local is what `streamroom local` is started with, beside its addresses.
func (o *options) local() []string {
	if o.inMemory {
		return []string{"--memory"}
	}
	return []string{"--sync", o.sync}
}

func (o options) target() (t target, err error) {
	t.tokens, t.key = o.tokens, o.key
	if t.socket, err = url.Parse(o.url); err == nil && o.api != "" {
		t.api, err = url.Parse(o.api)
	}
	return t, err
}

// measure makes a run and reports it.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	line := progress.New(stderr)
	defer line.Done()
	if o.url == "" {
		line.Update("building and starting streamroom local")
		s, err := start(ctx, o.local(), line.Above(stderr))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		o.url, o.api = "ws"+strings.TrimPrefix(s.url, "http")+"/local", s.url+"/api"
		if _, err := used(nil); !errors.Is(err, errNotLinux) { // else the report is without
			o.pids = []int{s.cmd.Process.Pid}
		}
	}
	t, err := o.target()
	if err != nil {
		return err
	}
	r, err := o.carryOut(ctx, t, line)
	line.Done()
	if err != nil {
		return err
	}
	if err := o.write(stdout, r); err != nil {
		return err
	}
	if r.Lost+r.Doubled+r.Unsent > 0 || len(r.Refused) > 0 {
		return errors.New("not all went through, see above")
	}
	return ctx.Err()
}

func (o options) carryOut(ctx context.Context, t target, line *progress.Line) (Report, error) {
	book := &ledger{run: newRun(), members: o.plan.Members}
	server, err := peers[o.peer](t, book)
	if err != nil {
		return Report{}, cli.Usage(err)
	}
	l := newLoad(o.plan, book, server, line.Update)
	r := Report{Name: o.peer, Peer: o.peer, Begun: time.Now().UTC().Truncate(time.Second)}
	before, after, err := l.measured(ctx, o.pids)
	if err != nil {
		return r, err
	}
	r.ServerCPU, r.ServerMemory = (after.server.cpu - before.server.cpu).Seconds(), after.server.resident
	r.ClientCPU = (after.own.cpu - before.own.cpu).Seconds()
	return l.report(r)
}

// bill is what a run has used so far.
type bill struct{ server, own usage }

func readBill(pids []int) (b bill, err error) {
	if len(pids) == 0 {
		return bill{}, nil
	}
	if b.server, err = used(pids); err == nil {
		b.own, err = used([]int{os.Getpid()})
	}
	return b, err
}

// measured makes the run and returns what was used before it is measured and after.
func (l *load) measured(ctx context.Context, pids []int) (before, after bill, err error) {
	if before, err = readBill(pids); err != nil { // also says that a --pid is wrong before the run
		return before, after, err
	}
	type reading struct {
		bill
		err error
	}
	warmed := make(chan reading, 1)
	err = l.run(ctx, func() {
		b, err := readBill(pids)
		warmed <- reading{b, err}
	})
	if err != nil {
		return before, after, err
	}
	select {
	case r := <-warmed:
		before, err = r.bill, r.err
	default: // Ctrl-C in the warm-up
	}
	if err == nil {
		after, err = readBill(pids)
	}
	return before, after, err
}
