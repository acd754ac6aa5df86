package fanout

import (
	"context"
	"encoding/json"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventbus"
	"github.com/streamroom/streamroom/shared/push"
)

// Store is what a Fanout needs of the table. Reads are strong where it is not
// said otherwise.
type Store interface {
	// MembersIn reads the first members of a range, at most limit, and whether
	// there are more: of each UserID, JoinedAt, Notify and IndexedUntil.
	MembersIn(ctx context.Context, roomID string, r MemberRange, limit int) ([]chat.Member, bool, error)
	// MemberBounds returns where to cut a range into parts of size members: at
	// most `most` user ids, read eventually.
	MemberBounds(ctx context.Context, roomID string, r MemberRange, size, most int) ([]string, error)
	// IsMember reports whether a user is a member of a room.
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	// NotifyAmong reads eventually what some members of a room are notified of, those left
	// out who are of all.
	NotifyAmong(ctx context.Context, roomID string, userIDs []string) (map[string]chat.Notify, error)
	// PauseMember has a member do nothing of which all members are notified until a time, in
	// ms. Of two times the later one counts. It does nothing for a user who is no member.
	PauseMember(ctx context.Context, roomID, userID string, until int64) error
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
	// Seen reads what others are to be told about users; those of whom there is nothing are
	// left out.
	Seen(ctx context.Context, userIDs []string) (map[string]chat.Seen, error)
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

// Charges takes posts out of a user's limit over time, after the fact.
type Charges interface {
	// Add returns for how long the user has spent the limit then, 0 if they have not.
	Add(ctx context.Context, userID string, posts int) (spent time.Duration, err error)
	// Spent is the same without a charge, as far as it is known.
	Spent(userID string) time.Duration
}

// Bus takes events. The result has one error for each of them, nil if it has it.
type Bus interface {
	Put(ctx context.Context, events []eventbus.Event) []error
}

// Keeper keeps records of the stream for an operator, who has them delivered again.
type Keeper interface {
	Keep(ctx context.Context, records []json.RawMessage) error
}

// How much of one invocation is read from the table at a time.
const (
	readsInFlight  = 64
	roomsInFlight  = 24 // each has two reads at a time
	peopleInFlight = 16 // beside the rooms
)

// table is what a Fanout reads of the table, and the little that it writes there. The
// files of the steps have its methods.
type table struct {
	store Store
	now   func() time.Time
}
