package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/parallel"
)

// The rules of room lists.
const (
	// Moving a room to the top of its members' lists costs a write for each
	// member. In rooms of over OrderedSeldom members it is done at most once an
	// OrderInterval, so they stand at a message at most that much older than the
	// last. In rooms of over OrderedNever it is done for new members only.
	OrderedSeldom = 1_000
	OrderedNever  = 10_000
	OrderInterval = time.Minute
)

const (
	// roomsInFlight bounds how many rooms of a batch are projected at a time: at
	// some 20 ms a room, the largest batch of as many rooms is done in time.
	roomsInFlight = 16

	// writesInFlight bounds the updates of one room at a time. Nobody waits for
	// them, so they leave the table to those that somebody waits for.
	writesInFlight = 8
)

// ProjectionStore is what the projections need of the table. All writes move
// forward only, so they can be repeated and reordered.
type ProjectionStore interface {
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (chat.Room, bool, error)
	// Members reads a room's first members after one strongly, at most limit, and
	// whether there are more.
	Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error)
	// LastMessage reads a room's last message strongly; false if there is none.
	LastMessage(ctx context.Context, roomID string) (chat.LastMessage, bool, error)
	// AdvanceLastMessage makes m the last message unless a newer one is, and
	// returns the one that is.
	AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error)
	// AdvanceRoomOrder moves a room in a participant's list forward to ms.
	AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error
	// NoteRoomOrder keeps with the last message that the room's place in its
	// members' lists was seen to at ms.
	NoteRoomOrder(ctx context.Context, roomID string, ms int64) error
}

// LastMessage keeps each room's last message and the order of room lists.
type LastMessage struct {
	store    ProjectionStore
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger
}

// NewLastMessage returns a LastMessage whose invocations work for at most
// deadline.
func NewLastMessage(store ProjectionStore, deadline time.Duration, now func() time.Time, log zerolog.Logger) *LastMessage {
	return &LastMessage{store: store, deadline: deadline, now: now, log: log}
}

// roomUpdate is what a batch means for one room: only its newest message, in its
// newest state, matters, and who is new.
type roomUpdate struct {
	id        string
	newest    *chat.Message
	said      string // the newest message that was said, not only changed
	joined    []string
	sequences []string

	postponed bool // there was no time for it
	err       error
}

// Handle serves one batch of records. Records of rooms whose projection could
// not be written, or that there was no time for, are answered as failed, to be
// delivered again.
func (l *LastMessage) Handle(ctx context.Context, event changes.Event) (changes.Response, error) {
	started := l.now()
	ctx, cancel := context.WithTimeout(ctx, l.deadline)
	defer cancel()
	log := metrics.Logger(ctx, l.log)
	records, malformed := changes.Decode(event, &log)
	rooms := sortUpdates(records)

	// In the order of their first records: what is delivered again begins with
	// the first that failed, so each delivery comes further.
	parallel.Each(len(rooms), roomsInFlight, func(i int) {
		if rooms[i].postponed = ctx.Err() != nil; !rooms[i].postponed {
			rooms[i].err = l.project(ctx, rooms[i])
		}
	})

	var failed failures
	postponed := 0
	for _, room := range rooms {
		if room.postponed {
			postponed++
		}
		room.report(&failed, &log)
	}
	metrics.Line(&log, l.now(), metrics.FailedRecords, metrics.MalformedRecord).
		Int("records", len(event.Records)).
		Int(metrics.MalformedRecord, malformed).
		Int("rooms", len(rooms)).
		Int("rooms_postponed", postponed).
		Int(metrics.FailedRecords, len(failed.sequences)).
		Dur("duration_ms", l.now().Sub(started)).
		Str("outcome", metrics.Outcome(len(failed.sequences) == 0)).
		Msg("projected")
	return changes.Failed(failed.sequences), nil
}

// report logs what became of the room and adds its records to failed if they
// are to be delivered again.
func (r *roomUpdate) report(failed *failures, log *zerolog.Logger) {
	if r.postponed {
		failed.add(r.sequences...)
		return // there may be thousands, and nothing is known of them
	}
	line := log.Info()
	if r.err != nil {
		failed.add(r.sequences...)
		line = log.Error().Err(r.err)
	}
	line = line.Str("room_id", r.id).Int("joined", len(r.joined)).Str("outcome", metrics.Outcome(r.err == nil))
	if r.newest != nil {
		line = line.Str("message_id", r.newest.ID)
	}
	line.Msg("room projected")
}

// sortUpdates puts a batch's changes to the rooms that they concern.
func sortUpdates(records []changes.Record) (rooms []*roomUpdate) {
	byID := map[string]*roomUpdate{}
	room := func(r changes.Record, id string) *roomUpdate {
		update, ok := byID[id]
		if !ok {
			update = &roomUpdate{id: id}
			byID[id] = update
			rooms = append(rooms, update)
		}
		update.sequences = append(update.sequences, r.Sequence)
		return update
	}
	for _, r := range records {
		switch c := r.Change.(type) {
		case changes.MessageSent:
			room(r, c.Message.RoomID).hear(c.Message, true)
		case changes.MessageEdited:
			room(r, c.Message.RoomID).hear(c.Message, false)
		case changes.MessageDeleted:
			room(r, c.Message.RoomID).hear(c.Message, false)
		case changes.MemberJoined:
			update := room(r, c.RoomID)
			update.joined = append(update.joined, c.Member.UserID)
		}
	}
	return rooms
}

// hear notes a message that was said, or changed later.
func (r *roomUpdate) hear(m chat.Message, said bool) {
	if said {
		r.said = max(r.said, m.ID)
	}
	if r.newest == nil || r.newest.ID < m.ID || r.newest.ID == m.ID && r.newest.Version() < m.Version() {
		r.newest = &m
	}
}

// project writes one room's projections: the last message first, then the
// order. Who brings the last message moves all members, also when it was there
// already, since an earlier try may have ended in between; who brings an older
// one leaves them to that batch. New members it moves itself: they may have come
// after that.
func (l *LastMessage) project(ctx context.Context, room *roomUpdate) error {
	last, err := l.advance(ctx, room)
	if err != nil || last.MessageID == "" {
		return err
	}
	brought := room.said == last.MessageID
	if brought && last.SentAt-last.OrderedAt >= OrderInterval.Milliseconds() {
		return l.reorderAll(ctx, room, last.SentAt)
	}
	return l.reorder(ctx, room.id, room.joined, last.SentAt)
}

// advance makes the batch's newest message the room's last, if it has any, and
// returns what is the last one then; the zero value if there is none.
func (l *LastMessage) advance(ctx context.Context, room *roomUpdate) (chat.LastMessage, error) {
	if room.newest != nil {
		return l.store.AdvanceLastMessage(ctx, room.id, room.newest.Preview())
	}
	last, _, err := l.store.LastMessage(ctx, room.id)
	if err != nil {
		return last, fmt.Errorf("read the last message: %w", err)
	}
	return last, nil
}

// reorderAll moves the room in its members' lists.
func (l *LastMessage) reorderAll(ctx context.Context, room *roomUpdate, ms int64) error {
	members, more, err := l.store.Members(ctx, room.id, "", OrderedSeldom)
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	if !more {
		return l.reorder(ctx, room.id, users(members), ms)
	}

	if err := l.reorderMany(ctx, room, members, ms); err != nil {
		return err
	}
	// At last, so that an invocation that ends before starts over.
	return l.store.NoteRoomOrder(ctx, room.id, ms)
}

// reorderMany moves a large room in the lists of its first members, and page by
// page in those of the others.
func (l *LastMessage) reorderMany(ctx context.Context, room *roomUpdate, first []chat.Member, ms int64) error {
	description, _, err := l.store.Room(ctx, room.id)
	if err != nil {
		return fmt.Errorf("read the room: %w", err)
	}
	if description.MemberCount > OrderedNever {
		return l.reorder(ctx, room.id, room.joined, ms)
	}
	for members, more := first, true; ; {
		if err := l.reorder(ctx, room.id, users(members), ms); err != nil || !more {
			return err
		}
		last := members[len(members)-1].UserID
		if members, more, err = l.store.Members(ctx, room.id, last, OrderedSeldom); err != nil {
			return fmt.Errorf("read members: %w", err)
		}
	}
}

// reorder moves the room in the users' lists. It tries all of them before it
// returns the first error.
func (l *LastMessage) reorder(ctx context.Context, roomID string, users []string, ms int64) error {
	errs := make([]error, len(users))
	parallel.Each(len(users), writesInFlight, func(i int) {
		errs[i] = l.store.AdvanceRoomOrder(ctx, users[i], roomID, ms)
	})
	return firstError(errs)
}

func users(members []chat.Member) []string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	return ids
}

// firstError returns the first error there is.
func firstError(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
