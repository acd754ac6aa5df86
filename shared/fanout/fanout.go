package fanout

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/push"
)

// readsInFlight bounds the table reads of one invocation at a time.
const readsInFlight = 64

// Store is what a Fanout needs of the table. Reads are strong where it is not
// said otherwise.
type Store interface {
	// MembersIn reads the first members of a range, at most limit, and whether
	// there are more.
	MembersIn(ctx context.Context, roomID string, r MemberRange, limit int) ([]chat.Member, bool, error)
	// MemberBounds returns where to cut a range into parts of size members: at
	// most `most` user ids, read eventually.
	MemberBounds(ctx context.Context, roomID string, r MemberRange, size, most int) ([]string, error)
	// IsMember reports whether a user is a member of a room.
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	// NotifyAmong reads eventually what some members of a room are notified of, those left
	// out who are of all.
	NotifyAmong(ctx context.Context, roomID string, userIDs []string) (map[string]chat.Notify, error)
	// Presence reads the newest connections of up to 100 users, at most limit
	// of each, expired ones left out.
	Presence(ctx context.Context, userIDs []string, limit int) (map[string][]chat.Connection, error)
	// Online reads, of the connections that a room's index has, those of the members in
	// a range: of each the newest, at most limit, expired ones left out.
	Online(ctx context.Context, roomID string, r MemberRange, limit int) (map[string][]chat.Connection, error)
	// IndexMember has the room's index keep a member's connections, those that there
	// are and new ones, for the time of a lease.
	IndexMember(ctx context.Context, roomID, userID string, lease time.Duration) error
	// MessagesUpTo reads the newest messages up to and with one, newest first:
	// their ids and versions.
	MessagesUpTo(ctx context.Context, roomID, messageID string, limit int) ([]chat.Message, error)
	// MessagesByID reads up to 100 messages; those that are not there are left
	// out.
	MessagesByID(ctx context.Context, roomID string, messageIDs []string) ([]chat.Message, error)
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (chat.Room, bool, error)
	// Seen reads what others are to be told about a user; false if nothing.
	Seen(ctx context.Context, userID string) (chat.Seen, bool, error)
	// NewestRooms reads the ids of a user's newest rooms, eventually.
	NewestRooms(ctx context.Context, userID string, limit int) ([]string, error)
	// PutSlices stores the slices of a run. What is stored already is left alone.
	PutSlices(ctx context.Context, runID string, parts []Slice) error
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
	store    Store
	push     Pusher
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger

	bus     Bus  // nil: no events are put
	content bool // of messages, in events
	keeper  Keeper
	// restsUntil is when the bus is asked again, ms
	restsUntil atomic.Int64
	// notifying: notifications are the only events
	notifying bool

	missed missed
}

// New returns a Fanout whose invocations work for at most deadline.
func New(store Store, push Pusher, deadline time.Duration, now func() time.Time, log zerolog.Logger) *Fanout {
	return &Fanout{store: store, push: push, deadline: deadline, now: now, log: log}
}

// Handle serves one batch of records. Records of rooms that could not be read
// from the table are answered as failed, to be delivered again; a post that
// fails is not, as history has the message. Rooms and slices that there was no
// time for, or whose posts the deadline cut off, are answered as failed, too.
func (f *Fanout) Handle(ctx context.Context, event changes.Event) (changes.Response, error) {
	started := f.now()
	ctx, cancel := context.WithTimeout(ctx, f.deadline)
	defer cancel()
	log := metrics.Logger(ctx, f.log)
	records, malformed := changes.Decode(event, &log)
	batch := group(records, started)

	// Beside the rooms: connections that come and go delay no messages.
	var beside sync.WaitGroup
	beside.Go(func() { f.closeReplaced(ctx, batch.replaced, &log) })
	rooms := f.serveRooms(ctx, batch.rooms, batch.people, started, &log)
	// Slices last: they are the parts of large rooms, and take longest.
	parts := f.serveSlices(ctx, batch.slices, started, &log)
	total := rooms.plus(parts)
	if !f.late(started) {
		f.tellMissed(ctx, &log)
		f.index(ctx, total.unindexed, &log)
	}
	beside.Wait()
	unannounced, again := f.announce(ctx, event, records, total, &log)
	failed := slices.Concat(total.failed, again)

	names := metrics.OfFanout
	if f.bus != nil {
		names = metrics.OfAnnouncing
	}
	metrics.Line(&log, f.now(), names, map[string]int{
		metrics.Delivered: total.delivered, metrics.Gone: total.gone, metrics.Undelivered: total.undelivered,
		metrics.FailedRecords: len(failed), metrics.MalformedRecord: malformed, metrics.Unannounced: unannounced,
	}, total.times).
		Int("records", len(event.Records)).
		Int("rooms", len(batch.rooms)).
		Int("people", len(batch.people)).
		Int("slices", len(batch.slices)).
		Int("posts", total.posts).
		Dur("duration_ms", f.now().Sub(started)).
		Str("outcome", metrics.Outcome(len(failed) == 0)).
		Msg("fanned out")
	return changes.Failed(failed), nil
}
