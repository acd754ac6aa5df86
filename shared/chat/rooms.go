package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// RoomStore is what rooms need of the table. Reads are strong, but the room
// list, which comes from an index.
type RoomStore interface {
	// CreateRoom stores a room with its members, all or nothing; false if the
	// room is there already.
	CreateRoom(ctx context.Context, r Room, members []Member) (created bool, err error)
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (Room, bool, error)
	// Member reads a member; false if the user is none.
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
	// Members reads one page of members by user id, after the user `after`
	// ("" is the beginning), and whether there are more.
	Members(ctx context.Context, roomID, after string, limit int) (members []Member, more bool, err error)
	// AddMember stores a member and counts it; false if the user is one already.
	AddMember(ctx context.Context, r Room, m Member) (added bool, err error)
	// RemoveMember removes a member and discounts it; false if the user is none.
	RemoveMember(ctx context.Context, roomID, userID string) (removed bool, err error)
	// UserRooms reads one page of a user's rooms, newest message first. cursor is
	// "" or what an earlier call gave; next is "" on the last page. A cursor that
	// this table did not give is CodeInvalidRequest.
	UserRooms(ctx context.Context, userID, cursor string, limit int) (rooms []RoomSummary, next string, err error)
}

// Rooms creates rooms and answers what their members ask.
type Rooms struct {
	store RoomStore
	ids   IDs
	now   func() time.Time
}

// NewRooms returns Rooms on a store.
func NewRooms(store RoomStore, ids IDs, now func() time.Time) *Rooms {
	return &Rooms{store: store, ids: ids, now: now}
}

// NewRoom is what somebody wants to create.
type NewRoom struct {
	Name    string
	Type    RoomType
	Members []string // besides the creator
}

// Create makes a room of the creator and the members. A direct message room
// exists once for a pair: created is false where it did already.
func (s *Rooms) Create(ctx context.Context, creator string, n NewRoom) (room Room, created bool, err error) {
	others, err := otherMembers(creator, n.Members)
	if err != nil {
		return Room{}, false, err
	}
	room = Room{Name: n.Name, Type: n.Type, CreatedBy: creator, CreatedAt: s.now().UnixMilli(), MemberCount: 1 + len(others)}
	role := Owner
	switch n.Type {
	case Group:
		if err = ValidateRoomName(n.Name); err != nil {
			return Room{}, false, err
		}
		if room.ID, err = s.ids.Room(); err != nil {
			return Room{}, false, err
		}
	case Direct:
		if n.Name != "" {
			return Room{}, false, Errorf(CodeInvalidRequest, "a direct message has no name; leave name out")
		}
		if len(others) != 1 {
			return Room{}, false, Errorf(CodeInvalidRequest, "a direct message has exactly one member besides yourself")
		}
		room.ID = DirectRoomID(creator, others[0])
		role = PlainMember // its members never change
	default:
		return Room{}, false, Errorf(CodeInvalidRequest, `type must be "group" or "dm"`)
	}

	members := []Member{{UserID: creator, Role: role, JoinedAt: room.CreatedAt}}
	for _, user := range others {
		members = append(members, Member{UserID: user, Role: PlainMember, JoinedAt: room.CreatedAt})
	}
	created, err = s.store.CreateRoom(ctx, room, members)
	if err != nil {
		return Room{}, false, fmt.Errorf("create room: %w", err)
	}
	if created {
		return room, true, nil
	}
	existing, ok, err := s.store.Room(ctx, room.ID)
	if err != nil || !ok {
		return Room{}, false, fmt.Errorf("read room %s, which exists (%t): %w", room.ID, ok, err)
	}
	return existing, false, nil
}

// otherMembers returns the members besides the creator, each once.
func otherMembers(creator string, members []string) ([]string, error) {
	if len(members) > MaxInitialMember {
		return nil, Errorf(CodeInvalidRequest, "at most %d members can be named at creation; add the others one by one", MaxInitialMember)
	}
	others := slices.Clone(members)
	for _, user := range others {
		if err := ValidateUserID(user); err != nil {
			return nil, err
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	return slices.DeleteFunc(others, func(user string) bool { return user == creator }), nil
}

// ValidateRoomName checks a group's name: 1 to MaxRoomName characters.
func ValidateRoomName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return Errorf(CodeInvalidRequest, "name is missing")
	case n > MaxRoomName:
		return Errorf(CodeInvalidRequest, "name has %d characters; at most %d are allowed", n, MaxRoomName)
	}
	for _, r := range name {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return Errorf(CodeInvalidRequest, "name must be valid UTF-8 without control characters")
		}
	}
	return nil
}

// List returns one page of a user's rooms, newest message first.
func (s *Rooms) List(ctx context.Context, userID, cursor string, limit int) (rooms []RoomSummary, next string, err error) {
	rooms, next, err = s.store.UserRooms(ctx, userID, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list rooms: %w", err)
	}
	return rooms, next, nil
}

// Get returns a room and one page of its members to one of them.
func (s *Rooms) Get(ctx context.Context, userID, roomID, after string, limit int) (room Room, members []Member, more bool, err error) {
	room, _, err = s.authorize(ctx, roomID, userID)
	if err != nil {
		return Room{}, nil, false, err
	}
	members, more, err = s.store.Members(ctx, roomID, after, limit)
	if err != nil {
		return Room{}, nil, false, fmt.Errorf("read members: %w", err)
	}
	return room, members, more, nil
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
// anybody leaves. CodeNotFound if the user is no member.
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
	removed, err := s.store.RemoveMember(ctx, roomID, userID)
	if err != nil {
		return fmt.Errorf("remove member: %w", err)
	}
	if !removed {
		return Errorf(CodeNotFound, "%s is not a member of this room", userID)
	}
	return nil
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
	member, ok, err := s.store.Member(ctx, roomID, userID)
	if err != nil {
		return Room{}, Member{}, fmt.Errorf("check membership: %w", err)
	}
	if !ok {
		return Room{}, Member{}, errNotAMember(roomID)
	}
	room, ok, err := s.store.Room(ctx, roomID)
	if err != nil {
		return Room{}, Member{}, fmt.Errorf("read room: %w", err)
	}
	if !ok {
		return Room{}, Member{}, errNotAMember(roomID)
	}
	return room, member, nil
}
