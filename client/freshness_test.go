package client

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/wire"
)

// refreshVector is a test of docs/vectors/refresh.json, whose README says what its fields
// mean.
type refreshVector struct {
	Name  string
	Steps []struct {
		At         *int64
		In         string
		Type, Room string
		Time       *int64
		ChangedAt  *int64
		Out        []string
	}
}

// TestFreshness_Vectors runs the tests that web/testdata/refresh.js runs, too.
func TestFreshness_Vectors(t *testing.T) {
	data, err := os.ReadFile("../docs/vectors/refresh.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []refreshVector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 15 {
		t.Fatalf("%d vectors, want at least 15", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) { runRefresh(t, v) })
	}
}

func runRefresh(t *testing.T, v refreshVector) {
	t.Helper()
	f := newFreshness(func(d time.Duration) time.Duration { return d })
	now := time.UnixMilli(vectorStart)
	for i, step := range v.Steps {
		var got []string
		if step.At != nil {
			now = time.UnixMilli(vectorTime(step.At))
			for !f.next.IsZero() && !f.next.After(now) {
				got = append(got, "refresh "+strings.Join(f.due(f.next), " "))
			}
		}
		switch step.In {
		case "frame":
			f.came(now, wire.ServerFrame{Type: step.Type, ChatRoomID: step.Room, Timestamp: vectorTime(step.Time)})
		case "answer":
			f.sees(vectorTime(step.Time))
		case "reconnect":
			f.renewed(now)
			f.sees(vectorTime(step.ChangedAt))
		case "pong":
			news := f.isNews(vectorTime(step.ChangedAt))
			if f.isStale(now) {
				f.renewed(now)
				got = append(got, "reconnect")
			} else if news {
				got = append(got, "refresh all")
			} else if f.wakes(now); !f.next.IsZero() && !f.next.After(now) {
				got = append(got, "refresh "+strings.Join(f.due(now), " "))
			}
		case "slept":
			f.sleeps()
		case "time":
			if rooms := f.due(now); len(rooms) > 0 {
				t.Errorf("step %d: %v are due again", i, rooms)
			}
		default:
			t.Fatalf("unknown input %q", step.In)
		}
		if diff := cmp.Diff(step.Out, got); diff != "" {
			t.Fatalf("step %d, %s (-want +got):\n%s", i, step.In, diff)
		}
	}
}

// vectorTime is the time of a number of seconds, in ms; none is 0.
func vectorTime(seconds *int64) int64 {
	if seconds == nil {
		return 0
	}
	return vectorStart + 1000**seconds
}
