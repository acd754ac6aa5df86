package local_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/local/eventbridge"
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
	want := []string{"member.joined", "member.left", "message.deleted", "message.edited", "message.reported", "message.sent", "notification"}
	var shown struct{ Events []eventbridge.Event }
	rig.Eventually(t, "all of it is told", func() bool {
		s.Request(http.MethodGet, "/events", "", nil, &shown)
		var types []string
		for _, e := range shown.Events {
			types = append(types, e.DetailType)
		}
		slices.Sort(types)
		return slices.Equal(slices.Compact(types), want)
	})
	if got := len(file.all()); got != len(shown.Events) {
		t.Errorf("the file has %d lines, want %d", got, len(shown.Events))
	}
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

func TestEvents_AreOffByDefault(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	if status := s.Request(http.MethodGet, "/events", "", nil, nil); status != http.StatusNotFound {
		t.Errorf("/events is answered with %d", status)
	}
}
