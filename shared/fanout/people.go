package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/wire"
)

// preparePerson reads who is told that a user has come or gone, and what they are told
// now: the members of the user's newest rooms, of those that are small, each once. Large
// rooms cost the read of their first members.
func (f *Fanout) preparePerson(ctx context.Context, r *room) broadcast {
	b := broadcast{events: &r.events, sequences: r.sequences}
	user := r.events.person
	seen, known, err := f.store.Seen(ctx, user)
	if err != nil || !known {
		b.err = err
		return b
	}
	rooms, err := f.store.NewestRooms(ctx, user, chat.PresenceRooms)
	if err != nil {
		b.err = fmt.Errorf("read the user's rooms: %w", err)
		return b
	}
	pages, errs := make([]page, len(rooms)), make([]error, len(rooms))
	parallel.Each(len(rooms), chat.PresenceRooms, func(i int) {
		pages[i], errs[i] = f.readMembers(ctx, rooms[i], MemberRange{}, chat.PresenceRoom)
	})
	for i, p := range pages {
		if errs[i] != nil {
			b.err = errs[i]
			return b
		}
		if !p.more && slices.Contains(p.members, user) {
			b.audience.recipients = append(b.audience.recipients, p.members...)
		}
	}
	slices.Sort(b.audience.recipients)
	b.audience.recipients = slices.DeleteFunc(slices.Compact(b.audience.recipients), func(other string) bool { return other == user })
	b.snapshot.seen = seen
	return b
}

// encodePerson tells all recipients whether a user is online.
func (b *broadcast) encodePerson(to frames) {
	seen := b.snapshot.seen
	to.addAll(b.audience.recipients, encode(wire.Presence{
		Type: wire.TypePresence, UserID: b.events.person, Online: seen.Online, At: seen.At, LastSeenAt: seen.LastSeenAt,
	}))
}
