package replay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// tripwire counts invocations and lets a test act at one of them.
type tripwire struct {
	next http.RoundTripper
	n    atomic.Int64
	at   atomic.Pointer[func(n int64) error] // an error loses the answer
}

func (w *tripwire) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if !strings.HasSuffix(r.URL.Path, "/invocations") || r.Header.Get("X-Amz-Invocation-Type") == "DryRun" {
		return response, err
	}
	if act := w.at.Load(); act != nil && err == nil {
		if lost := (*act)(w.n.Add(1)); lost != nil {
			response.Body.Close()
			return nil, lost
		}
	}
	return response, err
}

// TestARunThatEndsEarlyIsResumed ends runs at random batches, by stopping them,
// by cutting the network, and by losing what was noted last, as a kill does.
func TestARunThatEndsEarlyIsResumed(t *testing.T) {
	const rooms, messages = 12, 5
	wire := &tripwire{}
	w := rig.StartOperated(t, rig.OperatedOptions{Wrap: func(next http.RoundTripper) http.RoundTripper {
		wire.next = next
		return wire
	}})
	records := w.Seed(rooms, 2, messages)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	original := w.Dump()
	saved := filepath.Join(t.TempDir(), "saved.jsonl")
	run(t, w, replay.Config{Source: replay.FromTable, Target: replay.ToNone, Save: saved, RunID: "save"})

	for _, source := range []replay.Source{replay.FromTable, replay.FromStream, replay.FromFile} {
		for _, end := range []string{"stop", "cut", "kill"} {
			t.Run(fmt.Sprintf("%s %s", source, end), func(t *testing.T) {
				w.Spoil()
				w.Consumers.Reset()
				c := plain(t, source)
				c.Attempts, c.BatchSize = 1, 5
				if source == replay.FromFile {
					c.File = saved
				}
				var resume *replay.Checkpoint
				ended := 0
				for tries := 0; ; tries++ {
					if tries == 200 {
						t.Fatal("it does not come to its end")
					}
					ctx, stop := context.WithCancel(t.Context())
					at := wire.n.Load() + 1 + rand.Int64N(4)
					before, err := os.ReadFile(c.Checkpoint)
					if err != nil && !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
					act := func(n int64) error {
						switch {
						case n != at:
						case end == "cut":
							return errors.New("the network is cut")
						default:
							stop()
						}
						return nil
					}
					wire.at.Store(&act)
					_, err = replay.Run(ctx, env(w, replay.Events{}), c, resume)
					stop()
					if err == nil {
						break
					}
					ended++
					if end == "kill" && before != nil && rand.N(2) == 0 {
						if err := os.WriteFile(c.Checkpoint, before, 0o600); err != nil {
							t.Fatal(err)
						}
					}
					if resume, err = replay.LoadCheckpoint(c.Checkpoint); err != nil {
						t.Fatal(err)
					}
				}
				if ended == 0 {
					t.Error("no run ended early")
				}
				want := rooms * messages
				if source == replay.FromStream {
					want = records
				}
				if got := w.Consumers.Handled(topology.LastMessage); got < want {
					t.Errorf("%d of %d records came", got, want)
				}
				rig.SameDumps(t, "after the resumed run", w.Dump(), original)
			})
		}
	}
}

func TestCheckpointsThatDontFit(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Write(rig.RoomItems("r", 1, 30)...)
	dir := t.TempDir()
	c := plain(t, replay.FromTable)
	c.Checkpoint = filepath.Join(dir, "checkpoint.json")
	ctx, stop := context.WithCancel(t.Context())
	_, err := replay.Run(ctx, env(w, replay.Events{Planned: func(replay.Plan) { stop() }}), c, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped before the first batch: %v", err)
	}
	good, err := os.ReadFile(c.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	w.Consumers.Reset()
	t.Run("another run does not overwrite it", func(t *testing.T) {
		if _, err := replay.Run(t.Context(), env(w, replay.Events{}), c, nil); err == nil || !strings.Contains(err.Error(), "--resume") {
			t.Errorf("%v", err)
		}
	})
	for name, spoil := range map[string]struct{ old, new, says string }{
		"another table":        {`"tableId": "arn:aws`, `"tableId": "arn:other`, "another table"},
		"another stream":       {`"digest"`, `"stream": "arn:other", "digest"`, "another stream"},
		"half of one":          {"\n", "", "invalid checkpoint"},
		"of another version":   {`"version": 1`, `"version": 2`, "another version"},
		"nothing that is read": {`{`, `[`, "invalid checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(good), spoil.old, spoil.new, 1)
			switch name {
			case "half of one":
				text = text[:len(text)/2]
			case "another stream":
				text = strings.Replace(string(good), `"config"`, `"stream": "arn:other", "config"`, 1)
			}
			path := filepath.Join(dir, "spoilt.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at, err := replay.LoadCheckpoint(path)
			if err == nil {
				_, err = replay.Run(t.Context(), env(w, replay.Events{}), at.Config, at)
			}
			if err == nil || !strings.Contains(err.Error(), spoil.says) {
				t.Errorf("want an error that says %q: %v", spoil.says, err)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != text {
				t.Errorf("the checkpoint was not kept: %v", err)
			}
		})
	}
	if got := w.Consumers.Handled(topology.LastMessage); got > 31 { // the mapping's own
		t.Errorf("%d records were sent", got)
	}
	if err := os.WriteFile(c.Checkpoint, good, 0o600); err != nil {
		t.Fatal(err)
	}
	at, err := replay.LoadCheckpoint(c.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if summary, err := replay.Run(t.Context(), env(w, replay.Events{}), at.Config, at); err != nil || summary.Records != 30 {
		t.Errorf("the good one: %+v, %v", summary, err)
	}
}
