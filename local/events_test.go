package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/local/eventbridge"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// lines is a file.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

// What happens in rooms is an event, as a target of EventBridge gets it, at /events and as
// a line of a file.
func TestEvents_TellWhatHappens(t *testing.T) {
	file := &lines{}
	s := start(t, local.Config{LogLevel: "warn", Events: file})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	sent, _ := alice.Deliver(room, "a secret", "")
	s.API("bob", "POST", messagePath(room, sent.MessageID)+"/report", wire.ReportRequest{Reason: "a secret"}, nil)
	s.API("alice", "PATCH", messagePath(room, sent.MessageID), wire.EditRequest{Content: "no secret"}, nil)
	s.API("alice", "DELETE", messagePath(room, sent.MessageID), nil, nil)
	s.API("alice", "DELETE", "/rooms/"+room+"/members?userId=bob", nil, nil)
	want := describedEvents(t)
	var shown struct{ Events []eventbridge.Event }
	rig.Eventually(t, "all of it is told", func() bool {
		s.Request(http.MethodGet, "/events", "", nil, &shown)
		var types []string
		for _, e := range shown.Events {
			types = append(types, e.DetailType)
		}
		slices.Sort(types)
		// A user who signs in joins the lobby: what that tells may come last.
		return slices.Equal(slices.Compact(types), want) && len(file.all()) == len(types)
	})
	for _, e := range shown.Events {
		var detail struct {
			SpecVersion, ID, Source, Type, Subject, Time, DataContentType string
			Data                                                          struct {
				ChatRoomID, MessageID, SenderID, Content, Reason string
				Offline                                          []string
			}
		}
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		if detail.SpecVersion != "1.0" || detail.Source != "streamroom" || detail.Type != e.DetailType || detail.ID == "" || detail.Subject == "" || detail.Time == "" || detail.DataContentType != "application/json" {
			t.Errorf("no CloudEvent: %s", e.Detail)
		}
		if strings.Contains(string(e.Detail), "secret") {
			t.Errorf("an event has content: %s", e.Detail)
		}
		if e.DetailType == "notification" && (!slices.Equal(detail.Data.Offline, []string{"bob"}) || detail.Data.Reason != "room" || detail.Data.MessageID != sent.MessageID) {
			t.Errorf("the notification is %s", e.Detail)
		}
	}
}

// describedEvents are the types in the table of events of docs/protocol.md.
func describedEvents(t *testing.T) (types []string) {
	t.Helper()
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### Events\n")
	section, _, _ = strings.Cut(section, "\n### ")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z.]+)` \\|").FindAllStringSubmatch(section, -1) {
		types = append(types, row[1])
	}
	slices.Sort(types)
	return types
}

// A bus that takes nothing holds up no message: records are kept, and an operator has
// their events put later.
func TestEvents_ABusThatRefusesHoldsUpNoMessage(t *testing.T) {
	b := &broken{}
	s := start(t, local.Config{LogLevel: "error", Events: &lines{}, Wrap: b.Wrap})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	b.set(func() {
		b.request = func(_, body string, next http.RoundTripper) http.RoundTripper {
			if !strings.Contains(body, "EventBusName") {
				return next
			}
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			})
		}
	})
	var ids []string
	for i := range 3 {
		sent, _ := alice.Deliver(room, fmt.Sprint("message ", i), "")
		if got := bob.ExpectIn(room, wire.TypeMessage); got.MessageID != sent.MessageID {
			t.Fatalf("bob got %+v", got)
		}
		ids = append(ids, sent.MessageID)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	clients := replay.NewClients(replay.Local(s.TableURL(), transport))
	deployment := replay.Deployment{Table: local.TableName, Bucket: local.FailuresBucket, Functions: map[string]string{topology.Fanout: topology.Fanout}}
	kept, err := replay.NewFailures(clients, deployment, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the records are kept", func() bool {
		entries, err := kept.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		messages := 0
		for _, e := range entries {
			_, records, err := kept.Show(t.Context(), e.ID)
			if err != nil || e.Condition != "EventsNotPut" || e.Function != topology.Fanout {
				t.Fatalf("an entry is %+v, %v", e, err)
			}
			for _, r := range records {
				if r.Entity == "message" {
					messages++
				}
			}
		}
		return messages == len(ids)
	})
	if again := b.that(func(i invocation) bool { return len(i.again) > 0 }); len(again) > 0 {
		t.Errorf("%d batches come again", len(again))
	}

	b.set(func() { b.request = nil })
	summary, err := replay.Run(t.Context(), replay.Env{Clients: clients, Deployment: deployment, Now: time.Now},
		replay.Config{Source: replay.FromFailures, Target: topology.Fanout, Apply: true, Deliver: true, RunID: "run"}, nil)
	if err != nil || len(summary.Failed) > 0 || len(summary.Kept) > 0 {
		t.Fatalf("%+v, %v", summary, err)
	}
	var shown struct{ Events []eventbridge.Event }
	s.Request(http.MethodGet, "/events", "", nil, &shown)
	for _, id := range ids {
		if !slices.ContainsFunc(shown.Events, func(e eventbridge.Event) bool {
			return e.DetailType == "message.sent" && strings.Contains(string(e.Detail), id)
		}) {
			t.Errorf("the message %s has no event after the retry", id)
		}
	}
	if entries, err := kept.List(t.Context()); err != nil || len(entries) > 0 {
		t.Errorf("%d entries are left, %v", len(entries), err)
	}
}

func TestEvents_AreOffByDefault(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	if status := s.Request(http.MethodGet, "/events", "", nil, nil); status != http.StatusNotFound {
		t.Errorf("/events is answered with %d", status)
	}
}
