package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// RoomStore is what rooms need of the table. Reads are strong, but for the room
// list, which comes from an index, unread counts and display names.
type RoomStore interface {
	// CreateRoom stores a room with its members, all or nothing; false if the
	// room is there already.
	CreateRoom(ctx context.Context, r Room, members []Member) (created bool, err error)
	// CreateRoomOnce is CreateRoom, and remembers c with it. If a creation with
	// c's key is remembered, nothing is stored, and it is returned instead.
	CreateRoomOnce(ctx context.Context, r Room, members []Member, c Creation) (created bool, earlier Creation, err error)
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (Room, bool, error)
	// RoomFor reads a room and a user's membership of it; false if the user is
	// no member.
	RoomFor(ctx context.Context, roomID, userID string) (Room, Member, bool, error)
	// Member reads a member; false if the user is none.
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
	// Members reads one page of members by user id, after the user `after`
	// ("" is the beginning), and whether there are more.
	Members(ctx context.Context, roomID, after string, limit int) (members []Member, more bool, err error)
	// ReadCursors reads how far users have read a room, by their ids from `from`
	// to `to`. Some may have left: a read may end after its reader was removed.
	ReadCursors(ctx context.Context, roomID, from, to string) (map[string]string, error)
	// DisplayNames reads the names of up to 100 users, those that have one.
	DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error)
	// RenameRoom gives a room a name as of r.RenamedAt, unless it was renamed at
	// that time or later.
	RenameRoom(ctx context.Context, r Room) (renamed bool, err error)
	// AddMember stores a member and counts it; false if the user is one already.
	AddMember(ctx context.Context, r Room, m Member) (added bool, err error)
	// RemoveMember removes a member who has the role m.Role and discounts it. The
	// heir, unless "", becomes an owner if they still are a member. An owner
	// without an heir takes the room along, if nobody else is in it. False: not so,
	// and nothing was changed.
	RemoveMember(ctx context.Context, roomID string, m Member, heir string) (removed bool, err error)
	// UserRooms reads one page of a user's rooms, newest message first. cursor is
	// "" or what an earlier call gave; next is "" on the last page. A cursor that
	// this list did not give is CodeInvalidRequest.
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

	// Key, unless "", makes the creation unique: with the same one, the same user
	// gets the same room for CreationMemory.
	Key string
}

// CreationMemory is how long an idempotency key is remembered.
const CreationMemory = 24 * time.Hour

// Creation is what is remembered of a creation by its key.
type Creation struct {
	UserID    string
	Key       string
	Request   string // tells requests apart
	RoomID    string
	ExpiresAt int64
}

// Create makes a room of the creator and the members. A direct message room
// exists once for a pair: created is false where it did already. It is true
// again where the same creation is repeated with its key.
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

	if err := ValidateIdempotencyKey(n.Key); err != nil {
		return Room{}, false, err
	}
	members := []Member{{UserID: creator, Role: role, JoinedAt: room.CreatedAt}}
	for _, user := range others {
		members = append(members, Member{UserID: user, Role: PlainMember, JoinedAt: room.CreatedAt})
	}
	room, created, err = s.put(ctx, room, members, n.Key)
	if err != nil || created {
		return room, created, err
	}
	existing, ok, err := s.store.Room(ctx, room.ID)
	if err != nil || !ok {
		return Room{}, false, fmt.Errorf("read room %s, which exists (%t): %w", room.ID, ok, err)
	}
	return existing, false, nil
}

// put stores a new room. With a key, it is the room of an earlier call with it.
func (s *Rooms) put(ctx context.Context, room Room, members []Member, key string) (Room, bool, error) {
	if key == "" {
		created, err := s.store.CreateRoom(ctx, room, members)
		if err != nil {
			return Room{}, false, fmt.Errorf("create room: %w", err)
		}
		return room, created, nil
	}
	c := Creation{
		UserID: room.CreatedBy, Key: key, Request: fingerprint(room, members), RoomID: room.ID,
		ExpiresAt: room.CreatedAt + CreationMemory.Milliseconds(),
	}
	created, earlier, err := s.store.CreateRoomOnce(ctx, room, members, c)
	if err != nil {
		return Room{}, false, fmt.Errorf("create room once: %w", err)
	}
	if earlier.RoomID == "" {
		return room, created, nil
	}
	if earlier.Request != c.Request {
		return Room{}, false, Errorf(CodeInvalidRequest, "the Idempotency-Key was used for another room; use a new one for each")
	}
	room.ID = earlier.RoomID // the rest follows from the request
	return room, true, nil
}

// fingerprint tells what was asked for apart from anything else, whatever the
// order of the members.
func fingerprint(r Room, members []Member) string {
	h := sha256.New()
	field := func(text string) { _, _ = fmt.Fprintf(h, "%d:%s", len(text), text) } // a hash takes everything
	field(string(r.Type))
	field(r.Name)
	for _, m := range members {
		field(m.UserID)
	}
	return hex.EncodeToString(h.Sum(nil))
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
	if name == "" {
		return Errorf(CodeInvalidRequest, "name is missing")
	}
	return checkName("name", name, MaxRoomName)
}

// List returns one page of a user's rooms, newest message first.
func (s *Rooms) List(ctx context.Context, userID, cursor string, limit int) (rooms []RoomSummary, next string, err error) {
	rooms, next, err = s.store.UserRooms(ctx, userID, cursor, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list rooms: %w", err)
	}
	return rooms, next, nil
}
