package push

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// countNew counts the connections that a server accepts.
func countNew(n *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
}

func ids(prefix string, n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return s
}

func TestPush_AHangingPostHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var others atomic.Int64 // answered before time moved
		f := &fake{answer: func(r *http.Request, id string, _ int) answer {
			if id == "hangs" {
				return hang(r)
			}
			if time.Since(start) == 0 {
				others.Add(1)
			}
			return ok
		}}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		posts := append(postsTo("hangs"), postsTo(ids("a", 5*Workers)...)...)
		results := p.Push(t.Context(), posts)
		if took := time.Since(start); took != PostTimeout {
			t.Errorf("the batch took %v of fake time, want %v", took, PostTimeout)
		}
		if others.Load() != 5*Workers {
			t.Errorf("%d posts were answered before the timeout, want %d", others.Load(), 5*Workers)
		}
		r := results[0]
		if r.Outcome != Undelivered || r.Attempts != 1 || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("the hanging post: %+v, want undelivered after one attempt and its timeout", r)
		}
		for i, r := range results[1:] {
			if r.Outcome != Delivered {
				t.Errorf("post %d: %+v", i, r)
			}
		}
	})
}

func TestHangingBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusGone)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		p := newPusher(t, Config{Transport: overPipes(t, handler)})
		if got := summary(p.Push(t.Context(), postsTo("a"))[0]); got != "gone after 1" {
			t.Errorf("got %s", got)
		}
	})
}

func TestDeadlineEndsTheBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(r *http.Request, _ string, _ int) answer { return hang(r) }}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		const deadline = PostTimeout + time.Second
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		start := time.Now()
		results := p.Push(ctx, postsTo(ids("a", 3*Workers)...))
		if took := time.Since(start); took != deadline {
			t.Errorf("the batch took %v of fake time, want %v", took, deadline)
		}
		var sent int
		for i, r := range results {
			sent += r.Attempts
			if r.Outcome != Undelivered || !errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("post %d: %+v, want undelivered", i, r)
			}
		}
		// The first ones time out one by one, the second ones with the batch.
		if sent != 2*Workers {
			t.Errorf("%d posts were sent, want %d", sent, 2*Workers)
		}
	})
}

func TestCancelInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fake{answer: func(r *http.Request, _ string, _ int) answer {
			cancel()
			return hang(r)
		}}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		start := time.Now()
		r := p.Push(ctx, postsTo("a"))[0]
		if r.Outcome != Undelivered || r.Attempts != 1 || !errors.Is(r.Err, context.Canceled) {
			t.Errorf("got %+v", r)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("a cancelled batch went on for %v", took)
		}
	})
}

func TestDeadlineWhileWaitingToRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPusher(t, Config{Transport: overPipes(t, &fake{answer: script(map[string][]answer{"a": {throttled}})})})
		ctx, cancel := context.WithTimeout(t.Context(), FirstBackoff/4)
		defer cancel()
		r := p.Push(ctx, postsTo("a"))[0]
		if r.Outcome != Undelivered || r.Attempts != 1 || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("got %+v, want one attempt and the deadline", r)
		}
		if status := statusOf(r.Err); status != http.StatusTooManyRequests {
			t.Errorf("the error is %v, want the last answer in it", r.Err)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		random float64
		want   []time.Duration // when the attempts are made
	}{
		{0, []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}},
		{1, []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, 350 * time.Millisecond}},
		{0.5, []time.Duration{0, 75 * time.Millisecond, 225 * time.Millisecond, 525 * time.Millisecond}},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var at []time.Duration
			f := &fake{answer: func(*http.Request, string, int) answer {
				at = append(at, time.Since(start))
				return failed
			}}
			p := newPusher(t, Config{Transport: overPipes(t, f), Random: func() float64 { return test.random }})
			p.Push(t.Context(), postsTo("a"))
			if diff := cmp.Diff(test.want, at); diff != "" {
				t.Errorf("attempts with a random %v: %s", test.random, diff)
			}
		})
	}
}

// Throttled posts fill all workers at first; none of them may wait while there
// are posts that were never tried.
func TestThrottledPostsGoBackToTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var atOnce atomic.Int64
		slow := ids("slow", 2*Workers)
		f := &fake{answer: func(_ *http.Request, id string, before int) answer {
			if slices.Contains(slow, id) && before < 2 {
				return throttled
			}
			if time.Since(start) == 0 {
				atOnce.Add(1)
			}
			return ok
		}}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		posts := postsTo(append(slow, ids("a", 3*Workers)...)...)
		results := p.Push(t.Context(), posts)
		if atOnce.Load() != 3*Workers {
			t.Errorf("%d posts were answered while others backed off, want %d", atOnce.Load(), 3*Workers)
		}
		for i, r := range results {
			want := "delivered after 1"
			if i < len(slow) {
				want = "delivered after 3"
			}
			if got := summary(r); got != want {
				t.Errorf("post %d: %s, want %s", i, got, want)
			}
		}
	})
}

func TestPostsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var inFlight atomic.Int64
		f := &fake{answer: func(*http.Request, string, int) answer {
			inFlight.Add(1)
			<-release
			return ok
		}}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		done := make(chan []Delivery)
		go func() { done <- p.Push(t.Context(), postsTo(ids("a", 4*Workers)...)) }()
		synctest.Wait()
		if inFlight.Load() != Workers {
			t.Errorf("%d posts in flight, want %d", inFlight.Load(), Workers)
		}
		close(release)
		for i, r := range <-done {
			if r.Outcome != Delivered {
				t.Errorf("post %d: %+v", i, r)
			}
		}
	})
}
