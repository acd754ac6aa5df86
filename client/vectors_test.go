package client

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
)

// vectorStart is the time of the vectors' id 0; the others are that many seconds
// later.
const vectorStart = 1_700_000_000_000

// vector is a test of docs/vectors/recovery.json, whose README says what its fields
// mean.
type vector struct {
	Name    string
	Ordered *bool // nil: either way
	Steps   []vectorStep
	Final   vectorState
}

type vectorStep struct {
	At       *int64
	In       string
	ID       *int
	User     string
	From     any
	After    any
	More     bool
	Message  vectorMessage
	Messages []vectorMessage
	Out      []string
}

type vectorMessage struct {
	ID              int
	Text, By        string
	Previous        json.RawMessage
	Edited, Deleted int64
}

type vectorState struct {
	Messages            []string
	Phase               string
	Position, Confirmed int
	Unread              *int
	Read                map[string]int
}

// TestRecovery_Vectors runs the tests that web/testdata/vectors.js runs, too.
func TestRecovery_Vectors(t *testing.T) {
	data, err := os.ReadFile("../docs/vectors/recovery.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 25 {
		t.Fatalf("%d vectors, want at least 25", len(vectors))
	}
	for _, v := range vectors {
		for _, ordered := range []bool{true, false} {
			if v.Ordered != nil && *v.Ordered != ordered {
				continue
			}
			t.Run(fmt.Sprintf("%s, ordered=%v", v.Name, ordered), func(t *testing.T) { runVector(t, v, ordered) })
		}
	}
}

func runVector(t *testing.T, v vector, ordered bool) {
	t.Helper()
	r, s := newRecovery(ordered, time.Second), newScreen()
	now := int64(vectorStart)
	for i, step := range v.Steps {
		if step.At != nil {
			now = vectorStart + *step.At
		}
		var got []string
		switch step.In {
		case "ask":
			got = queries(r, time.UnixMilli(now))
		case "read":
			s.read[step.User] = max(s.read[step.User], *step.ID)
		default:
			for _, e := range r.step(time.UnixMilli(now), step.input(t)) {
				got = append(got, s.take(e))
			}
		}
		if diff := cmp.Diff(step.Out, got); diff != "" {
			t.Fatalf("step %d, %s (-want +got):\n%s", i, step.In, diff)
		}
	}
	got := vectorState{
		Messages: s.messages(), Phase: []string{"new", "live", "behind", "degraded"}[r.phase],
		Position: number(r.position), Confirmed: number(r.confirmed),
	}
	if v.Final.Unread != nil {
		unread := s.unread()
		got.Unread = &unread
	}
	if v.Final.Read != nil {
		got.Read = s.read
	}
	if diff := cmp.Diff(v.Final, got); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}

// input is the method that a step calls.
func (s vectorStep) input(t *testing.T) func(*recovery) {
	t.Helper()
	var page []arrival
	for _, m := range s.Messages {
		page = append(page, m.arrival(t))
	}
	switch s.In {
	case "message":
		return func(r *recovery) { r.message(s.Message.arrival(t)) }
	case "edited", "deleted":
		return func(r *recovery) { r.change(s.Message.arrival(t)) }
	case "ack":
		if s.ID == nil { // what was sent is known
			return func(r *recovery) { r.message(s.Message.arrival(t)) }
		}
		return func(r *recovery) { r.ack(vectorID(float64(*s.ID))) }
	case "gap":
		return (*recovery).leftOut
	case "reconnect":
		return (*recovery).reconnected
	case "refresh":
		return (*recovery).refresh
	case "fail":
		return (*recovery).failed
	case "show":
		return func(r *recovery) { r.show(vectorID(s.From)) }
	case "newest":
		return func(r *recovery) { r.newest(page, s.More) }
	case "page":
		return func(r *recovery) { r.rereadPage(page, s.More) }
	case "sync":
		return func(r *recovery) { r.synced(vectorID(s.After), page, s.More) }
	case "time":
		return nil
	}
	t.Fatalf("unknown input %q", s.In)
	return nil
}

func queries(r *recovery, now time.Time) (asked []string) {
	if !r.due() {
		return []string{"nothing"}
	}
	q := r.ask(now)
	if q.newest {
		asked = append(asked, "newest")
	}
	if q.page {
		asked = append(asked, "page "+label(q.before))
	}
	if q.sync {
		asked = append(asked, "sync "+label(q.after))
	}
	return asked
}

func (m vectorMessage) arrival(t *testing.T) arrival {
	t.Helper()
	id := vectorID(float64(m.ID))
	a := arrival{id: id, message: Message{HistoryMessage: HistoryMessage{
		MessageID: id.String(), SenderID: m.By, Content: m.Text, EditedAt: m.Edited, DeletedAt: m.Deleted,
	}}}
	if m.By == "" {
		a.message.SenderID = "bob"
	}
	if m.Previous == nil {
		return a
	}
	a.chained = true
	if previous, err := strconv.Atoi(string(m.Previous)); err == nil && previous < m.ID {
		a.previous = vectorID(float64(previous))
	}
	return a
}

// vectorID is the id of a number of seconds, or of "first" and "last".
func vectorID(n any) (id ulid.ULID) {
	switch n := n.(type) {
	case float64:
		_ = id.SetTime(uint64(vectorStart + 1000*int64(n)))
	case string:
		if n == "last" {
			return lastID
		}
	}
	return id
}

func number(id ulid.ULID) int { return int((int64(id.Time()) - vectorStart) / 1000) }

func label(id ulid.ULID) string {
	switch id {
	case lastID:
		return "last"
	case ulid.ULID{}:
		return "first"
	}
	return strconv.Itoa(number(id))
}

// screen is an application that shows a room: it does with the effects what the
// protocol asks for, and no more.
type screen struct {
	shown map[string]HistoryMessage
	read  map[string]int
}

func newScreen() *screen {
	return &screen{shown: map[string]HistoryMessage{}, read: map[string]int{}}
}

// take takes an effect and describes it.
func (s *screen) take(e Event) string {
	switch e := e.(type) {
	case Message:
		s.shown[e.MessageID] = e.HistoryMessage
		text := "deliver " + describe(e.HistoryMessage)
		if e.Late {
			text += " late"
		}
		if e.Backlog {
			text += " backlog"
		}
		return text
	case Edited:
		return s.change(e.HistoryMessage)
	case Deleted:
		return s.change(HistoryMessage{MessageID: e.MessageID, SenderID: e.SenderID, DeletedAt: e.DeletedAt})
	}
	return fmt.Sprintf("%T", e)
}

func (s *screen) change(m HistoryMessage) string {
	if _, ok := s.shown[m.MessageID]; ok {
		s.shown[m.MessageID] = m
	}
	return "change " + describe(m)
}

func (s *screen) messages() (all []string) {
	for _, m := range s.shown {
		all = append(all, m.MessageID+describe(m))
	}
	slices.Sort(all)
	for i, text := range all {
		all[i] = text[ulid.EncodedSize:]
	}
	return all
}

func (s *screen) unread() (n int) {
	for _, m := range s.shown {
		if number(ulid.MustParse(m.MessageID)) > s.read["me"] && m.SenderID != "me" && m.DeletedAt == 0 {
			n++
		}
	}
	return n
}

func describe(m HistoryMessage) string {
	text := m.Content
	if m.DeletedAt != 0 {
		text = "deleted"
	}
	return label(ulid.MustParse(m.MessageID)) + " " + text
}
