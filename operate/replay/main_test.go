package replay_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is where runs of a test work.
func env(w *rig.Operated, e replay.Events) replay.Env {
	return replay.Env{Clients: w.Clients, Deployment: w.Deployment, Where: map[string]string{"test": "yes"}, Now: time.Now, Events: e}
}

// plain is a run to lastmessage as fast as it goes, with a checkpoint.
func plain(t testing.TB, source replay.Source) replay.Config {
	t.Helper()
	return replay.Config{
		Source: source, Target: topology.LastMessage, Apply: true, RunID: "run",
		Checkpoint: filepath.Join(t.TempDir(), "checkpoint.json"),
		RetryPause: time.Millisecond, StreamPause: time.Millisecond,
	}
}

// run replays to the end without a failure.
func run(t testing.TB, w *rig.Operated, c replay.Config) (replay.Plan, replay.Summary) {
	t.Helper()
	var plan replay.Plan
	summary, err := replay.Run(t.Context(), env(w, replay.Events{Planned: func(p replay.Plan) { plan = p }}), c, nil)
	if err != nil || len(summary.Failed) > 0 || len(summary.Kept) > 0 {
		t.Fatalf("replay from %s: %+v, %v", c.Source, summary, err)
	}
	return plan, summary
}
