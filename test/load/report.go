package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run measured. Times are in milliseconds.
type Report struct {
	Format  int       `json:"format"` // 1
	Name    string    `json:"name"`
	Peer    string    `json:"peer"`
	Begun   time.Time `json:"begun"`
	Machine string    `json:"machine"` // of the clients
	Version string    `json:"version"` // of this program
	Plan    Plan      `json:"plan"`

	Sent        int64            `json:"sent"` // those of the warm-up included, as are all counts
	Unsent      int64            `json:"unsent"`
	Acked       int64            `json:"acked"`
	Refused     map[string]int64 `json:"refused,omitempty"` // by code
	Delivered   int64            `json:"delivered"`
	Lost        int64            `json:"lost"`    // deliveries that did not come
	Doubled     int64            `json:"doubled"` // that came again, or to a non-member
	Late        int64            `json:"late"`
	Connections int64            `json:"connectionsLost"`

	Connect Latency `json:"connect"` // from when it was to be opened until it was ready
	Ack     Latency `json:"ack"`     // from when a message was to be sent until its ack
	Each    Latency `json:"each"`    // … until a member had it
	Last    Latency `json:"last"`    // … until all had it
	Behind  Latency `json:"behind"`  // … until it was sent: this program's own lateness

	Connecting float64 `json:"connecting"` // seconds in which all connections were opened

	Seconds []Second `json:"seconds"`
	Elapsed float64  `json:"elapsed"` // seconds in which messages were sent and measured

	ServerCPU    float64 `json:"serverCpu,omitempty"`    // seconds, while it was measured
	ServerMemory int64   `json:"serverMemory,omitempty"` // bytes at the end
	ClientCPU    float64 `json:"clientCpu,omitempty"`    // of this program
}

const reportFormat = 1

// report summarizes a run.
func (l *load) report(r Report) (Report, error) {
	r.Format, r.Plan, r.Machine, r.Version = reportFormat, l.plan, machine(), version()
	r.Elapsed, r.Connecting = l.elapsed.Seconds(), l.connecting.Seconds()
	c := &l.counts
	r.Sent, r.Unsent, r.Acked, r.Delivered = c.sent.Load(), c.unsent.Load(), c.acked.Load(), c.delivered.Load()
	r.Doubled, r.Late, r.Connections, r.Lost = c.doubled.Load(), c.late.Load(), l.lost.Load(), l.missing()
	c.mu.Lock()
	r.Refused = maps.Clone(c.refused)
	c.mu.Unlock()
	for latency, recorder := range map[*Latency]*recorder{
		&r.Connect: l.connects, &r.Ack: l.acks, &r.Each: l.each, &r.Last: l.last, &r.Behind: l.behind,
	} {
		var err error
		if *latency, err = summarize(recorder.sum()); err != nil {
			return r, err
		}
	}
	var err error
	r.Seconds, err = l.timeline.report()
	return r, err
}

func machine() string {
	return fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 12)]
		}
	}
	return info.Main.Version
}

// Problems are what keeps a run's figures from being what they seem.
func (r Report) Problems() (found []string) {
	say := func(is bool, format string, args ...any) {
		if is {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	say(r.Lost > 0, "%d deliveries did not come within %s", r.Lost, r.Plan.Drain)
	say(r.Doubled > 0, "%d deliveries came twice, or to a non-member", r.Doubled)
	for _, code := range slices.Sorted(maps.Keys(r.Refused)) {
		say(true, "%d messages were refused: %s", r.Refused[code], code)
	}
	say(r.Unsent > 0, "%d messages could not be sent: the server takes too few, or a connection was lost", r.Unsent)
	say(r.Connections > 0, "%d connections were lost", r.Connections)
	say(r.Plan.For > 0 && r.Ack.Count == 0, "no message was acknowledged while it was measured")
	say(r.Behind.P99 > max(5, r.Last.P50/2), "this program sent late (p99 %.1f ms): it needs more of the machine, and latencies are its own in part", r.Behind.P99)
	return found
}

// rates are the messages that were sent and acknowledged, and the deliveries that
// came, a second of those in which messages were sent and measured.
func (r Report) rates() (sent, acked, delivered float64) {
	if r.Elapsed == 0 {
		return 0, 0, 0
	}
	for _, s := range r.Seconds[:min(len(r.Seconds), int(math.Ceil(r.Elapsed)))] {
		sent += float64(s.Sent)
		acked += float64(s.Acked)
		delivered += float64(s.Delivered)
	}
	return sent / r.Elapsed, acked / r.Elapsed, delivered / r.Elapsed
}

func (r Report) connectsPerSecond() float64 {
	if r.Connecting == 0 {
		return 0
	}
	return float64(r.Connect.Count) / r.Connecting
}

// perMessage is the server's CPU time for a message, in milliseconds.
func (r Report) perMessage() float64 {
	if r.Ack.Count == 0 {
		return 0
	}
	return r.ServerCPU * 1000 / float64(r.Ack.Count)
}

// figures are the lines of a report, in its order.
func (r Report) figures() []figure {
	lines := []figure{}
	for _, l := range []struct {
		name string
		of   Latency
	}{{"connect", r.Connect}, {"send to ack", r.Ack}, {"send to each", r.Each}, {"send to last", r.Last}} {
		for _, p := range []struct {
			name  string
			value float64
		}{{"p50", l.of.P50}, {"p90", l.of.P90}, {"p99", l.of.P99}, {"p99.9", l.of.P999}, {"max", l.of.Max}} {
			lines = append(lines, figure{l.name + " " + p.name + ", ms", p.value, 2})
		}
	}
	sent, acked, delivered := r.rates()
	lines = append(lines,
		figure{"connections a second", r.connectsPerSecond(), 0},
		figure{"messages sent a second", sent, 1}, figure{"acks a second", acked, 1}, figure{"deliveries a second", delivered, 0},
	)
	if r.ServerCPU > 0 {
		lines = append(lines, figure{"server's CPU a message, ms", r.perMessage(), 2}, figure{"server's memory, MB", float64(r.ServerMemory) / 1e6, 1})
	}
	return lines
}

type figure struct {
	name     string
	value    float64
	decimals int
}

// print writes reports side by side, with the ratio of each to the first.
func printReports(w io.Writer, reports ...Report) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	cells := func(first string, cell func(Report) string) {
		line := []string{first}
		for _, r := range reports {
			line = append(line, cell(r))
		}
		fmt.Fprintln(table, strings.TrimRight(strings.Join(line, "\t"), "\t"))
	}
	if len(reports) > 1 {
		cells("", func(r Report) string { return r.Name })
	}
	for i, f := range reports[0].figures() {
		cells(f.name, func(r Report) string {
			all := r.figures()
			if i >= len(all) || all[i].name != f.name {
				return ""
			}
			text := fmt.Sprintf("%.*f", f.decimals, all[i].value)
			if len(reports) > 1 && f.value > 0 && r.Name != reports[0].Name {
				text += fmt.Sprintf(" (%.2f×)", all[i].value/f.value)
			}
			return text
		})
	}
	cells("sent, acked", func(r Report) string { return fmt.Sprintf("%d, %d", r.Sent, r.Acked) })
	cells("delivered, lost, doubled, late", func(r Report) string {
		return fmt.Sprintf("%d, %d, %d, %d", r.Delivered, r.Lost, r.Doubled, r.Late)
	})
	err := table.Flush()
	for _, r := range reports {
		for _, problem := range r.Problems() {
			fmt.Fprintf(w, "%s: %s\n", r.Name, problem)
		}
	}
	return err
}

// readReport reads what --json wrote.
func readReport(name string) (Report, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the file that is asked for
	if err != nil {
		return Report{}, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("invalid report %s: want a file that --json wrote: %w", name, err)
	}
	if r.Format != reportFormat {
		return r, fmt.Errorf("%s has format %d, want %d: measure again with this version", name, r.Format, reportFormat)
	}
	return r, nil
}

// merge adds what several machines measured at the same time.
func merge(reports []Report) (Report, error) {
	sum := reports[0]
	sum.Name = "all"
	sum.Refused = maps.Clone(sum.Refused)
	sum.Seconds = slices.Clone(sum.Seconds)
	for _, r := range reports[1:] {
		if r.Peer != sum.Peer {
			return sum, fmt.Errorf("reports of %s and of %s: merge adds machines that load one server; compare shows two", sum.Peer, r.Peer)
		}
		if err := sum.add(r); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (r *Report) add(o Report) error {
	r.Machine += "; " + o.Machine
	r.Sent, r.Unsent, r.Acked, r.Delivered = r.Sent+o.Sent, r.Unsent+o.Unsent, r.Acked+o.Acked, r.Delivered+o.Delivered
	r.Lost, r.Doubled, r.Late, r.Connections = r.Lost+o.Lost, r.Doubled+o.Doubled, r.Late+o.Late, r.Connections+o.Connections
	r.Elapsed, r.Connecting = max(r.Elapsed, o.Elapsed), max(r.Connecting, o.Connecting)
	// Several machines may name the same server's processes, or each a part of them.
	r.ServerCPU, r.ServerMemory = max(r.ServerCPU, o.ServerCPU), max(r.ServerMemory, o.ServerMemory)
	r.ClientCPU += o.ClientCPU
	r.Plan.Users, r.Plan.Rooms, r.Plan.Rate = r.Plan.Users+o.Plan.Users, r.Plan.Rooms+o.Plan.Rooms, r.Plan.Rate+o.Plan.Rate
	for code, n := range o.Refused {
		if r.Refused == nil {
			r.Refused = map[string]int64{}
		}
		r.Refused[code] += n
	}
	var errs []error
	for _, pair := range [][2]*Latency{
		{&r.Connect, &o.Connect}, {&r.Ack, &o.Ack}, {&r.Each, &o.Each}, {&r.Last, &o.Last}, {&r.Behind, &o.Behind},
	} {
		sum, err := pair[0].add(*pair[1])
		*pair[0], errs = sum, append(errs, err)
	}
	for i, s := range o.Seconds {
		if i >= len(r.Seconds) {
			r.Seconds = append(r.Seconds, s)
			continue
		}
		mine := &r.Seconds[i]
		mine.Sent, mine.Acked, mine.Delivered = mine.Sent+s.Sent, mine.Acked+s.Acked, mine.Delivered+s.Delivered
		sum, err := mine.Last.add(s.Last)
		mine.Last, errs = sum, append(errs, err)
	}
	return errors.Join(errs...)
}
