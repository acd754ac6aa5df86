package chat

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// An heir is looked for among the first members by user id, in pages: more than
// these would take longer than a request may.
const (
	heirPage  = 1_000
	heirPages = 10
)

// Get returns a room and one page of its members to one of them.
func (s *Rooms) Get(ctx context.Context, userID, roomID, after string, limit int) (room Room, page []Participant, more bool, err error) {
	room, _, err = s.authorize(ctx, roomID, userID)
	if err != nil {
		return Room{}, nil, false, err
	}
	members, more, err := s.store.Members(ctx, roomID, after, limit)
	if err != nil {
		return Room{}, nil, false, fmt.Errorf("read members: %w", err)
	}
	if page, err = s.participants(ctx, roomID, members); err != nil {
		return Room{}, nil, false, err
	}
	return room, page, more, nil
}

// participants reads what members are called and how far they have read.
func (s *Rooms) participants(ctx context.Context, roomID string, members []Member) ([]Participant, error) {
	if len(members) == 0 {
		return nil, nil
	}
	users := make([]string, len(members))
	for i, m := range members {
		users[i] = m.UserID
	}
	var names, cursors map[string]string
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if names, err = s.store.DisplayNames(ctx, users); err != nil {
			return fmt.Errorf("read display names: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if cursors, err = s.store.ReadCursors(ctx, roomID, users[0], users[len(users)-1]); err != nil {
			return fmt.Errorf("read how far members have read: %w", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	page := make([]Participant, len(members))
	for i, m := range members {
		page[i] = Participant{Member: m, ReadUpTo: cursors[m.UserID], DisplayName: names[m.UserID]}
	}
	return page, nil
}

// Rename gives a group a name on behalf of its owner, and returns it.
func (s *Rooms) Rename(ctx context.Context, by, roomID, name string) (Room, error) {
	if err := ValidateRoomName(name); err != nil {
		return Room{}, err
	}
	for range changeAttempts {
		room, member, err := s.authorize(ctx, roomID, by)
		if err != nil {
			return Room{}, err
		}
		if room.Type == Direct {
			return Room{}, Errorf(CodeForbidden, "a direct message has no name")
		}
		if member.Role != Owner {
			return Room{}, Errorf(CodeForbidden, "only an owner renames a room")
		}
		if room.Name == name {
			return room, nil
		}
		room.Name, room.RenamedAt = name, max(s.now().UnixMilli(), room.RenamedAt+1)
		renamed, err := s.store.RenameRoom(ctx, room)
		if err != nil {
			return Room{}, fmt.Errorf("rename room: %w", err)
		}
		if renamed {
			return room, nil
		}
	}
	return Room{}, fmt.Errorf("rename room %s: others were faster %d times", roomID, changeAttempts)
}

// AddMember adds a user to a group on behalf of its owner; false if the user
// was a member already.
func (s *Rooms) AddMember(ctx context.Context, by, roomID, userID string) (added bool, err error) {
	if err := ValidateUserID(userID); err != nil {
		return false, err
	}
	room, member, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return false, err
	}
	if err := mayChangeMembers(room, member); err != nil {
		return false, err
	}
	added, err = s.store.AddMember(ctx, room, Member{UserID: userID, Role: PlainMember, JoinedAt: s.now().UnixMilli()})
	if err != nil {
		return false, fmt.Errorf("add member: %w", err)
	}
	return added, nil
}

// RemoveMember removes a user from a group: its owner removes anybody, and
// anybody leaves. When the last owner goes, the member who joined first becomes
// one; when nobody is left, the room ends. CodeNotFound if the user is no member.
func (s *Rooms) RemoveMember(ctx context.Context, by, roomID, userID string) error {
	if err := ValidateUserID(userID); err != nil {
		return err
	}
	room, member, err := s.authorize(ctx, roomID, by)
	if err != nil {
		return err
	}
	if by == userID {
		member.Role = Owner // of their own membership
	}
	if err := mayChangeMembers(room, member); err != nil {
		return err
	}
	for range changeAttempts {
		leaving, ok, err := s.store.Member(ctx, roomID, userID)
		if err != nil {
			return fmt.Errorf("read the member: %w", err)
		}
		if !ok {
			return Errorf(CodeNotFound, "%s is not a member of this room", userID)
		}
		heir := ""
		if leaving.Role == Owner {
			if heir, err = s.heir(ctx, roomID, userID); err != nil {
				return err
			}
		}
		removed, err := s.store.RemoveMember(ctx, roomID, leaving, heir)
		if err != nil {
			return fmt.Errorf("remove member: %w", err)
		}
		if removed {
			return nil
		}
	}
	return fmt.Errorf("remove a member of %s: others were faster %d times", roomID, changeAttempts)
}

// heir is who owns a room when an owner goes: another owner, if there is one,
// else who joined first. "" if nobody else is there.
func (s *Rooms) heir(ctx context.Context, roomID, owner string) (string, error) {
	var first Member
	after := ""
	for range heirPages {
		members, more, err := s.store.Members(ctx, roomID, after, heirPage)
		if err != nil {
			return "", fmt.Errorf("look for an heir: %w", err)
		}
		for _, m := range members {
			after = m.UserID
			switch {
			case m.UserID == owner:
			case m.Role == Owner:
				return m.UserID, nil
			case first.UserID == "" || m.JoinedAt < first.JoinedAt:
				first = m
			}
		}
		if !more {
			break
		}
	}
	return first.UserID, nil
}

func mayChangeMembers(r Room, by Member) error {
	if r.Type == Direct {
		return Errorf(CodeForbidden, "the members of a direct message never change")
	}
	if by.Role != Owner {
		return Errorf(CodeForbidden, "only an owner adds and removes members")
	}
	return nil
}

// authorize returns the room and the user's membership of it.
func (s *Rooms) authorize(ctx context.Context, roomID, userID string) (Room, Member, error) {
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
