// Package stream tells clients of the table's changes.
package stream

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/push"
)

const (
	// staleAfter is the age from which a message's record is not broadcast any
	// more but announced by a gap: a mapping that is made anew starts at the
	// beginning of the stream and would send a day of chat again.
	staleAfter = 5 * time.Minute

	// readsInFlight bounds the table reads of one invocation at a time.
	readsInFlight = 64

	// reapsInFlight bounds the clean-up's deletes.
	reapsInFlight = 16
)

// FanoutStore is what fanout needs of the table. Reads are strong where it is
// not said otherwise.
type FanoutStore interface {
	// MembersIn reads the first members of a range, at most limit, and whether
	// there are more.
	MembersIn(ctx context.Context, roomID string, r chat.MemberRange, limit int) ([]chat.Member, bool, error)
	// MemberBounds returns where to cut a range into parts of size members: at
	// most `most` user ids, read eventually.
	MemberBounds(ctx context.Context, roomID string, r chat.MemberRange, size, most int) ([]string, error)
	// IsMember says whether a user is a member of a room.
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	// Presence reads the newest connections of up to 100 users, at most limit
	// of each, expired ones left out.
	Presence(ctx context.Context, userIDs []string, limit int) (map[string][]chat.Connection, error)
	// MessagesUpTo reads the newest messages up to and with one, newest first:
	// their ids and versions.
	MessagesUpTo(ctx context.Context, roomID, messageID string, limit int) ([]chat.Message, error)
	// MessagesByID reads up to 100 messages; those that are not there are left
	// out.
	MessagesByID(ctx context.Context, roomID string, messageIDs []string) ([]chat.Message, error)
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (chat.Room, bool, error)
	// PutSlices stores the slices of a run. What is stored already is left alone.
	PutSlices(ctx context.Context, runID string, parts []chat.Slice) error
	// ForgetUserConnection removes a connection from its user's presence.
	ForgetUserConnection(ctx context.Context, userID, connectionID string) error
	// DropConnection removes exactly this connection, by its connectedAt.
	DropConnection(ctx context.Context, c chat.Connection) error
}

// Pusher posts frames to connections. The result has one delivery for each
// post, in order, by the time ctx is done.
type Pusher interface {
	Push(ctx context.Context, posts []push.Post) []push.Delivery
}

// Fanout broadcasts what happened in rooms to the devices of their members and
// removes connections that have ended.
type Fanout struct {
	store    FanoutStore
	push     Pusher
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger
}

// NewFanout returns a Fanout whose invocations work for at most deadline.
func NewFanout(store FanoutStore, push Pusher, deadline time.Duration, now func() time.Time, log zerolog.Logger) *Fanout {
	return &Fanout{store: store, push: push, deadline: deadline, now: now, log: log}
}

// Handle serves one batch of records. Records of rooms that could not be read
// from the table are answered as failed, to be delivered again; a post that
// fails is not, as history has the message. Rooms and slices that there was no
// time for are answered as failed, too.
func (f *Fanout) Handle(ctx context.Context, event changes.Event) (changes.Response, error) {
	started := f.now()
	ctx, cancel := context.WithTimeout(ctx, f.deadline)
	defer cancel()
	log := metrics.Logger(ctx, f.log)

	records, malformed := changes.Decode(event, &log)
	batch := f.sort(records)

	var failed failures
	f.forget(ctx, batch.ended, &failed, &log)
	counts := f.serveRooms(ctx, batch.rooms, started, &failed, &log)
	// Slices last: they are the parts of large rooms, and take longest.
	counts.add(f.serveSlices(ctx, batch.slices, started, &failed, &log))

	metrics.Line(
		&log, f.now(),
		metrics.Delivered, metrics.Gone, metrics.Undelivered, metrics.FailedRecords, metrics.MalformedRecord,
	).
		Int("records", len(event.Records)).
		Int(metrics.MalformedRecord, malformed).
		Int("rooms", len(batch.rooms)).
		Int("slices", len(batch.slices)).
		Int("posts", counts.posts).
		Int(metrics.Delivered, counts.delivered).
		Int(metrics.Gone, counts.gone).
		Int(metrics.Undelivered, counts.undelivered).
		Int(metrics.FailedRecords, len(failed.sequences)).
		Dur("duration_ms", f.now().Sub(started)).
		Str("outcome", metrics.Outcome(len(failed.sequences) == 0)).
		Msg("fanned out")
	return changes.Failed(failed.sequences), nil
}

// work is what a batch of records asks for.
type work struct {
	rooms  []*roomNews
	slices []part
	ended  []endedConnection
}

// endedConnection is a connection whose row was removed.
type endedConnection struct {
	connectionID, userID, sequence string
}

// sort puts a batch's changes to the rooms and connections that they concern.
func (f *Fanout) sort(records []changes.Record) work {
	var batch work
	byRoom := map[string]*roomNews{}
	room := func(r changes.Record, id string) *roomNews {
		news, ok := byRoom[id]
		if !ok {
			news = &roomNews{id: id}
			byRoom[id] = news
			batch.rooms = append(batch.rooms, news)
		}
		news.sequences = append(news.sequences, r.Sequence)
		return news
	}
	for _, r := range records {
		age := f.now().Sub(r.At)
		stale := r.Replay == "" && age > staleAfter
		switch c := r.Change.(type) {
		case changes.MessageSent:
			if news := room(r, c.Message.RoomID); c.Message.Version() != 0 {
				news.change(c.Message.ID, c.Message.Version(), stale, r.Replay)
			} else {
				news.hear(c.Message, stale, r.Replay)
			}
		case changes.MessageEdited:
			room(r, c.Message.RoomID).change(c.Message.ID, c.Message.Version(), stale, r.Replay)
		case changes.MessageDeleted:
			room(r, c.Message.RoomID).change(c.Message.ID, c.Message.Version(), stale, r.Replay)
		case changes.SliceStored:
			if age < sliceLife {
				batch.slices = append(batch.slices, part{chat.Slice{
					RoomID: c.RoomID, Members: chat.MemberRange{From: c.FromMember, To: c.ToMember}, MessageIDs: c.MessageIDs,
					Gap: c.Gap || stale, Renamed: c.Renamed, ExpiresAt: c.ExpiresAt,
				}, c.RunID, r.Sequence})
			}
		case changes.ConnectionEnded:
			batch.ended = append(batch.ended, endedConnection{c.ConnectionID, c.UserID, r.Sequence})
		}
		if stale {
			continue
		}
		switch c := r.Change.(type) {
		case changes.RoomRenamed:
			room(r, c.RoomID).renamed = c.RenamedAt
		case changes.ReadMoved:
			room(r, c.RoomID).read(c.UserID, c.UpTo)
		case changes.MemberJoined:
			news := room(r, c.RoomID)
			news.joined = append(news.joined, c.Member)
		case changes.MemberLeft:
			news := room(r, c.RoomID)
			news.left = append(news.left, c.UserID)
		}
	}
	for _, room := range batch.rooms {
		room.settle()
	}
	return batch
}

// forget deletes what is left of connections whose row is gone, whatever the
// records' age.
func (f *Fanout) forget(ctx context.Context, ended []endedConnection, failed *failures, log *zerolog.Logger) {
	errs := make([]error, len(ended))
	parallel.Each(len(ended), reapsInFlight, func(i int) {
		errs[i] = f.store.ForgetUserConnection(ctx, ended[i].userID, ended[i].connectionID)
	})
	for i, err := range errs {
		if err != nil {
			failed.add(ended[i].sequence)
			log.Error().Err(err).Str("connection_id", ended[i].connectionID).Msg("clean up after a connection")
		}
	}
}

// failures collects the records that must be delivered again.
type failures struct{ sequences []string }

func (f *failures) add(sequences ...string) { f.sequences = append(f.sequences, sequences...) }
