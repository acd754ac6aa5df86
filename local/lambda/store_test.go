package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/shared/eventsource"
)

func TestCheckpointsInAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "checkpoints.json")
		open := func() *Checkpoints {
			c, err := OpenCheckpoints(path, clockwork.NewRealClock())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		load := func(c *Checkpoints, name string) map[string]Checkpoint {
			got, err := c.Load(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		c := open()
		expect(t, "new", load(c, "m"), map[string]Checkpoint{})
		save := func(name, shard, sequence string, finished bool) {
			if err := c.Save(t.Context(), name, shard, Checkpoint{sequence, finished}); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 1000 {
			save("m", "s1", strconv.Itoa(n), false)
		}
		save("m", "s2", "7", true)
		save("other", "s1", "8", false)
		if _, err := os.Stat(path); err == nil {
			t.Error("saves are not gathered")
		}
		elapse(checkpointDelay)
		want := map[string]Checkpoint{"s1": {SequenceNumber: "999"}, "s2": {"7", true}}
		expect(t, "after a while", load(open(), "m"), want)
		expect(t, "of another mapping", load(open(), "other"), map[string]Checkpoint{"s1": {SequenceNumber: "8"}})

		if err := c.Forget(t.Context(), "m", "s2"); err != nil {
			t.Fatal(err)
		}
		delete(want, "s2")
		expect(t, "before the next write", len(load(open(), "m")), 2)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, "after Close", load(open(), "m"), want)
		// What is loaded is the caller's.
		load(c, "m")["s1"] = Checkpoint{}
		expect(t, "after a change of what was loaded", load(c, "m"), want)
	})
}

// TestSavesDoNotWaitForTheDisk saves while the file is being replaced.
func TestSavesDoNotWaitForTheDisk(t *testing.T) {
	clock := clockwork.NewFakeClock()
	c, err := OpenCheckpoints(filepath.Join(t.TempDir(), "checkpoints.json"), clock)
	if err != nil {
		t.Fatal(err)
	}
	c.writing.Lock()
	for _, sequence := range []string{"1", "2"} {
		if err := c.Save(t.Context(), "m", "s1", Checkpoint{SequenceNumber: sequence}); err != nil {
			t.Fatal(err)
		}
		clock.Advance(checkpointDelay)
	}
	c.writing.Unlock()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := OpenCheckpoints(c.path, clock)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read.Load(t.Context(), "m")
	if err != nil || got["s1"].SequenceNumber != "2" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCheckpointsThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "checkpoints.json")
		c, err := OpenCheckpoints(path, clockwork.NewRealClock())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Save(t.Context(), "m", "s1", Checkpoint{}); err != nil {
			t.Fatal(err)
		}
		elapse(checkpointDelay)
		if err := c.Save(t.Context(), "m", "s1", Checkpoint{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Save after a failed write: %v", err)
		}
		if err := c.Close(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Close: %v", err)
		}
		// It works again once the folder is there.
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		_ = c.Save(t.Context(), "m", "s1", Checkpoint{}) // still the old error
		elapse(checkpointDelay)
		if err := c.Close(); err != nil {
			t.Errorf("Close after a write that worked: %v", err)
		}
	})
}

func TestOpenDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("{")
	if _, err := OpenCheckpoints(path, clockwork.NewRealClock()); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("checkpoints: %v", err)
	}
	write("{\"id\":\"1\"}\nnonsense\n{\"id\":\"3\"}\n")
	if _, err := OpenBucket(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("queue: %v", err)
	}
	if _, err := OpenCheckpoints(filepath.Dir(path), clockwork.NewRealClock()); err == nil {
		t.Error("a folder as checkpoints")
	}
	if _, err := OpenBucket(filepath.Dir(path)); err == nil {
		t.Error("a folder as queue")
	}
	// "null" is JSON, too.
	write("null")
	c, err := OpenCheckpoints(path, clockwork.NewRealClock())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Save(t.Context(), "m", "s", Checkpoint{}), c.Close()); err != nil {
		t.Error(err)
	}
}

func failureOf(shardID string) eventsource.Failure {
	return eventsource.Failure{Version: "1.0", Batch: eventsource.BatchInfo{ShardID: shardID}}
}

func shardIDs(q *Bucket) []string {
	ids := []string{}
	for _, entry := range q.List() {
		ids = append(ids, entry.Failure.Batch.ShardID)
	}
	return ids
}

func TestBucket(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "queue.jsonl")} {
		t.Run(name, func(t *testing.T) {
			q, err := OpenBucket(path)
			if err != nil {
				t.Fatal(err)
			}
			reopen := func() {
				if path == "" {
					return
				}
				if q, err = OpenBucket(path); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []string{"a", "b", "c"} {
				if err := q.Send(t.Context(), failureOf(id)); err != nil {
					t.Fatal(err)
				}
			}
			reopen()
			expect(t, "entries", shardIDs(q), []string{"a", "b", "c"})
			if err := q.Delete(q.List()[1].ID); err != nil {
				t.Fatal(err)
			}
			expect(t, "entries after Delete", shardIDs(q), []string{"a", "c"})
			reopen()
			if err := q.Send(t.Context(), failureOf("d")); err != nil {
				t.Fatal(err)
			}
			reopen()
			expect(t, "entries in the end", shardIDs(q), []string{"a", "c", "d"})
			if err := q.Delete("x"); !errors.Is(err, ErrNoEntry) {
				t.Errorf("Delete of nothing: %v", err)
			}
		})
	}
}

// The process may end while it writes a line.
func TestBucketDropsHalfALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.jsonl")
	q, err := OpenBucket(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if err := q.Send(t.Context(), failureOf(id)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Also without its line break alone, a line is whole.
	for cut, want := range map[int][]string{1: {"a", "b", "c"}, 2: {"a", "c"}, 100: {"a", "c"}} {
		if err := os.WriteFile(path, text[:len(text)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if q, err = OpenBucket(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := q.Send(t.Context(), failureOf("c")); err != nil {
			t.Fatal(err)
		}
		if q, err = OpenBucket(path); err != nil {
			t.Fatalf("cut by %d: %v", cut, err)
		}
		expect(t, fmt.Sprintf("entries, cut by %d", cut), shardIDs(q), want)
	}
}

func TestBucketIsBounded(t *testing.T) {
	q := &Bucket{entries: make([]StoredFailure, MaxStored-1)}
	if err := q.Send(t.Context(), eventsource.Failure{}); err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), eventsource.Failure{}); !errors.Is(err, ErrBucketFull) {
		t.Errorf("got %v", err)
	}
	expect(t, "entries", len(q.List()), MaxStored)
}

func TestBucketThatCannotBeWritten(t *testing.T) {
	q, err := OpenBucket(filepath.Join(t.TempDir(), "missing", "queue.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Send(t.Context(), eventsource.Failure{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	expect(t, "entries", len(q.List()), 0)
}

func TestBucketOverHTTP(t *testing.T) {
	q, err := OpenBucket("")
	if err != nil {
		t.Fatal(err)
	}
	do := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		q.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), method, "/", http.NoBody))
		return w
	}
	expect(t, "body of an empty queue", do(http.MethodGet).Body.String(), `{"failures":[]}`)
	if err := q.Send(t.Context(), failureOf("a")); err != nil {
		t.Fatal(err)
	}
	w := do(http.MethodGet)
	var got struct{ Failures []StoredFailure }
	if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&got); err != nil {
		t.Fatal(err)
	}
	expect(t, "failures", got.Failures, q.List())
	expect(t, "content type", w.Header().Get("Content-Type"), "application/json")
	w = do(http.MethodPost)
	expect(t, "status of POST", w.Code, http.StatusMethodNotAllowed)
	expect(t, "Allow", w.Header().Get("Allow"), "GET, HEAD")
}
