package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/streamroom/streamroom/shared/atomicfile"
	"github.com/streamroom/streamroom/shared/eventsource"
)

// MaxQueued is how many failures a Queue holds.
const MaxQueued = 10_000

// Errors of a Queue.
var (
	ErrQueueFull = errors.New("failure queue is full: delete entries that were dealt with")
	ErrNoEntry   = errors.New("no such entry in the failure queue")
)

// QueuedFailure is an entry of a Queue.
type QueuedFailure struct {
	ID      string              `json:"id"`
	Failure eventsource.Failure `json:"failure"`
}

// Queue is a local on-failure destination: a list of the batches that were
// given up, oldest first, in memory or in a file of JSON lines. Its methods may
// be used by several goroutines at once.
type Queue struct {
	path string

	mu      sync.Mutex
	entries []QueuedFailure
}

// OpenQueue returns the queue that is kept in a file, which need not exist yet,
// or one that ends with the process if path is empty.
func OpenQueue(path string) (*Queue, error) {
	q := &Queue{path: path}
	if path == "" {
		return q, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the path is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return q, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read failure queue: %w", err)
	}
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if len(line) == 0 {
			continue
		}
		var entry QueuedFailure
		if err := json.Unmarshal(line, &entry); err == nil {
			q.entries = append(q.entries, entry)
		} else if i < len(lines)-1 {
			return nil, fmt.Errorf("read failure queue: line %d of %s is damaged, remove it: %w", i+1, path, err)
		}
	}
	if len(lines[len(lines)-1]) > 0 { // the process ended while it wrote
		if err := q.rewrite(); err != nil {
			return nil, fmt.Errorf("repair failure queue: %w", err)
		}
	}
	return q, nil
}

// Send adds a failure. It fails with ErrQueueFull rather than drop an old one.
func (q *Queue) Send(_ context.Context, f eventsource.Failure) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) >= MaxQueued {
		return ErrQueueFull
	}
	entry := QueuedFailure{ID: newUUID(), Failure: f}
	if q.path != "" {
		if err := q.write(entry); err != nil {
			// Half a line must not stay.
			return fmt.Errorf("write failure queue: %w", errors.Join(err, q.rewrite()))
		}
	}
	q.entries = append(q.entries, entry)
	return nil
}

// List returns all entries, oldest first.
func (q *Queue) List() []QueuedFailure {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]QueuedFailure{}, q.entries...)
}

// Delete removes an entry, or fails with ErrNoEntry.
func (q *Queue) Delete(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.entries, func(e QueuedFailure) bool { return e.ID == id })
	if i < 0 {
		return ErrNoEntry
	}
	before := q.entries
	q.entries = slices.Concat(before[:i], before[i+1:])
	if q.path == "" {
		return nil
	}
	if err := q.rewrite(); err != nil {
		q.entries = before
		return fmt.Errorf("write failure queue: %w", err)
	}
	return nil
}

// ServeHTTP answers GET with {"failures":[{"id","failure"},…]}.
func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	text, err := json.Marshal(map[string][]QueuedFailure{"failures": q.List()})
	if err != nil {
		http.Error(w, "cannot list the failures", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that went away needs no answer
}

// write appends an entry to the file.
func (q *Queue) write(entry QueuedFailure) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(q.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// rewrite replaces the file by the entries.
func (q *Queue) rewrite() error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, entry := range q.entries {
		if err := encoder.Encode(entry); err != nil {
			return err
		}
	}
	return atomicfile.Write(q.path, text.Bytes())
}
