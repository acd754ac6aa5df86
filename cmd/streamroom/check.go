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
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/test/faults"
	"github.com/streamroom/streamroom/test/soak"
)

// What --faults chooses from: what a plan and the chaos around it have.
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

const checkHelp = `
Runs a Streamroom of its own with many clients, breaks it as a plan says, and
compares what each client saw with what was stored. It exits with 0 if every
promise was kept, 1 if one was broken or the run could not be made, and 2 if it
was called wrongly. The same seed makes the same plan. With LOG_LEVEL the
server's log goes to standard error.

Setting up comes before the load, and settling after it: what was sent is to arrive live and
in the room lists ("delivered and listed"), then one more message in each room
("spoke"), then all that was missed after all connections were cut ("caught up").
"away" is how long clients took to reconnect, "silences" are connections that said
nothing any more, and "explained" are rooms whose sends and reads porcupine found
linearizable.

--faults takes "all", "none", or some of these, separated by commas:
  table        requests to the table and its stream are throttled, fail, come late, lose their answer
  posts        frames are lost, doubled, refused, answered 410, 429, 500, or not at all
  invocations  functions fail before, in the middle of and after their work, or run twice
  clocks       functions' clocks differ by up to half a second
  outages      the table or a function is down for seconds, every minute
  network      clients' connections are reset or go silent; $disconnect is lost
  devices      clients end and start anew
  members      people join and leave rooms
  restarts     the server stops and starts on the same data
`

func runCheck(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var c soak.Config
	if c.LogLevel = os.Getenv(config.LogLevel); c.LogLevel != "" {
		c.Log = stderr
	}
	var minutes float64
	var kinds string
	var asJSON bool
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.Float64Var(&minutes, "minutes", 1, "how long there is load, in `minutes`")
	flags.Uint64Var(&c.Seed, "seed", 1, "`number` that the plan follows from")
	flags.IntVar(&c.Users, "users", 8, "`number` of users")
	flags.IntVar(&c.Devices, "clients", 2, "`number` of clients of each user")
	flags.IntVar(&c.Rooms, "rooms", 8, "`number` of rooms, each of half of the users")
	flags.IntVar(&c.Crowd, "crowd", stream.SliceAbove, "`number` of members without a client in the first room; this many make it a large one")
	flags.Float64Var(&c.Sends, "sends", 12, "messages a `second`, of all clients together")
	flags.Float64Var(&c.Reads, "reads", 4, "reads of histories a `second`, of all clients together")
	flags.StringVar(&kinds, "faults", "all", "what breaks: `kinds`, see above")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON; progress goes to standard error")
	if err := parse(flags, args, stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, checkHelp)
		}
		return err
	}
	if !(minutes > 0) || math.IsInf(minutes, 0) {
		return usageError{errors.New("--minutes must be more than 0")}
	}
	c.Duration = time.Duration(minutes * float64(time.Minute))
	chosen, err := chooseFaults(kinds)
	if err != nil {
		return usageError{err}
	}
	breakUp(&c, chosen)

	progress := stdout
	if asJSON {
		progress = stderr
	}
	c.Progress = func(p soak.Progress) {
		fmt.Fprintf(progress, "%4.0f s  %d sends, %d acknowledged, %d deliveries, %d reconnects, %d faults, %d goroutines, %.1f MB, %d broken promises\n",
			p.At.Seconds(), p.Counts.Sends, p.Counts.Acked, p.Counts.Deliveries, p.Counts.Connects, p.Faults,
			p.Sample.Goroutines, float64(p.Sample.HeapBytes)/(1<<20), p.Violations)
	}
	report, err := soak.Run(ctx, c)
	if errors.Is(err, soak.ErrConfig) {
		return usageError{err}
	}
	if asJSON {
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
			return nil, fmt.Errorf("--faults %q: there is no %q; choose all, none, or some of %s", kinds, kind, strings.Join(faultKinds, ","))
		}
	}
	return chosen, nil
}

// breakUp puts what was chosen into a run.
func breakUp(c *soak.Config, chosen []string) {
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
			c.Chaos.Cuts, c.Chaos.Silences = float64(c.Users*c.Devices)/2, float64(c.Users*c.Devices)/8
		case faultDevices:
			c.Chaos.Reopens = float64(c.Users*c.Devices) / 4
		case faultMembers:
			c.Chaos.MemberChanges = 20
		case faultRestarts:
			c.Chaos.Restarts = 0.5
		}
	}
}
