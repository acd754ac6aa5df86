package fanout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// announcedRoom is the size up to which all members of a room are notified of
// who joins and leaves. Beyond it, n members joining would cost n² frames.
const announcedRoom = 100

// page is the first members of a range.
type page struct {
	members  []string
	listed   map[string]bool // those whose connections the room's index has
	unlisted []string        // those who may be put into it
	more     bool            // than an invocation serves

	notify map[string]chat.Notify // of members who are not notified of all messages
}

func (t *table) readMembers(ctx context.Context, roomID string, within MemberRange, limit int) (page, error) {
	members, more, err := t.store.MembersIn(ctx, roomID, within, limit)
	if err != nil {
		return page{}, fmt.Errorf("read members: %w", err)
	}
	p := page{members: make([]string, len(members)), more: more, notify: map[string]chat.Notify{}}
	for _, m := range members {
		if m.Notify != chat.NotifyAll {
			p.notify[m.UserID] = m.Notify
		}
	}
	if more || within == (MemberRange{}) && len(members) <= chat.IndexAbove {
		for i, m := range members {
			p.members[i] = m.UserID
		}
		return p, nil
	}
	now := t.now().Unix()
	p.listed = make(map[string]bool, len(members))
	for i, m := range members {
		p.members[i] = m.UserID
		switch {
		case listed(m, now):
			p.listed[m.UserID] = true
		case unlisted(m, now):
			p.unlisted = append(p.unlisted, m.UserID)
		}
	}
	return p, nil
}

// audience is who gets the events of a room, or of a range of its members.
type audience struct {
	members         []string // empty if large
	large           bool     // slices serve the members
	announces       bool     // all members are notified of joins and leaves
	rejoined        map[string]bool
	foundingMembers map[string]bool
	recipients      []string // all users who get a frame, in order

	notify   map[string]chat.Notify // as a page has it; not if large
	within   MemberRange            // of members
	listed   map[string]bool        // members whose connections are read in the room's index
	unlisted []string               // members who may be put into it
}

// byPresence are the recipients whose connections are read in their presence.
func (a *audience) byPresence() []string {
	if len(a.listed) == 0 {
		return a.recipients
	}
	users := make([]string, 0, len(a.recipients))
	for _, user := range a.recipients {
		if !a.listed[user] {
			users = append(users, user)
		}
	}
	return users
}

// readAudience returns the audience of events in a range whose first members are
// given, and reads what else it depends on.
func (t *table) readAudience(ctx context.Context, e *events, within MemberRange, p page) (audience, error) {
	members := p.members
	if p.more {
		members = nil
	}
	announces := !p.more && len(members) <= announcedRoom
	rejoined, err := t.readRejoined(ctx, e, p)
	if err != nil {
		return audience{}, err
	}
	var foundingMembers map[string]bool
	if announces {
		if foundingMembers, err = t.readFoundingMembers(ctx, e); err != nil {
			return audience{}, err
		}
	}
	a := audience{
		members: members, large: p.more, announces: announces, rejoined: rejoined, foundingMembers: foundingMembers,
		recipients: recipients(e, members, p.more, announces), within: within, notify: p.notify,
	}
	if (e.everyone() || announces) && !e.personal() { // else there are few recipients
		a.listed, a.unlisted = p.listed, p.unlisted
	}
	return a, nil
}

// readRejoined returns which of those who left are members nonetheless. A frame
// that says that they left, sent after the one of their joining, which another
// record brings, would make them seem gone.
func (t *table) readRejoined(ctx context.Context, e *events, p page) (map[string]bool, error) {
	rejoined := make(map[string]bool, len(e.left))
	for _, user := range e.left {
		isMember := slices.Contains(p.members, user)
		if p.more {
			var err error
			if isMember, err = t.store.IsMember(ctx, e.roomID, user); err != nil {
				return nil, fmt.Errorf("read a member: %w", err)
			}
		}
		rejoined[user] = isMember
	}
	return rejoined, nil
}

// readFoundingMembers returns which of those who joined did so at the room's
// creation: they are not announced to each other.
func (t *table) readFoundingMembers(ctx context.Context, e *events) (map[string]bool, error) {
	if len(e.joined) == 0 {
		return nil, nil
	}
	description, _, err := t.store.Room(ctx, e.roomID)
	if err != nil {
		return nil, fmt.Errorf("read the room: %w", err)
	}
	founding := make(map[string]bool, len(e.joined))
	for _, m := range e.joined {
		founding[m.UserID] = m.JoinedAt == description.CreatedAt
	}
	return founding, nil
}

// recipients returns all who get something of the events.
func recipients(e *events, members []string, large, announces bool) []string {
	if e.fleeting() {
		return others(e, members)
	}
	if e.personal() {
		return slices.Sorted(maps.Keys(e.notify))
	}
	forAll := e.everyone() || announces
	if forAll && len(e.left) == 0 && !large {
		return members
	}
	users := slices.Clone(e.left)
	if forAll {
		users = append(users, members...)
	}
	for _, m := range e.joined {
		if large || slices.Contains(members, m.UserID) {
			users = append(users, m.UserID)
		}
	}
	for user := range e.reads {
		users = append(users, user)
	}
	for user := range e.notify {
		users = append(users, user)
	}
	for user := range e.altered {
		if large || slices.Contains(members, user) {
			users = append(users, user)
		}
	}
	if large {
		users = append(users, e.reactors()...)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// others returns the members who are told that another user types.
func others(e *events, members []string) []string {
	users := make([]string, 0, len(members))
	for _, user := range members {
		if _, types := e.typing[user]; !types || len(e.typing) > 1 {
			users = append(users, user)
		}
	}
	return users
}

// isSmall reports whether all members are notified of reads, and of typing.
func (a *audience) isSmall() bool { return !a.large && len(a.members) <= chat.SmallRoom }
