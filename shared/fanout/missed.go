package fanout

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// missedAtOnce is how many connections one invocation tells that they missed frames.
	missedAtOnce = 32

	// maxMissed bounds how many connections are remembered. Any more find out by
	// themselves: see "Catching up" in docs/protocol.md.
	maxMissed = 4_000
)

// missedPauses are between tries to tell a connection.
var missedPauses = backoff.Policy{First: time.Second, Max: time.Minute}

// missed are the connections that lack frames because posts to them were given up. A
// client notices most holes by the next message of the room, but not all: a message that
// was stored behind others, an edit, or the last one before a room falls quiet. So each is
// sent a gap of the rooms as soon as it takes frames again. What is remembered is this
// process's own, and goes with it.
type missed struct {
	push Pusher
	now  func() time.Time

	mu    sync.Mutex
	known map[string]omission // by connection id
}

// omission is what a connection lacks.
type omission struct {
	connection chat.Connection
	rooms      map[string]bool
	due        time.Time // when to tell it
	failures   int       // tries to tell it
}

// add notes that frames of rooms were not delivered to a connection.
func (m *missed) add(o omission) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]omission{}
	}
	was, ok := m.known[o.connection.ID]
	if !ok && len(m.known) >= maxMissed {
		return
	}
	if ok {
		maps.Copy(o.rooms, was.rooms)
		if was.due.After(o.due) {
			o.due, o.failures = was.due, was.failures
		}
	}
	m.known[o.connection.ID] = o
}

// take removes and returns up to n of those that are due, and forgets connections older
// than any lives.
func (m *missed) take(n int, now time.Time) (due []omission) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, o := range m.known {
		switch {
		case now.UnixMilli()-o.connection.ConnectedAt >= chat.ConnectionLife.Milliseconds():
			delete(m.known, id)
		case len(due) < n && !now.Before(o.due):
			due = append(due, o)
			delete(m.known, id)
		}
	}
	return due
}

// note notes that a post of broadcasts to a connection was given up.
func (m *missed) note(broadcasts []broadcast, target chat.Connection) {
	rooms := map[string]bool{}
	for i := range broadcasts {
		b := &broadcasts[i]
		if b.err == nil && !b.events.fleeting() && slices.Contains(b.audience.recipients, target.UserID) {
			rooms[b.events.roomID] = true
		}
	}
	if len(rooms) > 0 {
		m.add(omission{connection: target, rooms: rooms})
	}
}

// tell sends gaps to connections that lack frames. One that still takes none is
// tried again by a later invocation.
func (m *missed) tell(ctx context.Context, log *zerolog.Logger) {
	due := m.take(missedAtOnce, m.now())
	var posts []push.Post
	var of []int // the omission of each post
	for i, o := range due {
		var gaps [][]byte
		for _, room := range slices.Sorted(maps.Keys(o.rooms)) {
			gaps = append(gaps, encode(wire.Gap{Type: wire.TypeGap, ChatRoomID: room}))
		}
		for _, data := range wire.Join(gaps, wire.MaxFrame) {
			posts, of = append(posts, push.Post{ConnectionID: o.connection.ID, Data: data}), append(of, i)
		}
	}
	if len(posts) == 0 {
		return
	}
	again := map[int]bool{}
	for i, delivery := range m.push.Push(ctx, posts) {
		if delivery.Outcome == push.Undelivered {
			again[of[i]] = true
		}
	}
	for i := range again {
		o := due[i]
		o.failures++
		o.due = m.now().Add(missedPauses.Pause(o.failures))
		m.add(o)
	}
	log.Info().Int("connections", len(due)).Int("failed", len(again)).Msg("tell of missed frames")
}
