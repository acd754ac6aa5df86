package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Report is what the page about large rooms shows.
type Report struct {
	tables []table
	sizes  []*scenario // of the first table, which is plotted, too
}

type table struct {
	title   string
	columns []column
	rows    []*scenario
}

type column struct {
	name string
	cell func(*scenario) string
}

// NewReport plays every scenario of the page.
func NewReport() *Report {
	r := &Report{sizes: roomSizes()}
	r.tables = []table{
		{"One message", []column{
			connections, members, first, median, almostAll, last, atQuota, refused, givenUp, invocations, readUnits, writeUnits, bill, limit,
		}, r.sizes},
		{"A room served whole, or in slices", []column{named("served"), connections, members, median, last, invocations, bill}, wholeOrSliced()},
		{"The size of a slice", []column{sliceSize, connections, members, median, last, throttled, repeated, invocations, readUnits, bill}, sliceSizes()},
		{"Slices side by side", []column{atOnce, connections, members, median, last, throttled, repeated, refused, givenUp, bill}, sideBySide()},
		{"If it is otherwise", []column{named("what"), connections, members, median, last, refused, givenUp, bill}, otherwise()},
		{"A busy room", []column{perSecond, partitions, attempts, median, almostAll, last, behind, together, postRate, refused, givenUp, bill}, busyRooms()},
	}
	var all []*scenario
	for _, t := range r.tables {
		all = append(all, t.rows...)
	}
	play(all)
	return r
}

// Update puts the tables into a page, between two marks.
func (r *Report) Update(page string) (string, error) {
	const begin, end = "<!-- begin: go run ./test/capacity -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New("the page has no place for the tables: put the lines " + begin + "and " + end + " into it")
	}
	var b strings.Builder
	b.WriteString(before + begin)
	for _, t := range r.tables {
		t.write(&b)
	}
	b.WriteString("\n" + end + after)
	return b.String(), nil
}

func (t table) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n|", t.title)
	for _, c := range t.columns {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(t.columns)) + "\n")
	for _, row := range t.rows {
		b.WriteString("|")
		for _, c := range t.columns {
			b.WriteString(" " + c.cell(row) + " |")
		}
		b.WriteString("\n")
	}
}

// The columns of the tables.
var (
	connections = column{"connections", func(s *scenario) string { return thousands(s.Online) }}
	members     = column{"members", func(s *scenario) string { return thousands(s.Members) }}
	sliceSize   = column{"slice", func(s *scenario) string { return thousands(s.SliceSize) }}
	atOnce      = column{"side by side", func(s *scenario) string { return thousands(s.SlicesAtOnce) }}
	partitions  = column{"partitions", func(s *scenario) string { return thousands(s.Partitions) }}
	attempts    = column{"attempts", func(s *scenario) string { return thousands(s.Attempts) }}
	perSecond   = column{"messages/s", func(s *scenario) string { return thousands(len(s.Messages) / 60) }}

	first  = column{"first", func(s *scenario) string { return seconds(s.median(func(o *Outcome) time.Duration { return o.First })) }}
	median = column{"median", func(s *scenario) string {
		return seconds(s.median(func(o *Outcome) time.Duration { return o.Percentile(50) }))
	}}
	almostAll = column{"99 %", func(s *scenario) string {
		return seconds(s.median(func(o *Outcome) time.Duration { return o.Percentile(99) }))
	}}
	last    = column{"last", func(s *scenario) string { return seconds(s.lastDelivery()) }}
	atQuota = column{"at 10,000/s", func(s *scenario) string { return seconds(s.atQuota()) }}
	behind  = column{"the end after", func(s *scenario) string {
		return seconds(s.median(func(o *Outcome) time.Duration { return o.ended }) - s.Messages[len(s.Messages)-1])
	}}

	invocations = column{"invocations", counted(func(o *Outcome) int { return o.Invocations })}
	throttled   = column{"reads throttled", counted(func(o *Outcome) int { return o.Throttled })}
	readUnits   = column{"read units", counted(func(o *Outcome) int { return int(o.ReadUnits) })}
	writeUnits  = column{"write units", counted(func(o *Outcome) int { return int(o.WriteUnits) })}
	postRate    = column{"posts/s", counted(func(o *Outcome) int { return int(float64(o.Posts) / o.ended.Seconds()) })}

	refused  = column{"429", share(func(o *Outcome) float64 { return float64(o.Refused) / float64(o.Refused+o.Posts) })}
	repeated = column{"told twice", share(func(o *Outcome) float64 { return float64(o.Repeated) / float64(o.Posts) })}
	givenUp  = column{"given up", share(func(o *Outcome) float64 { return o.lost })}
	together = column{"messages in a post", func(s *scenario) string {
		return strconv.FormatFloat(s.of(func(o *Outcome) float64 { return float64(o.Delivered) / float64(o.Posts) }), 'f', 1, 64)
	}}
	bill  = column{"$ a message", func(s *scenario) string { return dollars(s.messageCost()) }}
	limit = column{"limited by", func(s *scenario) string { return s.played[0].limit }}
)

func named(what string) column { return column{what, func(s *scenario) string { return s.name }} }

func (s *scenario) lastDelivery() time.Duration {
	return s.median(func(o *Outcome) time.Duration { return o.Last })
}

func (s *scenario) messageCost() float64 {
	return s.of(func(o *Outcome) float64 { return o.Cost() / float64(o.messages) })
}

// atQuota is how long the posts take at the rate that an account has.
func (s *scenario) atQuota() time.Duration {
	return time.Duration(s.Online) * time.Second / postsPerSecond
}

func counted(number func(*Outcome) int) func(*scenario) string {
	return func(s *scenario) string {
		return thousands(int(s.of(func(o *Outcome) float64 { return float64(number(o)) }) + 0.5))
	}
}

func share(part func(*Outcome) float64) func(*scenario) string {
	return func(s *scenario) string {
		switch p := 100 * s.of(part); {
		case p == 0:
			return "0"
		case p < 0.1:
			return "< 0.1 %"
		default:
			return strconv.FormatFloat(p, 'f', 1, 64) + " %"
		}
	}
}

func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	case d < 100*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 10*time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) + " s"
	default:
		return strconv.FormatFloat(d.Minutes(), 'f', 0, 64) + " min"
	}
}

func dollars(d float64) string {
	decimals := 2
	for least := 1.0; d < least && decimals < 9; least /= 10 {
		decimals++
	}
	return strconv.FormatFloat(d, 'f', decimals-1, 64)
}
