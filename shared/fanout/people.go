package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/wire"
)

// person is a user who has come or gone, what is said of them now, and to whom. It is not
// worth a second try.
type person struct {
	userID     string
	seen       chat.Seen
	recipients []string // in order
	err        error    // why no one can be told; then the rest is not to be used
}

// readPerson reads who is told that a user has come or gone, and what they are told
// now: the members of the user's newest rooms, of those that are small, each once. Large
// rooms cost the read of their first members. That a user who has spent their limit over time
// comes is told to no one; that they go, or hide, is.
func (t *table) readPerson(ctx context.Context, userID string, spent bool) person {
	seen, known, err := t.store.Seen(ctx, userID)
	if err != nil || !known || spent && seen.Online {
		return person{userID: userID, err: err}
	}
	recipients, err := t.readNeighbours(ctx, userID)
	return person{userID: userID, seen: seen, recipients: recipients, err: err}
}

// readNeighbours returns the other members of a user's newest rooms that are small, in
// order.
func (t *table) readNeighbours(ctx context.Context, userID string) ([]string, error) {
	rooms, err := t.store.NewestRooms(ctx, userID, chat.PresenceRooms)
	if err != nil {
		return nil, fmt.Errorf("read the user's rooms: %w", err)
	}
	pages, errs := make([]page, len(rooms)), make([]error, len(rooms))
	parallel.Each(len(rooms), chat.PresenceRooms, func(i int) {
		pages[i], errs[i] = t.readMembers(ctx, rooms[i], MemberRange{}, chat.PresenceRoom)
	})
	var users []string
	for i, p := range pages {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if !p.more && slices.Contains(p.members, userID) {
			users = append(users, p.members...)
		}
	}
	slices.Sort(users)
	return slices.DeleteFunc(slices.Compact(users), func(other string) bool { return other == userID }), nil
}

// encodeFor tells all recipients whether the user is online.
func (p *person) encodeFor(to frames) {
	to.addAll(p.recipients, encode(wire.Presence{
		Type: wire.TypePresence, UserID: p.userID, Online: p.seen.Online, At: p.seen.At, LastSeenAt: p.seen.LastSeenAt,
	}))
}

// log writes the line of a person that ended with err: at level debug if it was served.
func (p *person) log(log *zerolog.Logger, err error) {
	line, outcome := log.Debug(), "ok"
	if err != nil {
		line, outcome = log.Warn().Err(err), "dropped"
	}
	line.Str("user_id", p.userID).Int("recipients", len(p.recipients)).Str("outcome", outcome).Msg("presence sent")
}
