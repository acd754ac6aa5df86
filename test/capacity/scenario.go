package main

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/streamroom/streamroom/shared/push"
)

// fewOnline is how many members a room has for each who is online, where few
// are: 2 %.
const fewOnline = 50

// scenario is a row of a table: a room, played a few times.
type scenario struct {
	Room
	Design
	Service
	name  string
	times int

	played []*Outcome
}

// of is the average of a number over all times.
func (s *scenario) of(number func(*Outcome) float64) float64 {
	sum := 0.0
	for _, o := range s.played {
		sum += number(o)
	}
	return sum / float64(len(s.played))
}

// median is the median of a time over all times.
func (s *scenario) median(of func(*Outcome) time.Duration) time.Duration {
	all := make([]time.Duration, len(s.played))
	for i, o := range s.played {
		all[i] = of(o)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// play plays scenarios, as many at a time as there are processors, and those
// that are equal once.
func play(scenarios []*scenario) {
	type key struct {
		members, online, messages int
		Design
		Service
	}
	of := func(s *scenario) key { return key{s.Members, s.Online, len(s.Messages), s.Design, s.Service} }
	size := func(s *scenario) int { return s.Members + s.Online*len(s.Messages) }
	longestFirst := slices.SortedStableFunc(slices.Values(scenarios), func(a, b *scenario) int { return size(b) - size(a) })
	firsts := map[key]*scenario{}
	waiting := make(chan *scenario, len(scenarios))
	for _, s := range longestFirst {
		if firsts[of(s)] == nil {
			firsts[of(s)] = s
			waiting <- s
		}
	}
	close(waiting)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range waiting {
				for seed := range s.times {
					s.played = append(s.played, Simulate(s.Room, s.Design, s.Service, uint64(seed)))
				}
			}
		})
	}
	workers.Wait()
	for _, s := range scenarios {
		s.played = firsts[of(s)].played
	}
}

// one returns a scenario of one message to a room of connections.
func one(connections, membersEach int) *scenario {
	return &scenario{
		Room:   Room{Members: connections * membersEach, Online: connections, Messages: []time.Duration{0}},
		Design: Today(), Service: NewAccount(),
		times: timesOf(connections),
	}
}

// timesOf is how often a room is played: large ones average by themselves.
func timesOf(connections int) int {
	switch {
	case connections < 10_000:
		return 25
	case connections < 100_000:
		return 3
	default:
		return 1
	}
}

// bothWays are scenarios with all members online, and with few.
func bothWays(connections, ofMany int, change func(*scenario)) []*scenario {
	all, few := one(connections, 1), one(ofMany, fewOnline)
	for _, s := range []*scenario{all, few} {
		change(s)
	}
	return []*scenario{all, few}
}

// roomSizes are rooms of 10 to 1,000,000 connections.
func roomSizes() []*scenario {
	var rooms []*scenario
	for _, membersEach := range []int{1, fewOnline} {
		for connections := 10; connections <= 1_000_000; connections *= 10 {
			rooms = append(rooms, one(connections, membersEach))
		}
	}
	return rooms
}

func wholeOrSliced() []*scenario {
	var rooms []*scenario
	for _, membersEach := range []int{1, fewOnline} {
		for _, members := range []int{1_000, 2_000, 5_000, 10_000} {
			whole, sliced := one(members/membersEach, membersEach), one(members/membersEach, membersEach)
			whole.name, whole.SliceAbove = "whole", members
			sliced.name, sliced.SliceAbove = "in slices", sliced.SliceSize
			rooms = append(rooms, whole, sliced)
		}
	}
	return rooms
}

func sliceSizes() []*scenario {
	var rooms []*scenario
	for _, size := range []int{250, 500, 1_000, 2_000, 5_000} {
		rooms = append(rooms, bothWays(100_000, 10_000, func(s *scenario) {
			s.SlicesPerCut = s.SliceSize * s.SlicesPerCut / size
			s.SliceSize, s.SliceAbove = size, max(s.SliceAbove, size)
		})...)
	}
	return rooms
}

func sideBySide() []*scenario {
	var rooms []*scenario
	for _, n := range []int{1, 2, 4, 8} {
		rooms = append(rooms, bothWays(100_000, 10_000, func(s *scenario) { s.SlicesAtOnce = n })...)
	}
	return rooms
}

// otherwise are the same rooms if AWS gave something else than we assume.
func otherwise() []*scenario {
	var rooms []*scenario
	for _, other := range []struct {
		name   string
		change func(*scenario)
	}{
		{"a post takes three times as long", func(s *scenario) { s.Post = lognormal(3*postLatency.median, 3*postLatency.p99) }},
		{"the table has grown to 14 partitions", func(s *scenario) { s.Partitions = grownPartitions }},
		{"grown, and a refused post is tried 4 times", func(s *scenario) { s.Partitions, s.Attempts = grownPartitions, push.Attempts }},
		{"grown, and a quota of 100,000 posts a second", func(s *scenario) { s.Partitions, s.PostsPerSecond = grownPartitions, 100_000 }},
	} {
		rooms = append(rooms, bothWays(100_000, 10_000, func(s *scenario) {
			s.name = other.name
			other.change(s)
		})...)
	}
	return rooms
}

// spread returns n random moments of a span of time.
func spread(n int, over time.Duration) []time.Duration {
	rng := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // a simulation is repeatable
	moments := make([]time.Duration, n)
	for i := range moments {
		moments[i] = time.Duration(rng.Int64N(int64(over)))
	}
	slices.Sort(moments)
	return moments
}

// busyRooms are rooms of 1,000 connections to which is sent for a minute, at
// random moments.
func busyRooms() []*scenario {
	var rooms []*scenario
	for _, busy := range []struct{ rate, partitions, attempts int }{
		{1, newPartitions, push.ThrottledAttempts},
		{10, newPartitions, push.ThrottledAttempts},
		{50, newPartitions, push.ThrottledAttempts},
		{50, grownPartitions, push.ThrottledAttempts},
		{50, grownPartitions, push.Attempts},
	} {
		s := one(1_000, 1)
		s.times, s.Partitions, s.Messages = 1, busy.partitions, spread(busy.rate*60, time.Minute)
		s.Attempts = busy.attempts
		rooms = append(rooms, s)
	}
	return rooms
}
