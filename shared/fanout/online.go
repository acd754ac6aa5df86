package fanout

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

// The connections of a member are found by the user's presence, a read unit for each
// member, online or not; or in the room's index, a unit for some thirty connections. See
// docs/adr/0020.
const (
	// IndexEvery is of how many messages of a large room one has members put into the
	// index, as chat.BusyEvery is of a smaller one. Each member costs as many read units'
	// worth as some thirty messages cost without, so that a room that is quiet spends
	// little more than it would.
	IndexEvery = 16

	// IndexLease is how long a member stays in the index of a large room, until the room
	// has to be busy once more: what is written for each connection pays in busy rooms only.
	IndexLease = 3 * 24 * time.Hour

	// IndexAtOnce is how many members one message has put into the index.
	IndexAtOnce = 200

	// indexesInFlight bounds how many members are put into the index at a time.
	indexesInFlight = 32
)

// listed reports whether fanout may read a member's connections in the room's index.
func listed(m chat.Member, now int64) bool { return m.IndexedUntil > now }

// unlisted reports whether a member may be put into the room's index.
func unlisted(m chat.Member, now int64) bool { return m.IndexedUntil >= -now && m.IndexedUntil <= now }

// Indexes reports whether a message has members put into the index: one of IndexEvery, or
// in a room that is not large one of chat.BusyEvery, by the last of its id's random characters,
// of which there are 32. So a retry has, too.
func Indexes(messageID string, large bool) bool {
	last := messageID[len(messageID)-1]
	return last == '0' || large && last == 'G'
}

// busy reports whether a message came soon after its predecessor.
func (s *snapshot) busy(m chat.Message) bool {
	previous := s.previous[m.ID]
	if previous == nil {
		return false
	}
	before, err := chat.MessageTime(*previous)
	return err == nil && m.SentAt-before <= chat.BusyWithin.Milliseconds()
}

// unindexed are members of a room who may be put into its index.
type unindexed struct {
	roomID string
	users  []string
	lease  time.Duration
}

// toIndex returns the members whom the events of a broadcast have put into the index.
func (b *broadcast) toIndex() []unindexed {
	if b.err != nil || len(b.audience.unlisted) == 0 {
		return nil
	}
	large, lease := true, IndexLease
	if b.audience.within == (MemberRange{}) && len(b.audience.members) <= chat.LongIndexAbove {
		large, lease = false, chat.BusyLease
	}
	for _, m := range b.events.messages {
		// A replayed room was busy then. Slices, which are large, come from a run each.
		if Indexes(m.ID, large) && (large || b.events.replay == "" && b.snapshot.busy(m)) {
			users := b.audience.unlisted
			return []unindexed{{b.events.roomID, users[:min(IndexAtOnce, len(users))], lease}}
		}
	}
	return nil
}

// index puts members into the indexes of their rooms. It is not retried: those whom it
// leaves out are served by their presence, and one of the next messages tries again.
func (t *table) index(ctx context.Context, rooms []unindexed, log *zerolog.Logger) {
	for _, room := range rooms {
		errs := make([]error, len(room.users))
		parallel.Each(len(room.users), indexesInFlight, func(i int) {
			if ctx.Err() == nil {
				errs[i] = t.store.IndexMember(ctx, room.roomID, room.users[i], room.lease)
			}
		})
		failed := 0
		var first error
		for _, err := range errs {
			if err != nil {
				failed++
				first = err
			}
		}
		line := log.Debug()
		if failed > 0 {
			line = log.Warn().Err(first)
		}
		line.Str("room_id", room.roomID).Int("members", len(room.users)).Int("failed", failed).Msg("put members into the index")
	}
}
