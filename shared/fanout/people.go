package fanout

import (
	"context"
	"fmt"
	"maps"
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
	read       bool      // whether seen was
	seen       chat.Seen // without At there is nothing to tell
	recipients []string  // in order
	err        error     // why no one can be told; then the rest is not to be used
}

// readPeople reads who is told that users have come or gone, and what they are told
// now: the members of each user's newest rooms, of those that are small, each once. A room is
// read once, however many come at a time; large ones cost the read of their first members.
// Of a user with no one to tell it reads no more. That a user who has spent their limit over
// time comes is told to no one; that they go, or hide, is.
func (t *table) readPeople(ctx context.Context, users []string, spent func(userID string) bool) []person {
	people := make([]person, len(users))
	all := make([]*person, len(users))
	for i, userID := range users {
		people[i].userID = userID
		all[i] = &people[i]
	}
	t.readSeen(ctx, only(all, func(p *person) bool { return spent(p.userID) }))
	told := only(all, func(p *person) bool { return !p.read || p.seen.At > 0 && !p.seen.Online })
	t.readRecipients(ctx, told)
	t.readSeen(ctx, only(told, func(p *person) bool { return !p.read && len(p.recipients) > 0 }))
	return people
}

// only returns those people of whom something holds.
func only(people []*person, holds func(*person) bool) (those []*person) {
	for _, p := range people {
		if holds(p) {
			those = append(those, p)
		}
	}
	return those
}

// readSeen reads what others are to be told about people. Of whom there is nothing, no one is
// told.
func (t *table) readSeen(ctx context.Context, people []*person) {
	if len(people) == 0 {
		return
	}
	users := make([]string, len(people))
	for i, p := range people {
		users[i] = p.userID
	}
	seen, err := t.store.Seen(ctx, users)
	for _, p := range people {
		p.read, p.seen, p.err = true, seen[p.userID], err
		if p.seen.At == 0 {
			p.recipients = nil
		}
	}
}

// readRecipients reads who is told about people.
func (t *table) readRecipients(ctx context.Context, people []*person) {
	rooms := make([][]string, len(people))
	parallel.Each(len(people), peopleInFlight, func(i int) {
		var err error
		if rooms[i], err = t.store.NewestRooms(ctx, people[i].userID, chat.PresenceRooms); err != nil {
			people[i].err = fmt.Errorf("read the user's rooms: %w", err)
		}
	})
	pages := t.readSmall(ctx, slices.Concat(rooms...))
	for i, p := range people {
		if p.err == nil {
			p.recipients, p.err = neighbours(p.userID, rooms[i], pages)
		}
	}
}

// small is a page of a room's members, all of them unless there are more.
type small struct {
	page
	err error
}

// readSmall reads the first members of rooms, each once, and those of one user in one round.
func (t *table) readSmall(ctx context.Context, rooms []string) map[string]*small {
	pages := map[string]*small{}
	for _, roomID := range rooms {
		pages[roomID] = &small{}
	}
	all := slices.Collect(maps.Keys(pages))
	parallel.Each(len(all), chat.PresenceRooms, func(i int) {
		s := pages[all[i]]
		s.page, s.err = t.readMembers(ctx, all[i], MemberRange{}, chat.PresenceRoom)
	})
	return pages
}

// neighbours returns the other members of a user's rooms that are small, in order.
func neighbours(userID string, rooms []string, pages map[string]*small) ([]string, error) {
	var users []string
	for _, roomID := range rooms {
		s := pages[roomID]
		if s.err != nil {
			return nil, s.err
		}
		if !s.more && slices.Contains(s.members, userID) {
			users = append(users, s.members...)
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
