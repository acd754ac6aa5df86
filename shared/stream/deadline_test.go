package stream_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/topology"
)

// hanging never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// When no post is answered, the invocation ends in its own time, long before
// the function's, and nothing is sent to everybody again: neither a room's
// message nor that of a slice which was begun. Slices that were not begun come
// again.
func TestNothingIsAnsweredAndTheInvocationEnds(t *testing.T) {
	i := slices.IndexFunc(topology.Functions(), func(f topology.Function) bool { return f.Name == topology.Fanout })
	timeout := topology.Functions()[i].Timeout
	for _, members := range []int{500, 30_000} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			m := crowd(members, 2)
			records := []json.RawMessage{says(m.messages[0]), says(m.messages[1])}
			if members > stream.SliceAbove {
				broadcast(t, m, records...)
				records = m.records(0)
			}
			synctest.Test(t, func(t *testing.T) {
				// The bubble's clock begins elsewhere.
				ahead := time.Until(now)
				clock := func() time.Time { return time.Now().Add(ahead) }
				pusher, err := push.New(push.Config{
					Endpoint: "http://gateway/stage", Region: "us-east-1", Transport: hanging{}, Now: clock,
					Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				})
				if err != nil {
					t.Fatal(err)
				}
				fanout := stream.NewFanout(m, pusher, topology.FanoutDeadline, clock, zerolog.Nop())
				began := time.Now()
				answer, err := fanout.Handle(t.Context(), stream.Event{Records: records})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > topology.FanoutDeadline || took*2 > timeout {
					t.Errorf("it took %s of fake time, the function has %s", took, timeout)
				}
				if members <= stream.SliceAbove {
					if len(answer.BatchItemFailures) > 0 {
						t.Errorf("%d records come again", len(answer.BatchItemFailures))
					}
					return
				}
				if n := len(answer.BatchItemFailures); n == 0 || n >= len(records) {
					t.Errorf("%d of %d slices come again, want those that there was no time for", n, len(records))
				}
			})
		})
	}
}
