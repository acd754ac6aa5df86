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
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/streamroom/streamroom/shared/atomicfile"
	"github.com/streamroom/streamroom/shared/eventsource"
)

// MaxStored is how many failures a Bucket holds, and MaxStoredBytes how many bytes of
// records.
const (
	MaxStored      = 10_000
	MaxStoredBytes = 256 << 20
)

// Errors of a Bucket.
var (
	ErrBucketFull = errors.New("bucket of failures is full: remove entries that were dealt with")
	ErrNoEntry    = errors.New("no such object in the bucket of failures")
)

// StoredFailure is an entry of a Bucket.
type StoredFailure struct {
	ID      string              `json:"id"`
	Path    string              `json:"key,omitempty"` // of one that a function kept
	Failure eventsource.Failure `json:"failure"`
}

// Key is the key of the entry's object.
func (s StoredFailure) Key() string {
	if s.Path != "" {
		return s.Path
	}
	at, _ := time.Parse(time.RFC3339, s.Failure.Timestamp) // it is ours
	function := s.Failure.Request.FunctionARN
	mapping := mappingID(mappingName(function[strings.LastIndex(function, ":")+1:], s.Failure.Batch.StreamARN))
	return eventsource.FailureKey(mapping, s.Failure.Batch.ShardID, at, s.ID)
}

// Bucket is a local on-failure destination: a list of the batches that were
// given up, oldest first, in memory or in a file of JSON lines. Its methods may
// be used by several goroutines at once.
type Bucket struct {
	path string

	mu      sync.Mutex
	entries []StoredFailure
}

// OpenBucket returns the bucket that is kept in a file, which need not exist yet,
// or one that ends with the process if path is empty.
func OpenBucket(path string) (*Bucket, error) {
	b := &Bucket{path: path}
	if path == "" {
		return b, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the path is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read bucket of failures: %w", err)
	}
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if len(line) == 0 {
			continue
		}
		var entry StoredFailure
		if err := json.Unmarshal(line, &entry); err == nil {
			b.entries = append(b.entries, entry)
		} else if i < len(lines)-1 {
			return nil, fmt.Errorf("read bucket of failures: line %d of %s is damaged, remove it: %w", i+1, path, err)
		}
	}
	if len(lines[len(lines)-1]) > 0 { // the process ended while it wrote
		if err := b.rewrite(); err != nil {
			return nil, fmt.Errorf("repair bucket of failures: %w", err)
		}
	}
	return b, nil
}

// Send adds a failure. It fails with ErrBucketFull rather than drop an old one.
func (b *Bucket) Send(_ context.Context, f eventsource.Failure) error {
	return b.add(StoredFailure{ID: uuid.NewString(), Failure: f})
}

func (b *Bucket) add(entry StoredFailure) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := len(entry.Failure.Payload)
	for _, e := range b.entries {
		size += len(e.Failure.Payload)
	}
	if len(b.entries) >= MaxStored || size > MaxStoredBytes {
		return ErrBucketFull
	}
	if b.path != "" {
		if err := b.write(entry); err != nil {
			// Half a line must not stay.
			return fmt.Errorf("write bucket of failures: %w", errors.Join(err, b.rewrite()))
		}
	}
	b.entries = append(b.entries, entry)
	return nil
}

// List returns all entries, oldest first.
func (b *Bucket) List() []StoredFailure {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]StoredFailure{}, b.entries...)
}

// sorted returns all entries by their keys.
func (b *Bucket) sorted() []StoredFailure {
	entries := b.List()
	slices.SortFunc(entries, func(x, y StoredFailure) int { return strings.Compare(x.Key(), y.Key()) })
	return entries
}

// Delete removes an entry, or fails with ErrNoEntry.
func (b *Bucket) Delete(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.entries, func(e StoredFailure) bool { return e.ID == id })
	if i < 0 {
		return ErrNoEntry
	}
	before := b.entries
	b.entries = slices.Concat(before[:i], before[i+1:])
	if b.path == "" {
		return nil
	}
	if err := b.rewrite(); err != nil {
		b.entries = before
		return fmt.Errorf("write bucket of failures: %w", err)
	}
	return nil
}

// ServeHTTP answers GET with {"failures":[{"id","failure"},…]}.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	text, err := json.Marshal(map[string][]StoredFailure{"failures": b.List()})
	if err != nil {
		http.Error(w, "cannot list the failures", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that went away needs no answer
}

// write appends an entry to the file.
func (b *Bucket) write(entry StoredFailure) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
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
func (b *Bucket) rewrite() error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, entry := range b.entries {
		if err := encoder.Encode(entry); err != nil {
			return err
		}
	}
	return atomicfile.Write(b.path, text.Bytes())
}
