package push

import (
	"net/http"
	"strconv"
	"strings"
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
		paused      string // and then
	}{
		"a full buffer": {func(*http.Request) answer { return full }, "undelivered after 4", "undelivered after 1", 0, "undelivered after 1"},
		"no answer":     {hang, "undelivered after 1", "undelivered after 1", SlowTimeout, "undelivered after 0"},
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
				if got, took := push(); got != tt.afterwards || took > tt.atMostAfter {
					t.Errorf("slow: %s in %v of fake time, want %s in at most %v", got, took, tt.afterwards, tt.atMostAfter)
				}
				for range 3 {
					if got, took := push(); got != tt.paused || took > 0 {
						t.Errorf("at once again: %s in %v of fake time, want %s in 0", got, took, tt.paused)
					}
				}
				<-time.After(2 * SlowTime) // fake time
				if got, took := push(); got != tt.afterwards || took > tt.atMostAfter {
					t.Errorf("a while later: %s in %v of fake time, want %s in at most %v", got, took, tt.afterwards, tt.atMostAfter)
				}
				<-time.After(2 * FirstPause)
				recovered.Store(true)
				if got, _ := push(); got != "delivered after 1" {
					t.Errorf("recovered: %s", got)
				}
				recovered.Store(false)
				if got, took := push(); got != tt.afterwards || took > tt.atMostAfter {
					t.Errorf("slow again at once: %s in %v of fake time, want %s in at most %v", got, took, tt.afterwards, tt.atMostAfter)
				}
				recovered.Store(true)
				<-time.After(2 * FirstPause)
				push()
				<-time.After(SlowTime)
				recovered.Store(false)
				if got, _ := push(); got != tt.first {
					t.Errorf("slow again after a while: %s, want %s", got, tt.first)
				}
			})
		})
	}
}

// A client that does not read is told from an account that is throttled, however
// many of them there are: others are served at the same time.
func TestPush_ClientsThatDoNotReadAreNotTakenForAThrottledAccount(t *testing.T) {
	for _, n := range []int{20, 21, 100} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				full := ids("full", n)
				f := &fake{answer: func(_ *http.Request, id string, _ int) answer {
					if strings.HasPrefix(id, "full") {
						return throttled
					}
					return ok
				}}
				p := newPusher(t, Config{Transport: overPipes(t, f)})
				posts := postsTo(append(full, ids("reads", 100)...)...)
				posts = append(posts, postsTo(full...)...) // large frames take several posts
				for i, r := range p.Push(t.Context(), posts) {
					if (r.Outcome == Delivered) != strings.HasPrefix(posts[i].ConnectionID, "reads") || r.Attempts > Attempts {
						t.Fatalf("post %d, to %s: %s", i, posts[i].ConnectionID, summary(r))
					}
				}
				for _, later := range []time.Duration{0, 0, 2 * SlowTime, time.Hour} {
					<-time.After(later) // fake time
					begun, before := time.Now(), len(f.got())
					p.Push(t.Context(), posts)
					if made, took := len(f.got())-before, time.Since(begun); made != len(posts) || took != 0 {
						t.Errorf("%v later: %d requests in %v of fake time for %d posts, want one each in 0", later, made, took, len(posts))
					}
				}
			})
		})
	}
}

// Clients that do not read, with hardly anyone who does beside them, look like a
// throttled account once.
func TestPush_ARoomOfClientsThatDoNotReadIsFoundOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: func(_ *http.Request, id string, _ int) answer {
			if id == "reads" {
				return ok
			}
			return throttled
		}}
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		posts := postsTo(append(ids("full", 40), "reads")...)
		for i, want := range []string{"undelivered after 8", "undelivered after 4", "undelivered after 1", "undelivered after 1"} {
			if got := summary(p.Push(t.Context(), posts)[0]); got != want {
				t.Errorf("batch %d: %s, want %s", i, got, want)
			}
			<-time.After(2 * moment) // fake time
		}
	})
}

// A throttled account refuses whatever comes, and takes some of it.
func TestPush_RetriesLongerWhileTheAccountIsThrottled(t *testing.T) {
	for name, test := range map[string]struct {
		before func(i int) int // how often post i is refused
		want   string          // the worst that becomes of a post
		next   string          // what becomes of a post that was refused to the end then
	}{
		"all are refused for a while":    {func(int) int { return ThrottledAttempts - 1 }, "delivered after 8", ""},
		"all are refused":                {func(int) int { return ThrottledAttempts }, "undelivered after 8", "undelivered after 4"},
		"two of three, at every attempt": {func(i int) int { return []int{0, 0, 1, 1, 2, 3, 4, 5, 7}[i%9] }, "delivered after 8", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var again atomic.Bool
				f := &fake{answer: func(_ *http.Request, id string, before int) answer {
					i, _ := strconv.Atoi(strings.TrimPrefix(id, "a-"))
					if before < test.before(i) || again.Load() {
						return throttled
					}
					return ok
				}}
				p := newPusher(t, Config{Transport: overPipes(t, f)})
				posts := postsTo(ids("a", 90)...)
				worst := ""
				for _, r := range p.Push(t.Context(), posts) {
					if got := summary(r); got[len(got)-1:] > worst[max(0, len(worst)-1):] {
						worst = got
					}
				}
				if worst != test.want {
					t.Errorf("the worst: %s, want %s", worst, test.want)
				}
				if test.next == "" {
					return
				}
				again.Store(true)
				if got := summary(p.Push(t.Context(), posts[:1])[0]); got != test.next {
					t.Errorf("the next post: %s, want %s", got, test.next)
				}
			})
		})
	}
}
