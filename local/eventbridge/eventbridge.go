// Package eventbridge stands in for a bus of EventBridge: it takes PutEvents, and shows
// what a target would get.
package eventbridge

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/streamroom/streamroom/local/inprocess"
)

const (
	// kept is how many of the newest events are shown.
	kept = 1_000

	// The limits of one request ("PutEvents", Amazon EventBridge API Reference).
	maxEntries = 10
	maxBytes   = 256 << 10
)

// Event is an event as a target of a rule gets it ("AWS service event metadata",
// Amazon EventBridge Events Reference).
type Event struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       time.Time       `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Bus is one bus. It is safe for concurrent use.
type Bus struct {
	lines  io.Writer // nil: none
	now    func() time.Time
	target func(Event) // nil: none

	mu     sync.Mutex
	newest []Event
}

// New returns a bus that writes each event to lines, unless nil, as a line of JSON.
func New(lines io.Writer, now func() time.Time) *Bus { return &Bus{lines: lines, now: now} }

// Target has each event delivered to a target, which must not wait. Call it before the first
// event.
func (b *Bus) Target(to func(Event)) { b.target = to }

type entry struct {
	Source, DetailType, Detail, EventBusName string
	Time                                     float64 // seconds
}

type result struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorMessage string `json:"ErrorMessage,omitempty"`
}

// Client returns an HTTP client that reaches the bus without a network.
func (b *Bus) Client() inprocess.Client { return inprocess.Client{Handler: inprocess.Service(b.put)} }

func refused(kind, message string) (int, any) {
	return http.StatusBadRequest, map[string]string{"__type": kind, "message": message}
}

func (b *Bus) put(target string, body []byte) (status int, answer any) {
	if target != "AWSEvents.PutEvents" {
		return refused("UnknownOperationException", "only PutEvents is served here")
	}
	var in struct{ Entries []entry }
	if err := json.Unmarshal(body, &in); err != nil {
		return refused("SerializationException", "the body is not JSON")
	}
	size := 0
	for _, e := range in.Entries {
		size += len(e.Detail) + len(e.DetailType) + len(e.Source) + 14 // bytes of a time
	}
	if len(in.Entries) == 0 || len(in.Entries) > maxEntries || size > maxBytes {
		return refused("ValidationException", "want 1 to 10 entries of 256 KB together")
	}
	results, failed := make([]result, len(in.Entries)), 0
	for i, e := range in.Entries {
		if results[i] = b.take(e); results[i].ErrorCode != "" {
			failed++
		}
	}
	return http.StatusOK, map[string]any{"FailedEntryCount": failed, "Entries": results}
}

// take takes one entry.
func (b *Bus) take(e entry) result {
	var object map[string]json.RawMessage
	switch {
	case e.Source == "" || e.DetailType == "" || e.EventBusName == "":
		return result{ErrorCode: "InvalidArgument", ErrorMessage: "Source, DetailType and EventBusName are required"}
	case json.Unmarshal([]byte(e.Detail), &object) != nil || object == nil:
		return result{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	event := Event{
		Version: "0", ID: hex.EncodeToString(id[:]), DetailType: e.DetailType, Source: e.Source, Account: "000000000000",
		Time: time.UnixMilli(int64(e.Time * 1000)).UTC(), Region: "us-east-1", Resources: []string{}, Detail: json.RawMessage(e.Detail),
	}
	if e.Time == 0 {
		event.Time = b.now().UTC()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.newest = append(b.newest, event); len(b.newest) > kept {
		b.newest = append([]Event(nil), b.newest[len(b.newest)-kept:]...)
	}
	if b.lines != nil {
		line, err := json.Marshal(event)
		if err == nil {
			_, err = b.lines.Write(append(line, '\n'))
		}
		if err != nil {
			return result{ErrorCode: "InternalFailure", ErrorMessage: err.Error()}
		}
	}
	if b.target != nil {
		b.target(event)
	}
	return result{EventID: event.ID}
}

// Events returns the newest events, the newest last.
func (b *Bus) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Event{}, b.newest...)
}

// ServeHTTP shows the newest events.
func (b *Bus) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"events": b.Events()}) // the client may be gone
}
