package push

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestASlowClientCostsLaterBatchesLittle posts to a connection that takes
// nothing, in one way or the other, and to one that does.
func TestASlowClientCostsLaterBatchesLittle(t *testing.T) {
	full := answer{http.StatusTooManyRequests, "LimitExceededException", ""}
	tests := map[string]struct {
		refuse      func(r *http.Request) answer
		first       string // what becomes of a post to it at first
		afterwards  string // and while it is strained
		atMostAfter time.Duration
	}{
		"a full buffer": {func(*http.Request) answer { return full }, "undelivered after 4", "undelivered after 1", 0},
		"no answer":     {hang, "undelivered after 1", "undelivered after 1", StrainTimeout},
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
						t.Errorf("strained: %s in %v of fake time, want %s in at most %v", got, took, tt.afterwards, tt.atMostAfter)
					}
				}
				<-time.After(StrainTime) // fake time
				if got, _ := push(); got != tt.first {
					t.Errorf("a while later: %s, want %s", got, tt.first)
				}
				recovered.Store(true)
				if got, _ := push(); got != "delivered after 1" {
					t.Errorf("recovered: %s", got)
				}
				recovered.Store(false)
				if got, _ := push(); got != tt.first {
					t.Errorf("strained again after it took one: %s, want %s", got, tt.first)
				}
			})
		})
	}
}
