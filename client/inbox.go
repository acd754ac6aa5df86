package client

import (
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/wire"
)

// patience is how long a message waits for the one before it, on average.
const patience = time.Second

// roomID is what room ids match.
var roomID = regexp.MustCompile(`^[A-Za-z0-9_.@-]{1,128}$`)

// inbox turns what the server sends into the application's events: by way of
// its room, for messages.
type inbox struct {
	clock  clockwork.Clock
	jitter func(time.Duration) time.Duration
	log    zerolog.Logger
	events *queue
	wake   chan struct{} // a room wants a sync, or waits for a message

	mu    sync.Mutex
	rooms map[string]*room
	self  string // the own user id, once the server has told it
}

func newInbox(clock clockwork.Clock, jitter func(time.Duration) time.Duration, log zerolog.Logger) *inbox {
	return &inbox{
		clock: clock, jitter: jitter, log: log,
		events: newQueue(), wake: make(chan struct{}, 1), rooms: map[string]*room{},
	}
}

// with calls f with a room, which is followed from now on.
func (in *inbox) with(id string, f func(*room)) {
	if !roomID.MatchString(id) {
		in.log.Warn().Msg("a frame with an invalid room id was dropped")
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	r := in.rooms[id]
	if r == nil {
		r = newRoom(id, in.events.push)
		in.rooms[id] = r
	}
	f(r)
	in.settle(r)
}

// settle wakes the catch-up if a room wants it, now or in a while.
func (in *inbox) settle(r *room) {
	set := r.watch(in.clock.Now(), func() time.Duration { return in.jitter(patience) })
	if set || r.due {
		signal(in.wake)
	}
}

func (in *inbox) follow(id string) { in.with(id, func(*room) {}) }

// open follows a room that the application shows.
func (in *inbox) open(id string) { in.with(id, func(r *room) { r.opened = true }) }

// gap notes that messages of a room were not broadcast.
func (in *inbox) gap(id string) {
	in.with(id, func(r *room) {
		r.miss()
		r.reread = r.opened
	})
}

// message takes a live message.
func (in *inbox) message(f wire.ServerFrame) {
	id, err := ulid.ParseStrict(f.MessageID)
	if err != nil {
		in.log.Warn().Str("room", f.ChatRoomID).Msg("a message with an invalid id was dropped")
		return
	}
	h := held{id: id, Message: Message{
		HistoryMessage: HistoryMessage{
			ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, SenderID: f.SenderID,
			Content: f.Content, Timestamp: f.Timestamp,
		},
		ClientMessageID: f.ClientMessageID,
	}}
	if f.PreviousMessageID != nil {
		// Ids within one ms are in random order, and clocks differ: a hint at a
		// greater id is nothing to wait for.
		if previous, err := ulid.ParseStrict(*f.PreviousMessageID); err == nil && previous.Compare(id) < 0 {
			h.previous = previous
		}
	}
	in.with(f.ChatRoomID, func(r *room) { r.offer(h) })
}

// change takes what has become of a message.
func (in *inbox) change(f wire.ServerFrame) {
	id, err := ulid.ParseStrict(f.MessageID)
	if err != nil {
		in.log.Warn().Str("room", f.ChatRoomID).Msg("a change of a message with an invalid id was dropped")
		return
	}
	h := held{id: id, Message: Message{
		HistoryMessage: HistoryMessage{
			ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, SenderID: f.SenderID, Content: f.Content,
			Timestamp: f.Timestamp, EditedAt: f.EditedAt, DeletedAt: f.DeletedAt,
		},
		ClientMessageID: f.ClientMessageID,
	}}
	in.with(f.ChatRoomID, func(r *room) { r.change(h) })
}

// note passes on what is no message. It can't be asked for again, so what
// doesn't fit is noted in the log.
func (in *inbox) note(e Event, roomID string) {
	if !in.events.push(e) {
		in.log.Warn().Str("room", roomID).Msg("a change of a room was dropped: the application is too slow")
	}
}

// acked notes that a message was stored, so that it is asked for if it doesn't
// come.
func (in *inbox) acked(roomID, messageID string) {
	if id, err := ulid.ParseStrict(messageID); err == nil {
		in.with(roomID, func(r *room) { r.await(id) })
	}
}

// joined and left take changes of membership.
func (in *inbox) joined(roomID, userID string) {
	in.note(MemberJoined{ChatRoomID: roomID, UserID: userID}, roomID)
	if in.isSelf(userID) {
		in.follow(roomID)
	}
}

func (in *inbox) left(roomID, userID string) {
	if in.isSelf(userID) {
		in.drop(roomID)
		return
	}
	in.note(MemberLeft{ChatRoomID: roomID, UserID: userID}, roomID)
}

func (in *inbox) isSelf(userID string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return userID == in.self
}

// drop forgets a room of which the user is no longer a member.
func (in *inbox) drop(id string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if r := in.rooms[id]; r != nil {
		r.fail() // what is held goes out, there will be no more
		delete(in.rooms, id)
	}
	in.note(MemberLeft{ChatRoomID: id, UserID: in.self}, id)
}

// online notes that a connection works, and whose it is.
func (in *inbox) online(p Connected) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.self = p.UserID
	in.events.pushState(p)
}

// reconnected notes that anything may have been missed.
func (in *inbox) reconnected() {
	in.each((*room).reconnected)
}

// refresh wants every room to be synced, for what nothing hinted at.
func (in *inbox) refresh() {
	in.each((*room).recheck)
}

func (in *inbox) each(f func(*room)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.rooms {
		f(r)
		in.settle(r)
	}
}

// request is what a room asks the server for.
type request struct {
	room *room
	from ulid.ULID // zero: from its first message on
	look bool      // its newest messages instead
	page bool      // its newest messages, too, for changes of them
}

// requests begins the sync of up to n rooms that want one. wait is when to come
// back at the latest: the next time that a room's patience ends, zero for none.
func (in *inbox) requests(n int) (todo []request, wait time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := in.clock.Now()
	for _, r := range in.rooms {
		if !r.holeAt.IsZero() && !now.Before(r.holeAt) {
			r.miss()
			in.settle(r)
		}
		if !r.holeAt.IsZero() && (wait.IsZero() || r.holeAt.Before(wait)) {
			wait = r.holeAt
		}
		if r.due && len(todo) < n {
			todo = append(todo, request{room: r, from: r.begin(), look: !r.looked, page: r.looked && r.reread})
		}
	}
	return todo, wait
}

// answer calls f with a room that was asked for, if it is still followed.
func (in *inbox) answer(q request, f func(*room)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.rooms[q.room.id] == q.room {
		f(q.room)
		in.settle(q.room)
	}
}

// parse turns the page that answers a request into messages, those with an
// invalid id left out. It fails if there are to be more and the page leads no
// further: the same would be asked for ever.
func (in *inbox) parse(q request, page []wire.HistoryMessage, more bool) ([]held, error) {
	parsed := make([]held, 0, len(page))
	for _, m := range page {
		id, err := ulid.ParseStrict(m.MessageID)
		if err != nil {
			in.log.Warn().Str("room", m.ChatRoomID).Msg("a message with an invalid id was dropped")
			continue
		}
		parsed = append(parsed, held{id: id, Message: Message{HistoryMessage: m}})
	}
	if more && !slices.ContainsFunc(parsed, func(h held) bool { return h.id.Compare(q.from) > 0 }) {
		return nil, errors.New("the server has more messages but gave none")
	}
	return parsed, nil
}
