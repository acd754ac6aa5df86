package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/progress"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/test/faults"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes: every promise was kept; one was broken or the run could not
// be made; the command line is invalid.
const (
	exitKept   = 0
	exitFailed = 1
	exitUsage  = 2
)

// command runs the soak test for a command line and returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := soak(ctx, args, stdout, stderr)
	var invalid cli.UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitKept
	case errors.As(err, &invalid):
		fmt.Fprintf(stderr, "soak: %v; see go run ./test/soak -h\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "soak: %v\n", err)
		return exitFailed
	}
}

// The values of --faults: what a plan breaks, and the events around it.
const (
	faultTable       = "table"
	faultPosts       = "posts"
	faultInvocations = "invocations"
	faultClocks      = "clocks"
	faultOutages     = "outages"
	faultNetwork     = "network"
	faultDevices     = "devices"
	faultMembers     = "members"
	faultRestarts    = "restarts"
)

var faultKinds = []string{
	faultTable, faultPosts, faultInvocations, faultClocks, faultOutages, faultNetwork, faultDevices, faultMembers, faultRestarts,
}

const help = `
Starts a Streamroom of its own with many clients, injects faults from a plan, and
compares what each client saw with what was stored. Exit codes: 0 every promise
was kept, 1 one was broken or the run could not be made, 2 the command line is
invalid. The same seed makes the same plan. With LOG_LEVEL the server's log goes
to standard error, and so does the progress.

Clients are the Go client and, for the first --browsers users, the browser library in
Node.js 20.10 or newer. Without Node.js a run needs --browsers 0.

Set-up comes before the load, and waits after it: for all sent messages to arrive
live and in the room lists ("delivered and listed"), for one more message in each
room to arrive ("live again"), and for all clients to catch up after their
connections were cut, and to show what the server has ("caught up"): rooms, order,
counts, messages, read marks, reactions, who is online. This has to hold again after changes that they are
told of and after all was read ("same while online"), and after changes while half of them were away ("same
after absence"). "reconnect" is how long clients were disconnected, "partitions" are connections that went silent without being closed,
and "linearizable" counts the rooms whose sends and reads porcupine found to be.

--faults takes "all", "none", or some of these, separated by commas:
  table        requests to the table and its stream are throttled, fail, come late, lose their answer
  posts        frames are lost, doubled, refused, answered 410, 429, 500, or not at all
  invocations  functions fail before, in the middle of and after their work, or run twice
  clocks       functions' clocks differ by up to half a second
  outages      the table or a function is down for seconds, every minute
  network      clients' connections are reset or go silent; $disconnect is lost
  devices      clients stop and start again
  members      users join and leave rooms
  restarts     the server stops and starts on the same data
`

// options are the command line.
type options struct {
	config Config
	faults []string
	asJSON bool
}

// parse reads the command line. An invalid one is a cli.UsageError; flag.ErrHelp says
// that the help was asked for and has been printed.
func parse(args []string, stdout io.Writer) (options, error) {
	var o options
	var minutes float64
	var kinds string
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.Float64Var(&minutes, "minutes", 1, "how long the load lasts, in `minutes`")
	flags.Uint64Var(&o.config.Seed, "seed", 1, "`number` that decides the plan")
	flags.IntVar(&o.config.Users, "users", 8, "`number` of users")
	flags.IntVar(&o.config.Devices, "clients", 2, "`number` of clients of each user")
	flags.IntVar(&o.config.Browsers, "browsers", 4, "`number` of users who have one more client, the browser library in Node.js")
	flags.IntVar(&o.config.Rooms, "rooms", 8, "`number` of rooms, each of half of the users")
	flags.IntVar(&o.config.Crowd, "crowd", fanout.SliceAbove, "`number` of members without a client in the first room; the default makes it a large one")
	flags.IntVar(&o.config.Group, "group", chat.LongIndexAbove, "`number` of members without a client in the second room; the default makes one whose connections it keeps itself")
	flags.Float64Var(&o.config.Sends, "sends", 12, "messages a `second`, of all clients together")
	flags.Float64Var(&o.config.Changes, "changes", 6, "edits, deletions, reactions and read marks a `second`, of all clients together")
	flags.Float64Var(&o.config.Reads, "reads", 4, "reads of histories a `second`, of all clients together")
	flags.StringVar(&kinds, "faults", "all", "what breaks: `kinds`, listed above")
	flags.BoolVar(&o.asJSON, "json", false, "print the report as JSON")
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, "usage: go run ./test/soak [flags]\n", help, "\n")
		flags.PrintDefaults()
		return o, err
	}
	switch {
	case err != nil:
		return o, cli.Usage(err)
	case flags.NArg() > 0:
		return o, cli.NoArguments(nil, flags.Args())
	case !(minutes > 0) || math.IsInf(minutes, 0):
		return o, cli.Usage(errors.New("--minutes must be positive"))
	}
	o.config.Duration = time.Duration(minutes * float64(time.Minute))
	if o.faults, err = chooseFaults(kinds); err != nil {
		return o, cli.Usage(err)
	}
	return o, nil
}

// soak carries out what the command line asks for and prints the report.
func soak(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	c := o.config
	line := progress.New(stderr)
	if c.LogLevel = os.Getenv(config.LogLevel); c.LogLevel != "" {
		c.Log = line.Above(stderr)
	}
	c.BrowserLog = line.Above(stderr)
	enable(&c, o.faults)
	c.Progress = func(p Progress) { line.Update(p.String()) }
	report, err := Run(ctx, c)
	line.Done()
	if errors.Is(err, ErrConfig) {
		return cli.Usage(err)
	}
	if o.asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = errors.Join(err, encoder.Encode(report))
	} else {
		report.Print(stdout)
	}
	if err == nil && !report.OK() {
		err = fmt.Errorf("%d broken promises; repeat with --seed %d", len(report.Violations), c.Seed)
	}
	return err
}

// chooseFaults reads --faults.
func chooseFaults(kinds string) ([]string, error) {
	switch kinds {
	case "all":
		return faultKinds, nil
	case "none":
		return nil, nil
	}
	chosen := strings.Split(kinds, ",")
	for _, kind := range chosen {
		if !slices.Contains(faultKinds, kind) {
			return nil, fmt.Errorf("invalid --faults: want all, none, or some of %s, got %q", strings.Join(faultKinds, ","), kind)
		}
	}
	return chosen, nil
}

// enable puts the chosen faults into a run's configuration.
func enable(c *Config, chosen []string) {
	all := faults.All(c.Seed)
	c.Faults.Delay = all.Delay
	for _, kind := range chosen {
		switch kind {
		case faultTable:
			c.Faults.Table = all.Table
		case faultPosts:
			c.Faults.Posts = all.Posts
		case faultInvocations:
			c.Faults.Invocations = all.Invocations
		case faultClocks:
			c.Faults.Skew = all.Skew
		case faultOutages:
			c.Faults.Outages = faults.Outages(c.Seed, c.Duration)
		case faultNetwork:
			c.Faults.LostDisconnects = all.LostDisconnects
			c.Chaos.Cuts, c.Chaos.Partitions = float64(c.Users*c.Devices)/2, float64(c.Users*c.Devices)/8
		case faultDevices:
			c.Chaos.Reopens = float64(c.Users*c.Devices) / 4
		case faultMembers:
			c.Chaos.MemberChanges = 20
		case faultRestarts:
			c.Chaos.Restarts = 0.5
		}
	}
}
