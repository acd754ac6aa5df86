package push

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPush_ASlowClientCostsLaterBatchesLittle posts to a connection that takes
// nothing, in one way or the other, and to one that does.
func TestPush_ASlowClientCostsLaterBatchesLittle(t *testing.T) {
	full := answer{http.StatusTooManyRequests, "LimitExceededException", ""}
	tests := map[string]struct {
		refuse      func(r *http.Request) answer
		first       string // what becomes of a post to it at first
		afterwards  string // and while it counts as slow
		atMostAfter time.Duration
	}{
		"a full buffer": {func(*http.Request) answer { return full }, "undelivered after 4", "undelivered after 1", 0},
		"no answer":     {hang, "undelivered after 1", "undelivered after 1", SlowTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var recovered atomic.Bool
				f := &fake{answer: func(r *http.Request, id string, _ int) answer {
					if id == "slow" && !recovered.Load() {
						return tt.refuse(r)
					}
					return ok
				}}
				p := newPusher(t, Config{Transport: overPipes(t, f)})
				push := func() (slow string, took time.Duration) {
					t.Helper()
					begun := time.Now()
					results := p.Push(t.Context(), postsTo("slow", "fine"))
					if got := summary(results[1]); got != "delivered after 1" {
						t.Errorf("the other one: %s", got)
					}
					return summary(results[0]), time.Since(begun)
				}
				if got, took := push(); got != tt.first || took == 0 {
					t.Errorf("at first: %s in %v, want %s", got, took, tt.first)
				}
				for range 3 {
					if got, took := push(); got != tt.afterwards || took > tt.atMostAfter {
						t.Errorf("slow: %s in %v of fake time, want %s in at most %v", got, took, tt.afterwards, tt.atMostAfter)
					}
				}
				<-time.After(SlowTime) // fake time
				if got, _ := push(); got != tt.first {
					t.Errorf("a while later: %s, want %s", got, tt.first)
				}
				recovered.Store(true)
				if got, _ := push(); got != "delivered after 1" {
					t.Errorf("recovered: %s", got)
				}
				recovered.Store(false)
				if got, _ := push(); got != tt.first {
					t.Errorf("slow again after it took one: %s, want %s", got, tt.first)
				}
			})
		})
	}
}

// Many refusals in a batch are the account's, not the connections'.
func TestPush_RetriesLongerWhileTheAccountIsThrottled(t *testing.T) {
	for _, test := range []struct {
		posts, before int // how many are refused, and how often
		want          string
		next          string // what becomes of a post to one of them then, if it is refused again
	}{
		{throttledPosts + 1, ThrottledAttempts - 1, "delivered after 8", "undelivered after 4"},
		{throttledPosts + 1, ThrottledAttempts, "undelivered after 8", "undelivered after 4"},
		{throttledPosts, Attempts - 1, "delivered after 4", "undelivered after 4"},
		{throttledPosts, Attempts, "undelivered after 4", "undelivered after 1"}, // connections of slow clients
	} {
		t.Run(test.want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := ids("busy", test.posts)
				var again atomic.Bool
				f := &fake{answer: func(_ *http.Request, id string, before int) answer {
					if slices.Contains(refused, id) && (before < test.before || again.Load()) {
						return throttled
					}
					return ok
				}}
				p := newPusher(t, Config{Transport: overPipes(t, f)})
				for i, r := range p.Push(t.Context(), postsTo(append(refused, ids("a", 100)...)...)) {
					want := test.want
					if i >= test.posts {
						want = "delivered after 1"
					}
					if got := summary(r); got != want {
						t.Fatalf("post %d of %d refused: %s, want %s", i, test.posts, got, want)
					}
				}
				again.Store(true)
				if got := summary(p.Push(t.Context(), postsTo(refused[0]))[0]); got != test.next {
					t.Errorf("the next post: %s, want %s", got, test.next)
				}
			})
		})
	}
}
