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
	at   func() string // the time of what is violated; nil: it does not matter

	mu         sync.Mutex
	sends      []send               // by number
	inRoom     map[string][]int     // the numbers of a room's
	latest     map[string]ulid.ULID // of a room's acks
	settled    int                  // how many of them were judged to be delivered
	numbers    map[string]int       // of the messages whose ids are known
	reads      []read
	cursors    map[[2]string]*marks   // by room and user
	reactions  map[[4]string]*outcome // by room, message, user and reaction
	added      [][4]string            // of those, that were acknowledged to be added
	files      map[string]file        // by id
	violations []Violation
}

// send is a message that a device sent, and the answer.
type send struct {
	room, user, client string
	called, returned   int64     // returned is 0 while it is under way
	id                 ulid.ULID // of the ack; zero: its outcome is unknown
	code               string    // of a refusal
	edits              int       // that were tried
	erasing, erased    bool      // its deletion was tried, and acknowledged
	files              []string  // ids
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
	if l.inRoom == nil {
		l.inRoom, l.latest = map[string][]int{}, map[string]ulid.ULID{}
	}
	l.inRoom[room] = append(l.inRoom[room], number)
	return number, content(l.seed, number, 0)
}

// editing notes an edit that begins, and gives the new content.
func (l *ledger) editing(number int) (text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends[number].edits++
	return content(l.seed, number, l.sends[number].edits)
}

// erasing notes a deletion that begins; erased, one that was acknowledged.
func (l *ledger) erasing(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends[number].erasing = true
}

func (l *ledger) erased(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sends[number].erased = true
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
		if id.Compare(l.latest[s.room]) > 0 {
			l.latest[s.room] = id
		}
		l.know(id, number)
	}
}

// know notes which message an id is of. l.mu is held.
func (l *ledger) know(id ulid.ULID, number int) {
	if l.numbers == nil {
		l.numbers = map[string]int{}
	}
	l.numbers[id.String()] = number
}

// read notes a read.
func (l *ledger) read(r read) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads = append(l.reads, r)
}

// anyMessage is a message that was acknowledged in a room, by its number and id;
// of one sender, if user isn't "". The id is "" if there is none.
func (l *ledger) anyMessage(room, user string, random *rand.Rand) (number int, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var numbers []int
	for _, n := range l.inRoom[room] {
		if s := &l.sends[n]; !s.id.IsZero() && (user == "" || s.user == user && !s.erasing) {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return 0, ""
	}
	number = numbers[random.IntN(len(numbers))]
	return number, l.sends[number].id.String()
}

// idOf is the id of a message that was acknowledged, by its number.
func (l *ledger) idOf(number int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sends[number].id.String()
}

// unsettled are the sends that were not judged yet, by room.
func (l *ledger) unsettled() map[string][]send {
	l.mu.Lock()
	defer l.mu.Unlock()
	rooms := map[string][]send{}
	for _, s := range l.sends[l.settled:] {
		rooms[s.room] = append(rooms[s.room], s)
	}
	return rooms
}

// newest is the greatest id that was acknowledged in a room, "" for none.
func (l *ledger) newest(room string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if newest := l.latest[room]; !newest.IsZero() {
		return newest.String()
	}
	return ""
}

// recognize says which send a message comes from. A problem is what it does not
// have in common with it.
func (l *ledger) recognize(room string, m client.HistoryMessage) (id ulid.ULID, number int, problem string) {
	id, err := ulid.ParseStrict(m.MessageID)
	if err != nil {
		return id, 0, "the id is not a ULID"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	number, problem = l.origin(m)
	switch {
	case problem != "":
		return id, number, problem
	case m.ChatRoomID != room || l.sends[number].room != room:
		return id, number, "it was sent in another room"
	case m.SenderID != l.sends[number].user:
		return id, number, "another user sent it"
	case m.Timestamp != int64(id.Time()): //nolint:gosec // 48 bits
		return id, number, "the timestamp is not that of the id"
	}
	l.know(id, number)
	return id, number, ""
}

// origin finds a message's number, by what it says; a deleted one's by its id.
// l.mu is held.
func (l *ledger) origin(m client.HistoryMessage) (number int, problem string) {
	if m.DeletedAt != 0 {
		number, known := l.numbers[m.MessageID]
		if !known || !l.sends[number].erasing || m.Content != "" {
			return number, "it is deleted, and no client has asked for that, or it has content all the same"
		}
		return number, ""
	}
	digits, _, _ := strings.Cut(m.Content, " ")
	digits, edit, edited := strings.Cut(digits, ".")
	number, err := strconv.Atoi(digits)
	edits := 0
	if err == nil && edited {
		edits, err = strconv.Atoi(edit)
	}
	switch {
	case err != nil || number < 0 || number >= len(l.sends) || m.Content != content(l.seed, number, edits):
		return 0, "no client has sent this"
	// A frame of a new message has its content as it is by then, and no editedAt.
	case edits < 0 || edits > l.sends[number].edits || edits == 0 && m.EditedAt > 0:
		return number, "no client has edited it so"
	}
	return number, ""
}

// violate notes a broken promise.
func (l *ledger) violate(v Violation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at != nil {
		v.At = l.at()
	}
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
