package main

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// ledger is what the run's clients did and were answered.
type ledger struct {
	seed uint64

	mu         sync.Mutex
	sends      []send // by number
	reads      []read
	violations []Violation
}

// send is a message that a device sent, and the answer.
type send struct {
	room, user, client string
	called, returned   int64     // returned is 0 while it is under way
	id                 ulid.ULID // of the ack; zero: its outcome is unknown
	code               string    // of a refusal
}

// read is a part of a room's history as a device read it.
type read struct {
	room, client     string
	page             client.Page
	ids              []ulid.ULID
	more             bool
	called, returned int64
}

// sending notes a send that begins, and says what to send.
func (l *ledger) sending(room, user, client string, now int64) (number int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number = len(l.sends)
	l.sends = append(l.sends, send{room: room, user: user, client: client, called: now})
	return number, content(l.seed, number)
}

// sent notes the outcome of a send.
func (l *ledger) sent(number int, now int64, ack client.Ack, err error) {
	var refusal *client.Error
	id, invalid := ulid.ParseStrict(ack.MessageID)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.sends[number]
	s.returned = now
	switch {
	case errors.As(err, &refusal):
		s.code = refusal.Code
	case err != nil:
	case invalid != nil || ack.ChatRoomID != s.room || ack.Timestamp != int64(id.Time()): //nolint:gosec // 48 bits
		l.violations = append(l.violations, Violation{
			Promise: Altered, Room: s.room, Client: s.client, IDs: []string{ack.MessageID}, Detail: "the ack is not of the message that was sent",
		})
	default:
		s.id = id
	}
}

// read notes a read.
func (l *ledger) read(r read) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = append(l.reads, r)
}

// anyMessage is the id of a message that was acknowledged in a room.
func (l *ledger) anyMessage(room string, random *rand.Rand) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []ulid.ULID
	for _, s := range l.sends {
		if s.room == room && !s.id.IsZero() {
			ids = append(ids, s.id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[random.IntN(len(ids))].String()
}

// recognize says which send a message comes from. A problem is what it does not
// have in common with it.
func (l *ledger) recognize(room string, m client.HistoryMessage) (id ulid.ULID, number int, problem string) {
	id, err := ulid.ParseStrict(m.MessageID)
	if err != nil {
		return id, 0, "the id is not a ULID"
	}
	digits, _, _ := strings.Cut(m.Content, " ")
	number, err = strconv.Atoi(digits)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil || number < 0 || number >= len(l.sends) || m.Content != content(l.seed, number):
		return id, 0, "no client has sent this"
	case m.ChatRoomID != room || l.sends[number].room != room:
		return id, number, "it was sent in another room"
	case m.SenderID != l.sends[number].user:
		return id, number, "another user sent it"
	case m.Timestamp != int64(id.Time()): //nolint:gosec // 48 bits
		return id, number, "the timestamp is not that of the id"
	}
	return id, number, ""
}

// violate notes a broken promise.
func (l *ledger) violate(v Violation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violations = append(l.violations, v)
}

// all returns copies of what was noted.
func (l *ledger) all() (sends []send, reads []read) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sends), slices.Clone(l.reads)
}

// broken returns the broken promises.
func (l *ledger) broken() []Violation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.violations)
}
