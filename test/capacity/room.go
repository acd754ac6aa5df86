package main

import (
	"math/rand/v2"
	"time"

	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/topology"
)

// Design is what we choose.
type Design struct {
	SliceAbove   int // members up to which a room, or a slice, is served as it is
	SliceSize    int // members of a slice
	SlicesPerCut int // slices that one cut makes, besides the rest
	SlicesAtOnce int // slices that an invocation serves side by side
	Attempts     int // that a post has when it is refused
	Doublings    int // of the pause before the next attempt, at most
}

// Service is what AWS gives.
type Service struct {
	Partitions     int // of the table: as many shards has its stream
	PostsPerSecond int // of the account, with half as many at once
	Post           latency
}

// Today is the design as it is deployed.
func Today() Design {
	return Design{
		SliceAbove: fanout.SliceAbove, SliceSize: fanout.SliceSize,
		SlicesPerCut: fanout.SlicesPerCut, SlicesAtOnce: fanout.SlicesAtOnce,
		Attempts: push.ThrottledAttempts, Doublings: doublings,
	}
}

// NewAccount is what a new table in an account without raised quotas gets.
func NewAccount() Service {
	return Service{Partitions: newPartitions, PostsPerSecond: postsPerSecond, Post: postLatency}
}

// Room is one to which messages are sent.
type Room struct {
	Members  int
	Online   int             // members who have a connection, one each
	Messages []time.Duration // when each is stored
}

// span is a range of a room's members.
type span struct{ from, to int }

func (s span) size() int { return s.to - s.from }

// online is how many of a span have a connection: they are spread evenly.
func (r Room) online(s span) int {
	return int(int64(s.to)*int64(r.Online)/int64(r.Members) - int64(s.from)*int64(r.Online)/int64(r.Members))
}

// part is a record of the stream: messages for a room, or a slice of it for some
// of its members.
type part struct {
	members span
	sent    []time.Duration // when the messages were stored that it is about
	slice   bool

	told bool // its members were: they hear it twice if it comes again
	cut  bool // its slices are stored: storing them again leaves no records
}

// run is one simulation.
type run struct {
	world
	Room
	Design
	Service

	shards     []shard
	posts      bucket
	partitions []bucket // read units; the room's own members are on the first

	Outcome
}

// shard is one of the stream's. Its records are read in their order, and are
// handed to concurrent lanes by their keys.
type shard struct {
	phase   time.Duration // of its polls
	visible time.Duration // up to when records can be read
	lanes   []lane
}

// lane is one of the batches of a shard that are in flight at a time.
type lane struct {
	waiting []*part
	busy    bool
	tries   int // of the batch that stands at its head
}

// Simulate sends a room its messages. The same seed gives the same outcome.
func Simulate(room Room, d Design, s Service, seed uint64) *Outcome {
	r := &run{
		world: world{rng: rand.New(rand.NewPCG(seed, uint64(room.Members)))}, //nolint:gosec // a simulation is repeatable
		Room:  room, Design: d, Service: s,
		shards:     make([]shard, s.Partitions),
		posts:      bucket{perSecond: s.PostsPerSecond, atOnce: s.PostsPerSecond * postsAtOnce / postsPerSecond},
		partitions: make([]bucket, s.Partitions),
	}
	for i := range r.shards {
		r.shards[i] = shard{phase: r.upTo(pollInterval), lanes: make([]lane, mapping.ParallelizationFactor)}
		r.partitions[i] = bucket{perSecond: readUnitsPerSecond, atOnce: readUnitsPerSecond}
	}
	for _, at := range room.Messages {
		r.after(at, func() {
			r.insert([]*part{{sent: []time.Duration{at}, members: span{0, room.Members}}})
		})
	}
	r.run()
	r.finish(r)
	return &r.Outcome
}

// insert is a write: each record comes to a lane of a shard, by the hash of its
// key.
func (r *run) insert(parts []*part) {
	visible := make([]bool, len(r.shards))
	for _, p := range parts {
		n := r.rng.IntN(len(r.shards))
		s := &r.shards[n]
		if !visible[n] {
			visible[n] = true
			s.visible = max(s.visible, r.now+streamAtLeast+r.draw(streamLatency))
		}
		l := &s.lanes[r.rng.IntN(len(s.lanes))]
		r.after(s.nextPoll()-r.now, func() {
			l.waiting = append(l.waiting, p)
			if !l.busy {
				l.busy = true
				r.process(invokeLatency, func(sleep func(time.Duration)) { r.serve(l, sleep) })
			}
		})
	}
}

// nextPoll is the shard's first poll that finds what can be read at last.
func (s *shard) nextPoll() time.Duration {
	late := (s.visible - s.phase) % pollInterval
	return s.visible + (pollInterval-late)%pollInterval
}

// serve invokes fanout for the records of a lane, batch after batch. What it
// answers as failed, and all behind it, is delivered again at once.
func (r *run) serve(l *lane, sleep func(time.Duration)) {
	for len(l.waiting) > 0 {
		batch := l.waiting[:min(mapping.BatchSize, len(l.waiting))]
		i := invocation{run: r, sleep: sleep, deadline: r.now + topology.FanoutDeadline}
		started := r.now
		done := i.handle(batch)
		r.Invocations++
		r.billed += r.now - started
		l.tries++
		if done > 0 {
			l.tries = 0
		}
		if l.tries > mapping.MaximumRetryAttempts {
			done, l.tries = 1, 0 // bisected, and given up
			if !batch[0].told {
				r.Abandoned += r.online(batch[0].members) * len(batch[0].sent)
			}
		}
		l.waiting = l.waiting[done:]
		sleep(invokeLatency)
	}
	l.busy = false
}
