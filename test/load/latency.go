package main

import (
	"fmt"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in microseconds, up to two minutes, to three digits.
const (
	maxLatency = 2 * time.Minute
	digits     = 3
)

// recorder takes latencies from many goroutines: those of different users meet in
// few locks.
type recorder struct {
	shards [16]struct {
		mu        sync.Mutex
		histogram *hdr.Histogram
	}
}

func newRecorder() *recorder {
	r := &recorder{}
	for i := range r.shards {
		r.shards[i].histogram = newHistogram()
	}
	return r
}

func newHistogram() *hdr.Histogram { return hdr.New(1, maxLatency.Microseconds(), digits) }

func (r *recorder) record(user int, latency time.Duration) {
	shard := &r.shards[user%len(r.shards)]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	record(shard.histogram, latency)
}

// record adds a latency to a histogram. One that is out of its range counts as the range's
// end.
func record(h *hdr.Histogram, latency time.Duration) {
	_ = h.RecordValue(min(max(latency, time.Microsecond), maxLatency).Microseconds()) // values in range don't fail
}

// sum returns all that was recorded.
func (r *recorder) sum() *hdr.Histogram {
	total := newHistogram()
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.Lock()
		total.Merge(shard.histogram)
		shard.mu.Unlock()
	}
	return total
}

// Latency is a distribution of latencies in milliseconds. Histogram is it whole,
// in HdrHistogram's compressed form, so that those of several machines can be
// added.
type Latency struct {
	Count     int64   `json:"count"`
	P50       float64 `json:"p50"`
	P90       float64 `json:"p90"`
	P99       float64 `json:"p99"`
	P999      float64 `json:"p99.9"`
	Max       float64 `json:"max"`
	Histogram []byte  `json:"histogram"` // base64 in JSON
}

func summarize(h *hdr.Histogram) (Latency, error) {
	encoded, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return Latency{}, err
	}
	ms := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	return Latency{
		Count: h.TotalCount(), P50: ms(50), P90: ms(90), P99: ms(99), P999: ms(99.9),
		Max: float64(h.Max()) / 1000, Histogram: encoded,
	}, nil
}

// decode returns the whole distribution.
func (l Latency) decode() (*hdr.Histogram, error) {
	if len(l.Histogram) == 0 {
		return newHistogram(), nil
	}
	h, err := hdr.Decode(l.Histogram)
	if err != nil {
		return nil, fmt.Errorf("read a histogram: %w", err)
	}
	return h, nil
}

// add returns the distribution of both.
func (l Latency) add(other Latency) (Latency, error) {
	sum := newHistogram()
	for _, part := range []Latency{l, other} {
		h, err := part.decode()
		if err != nil {
			return Latency{}, err
		}
		sum.Merge(h)
	}
	return summarize(sum)
}
