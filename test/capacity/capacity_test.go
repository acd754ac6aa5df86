package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The page and the plot of docs are made by the simulation as it is, with what
// is deployed now.
func TestThePageIsWhatTheSimulationSaysToday(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/large-rooms.md")
	if err != nil {
		t.Fatal(err)
	}
	plot, err := os.ReadFile("../../docs/large-rooms.svg")
	if err != nil {
		t.Fatal(err)
	}
	report := NewReport()
	updated, err := report.Update(string(page))
	if err != nil {
		t.Fatal(err)
	}
	drawn := report.Plot()
	if updated != string(page) || drawn != string(plot) {
		t.Errorf("docs/large-rooms is of other numbers: run go run ./test/capacity, and read whether its text still holds\n%s",
			cmp.Diff(string(page), updated))
	}
	for d := xml.NewDecoder(strings.NewReader(drawn)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
	}
}

// How long a message takes to members who are all connected is in docs/adr/0016 as on the page.
func TestTheDecisionHasTheTimesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/large-rooms.md")
	if err != nil {
		t.Fatal(err)
	}
	decision, err := os.ReadFile("../../docs/adr/0016-why-not-appsync-events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(decision), "| members | fan-out: last delivery | AppSync Events: the quota alone |\n|---:|---:|---:|\n")
	rows, _, found := strings.Cut(rows, "\n\n")
	if !found {
		t.Fatal("the decision has no table of the times")
	}
	for line := range strings.SplitSeq(rows, "\n") {
		cells := strings.Split(line, " | ")
		members := strings.TrimPrefix(cells[0], "| ")
		whole := regexp.MustCompile(`(?m)^\| ` + members + ` \| ` + members + ` (?:\| [^|]+){3}\| ([^|]+) \|`).FindSubmatch(page)
		if whole == nil {
			t.Errorf("the page has no message to %s connections", members)
		} else if got := string(whole[1]); got != cells[1] {
			t.Errorf("to %s members: %s, the page has %s", members, cells[1], got)
		}
	}
}

func TestUpdateWantsItsMarks(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"", "<!-- begin: go run ./test/capacity -->\n", "<!-- end -->"} {
		if got, err := (&Report{}).Update(page); err == nil {
			t.Errorf("Update(%q) = %q, want an error", page, got)
		}
	}
}

// rooms are of all kinds: whole and sliced, with few online and none, one
// message and many, and a service that refuses most.
var rooms = map[string]struct {
	Room
	change func(*Design, *Service)
}{
	"small":         {Room{Members: 10, Online: 10, Messages: []time.Duration{0}}, nil},
	"whole":         {Room{Members: 900, Online: 300, Messages: []time.Duration{0}}, nil},
	"sliced":        {Room{Members: 30_000, Online: 30_000, Messages: []time.Duration{0}}, nil},
	"few online":    {Room{Members: 100_000, Online: 2_000, Messages: []time.Duration{0}}, nil},
	"none online":   {Room{Members: 5_000, Messages: []time.Duration{0}}, nil},
	"busy":          {Room{Members: 500, Online: 500, Messages: spread(100, 10*time.Second)}, nil},
	"large slices":  {Room{Members: 100_000, Online: 2_000, Messages: []time.Duration{0}}, func(d *Design, _ *Service) { d.SliceSize, d.SliceAbove = 5_000, 5_000 }},
	"one too large": {Room{Members: 40_000, Online: 40_000, Messages: []time.Duration{0}}, func(d *Design, _ *Service) { d.SliceAbove = 50_000 }},
	"too large":     {Room{Members: 40_000, Online: 400, Messages: []time.Duration{0, 1, 2, 3}}, func(d *Design, _ *Service) { d.SliceAbove = 50_000 }},
	"refused": {Room{Members: 20_000, Online: 20_000, Messages: []time.Duration{0}}, func(_ *Design, s *Service) {
		s.PostsPerSecond, s.Partitions = 2_000, grownPartitions
	}},
}

// play1 plays one of rooms.
func play1(name string, seed uint64) (Room, Service, *Outcome) {
	r, d, s := rooms[name], Today(), NewAccount()
	if r.change != nil {
		r.change(&d, &s)
	}
	return r.Room, s, Simulate(r.Room, d, s, seed)
}

func TestEveryConnectionIsToldOnceOrCounted(t *testing.T) {
	t.Parallel()
	for name := range rooms {
		for seed := range uint64(3) {
			room, _, o := play1(name, seed)
			if got, want := o.Delivered+o.Undelivered+o.Abandoned, room.Online*len(room.Messages); got != want {
				t.Errorf("%s, seed %d: %d delivered, %d undelivered and %d abandoned, want %d in all",
					name, seed, o.Delivered, o.Undelivered, o.Abandoned, want)
			}
		}
	}
	// Otherwise the sum would hold for a simulation that delivers nothing.
	for _, name := range []string{"small", "whole", "sliced", "few online", "busy"} {
		if _, _, o := play1(name, 1); o.Delivered == 0 || o.Undelivered+o.Abandoned > o.Delivered/100 {
			t.Errorf("%s: %d delivered, %d undelivered, %d abandoned", name, o.Delivered, o.Undelivered, o.Abandoned)
		}
	}
	if _, _, o := play1("one too large", 1); o.Abandoned+o.Undelivered == 0 {
		t.Error("a room of 40,000 was served by one invocation")
	}
}

func TestNeverFasterThanTheQuota(t *testing.T) {
	t.Parallel()
	for name := range rooms {
		_, s, o := play1(name, 1)
		most := float64(s.PostsPerSecond)/2 + float64(s.PostsPerSecond)*o.ended.Seconds()
		if float64(o.Posts) > most {
			t.Errorf("%s: %d posts in %v, at most %.0f can be", name, o.Posts, o.ended, most)
		}
		if o.Delivered > 0 && (o.First > o.Percentile(50)*102/100 || o.Percentile(50) > o.Percentile(99) || o.Percentile(99) > o.Last*102/100) {
			t.Errorf("%s: first %v, median %v, 99 %% %v, last %v", name, o.First, o.Percentile(50), o.Percentile(99), o.Last)
		}
	}
}

func TestTheSeedDecides(t *testing.T) {
	t.Parallel()
	for name := range rooms {
		_, _, a := play1(name, 7)
		_, _, b := play1(name, 7)
		_, _, c := play1(name, 8)
		all := cmp.AllowUnexported(Outcome{}, histogram{})
		if diff := cmp.Diff(a, b, all); diff != "" {
			t.Errorf("%s, the same seed: %s", name, diff)
		}
		if a.Delivered > 0 && cmp.Equal(a, c, all) {
			t.Errorf("%s: another seed changed nothing", name)
		}
	}
}

// What a message asks of the table and costs can be counted by hand.
func TestUnitsAndCost(t *testing.T) {
	t.Parallel()
	small := Simulate(Room{Members: 10, Online: 10, Messages: []time.Duration{0}}, Today(), NewAccount(), 1)
	// One unit for the members, one beside them, one for each presence.
	if small.ReadUnits != 12 || small.WriteUnits != 0 || small.Posts != 10 || small.Invocations != 1 {
		t.Errorf("10 members: %v read units, %v write units, %d posts, %d invocations", small.ReadUnits, small.WriteUnits, small.Posts, small.Invocations)
	}
	dollars := 12*1.00e-6 + 14*0.125e-6 + 2.06*0.625e-6 + 0.20e-6 + small.billed.Seconds()*0.5*0.0000133334
	if got := small.Cost(); math.Abs(got-dollars) > 1e-12 {
		t.Errorf("10 members cost %v, want %v", got, dollars)
	}

	d := Today()
	d.SliceAbove, d.SliceSize, d.SlicesPerCut = 1_000, 500, 40
	large := Simulate(Room{Members: 30_000, Online: 600, Messages: []time.Duration{0}}, d, Service{100, postsPerSecond, postLatency}, 1)
	// 40 slices and the rest; from that 20 of 500, the last one as the rest.
	if large.Cuts != 2 || large.WriteUnits != 41+20 {
		t.Errorf("30,000 members: cut %d times into %v slices, want 2 and 61", large.Cuts, large.WriteUnits)
	}
}

// The fitted distributions are those that were published.
func TestTheStreamTakesWhatWasPublished(t *testing.T) {
	t.Parallel()
	w := &run{world: world{rng: rand.New(rand.NewPCG(1, 2))}}
	took := make([]time.Duration, 20_000)
	for i := range took {
		s := shard{phase: w.upTo(pollInterval), visible: streamAtLeast + w.draw(streamLatency)}
		took[i] = s.nextPoll() + invokeLatency
	}
	slices.Sort(took)
	for percent, want := range map[int]time.Duration{
		10: 118 * time.Millisecond, 50: 213 * time.Millisecond, 90: 341 * time.Millisecond, 99: 552 * time.Millisecond,
	} {
		if got := took[len(took)*percent/100]; math.Abs(float64(got-want)) > 0.1*float64(want) {
			t.Errorf("%d %% within %v, published are %v", percent, got, want)
		}
	}
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	w := &world{rng: rand.New(rand.NewPCG(1, 2))}
	l := lognormal(10*time.Millisecond, 60*time.Millisecond)
	var one, ofHundred []time.Duration
	var sum time.Duration
	for range 20_000 {
		one = append(one, w.draw(l))
		ofHundred = append(ofHundred, w.slowest(l, 100))
		sum += one[len(one)-1]
	}
	slices.Sort(one)
	slices.Sort(ofHundred)
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if math.Abs(float64(got-want)) > 0.05*float64(want) {
			t.Errorf("%s: %v, want about %v", what, got, want)
		}
	}
	near("median", one[10_000], l.median)
	near("99 %", one[19_800], l.p99)
	near("mean", sum/20_000, l.mean())
	near("median of the slowest of 100", ofHundred[10_000], one[20_000*993/1000]) // 0.5^(1/100) is 0.9931
	if got := w.slowest(l, 0); got != 0 {
		t.Errorf("the slowest of none takes %v", got)
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	b := bucket{perSecond: 10, atOnce: 5}
	for _, step := range []struct {
		at         time.Duration
		want, gets int
	}{
		{0, 3, 3},
		{0, 3, 2},
		{99 * time.Millisecond, 1, 0},
		{100 * time.Millisecond, 2, 1},
		{time.Hour, 9, 5},
		{time.Hour, 1, 0},
	} {
		if got := b.take(step.at, step.want); got != step.gets {
			t.Errorf("after %v %d of %d tokens, want %d", step.at, got, step.want, step.gets)
		}
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var h histogram
	times := make([]time.Duration, 10_000)
	for i := range times {
		times[i] = time.Duration(math.Exp(rng.Float64()*15) * float64(time.Millisecond))
		h.add(times[i])
	}
	slices.Sort(times)
	for _, percent := range []int{1, 50, 99} {
		got, want := h.percentile(float64(percent)), times[len(times)*percent/100]
		if math.Abs(float64(got-want)) > 0.02*float64(want) {
			t.Errorf("%d %% within %v, want %v", percent, got, want)
		}
	}
	if got := (&histogram{}).percentile(50); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestProcessesTakeTurnsInTime(t *testing.T) {
	t.Parallel()
	w := &world{}
	var log []string
	say := func(s string) { log = append(log, s+" "+w.now.String()) }
	for _, p := range []struct {
		name string
		step time.Duration
	}{{"a", 2 * time.Second}, {"b", 3 * time.Second}} {
		w.process(0, func(sleep func(time.Duration)) {
			for range 2 {
				say(p.name)
				sleep(p.step)
			}
			say(p.name)
		})
	}
	w.run()
	want := []string{"a 0s", "b 0s", "a 2s", "b 3s", "a 4s", "b 6s"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}
