package main

import (
	"math/bits"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/push"
)

// Outcome is what became of a room's messages.
type Outcome struct {
	Delivered   int // messages to connections
	Undelivered int // given up by push: clients catch up
	Abandoned   int // given up by the mapping
	First, Last time.Duration

	Posts       int // accepted, one for each connection and batch
	Repeated    int // of those, told once more with a failed batch
	Refused     int // by the account's quota
	Invocations int
	Cuts        int
	Throttled   int // reads that the table had no units for, at first
	ReadUnits   float64
	WriteUnits  float64

	ended     time.Duration // when the last post arrived
	took      histogram
	billed    time.Duration
	roomUnits int // read from the room's own partition
	messages  int
	lost      float64 // the part of the deliveries that were given up
	limit     string
}

// arrive notes that messages, stored at these times, arrived.
func (o *Outcome) arrive(at time.Duration, sent []time.Duration) {
	o.ended = max(o.ended, at)
	for _, s := range sent {
		if o.Delivered == 0 || at-s < o.First {
			o.First = at - s
		}
		o.Last = max(o.Last, at-s)
		o.Delivered++
		o.took.add(at - s)
	}
}

// Percentile is the time from a message's storage within which the given
// percentage of deliveries was made.
func (o *Outcome) Percentile(p float64) time.Duration { return o.took.percentile(p) }

// Cost is in dollars, at list prices, with the messages' own sends, and without lastmessage.
func (o *Outcome) Cost() float64 {
	gbSeconds := o.billed.Seconds() * float64(function.MemoryMB) / 1024
	messages := float64(o.messages)
	return (float64(o.Posts)+messages*sendMessages)*cost.WebSocketMessage.Each() +
		(o.ReadUnits+messages*sendReadUnits)*cost.ReadUnit.Each() +
		(o.WriteUnits+messages*sendWriteUnits)*cost.WriteUnit.Each() +
		float64(o.Invocations)*cost.Invocation.Each() + gbSeconds*cost.GBSecond.Each()
}

// finish says what limited the run: what alone would have taken longest.
func (o *Outcome) finish(r *run) {
	o.messages = len(r.Messages)
	o.lost = float64(o.Undelivered+o.Abandoned) / float64(max(o.messages*r.Online, 1))
	lanes := 1
	if o.Cuts > 0 {
		lanes = len(r.shards) * len(r.shards[0].lanes)
	}
	hop := streamAtLeast + streamLatency.mean() + pollInterval/2 + invokeLatency
	longest := time.Duration(0)
	for _, floor := range []struct {
		name string
		time time.Duration
	}{
		{"stream", hop * time.Duration(min(o.Cuts, 1)+1)},
		{"cuts", hop * time.Duration(o.Cuts+1)},
		{"posts a second", time.Duration(max(o.Posts-r.posts.atOnce, 0)) * time.Second / time.Duration(r.posts.perSecond)},
		{"read units", time.Duration(max(o.roomUnits-readUnitsPerSecond, 0)) * time.Second / readUnitsPerSecond},
		{"workers", time.Duration(o.Posts) * r.Post.mean() / time.Duration(push.Workers*lanes)},
		{"CPU", cpu(time.Duration(o.Posts)*cpuPerPost+time.Duration(o.ReadUnits)*cpuPerMember) / time.Duration(lanes)},
	} {
		if floor.time > longest {
			longest, o.limit = floor.time, floor.name
		}
	}
}

// histogram counts times in steps of about one percent: a power of two of
// microseconds has 64.
type histogram struct {
	counts []int
	total  int
}

const stepBits = 6

func (h *histogram) add(d time.Duration) {
	us := uint64(max(d.Microseconds(), 1<<stepBits))
	power := bits.Len64(us) - stepBits - 1
	i := power<<stepBits + int(us>>power) //nolint:gosec // at most 127
	for i >= len(h.counts) {
		h.counts = append(h.counts, 0)
	}
	h.counts[i]++
	h.total++
}

func (h *histogram) percentile(p float64) time.Duration {
	seen := 0
	for i, n := range h.counts {
		seen += n
		if n > 0 && float64(seen) >= p/100*float64(h.total) {
			power := max(i>>stepBits-1, 0)
			return time.Duration(i-power<<stepBits) << power * time.Microsecond
		}
	}
	return 0
}
