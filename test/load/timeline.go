package main

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Second is one second of what was measured, and after the last of them of what
// still came.
type Second struct {
	Sent      int64   `json:"sent"` // of the messages that were to be sent in it
	Acked     int64   `json:"acked"`
	Delivered int64   `json:"delivered"`
	Last      Latency `json:"last"` // of the messages that were to be sent in it
}

// timeline collects them.
type timeline struct {
	start time.Time

	mu      sync.Mutex
	seconds []*second
}

type second struct {
	sent, acked, delivered int64
	last                   *hdr.Histogram
}

func newTimeline() *timeline { return &timeline{} }

func (t *timeline) begin(at time.Time) { t.start = at }

// at returns the second of a time. The caller holds the lock.
func (t *timeline) at(when time.Time) *second {
	n := max(0, int(when.Sub(t.start)/time.Second))
	for len(t.seconds) <= n {
		// Two digits are enough for a plot.
		t.seconds = append(t.seconds, &second{last: hdr.New(1, maxLatency.Microseconds(), 2)})
	}
	return t.seconds[n]
}

// count changes one of the second's counts.
func (t *timeline) count(when time.Time, of func(*second) *int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*of(t.at(when))++
}

func (t *timeline) sent(at time.Time)  { t.count(at, func(s *second) *int64 { return &s.sent }) }
func (t *timeline) acked(at time.Time) { t.count(at, func(s *second) *int64 { return &s.acked }) }
func (t *timeline) delivered(at time.Time) {
	t.count(at, func(s *second) *int64 { return &s.delivered })
}

func (t *timeline) last(m *message, latency time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	record(t.at(m.intended).last, latency)
}

func (t *timeline) report() (seconds []Second, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.seconds {
		last, err := summarize(s.last)
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, Second{Sent: s.sent, Acked: s.acked, Delivered: s.delivered, Last: last})
	}
	return seconds, nil
}
