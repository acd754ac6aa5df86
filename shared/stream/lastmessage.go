package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/table"
)

const (
	// Moving a room to the top of its members' lists costs a write for each
	// member. From orderedSeldom members on it is done at most once an
	// orderInterval, and from orderedNever on not at all: clients sort.
	orderedSeldom = 1_000
	orderedNever  = 10_000
	orderInterval = time.Minute

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
	// Members reads a room's members strongly; limit 0 reads all.
	Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error)
	// LastMessage reads a room's last message strongly; false if there is none.
	LastMessage(ctx context.Context, roomID string) (chat.LastMessage, bool, error)
	// AdvanceLastMessage makes m the last message unless a newer one is.
	AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) error
	// AdvanceRoomOrder moves a room in a participant's list to ms if it stands
	// before `below` there.
	AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms, below int64) error
}

// LastMessage keeps each room's last message and the order of room lists.
type LastMessage struct {
	store ProjectionStore
	now   func() time.Time
	log   zerolog.Logger
}

// NewLastMessage returns a LastMessage on a store.
func NewLastMessage(store ProjectionStore, now func() time.Time, log zerolog.Logger) *LastMessage {
	return &LastMessage{store: store, now: now, log: log}
}

// roomUpdate is what a batch means for one room: only its newest message
// matters, and who is new.
type roomUpdate struct {
	id        string
	newest    *chat.Message
	joined    []string
	sequences []string
	err       error
}

// Handle serves one batch of records. Records of rooms whose projection could
// not be written are answered as failed, to be delivered again.
func (l *LastMessage) Handle(ctx context.Context, event Event) (Response, error) {
	started := l.now()
	log := requestLogger(ctx, l.log)
	records, malformed := decode(event, &log)
	rooms, unread := sortUpdates(records, &log)
	malformed += unread

	each(len(rooms), roomsInFlight, func(i int) { rooms[i].err = l.project(ctx, rooms[i]) })

	var failed failures
	for _, room := range rooms {
		line := log.Info()
		if room.err != nil {
			failed.add(room.sequences...)
			line = log.Error().Err(room.err)
		}
		line = line.Str("room_id", room.id).Int("joined", len(room.joined)).Str("outcome", outcome(room.err == nil))
		if room.newest != nil {
			line = line.Str("message_id", room.newest.ID)
		}
		line.Msg("room projected")
	}
	metrics.Line(&log, l.now(), metrics.FailedRecords, metrics.MalformedRecord).
		Int("records", len(event.Records)).
		Int(metrics.MalformedRecord, malformed).
		Int("rooms", len(rooms)).
		Int(metrics.FailedRecords, len(failed.sequences)).
		Dur("duration_ms", l.now().Sub(started)).
		Str("outcome", outcome(len(failed.sequences) == 0)).
		Msg("projected")
	return failed.response(), nil
}

// sortUpdates puts a batch's records to the rooms that they concern.
func sortUpdates(records []record, log *zerolog.Logger) (rooms []*roomUpdate, malformed int) {
	var byRoom grouped[roomUpdate]
	room := func(r record) *roomUpdate {
		update := byRoom.of(r)
		update.id, update.sequences = r.key.RoomID, append(update.sequences, r.sequence)
		return update
	}
	for _, r := range records {
		if r.operation != inserted {
			continue
		}
		switch r.key.Kind { //nolint:exhaustive // the mapping's filter lets no others through
		case table.KindMessage:
			m, err := r.message()
			if err != nil {
				malformed++
				logMalformed(log, r, err)
				continue
			}
			if update := room(r); update.newest == nil || update.newest.ID < m.ID {
				update.newest = &m
			}
		case table.KindMember:
			update := room(r)
			update.joined = append(update.joined, r.key.UserID)
		}
	}
	return byRoom.rooms, malformed
}

// project writes one room's projections: the last message first, then the
// order, also where the last message was already there, since an earlier try
// may have ended in between.
func (l *LastMessage) project(ctx context.Context, room *roomUpdate) error {
	if room.newest == nil {
		return l.welcome(ctx, room)
	}
	if err := l.store.AdvanceLastMessage(ctx, room.id, room.newest.Preview()); err != nil {
		return err
	}
	members, _, err := l.store.Members(ctx, room.id, "", 0)
	if err != nil {
		return fmt.Errorf("read members: %w", err)
	}
	ms := room.newest.SentAt
	if len(room.joined) > 0 {
		// An earlier batch may have brought a newer message, before these joined.
		last, _, err := l.store.LastMessage(ctx, room.id)
		if err != nil {
			return fmt.Errorf("read the last message: %w", err)
		}
		ms = max(ms, last.SentAt)
	}
	below := ms
	switch {
	case len(members) > orderedNever:
		return l.reorder(ctx, room.id, room.joined, ms, ms)
	case len(members) > orderedSeldom:
		below = ms - orderInterval.Milliseconds()
		if err := l.reorder(ctx, room.id, room.joined, ms, ms); err != nil {
			return err
		}
	}
	users := make([]string, len(members))
	for i, m := range members {
		users[i] = m.UserID
	}
	return l.reorder(ctx, room.id, users, ms, below)
}

// welcome gives new members the room's last message, if there is one.
func (l *LastMessage) welcome(ctx context.Context, room *roomUpdate) error {
	if len(room.joined) == 0 {
		return nil
	}
	last, ok, err := l.store.LastMessage(ctx, room.id)
	if err != nil {
		return fmt.Errorf("read the last message: %w", err)
	}
	if !ok {
		return nil
	}
	return l.reorder(ctx, room.id, room.joined, last.SentAt, last.SentAt)
}

// reorder moves the room in the users' lists. It tries all of them before it
// returns the first error.
func (l *LastMessage) reorder(ctx context.Context, roomID string, users []string, ms, below int64) error {
	errs := make([]error, len(users))
	each(len(users), writesInFlight, func(i int) {
		errs[i] = l.store.AdvanceRoomOrder(ctx, users[i], roomID, ms, below)
	})
	return firstError(errs)
}
