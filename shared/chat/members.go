package chat

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A successor is chosen from the first successorPages pages of members by user
// id: reading more would take longer than a request may.
const (
	successorPage  = 1_000
	successorPages = 10
)

// RoomView is a room as one of its members sees it.
type RoomView struct {
	Room
	Role       Role   // of the member who looks, as the next two
	MutedUntil int64  // ms; 0: they are not muted
	ChangedAt  int64  // when one of both changed last, in ms; 0: never
	Notify     Notify // of that member, as NotifyAt
	NotifyAt   int64
	Members    []Participant // one page, by user id; none for a stranger
	More       bool          // whether there are more members
	Place      *Location     // nil: it has none
}

// Get returns a room with its place and one page of its members, by user id after
// `after`, to a member; and a public room without its members to anyone.
//
// Errors: CodeInvalidRequest, CodeNotAMember.
func (s *Rooms) Get(ctx context.Context, userID, roomID, after string, limit int) (RoomView, error) {
	room, self, err := s.authorize(ctx, roomID, userID)
	if Reason(err).Code == CodeNotAMember {
		return s.describe(ctx, roomID)
	}
	if err != nil {
		return RoomView{}, err
	}
	place, err := s.placeOf(ctx, room)
	if err != nil {
		return RoomView{}, err
	}
	members, more, err := s.store.Members(ctx, roomID, after, limit)
	if err != nil {
		return RoomView{}, fmt.Errorf("read members: %w", err)
	}
	if self.Role == Service {
		self.Role = Owner // which a service is in all but name
	}
	page, err := s.participants(ctx, userID, roomID, members)
	if err != nil {
		return RoomView{}, err
	}
	return RoomView{
		Room: room, Role: self.Role, MutedUntil: self.MutedUntil, ChangedAt: self.ChangedAt, Notify: self.Notify, NotifyAt: self.NotifyAt,
		Members: page, More: more, Place: place,
	}, nil
}

// participants adds to members their display names and how far they have read, for
// one of them.
func (s *Rooms) participants(ctx context.Context, reader, roomID string, members []Member) ([]Participant, error) {
	if len(members) == 0 {
		return nil, nil
	}
	users := make([]string, len(members))
	for i, m := range members {
		users[i] = m.UserID
	}
	var names map[string]string
	var cursors map[string]ReadCursor
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if names, err = s.store.DisplayNames(ctx, users); err != nil {
			return fmt.Errorf("read display names: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if cursors, err = s.store.ReadCursors(ctx, roomID, users[0], users[len(users)-1]); err != nil {
			return fmt.Errorf("read the read cursors: %w", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	page := make([]Participant, len(members))
	for i, m := range members {
		cursor := cursors[m.UserID]
		page[i] = Participant{Member: m, ReadUpTo: cursor.Seen(), DisplayName: names[m.UserID]}
		if m.UserID == reader {
			page[i].ReadUpTo = cursor.UpTo // their count of unread messages begins there
		}
		if page[i].ReadUpTo != "" {
			page[i].ReadFrom, page[i].ReadSince, page[i].ReadKnown = cursor.From, cursor.Since, cursor.Known
		}
	}
	return page, nil
}

// Rename gives a group a name on behalf of an owner, and returns the room.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message
// or a member who is not an owner.
func (s *Rooms) Rename(ctx context.Context, by, roomID, name string) (Room, error) {
	if err := ValidateRoomName(name); err != nil {
		return Room{}, err
	}
	return s.change(ctx, by, roomID, ToRename, func(r *Room) (store, error) {
		if r.Name == name {
			return nil, nil
		}
		r.Name, r.RenamedAt = name, s.after(r.RenamedAt)
		return s.store.RenameRoom, nil
	})
}

// store stores a changed room; false if another change has come in between.
type store = func(context.Context, Room) (bool, error)

// change changes a group on behalf of a member who may, and returns it. to changes the room, and
// returns what stores it, nil if there is no change.
func (s *Rooms) change(ctx context.Context, by, roomID string, op Operation, to func(*Room) (store, error)) (Room, error) {
	for range changeAttempts {
		room, member, err := s.authorize(ctx, roomID, by)
		if err != nil {
			return Room{}, err
		}
		if err := may(op, room.Type, member, s.now().UnixMilli()); err != nil {
			return Room{}, err
		}
		store, err := to(&room)
		if err != nil || store == nil {
			return room, err
		}
		stored, err := store(ctx, room)
		if err != nil {
			return Room{}, fmt.Errorf("%s: %w", op, err)
		}
		if stored {
			s.limits.Weigh(by, Writing, roomWeight(room.MemberCount))
			return room, nil
		}
	}
	return Room{}, fmt.Errorf("%s %s: gave up after %d concurrent changes", op, roomID, changeAttempts)
}

// after is the time of a change, ms, after that of the one before.
func (s *Rooms) after(before int64) int64 { return max(s.now().UnixMilli(), before+1) }

// AddMember adds a user to a group on behalf of an owner; false if the user is a
// member already. What was sent before is not unread for them.
//
// With onlySignedIn a user who has never signed in is not added.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message
// or a caller who is not an owner or whom the user blocks, CodeBanned, CodeNeverSignedIn.
func (s *Rooms) AddMember(ctx context.Context, by, roomID, userID string, onlySignedIn bool) (added bool, err error) {
	if err := ValidateUserID(userID); err != nil {
		return false, err
	}
	room, member, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return false, err
	}
	if err := may(ToAdd, room.Type, member, s.now().UnixMilli()); err != nil {
		return false, err
	}
	if onlySignedIn {
		if err := s.requireSignedIn(ctx, []string{userID}); err != nil {
			return false, err
		}
	}
	if refusal := s.unblockedBy(ctx, by, userID); refusal != nil {
		// Of a member it is not told that they block the one who adds them.
		_, there, err := s.store.Member(ctx, roomID, userID)
		switch {
		case err != nil:
			return false, fmt.Errorf("read the member: %w", err)
		case !there:
			return false, refusal
		}
		return false, nil
	}
	added, err = s.store.AddMember(ctx, room, Member{UserID: userID, Role: PlainMember, JoinedAt: s.now().UnixMilli()})
	if err != nil {
		return false, fmt.Errorf("add member: %w", err)
	}
	return added, nil
}

// RemoveMember removes a user from a group. An owner may remove every member, a
// moderator those without a role, and every member may leave. A user who leaves a direct
// message stays its member, and has it in the list again from the next message on. When the
// last owner is removed, the member who joined first becomes an owner; when the last member
// is removed, the room is deleted. A muted member who leaves a public room is banned from it
// for the rest of that time.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for a direct message
// or a caller without the right, CodeNotFound if the user is not a member.
func (s *Rooms) RemoveMember(ctx context.Context, by, roomID, userID string) error {
	if err := ValidateUserID(userID); err != nil {
		return err
	}
	room, member, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return err
	}
	if by == userID && room.Type == Direct {
		if err := s.store.HideRoom(ctx, userID, room); err != nil {
			return fmt.Errorf("hide the room: %w", err)
		}
		return nil
	}
	op := ToRemove
	if by == userID {
		op = ToLeave
	}
	if err := may(op, room.Type, member, s.now().UnixMilli()); err != nil {
		return err // before who is a member is told
	}
	return s.remove(ctx, roomID, userID, func(leaving Member) error {
		if op != ToLeave {
			if err := mayTo(op, room.Type, member, leaving, s.now().UnixMilli()); err != nil {
				return err
			}
		}
		return s.keepMuted(ctx, by, room, leaving)
	})
}

// keepMuted bans a muted member who leaves a public room until they would have been able
// to speak: they could join it again, and speak, at once.
func (s *Rooms) keepMuted(ctx context.Context, by string, room Room, leaving Member) error {
	now := s.now().UnixMilli()
	if !room.Public || !leaving.IsMuted(now) || room.MemberCount == 1 { // with which the room ends
		return nil
	}
	b := Ban{UserID: leaving.UserID, By: by, At: now, Until: leaving.MutedUntil}
	if _, err := s.store.Ban(ctx, room.ID, b); err != nil {
		return fmt.Errorf("ban a muted member who leaves: %w", err)
	}
	return nil
}

// Withdraw removes a user from a room of any type, on behalf of no one, with the same
// consequences as RemoveMember has for a group.
//
// Errors: CodeNotFound if the user is not a member.
func (s *Rooms) Withdraw(ctx context.Context, roomID, userID string) error {
	return s.remove(ctx, roomID, userID, func(Member) error { return nil })
}

// remove removes a member whom allowed lets go.
func (s *Rooms) remove(ctx context.Context, roomID, userID string, allowed func(Member) error) error {
	for range changeAttempts {
		leaving, ok, err := s.store.Member(ctx, roomID, userID)
		if err != nil {
			return fmt.Errorf("read the member: %w", err)
		}
		if !ok {
			return errNoSuchMember(userID)
		}
		if err := allowed(leaving); err != nil {
			return err
		}
		var successor Member
		if leaving.Role == Owner {
			if successor, err = s.successor(ctx, roomID, userID); err != nil {
				return err
			}
		}
		removed, err := s.store.RemoveMember(ctx, roomID, leaving, successor)
		if err != nil {
			return fmt.Errorf("remove member: %w", err)
		}
		if removed {
			return nil
		}
	}
	return fmt.Errorf("remove a member of %s: gave up after %d concurrent changes", roomID, changeAttempts)
}

// successor returns the member who owns a room when an owner is removed: another
// owner, if there is one, else the member who joined first, a service only if all are. The
// zero Member if there is no other one.
func (s *Rooms) successor(ctx context.Context, roomID, owner string) (Member, error) {
	var first Member
	after := ""
	for range successorPages {
		members, more, err := s.store.Members(ctx, roomID, after, successorPage)
		if err != nil {
			return Member{}, fmt.Errorf("read members for a successor: %w", err)
		}
		for _, m := range members {
			after = m.UserID
			switch {
			case m.UserID == owner:
			case m.Role == Owner:
				return m, nil
			case first.UserID == "" || precedes(m, first):
				first = m
			}
		}
		if !more {
			break
		}
	}
	return first, nil
}

// Inheriting is a member who becomes an owner, at a time in ms, since the last one goes. They
// may speak: no one else could end their muting. An owner stays as they are.
func (m Member) Inheriting(now int64) Member {
	if m.Role != Owner {
		m.Role, m.MutedUntil, m.ChangedAt = Owner, 0, max(now, m.ChangedAt+1)
	}
	return m
}

// precedes reports whether a member, rather than another one, becomes an owner.
func precedes(m, other Member) bool {
	if IsService(m.UserID) != IsService(other.UserID) {
		return IsService(other.UserID)
	}
	return m.JoinedAt < other.JoinedAt
}

// authorize returns the room and the user's membership of it. A service acts in
// every room.
func (s *Rooms) authorize(ctx context.Context, roomID, userID string) (Room, Member, error) {
	if IsService(userID) {
		room, err := serviceRoom(ctx, s.store, roomID)
		return room, Member{UserID: userID, Role: Service}, err
	}
	if err := ValidateRoomID(roomID); err != nil {
		return Room{}, Member{}, err
	}
	room, member, ok, err := s.store.RoomFor(ctx, roomID, userID)
	if err != nil {
		return Room{}, Member{}, fmt.Errorf("check membership: %w", err)
	}
	if !ok {
		return Room{}, Member{}, errNotAMember(roomID)
	}
	return room, member, nil
}
