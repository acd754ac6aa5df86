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
	rooms map[string]*recovery
	self  string // the user's own id, once the server has told it
	fresh *freshness

	discovery *discovery

	reactions map[string]toldReactions // by room and message
}

func newInbox(clock clockwork.Clock, jitter func(time.Duration) time.Duration, log zerolog.Logger) *inbox {
	return &inbox{
		clock: clock, jitter: jitter, log: log,
		events: newQueue(), wake: make(chan struct{}, 1), rooms: map[string]*recovery{}, fresh: newFreshness(jitter),
		discovery: &discovery{wake: make(chan struct{}, 1)},
	}
}

// with gives a room an input. The room is followed from now on.
func (in *inbox) with(id string, input func(*recovery)) {
	if !roomID.MatchString(id) {
		in.log.Warn().Msg("a frame with an invalid room id was dropped")
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	r := in.rooms[id]
	if r == nil {
		r = newRecovery(true, in.jitter(patience))
		in.rooms[id] = r
	}
	in.step(r, input)
}

// step gives a room an input, passes its effects on, and wakes the catch-up if the
// room wants something, now or at its deadline.
func (in *inbox) step(r *recovery, input func(*recovery)) {
	deadline := r.deadline
	for _, e := range r.step(in.clock.Now(), input) {
		in.events.add(e)
	}
	if r.due() || !r.deadline.Equal(deadline) {
		signal(in.wake)
	}
}

// live gives a room an input from the connection. While the application is too
// slow for it, the frame is left out, and fetched later.
func (in *inbox) live(id string, input func(*recovery)) {
	if in.events.full() {
		input = func(r *recovery) {
			r.leftOut()
			r.refresh()
		}
	}
	in.with(id, input)
}

// came notes that a frame came, of whatever kind.
func (in *inbox) came(f wire.ServerFrame) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.atOtherTime(func() { in.fresh.came(in.clock.Now(), f) })
}

func (in *inbox) follow(id string) { in.with(id, nil) }

// open follows a room that the application shows.
func (in *inbox) open(id string) { in.with(id, func(r *recovery) { r.show(lastID) }) }

// gap notes that messages of a room were not broadcast.
func (in *inbox) gap(id string) { in.with(id, (*recovery).leftOut) }

// message takes a live message, or an ack to which the message's sender and content
// were added.
func (in *inbox) message(f wire.ServerFrame) {
	id, err := ulid.ParseStrict(f.MessageID)
	if err != nil {
		in.log.Warn().Str("room", f.ChatRoomID).Msg("a message with an invalid id was dropped")
		return
	}
	chained := f.Type == wire.TypeMessage || f.PreviousMessageID != nil
	m := arrival{id: id, chained: chained, message: Message{
		HistoryMessage: HistoryMessage{
			ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, SenderID: f.SenderID,
			Content: f.Content, Timestamp: f.Timestamp, Attachments: f.Attachments,
			ClientMessageID: f.ClientMessageID, ReplyTo: f.ReplyTo, Mentions: f.Mentions, ExpiresAt: f.ExpiresAt,
		},
	}}
	if f.PreviousMessageID != nil {
		// Ids within one ms are in random order, and clocks differ: a hint at a
		// greater id is nothing to wait for.
		if previous, err := ulid.ParseStrict(*f.PreviousMessageID); err == nil && previous.Compare(id) < 0 {
			m.previous = previous
		}
	}
	in.live(f.ChatRoomID, func(r *recovery) { r.message(m) })
}

// change takes a message that was edited or deleted.
func (in *inbox) change(f wire.ServerFrame) {
	id, err := ulid.ParseStrict(f.MessageID)
	if err != nil {
		in.log.Warn().Str("room", f.ChatRoomID).Msg("a change of a message with an invalid id was dropped")
		return
	}
	m := arrival{id: id, message: Message{
		HistoryMessage: HistoryMessage{
			ChatRoomID: f.ChatRoomID, MessageID: f.MessageID, SenderID: f.SenderID, Content: f.Content,
			Timestamp: f.Timestamp, EditedAt: f.EditedAt, DeletedAt: f.DeletedAt, DeletedBy: f.DeletedBy, Attachments: f.Attachments,
			ClientMessageID: f.ClientMessageID, ReplyTo: f.ReplyTo, Mentions: f.Mentions, ExpiresAt: f.ExpiresAt,
		},
	}}
	in.live(f.ChatRoomID, func(r *recovery) { r.change(m) })
}

// note passes on what is no message. It can't be asked for again, so what
// doesn't fit is noted in the log.
func (in *inbox) note(e Event, roomID string) {
	if !in.events.push(e) {
		in.log.Warn().Str("room", roomID).Msg("a change of a room was dropped: the application is too slow")
	}
}

// hint passes on that another user types, comes or has gone, unless the application is too
// slow: it would be too late.
func (in *inbox) hint(e Event) { in.events.push(e) }

// acked takes an ack of a message, which doesn't come as a frame of its own. Where the
// content is not known any more, as no Send waits for the ack, it is asked for. An ack has
// content if a review had that stored instead.
func (in *inbox) acked(f wire.ServerFrame, content string) {
	if content != "" && f.Content != "" {
		content = f.Content
	}
	in.mu.Lock()
	f.SenderID, f.Content = in.self, content
	in.mu.Unlock()
	if f.SenderID != "" && f.Content != "" {
		in.message(f)
	} else if id, err := ulid.ParseStrict(f.MessageID); err == nil {
		in.with(f.ChatRoomID, func(r *recovery) { r.ack(id) })
	}
}

// doubt has a room synced in which a message may have been stored whose ack no one
// waits for.
func (in *inbox) doubt(roomID string) { in.with(roomID, (*recovery).refresh) }

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
		in.step(r, (*recovery).failed) // deliver what waits: there will be no more
		delete(in.rooms, id)
	}
	in.note(MemberLeft{ChatRoomID: id, UserID: in.self}, id)
}

// lost forgets a room that a request showed not to be the user's any more.
func (in *inbox) lost(q request) {
	in.mu.Lock()
	followed := in.rooms[q.room] == q.of
	in.mu.Unlock()
	if followed {
		in.drop(q.room)
	}
}

// online notes that a connection works, and whose it is. What is asked for then covers
// all that the server knows of, up to changedAt.
func (in *inbox) online(p Connected, changedAt int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.self = p.UserID
	in.fresh.covers(changedAt)
	in.events.pushState(p)
}

// reconnected notes that anything may have been missed, also in rooms that aren't followed:
// what came since everything was last asked for, as a later frame may hide one that was lost.
func (in *inbox) reconnected() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.self != "" { // there was a connection before
		in.discovery.want(in.fresh.since)
	}
	in.fresh.renewed(in.clock.Now())
	in.each((*recovery).reconnected)
}

// changed takes the newest time that the server has noted for the user, of a pong. If
// nothing so new has come, a message was missed: every room is synced.
func (in *inbox) changed(at int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	before := in.fresh.seen
	news := in.fresh.isNews(at)
	switch now := in.clock.Now(); {
	case in.fresh.isStale(now):
		in.discovery.want(in.fresh.since)
		in.fresh.renewed(now)
		in.each((*recovery).reconnected)
	case news:
		in.discovery.want(before)
		in.each((*recovery).refresh)
	default:
		in.atOtherTime(func() { in.fresh.wakes(now) })
	}
}

// slept notes that the device slept.
func (in *inbox) slept() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fresh.sleeps()
}

// hasSlept reports whether the device slept, and no pong came since.
func (in *inbox) hasSlept() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.fresh.slept
}

// atOtherTime has freshness take something. It wakes the catch-up if active rooms are to
// be synced at another time than before. in.mu is locked.
func (in *inbox) atOtherTime(take func()) {
	next := in.fresh.next
	take()
	if !in.fresh.next.Equal(next) {
		signal(in.wake)
	}
}

// sees notes the time of a message that was asked for.
func (in *inbox) sees(at int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fresh.sees(at)
}

// each gives every room an input. in.mu is locked.
func (in *inbox) each(input func(*recovery)) {
	for _, r := range in.rooms {
		in.step(r, input)
	}
}

// request is a room's query.
type request struct {
	room string
	of   *recovery
	query
}

// requests begins what up to n rooms want. wait is when to come back at the latest:
// the next deadline of a room, or sync of active ones, zero for none.
func (in *inbox) requests(n int) (todo []request, wait time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, id := range in.fresh.due(in.clock.Now()) {
		if r := in.rooms[id]; r != nil {
			in.step(r, (*recovery).refresh)
		}
	}
	wait = in.fresh.next
	for id, r := range in.rooms {
		in.step(r, nil)
		if !r.deadline.IsZero() && (wait.IsZero() || r.deadline.Before(wait)) {
			wait = r.deadline
		}
		if r.due() && len(todo) < n {
			todo = append(todo, request{room: id, of: r, query: r.ask(in.clock.Now())})
		}
	}
	return todo, wait
}

// answer gives a room the answer to its request, if it is still followed.
func (in *inbox) answer(q request, input func(*recovery)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.rooms[q.room] == q.of {
		in.step(q.of, input)
	}
}

// fetched gives a room the messages of an answer. delivers says that those that are new
// are delivered; else the answer only revises what is there.
func (in *inbox) fetched(q request, page []arrival, delivers bool, input func(*recovery)) {
	in.answer(q, func(r *recovery) {
		in.learnReactions(q, page, delivers)
		input(r)
	})
}

// parse turns the page that answers a request into messages, those with an
// invalid id left out. It fails if there are more and the page leads no further
// than after: the same would be asked for in a loop.
func (in *inbox) parse(after ulid.ULID, page []wire.HistoryMessage, more bool) ([]arrival, error) {
	parsed := make([]arrival, 0, len(page))
	for _, m := range page {
		id, err := ulid.ParseStrict(m.MessageID)
		if err != nil {
			in.log.Warn().Str("room", m.ChatRoomID).Msg("a message with an invalid id was dropped")
			continue
		}
		in.sees(m.Timestamp)
		parsed = append(parsed, arrival{id: id, message: Message{HistoryMessage: m}})
	}
	if more && !slices.ContainsFunc(parsed, func(m arrival) bool { return m.id.Compare(after) > 0 }) {
		return nil, errors.New("the server has more messages but gave none")
	}
	return parsed, nil
}
