package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// RoomStore stores rooms and their members. Reads are strongly consistent, except
// for the room list, which comes from an index, unread counts and display names.
type RoomStore interface {
	PlaceIndex
	BanStore
	RetentionStore
	ReportStore
	BlockReader
	RateStore
	// SignedIn returns which of up to 100 users have signed in, in the order given.
	SignedIn(ctx context.Context, userIDs []string) ([]string, error)
	// CreateRoom stores a room with its members, all or nothing; false if the
	// room exists already.
	CreateRoom(ctx context.Context, r Room, members []Member) (created bool, err error)
	// CreateRoomOnce is CreateRoom, and remembers c by c.UserID and c.Key until
	// c.ExpiresAt. If a creation with the same key is remembered, nothing is
	// stored, and the earlier one is returned.
	CreateRoomOnce(ctx context.Context, r Room, members []Member, c Creation) (created bool, earlier Creation, err error)
	// Creation reads the creation that CreateRoomOnce remembers by a user and a key; false
	// if there is none.
	Creation(ctx context.Context, userID, key string) (Creation, bool, error)
	// Room reads a room; false if it does not exist.
	Room(ctx context.Context, roomID string) (Room, bool, error)
	// RoomFor reads a room and a user's membership of it; false if the room does
	// not exist or the user is not a member.
	RoomFor(ctx context.Context, roomID, userID string) (Room, Member, bool, error)
	// Member reads a member; false if the user is not a member.
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
	// Members reads one page of members by user id, after the user `after`
	// ("" is the beginning), and whether there are more.
	Members(ctx context.Context, roomID, after string, limit int) (members []Member, more bool, err error)
	// ReadCursors reads how far users have read a room, by user id, of the users
	// from `from` to `to`, both inclusive ("" is open). It may include users who
	// have left: a read may be stored after its reader was removed.
	ReadCursors(ctx context.Context, roomID, from, to string) (map[string]ReadCursor, error)
	// DisplayNames reads the names of users by user id. Users without one are left
	// out.
	DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error)
	// RenameRoom gives a room, and its place, a name as of r.RenamedAt; false if it was
	// renamed at that time or later, its place was set or removed since r was read, or
	// it does not exist.
	RenameRoom(ctx context.Context, r Room) (renamed bool, err error)
	// ShareRoom makes a room public, or private again, by r.Public, as RenameRoom gives
	// it a name. A private room has no place.
	ShareRoom(ctx context.Context, r Room) (shared bool, err error)
	// PlaceRoom gives a room, as r has it, a place as of r.PlacedAt and r.RenamedAt; false
	// if it was changed at that time or later, has another name, or is not public.
	PlaceRoom(ctx context.Context, r Room, at Location) (placed bool, err error)
	// UnplaceRoom removes the place of a room, as RenameRoom gives it a name.
	UnplaceRoom(ctx context.Context, r Room) (unplaced bool, err error)
	// RoomPlace reads a room's place; false if there is none, or it has ended.
	RoomPlace(ctx context.Context, roomID string) (Location, bool, error)
	// AddMember stores a member and counts it, and moves the user's read cursor to
	// the room's newest message, never back; false if the user is a member already.
	// CodeNotAMember if the room does not exist, CodeBanned for a user who is banned. The
	// member gets the room's RetentionDays.
	AddMember(ctx context.Context, r Room, m Member) (added bool, err error)
	// JoinRoom is AddMember for a room that is public: CodeNotAMember if it isn't.
	JoinRoom(ctx context.Context, r Room, m Member) (joined bool, err error)
	// RemoveMember removes a member, with their read cursor, and discounts it. The
	// successor, unless zero, becomes an owner who is not muted, with a greater ChangedAt,
	// or stays one. Removing an owner without a successor deletes the room. It returns
	// false, and changes nothing, if the member's role is not m.Role, the successor is not
	// a member or has another role by now, or a room to delete has other members.
	RemoveMember(ctx context.Context, roomID string, m, successor Member) (removed bool, err error)
	// ChangeMember gives a member the role, the muting and the ChangedAt of now; false if
	// the member is not as was any more in these. keeps, unless "", has to be an owner,
	// and stays one in the same step: false if they aren't.
	ChangeMember(ctx context.Context, roomID string, was, now Member, keeps string) (changed bool, err error)
	// ChangeNotify gives a member the Notify and the NotifyAt of now, which UserRooms has
	// then, too; false if the member is not as was any more in these, or has left.
	ChangeNotify(ctx context.Context, roomID string, was, now Member) (changed bool, err error)
	// HideRoom takes a room out of a member's list, until a message comes that is
	// newer than those that it has. It does nothing for a user who is not a member.
	HideRoom(ctx context.Context, userID string, r Room) error
	// ShowRoom puts a room that was hidden back into its place in a member's list. It
	// does nothing for other rooms.
	ShowRoom(ctx context.Context, userID, roomID string) error
	// UserRooms reads one page of a user's rooms, newest message first, with the other
	// member of each direct message. A room whose last message is an OrderInterval or more
	// after its place in the stored order has that place. cursor is "" or the next of an
	// earlier call; next is "" on the last page. Any other cursor is CodeInvalidRequest.
	UserRooms(ctx context.Context, userID, cursor string, limit int) (rooms []RoomSummary, next string, err error)
}

// Rooms creates, lists and changes rooms, and their members.
type Rooms struct {
	store RoomStore
	ids   IDs
	now   func() time.Time

	ending *Limiter // of the connections of banned users

	retention int      // days, of the deployment; 0: forever
	limits    *Limiter // nil: changes weigh nothing
}

// NewRooms returns Rooms on a store.
func NewRooms(store RoomStore, ids IDs, now func() time.Time) *Rooms {
	ending := NewLimiter(store, Limits{Banning: {Interval: EndingInterval, Burst: EndingBurst}}, now)
	return &Rooms{store: store, ids: ids, now: now, ending: ending}
}

// NewRoom describes a room to create.
type NewRoom struct {
	Name    string
	Type    RoomType
	Members []string // besides the creator
	Public  bool     // anyone may join

	// OnlySignedIn has nothing created if one of the members has never signed in.
	OnlySignedIn bool

	// Key, unless "", makes the creation unique: with the same one, the same user
	// gets the same room for CreationMemory.
	Key string
}

// CreationMemory is the time for which an idempotency key is remembered.
const CreationMemory = 24 * time.Hour

// Creation is the creation of a room, remembered by its idempotency key.
type Creation struct {
	UserID    string
	Key       string
	Request   string // fingerprint of the request
	RoomID    string
	ExpiresAt int64
}

// Create makes a room of the creator and the members. A direct message room exists once for
// a pair: created is false if it existed already, and the creator has it in the list again
// if they had hidden it. created is true again if the same creation is repeated with its
// key.
//
// A service makes rooms for others: it is a member only if it names itself, and the first
// of the members that it names owns a group.
//
// Errors: CodeInvalidRequest, also for a key that was used for another room;
// CodeForbidden for members who block the creator, and for a direct message with someone
// whom the creator blocks; CodeNeverSignedIn.
func (s *Rooms) Create(ctx context.Context, creator string, n NewRoom) (room Room, created bool, err error) {
	first, others, err := founders(creator, n.Members)
	if err != nil {
		return Room{}, false, err
	}
	room = Room{Name: n.Name, Type: n.Type, CreatedBy: creator, CreatedAt: s.now().UnixMilli(), MemberCount: 1 + len(others), Public: n.Public}
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
			return Room{}, false, Errorf(CodeInvalidRequest, "invalid name: want none for a dm; leave it out")
		}
		if n.Public {
			return Room{}, false, Errorf(CodeInvalidRequest, `invalid visibility: want "private" for a dm; leave it out`)
		}
		if len(others) != 1 {
			return Room{}, false, Errorf(CodeInvalidRequest, "invalid members: want exactly one besides %s for a dm, got %d", quote(first), len(others))
		}
		room.ID = DirectRoomID(first, others[0])
		room.CreatedBy, room.Invited = first, others[0]
		role = PlainMember // its members never change
	default:
		return Room{}, false, Errorf(CodeInvalidRequest, `invalid type: want "group" or "dm", got %s`, quote(string(n.Type)))
	}

	if err := ValidateIdempotencyKey(n.Key); err != nil {
		return Room{}, false, err
	}
	members := []Member{{UserID: first, Role: role, JoinedAt: room.CreatedAt}}
	for _, user := range others {
		members = append(members, Member{UserID: user, Role: PlainMember, JoinedAt: room.CreatedAt})
	}
	invited := others
	if first != creator { // a service's choice, as the others are
		invited = append([]string{first}, others...)
	}
	if n.OnlySignedIn {
		refusal := s.requireSignedIn(ctx, invited)
		if Reason(refusal).Code == CodeNeverSignedIn && n.Type == Direct {
			return s.existing(ctx, room, refusal)
		}
		if refusal != nil {
			return Room{}, false, refusal
		}
	}
	if n.Type == Direct {
		return s.createDirect(ctx, creator, room, members, n.Key)
	}
	if err := s.unblockedBy(ctx, creator, invited...); err != nil {
		return s.repeated(ctx, creator, room, members, n.Key, err)
	}
	return s.put(ctx, creator, room, members, n.Key)
}

// createDirect makes the direct message room of two users, unless it exists, or one of
// them blocks the other.
func (s *Rooms) createDirect(ctx context.Context, creator string, room Room, members []Member, key string) (Room, bool, error) {
	switch _, err := s.unblocked(ctx, room.CreatedBy, room.Invited); {
	case Reason(err).Code == CodeForbidden:
		return s.existing(ctx, room, err)
	case err != nil:
		return Room{}, false, err
	}
	room, created, err := s.put(ctx, creator, room, members, key)
	if err != nil {
		return Room{}, false, err
	}
	if created {
		return room, true, s.markBlocks(ctx, room)
	}
	return s.existing(ctx, room, fmt.Errorf("room %s existed at its creation, but not at the read after it", room.ID))
}

// existing returns a direct message room that its creator asks for again, or an error
// if it does not exist.
func (s *Rooms) existing(ctx context.Context, room Room, missing error) (Room, bool, error) {
	found, ok, err := s.store.Room(ctx, room.ID)
	if err != nil {
		return Room{}, false, fmt.Errorf("read room %s: %w", room.ID, err)
	}
	if !ok {
		return Room{}, false, missing
	}
	if err := s.store.ShowRoom(ctx, room.CreatedBy, room.ID); err != nil {
		return Room{}, false, fmt.Errorf("show room %s: %w", room.ID, err)
	}
	return found, false, nil
}

// requireSignedIn refuses users who have never signed in, and names them.
func (s *Rooms) requireSignedIn(ctx context.Context, userIDs []string) error {
	never, err := s.NeverSignedIn(ctx, userIDs)
	if err != nil || len(never) == 0 {
		return err
	}
	refusal := Errorf(CodeNeverSignedIn, "%s never signed in; check the spelling, or leave onlySignedIn out", quoteAll(never))
	refusal.Users = never
	return refusal
}

// NeverSignedIn returns which users have never signed in, each once: they have
// neither opened a connection, nor created a room, nor set a display name.
func (s *Rooms) NeverSignedIn(ctx context.Context, userIDs []string) ([]string, error) {
	users := slices.Compact(slices.Sorted(slices.Values(userIDs)))
	if len(users) == 0 {
		return nil, nil
	}
	signedIn, err := s.store.SignedIn(ctx, users)
	if err != nil {
		return nil, fmt.Errorf("read who has signed in: %w", err)
	}
	return slices.DeleteFunc(users, func(user string) bool { return slices.Contains(signedIn, user) }), nil
}

// put stores a new room. If the key is remembered, it returns the earlier room.
func (s *Rooms) put(ctx context.Context, creator string, room Room, members []Member, key string) (Room, bool, error) {
	if key == "" {
		created, err := s.store.CreateRoom(ctx, room, members)
		if err != nil {
			return Room{}, false, fmt.Errorf("create room: %w", err)
		}
		return room, created, nil
	}
	c := Creation{
		UserID: creator, Key: key, Request: fingerprint(room, members), RoomID: room.ID,
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
		return Room{}, false, Errorf(CodeInvalidRequest, "Idempotency-Key %s was used for another room; use a new one for each", key)
	}
	room.ID = earlier.RoomID // everything else is the same: the requests are
	return room, true, nil
}

// repeated returns the room of an earlier creation with the same key, whose answer its
// creator has lost, or a refusal: what has become of its members since is not told.
func (s *Rooms) repeated(ctx context.Context, creator string, room Room, members []Member, key string, refusal error) (Room, bool, error) {
	if key == "" || Reason(refusal).Code != CodeForbidden {
		return Room{}, false, refusal
	}
	earlier, ok, err := s.store.Creation(ctx, creator, key)
	if err != nil {
		return Room{}, false, fmt.Errorf("read an earlier creation: %w", err)
	}
	if !ok || earlier.Request != fingerprint(room, members) {
		return Room{}, false, refusal
	}
	room.ID = earlier.RoomID
	return room, true, nil
}

// fingerprint identifies a creation's type, name and members, which are sorted.
func fingerprint(r Room, members []Member) string {
	h := sha256.New()
	field := func(text string) { _, _ = fmt.Fprintf(h, "%d:%s", len(text), text) } // a hash never fails
	field(string(r.Type))
	field(r.Name)
	for _, m := range members {
		field(m.UserID)
	}
	if r.Public { // private rooms have the fingerprint of before there were others
		_, _ = h.Write([]byte("public"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// founders returns who owns a new group, and the other members, each once.
func founders(creator string, named []string) (first string, others []string, err error) {
	first = creator
	if IsService(creator) {
		if len(named) == 0 {
			return "", nil, Errorf(CodeInvalidRequest, "members is missing: a service makes rooms for others, of whom the first owns a group")
		}
		first = named[0]
	}
	others, err = otherMembers(first, named)
	return first, others, err
}

// otherMembers returns the members besides the first one, each once.
func otherMembers(first string, members []string) ([]string, error) {
	if len(members) > MaxInitialMember {
		return nil, Errorf(CodeInvalidRequest, "invalid members: want at most %d at creation, got %d; add the others one by one", MaxInitialMember, len(members))
	}
	others := slices.Clone(members)
	for _, user := range others {
		if err := ValidateUserID(user); err != nil {
			return nil, err
		}
	}
	slices.Sort(others)
	others = slices.Compact(others)
	return slices.DeleteFunc(others, func(user string) bool { return user == first }), nil
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
