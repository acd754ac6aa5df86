// Package table is the only place that spells a key, an attribute or an index
// name of the one DynamoDB table. It knows strings and times, and nothing of
// the SDK: shared/dynamo builds requests with it, shared/topology filters with
// it, shared/changes reads records with it, and infra creates the table by it.
package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The table's keys and its two indexes.
const (
	PK     = "PK"
	SK     = "SK"
	GSI1   = "GSI1"
	GSI1PK = "GSI1PK"
	GSI1SK = "GSI1SK"
	GSI2   = "GSI2"
	GSI2PK = "GSI2PK"
	GSI2SK = "GSI2SK"
	TTL    = "ttl" // seconds since 1970, DynamoDB's rule; every other time is in ms
)

// Expired reports whether a ttl has passed at a time; 0 never does. DynamoDB may not have
// deleted the item yet.
func Expired(ttl int64, at time.Time) bool { return ttl != 0 && ttl <= at.Unix() }

// Prefixes of partition and sort keys, and the sort keys that stand alone.
const (
	ConnectionPrefix = "CONNECTION#"
	UserPrefix       = "USER#"
	RoomPrefix       = "CHATROOM#"
	MemberPrefix     = "MEMBER#"
	MessagePrefix    = "MESSAGE#"
	SentPrefix       = "SENT#"
	UserRoomsPrefix  = "USERROOMS#"
	FanoutPrefix     = "FANOUT#"
	ReadPrefix       = "READ#"
	CreatedPrefix    = "CREATED#"
	RatePrefix       = "RATE#"
	AttachmentPrefix = "ATTACHMENT#"
	GeoPrefix        = "GEO#"
	OnlinePrefix     = "ONLINE#"
	TypingPrefix     = "TYPING#"
	ReactedPrefix    = "REACTED#"
	BanPrefix        = "BAN#"
	BlockPrefix      = "BLOCK#"
	PushPrefix       = "PUSH#"
	ReportPrefix     = "REPORT#"

	MetadataKey    = "METADATA"
	LastMessageKey = "LASTMESSAGE"
	PresenceKey    = "PRESENCE"
	SeenKey        = "SEEN"
	SliceKey       = "SLICE"
	ProfileKey     = "PROFILE"
	PlaceKey       = "PLACE"
)

// Attribute names.
const (
	UserID          = "userId"
	ConnectedAt     = "connectedAt"
	TokenExpiresAt  = "tokenExpiresAt"
	RateTAT         = "rateTat" // where a rate window is, ms; of a presence: that of connections, of a connection: of refused frames
	ReplacedAt      = "replacedAt"
	Disconnected    = "disconnected" // with replacedAt: a service or an operator has ended the connection
	Banned          = "banned"       // with replacedAt: a ban of the user has ended the connection
	Flooded         = "flooded"      // with replacedAt: too many refused frames have ended the connection
	Name            = "name"
	Type            = "type"
	CreatedBy       = "createdBy"
	CreatedAt       = "createdAt"
	Invited         = "invited"
	HiddenAt        = "hiddenAt" // as GSI1SK, which is absent then; of a last message a number
	MemberCount     = "memberCount"
	Role            = "role"
	JoinedAt        = "joinedAt"
	MutedUntil      = "mutedUntil"
	PausedUntil     = "pausedUntil" // of a member, ms
	Indexed         = "indexed"     // of a member, seconds since 1970: until when the room has their connections; negative: until when not to try
	SenderID        = "senderId"
	Content         = "content"
	ReadBy          = "readBy" // in messages that were stored before readers derived from cursors
	ClientMessageID = "clientMessageId"
	Origin          = "origin"   // a connection id
	Previous        = "previous" // a message's id, in an ack
	EditedAt        = "editedAt"
	DeletedAt       = "deletedAt"
	DeletedBy       = "deletedBy" // there if it was not the sender
	MessageID       = "messageId"
	Claimed         = "claimed" // a message's id, as long as it is not known to be stored
	Preview         = "preview"
	MS              = "ms"
	OrderedAt       = "orderedAt"
	RoomID          = "chatRoomId"
	MessageIDs      = "messageIds"
	Gap             = "gap"
	FromMember      = "fromMember"
	ToMember        = "toMember"
	Renamed         = "renamed"
	Replayed        = "replayed" // there if a slice comes from a replay
	UpTo            = "upTo"
	From            = "from"
	Since           = "since"
	Known           = "known"
	At              = "at"
	DisplayName     = "displayName"
	IsOnline        = "online"
	SeenAt          = "seenAt"  // of a presence: when the last connection ended
	Away            = "awayAt"  // of a presence: when a connection ended that another one replaces
	Hidden          = "hidden"  // there if the user hides whether they are online
	Changes         = "changes" // of a presence: how often it changed; of what others are told: as of which change
	Request         = "request"
	UploadedBy      = "uploadedBy"
	GoneAt          = "goneAt" // of an attachment: when its file was missed
	ContentType     = "contentType"
	Size            = "size"
	Width           = "width"
	Height          = "height"
	AttachmentID    = "attachmentId"
	Attachments     = "attachments" // of a message: a list of maps; of a last message: how many
	ReplyTo         = "replyTo"     // of a message: a map of the message that it answers
	Mentions        = "mentions"    // of a message: a list of user ids
	Reactions       = "reactions"   // of a message: a map of counts; of a member: a set of what they reacted with
	ReactionVersion = "reactionVersion"
	AttachmentIDs   = "attachmentIds" // of a deleted message: whose objects are to go
	Visibility      = "visibility"    // there if the room is public
	PlacedAt        = "placedAt"
	RetentionDays   = "retentionDays" // of a room and its members: for how long messages are kept
	ExpiresAt       = "expiresAt"     // of a last message: the message's ttl, ms; it stays itself
	BannedAt        = "bannedAt"      // of a room: there if anyone was ever banned
	Blocks          = "blocks"        // of a member of a direct message: there if they block the other one
	Blocked         = "blocked"       // there if the other one blocks them
	Notify          = "notify"        // of a member and their read cursor: what they are notified of; absent: all
	NotifyAt        = "notifyAt"      // since when, ms
	By              = "by"
	Until           = "until"
	Reason          = "reason"
	Lat             = "lat" // degrees
	Lon             = "lon"
	Address         = "address"
	StartsAt        = "startsAt"
	EndsAt          = "endsAt"
	Endpoint        = "endpoint" // of a push subscription: a URL
	PushKey         = "p256dh"   // the browser's public key
	PushAuth        = "auth"     // and the secret that it shares
)

// Public is the value of Visibility.
const Public = "public"

// PlaceAttributes are what GSI2 has of a place beside the keys: all that a search shows,
// so that it reads nothing else.
func PlaceAttributes() []string { return []string{Name, Lat, Lon, Address, StartsAt, EndsAt} }

// Key is the primary key of an item.
type Key struct{ PK, SK string }

// Connection is the key of a connection's row.
func Connection(connectionID string) Key { return Key{ConnectionPrefix + connectionID, MetadataKey} }

// Presence is the key of the item that holds all of a user's connections, each
// in an attribute of its own, see PresenceEntry.
func Presence(userID string) Key { return Key{UserPrefix + userID, PresenceKey} }

// Seen is the key of what others are told about whether a user is online.
func Seen(userID string) Key { return Key{UserPrefix + userID, SeenKey} }

// PresenceEntry is the attribute of a connection in its user's presence: a map
// of its ConnectedAt and TTL.
func PresenceEntry(connectionID string) string { return ConnectionPrefix + connectionID }

// PresenceConnection reads the connection id from an attribute's name; false if the
// attribute is not an entry.
func PresenceConnection(attribute string) (connectionID string, ok bool) {
	return cut(attribute, ConnectionPrefix)
}

// PresenceRoom is the attribute of a user's presence that says until when, in seconds
// since 1970, the user's connections are also kept in a room, see Online.
func PresenceRoom(roomID string) string { return RoomPrefix + roomID }

// RoomOfPresence reads the room id from an attribute's name; false if the attribute is
// not a room's.
func RoomOfPresence(attribute string) (roomID string, ok bool) { return cut(attribute, RoomPrefix) }

// Online is the key of a member's connection in a room.
func Online(roomID, userID, connectionID string) Key {
	return Key{RoomPrefix + roomID, OnlinePrefix + userID + "#" + connectionID}
}

// Slice is the key of a part of a large room's fan-out.
func Slice(runID string, n int) Key {
	return Key{FanoutPrefix + runID + "#" + strconv.Itoa(n), SliceKey}
}

// Room is the key of a room's description.
func Room(roomID string) Key { return Key{RoomPrefix + roomID, MetadataKey} }

// Member is the key of a room's member.
func Member(roomID, userID string) Key { return Key{RoomPrefix + roomID, MemberPrefix + userID} }

// Participation is the key of a room in its member's list.
func Participation(userID, roomID string) Key { return Key{UserPrefix + userID, RoomPrefix + roomID} }

// LastMessage is the key of a room's last message.
func LastMessage(roomID string) Key { return Key{RoomPrefix + roomID, LastMessageKey} }

// Sent is the key that makes a client's message id unique for a day.
func Sent(userID, clientMessageID string) Key {
	return Key{UserPrefix + userID, SentPrefix + clientMessageID}
}

// Created is the key that makes a user's creation of a room unique for a day,
// by an idempotency key.
func Created(userID, idempotencyKey string) Key {
	return Key{UserPrefix + userID, CreatedPrefix + idempotencyKey}
}

// Rate is the key of how much of a limit a user has used up, by what it counts, such
// as "connect".
func Rate(userID, action string) Key { return Key{UserPrefix + userID, RatePrefix + action} }

// Profile is the key of a user's profile.
func Profile(userID string) Key { return Key{UserPrefix + userID, ProfileKey} }

// Place is the key of a room's place.
func Place(roomID string) Key { return Key{RoomPrefix + roomID, PlaceKey} }

// Geo is the partition key of the places of a cell of S2 in GSI2.
func Geo(cell string) string { return GeoPrefix + cell }

// Read is the key of a user's read cursor in a room.
func Read(roomID, userID string) Key { return Key{RoomPrefix + roomID, ReadPrefix + userID} }

// Attachment is the key of a file that was announced in a room.
func Attachment(roomID, attachmentID string) Key {
	return Key{RoomPrefix + roomID, AttachmentPrefix + attachmentID}
}

// Typing is the key of the note that a user types in a room.
func Typing(roomID, userID string) Key { return Key{RoomPrefix + roomID, TypingPrefix + userID} }

// Reacted is the key of what a member reacted to a message with.
func Reacted(roomID, messageID, userID string) Key {
	return Key{RoomPrefix + roomID, ReactedTo(messageID) + userID}
}

// ReactedTo begins the sort keys of what members reacted to a message with.
func ReactedTo(messageID string) string { return ReactedPrefix + messageID + "#" }

// Ban is the key of what keeps a user out of a room.
func Ban(roomID, userID string) Key { return Key{RoomPrefix + roomID, BanPrefix + userID} }

// Block is the key of a user's block of another one.
func Block(userID, blocked string) Key { return Key{UserPrefix + userID, BlockPrefix + blocked} }

// Push is the key of a user's push subscription, by a hash of its endpoint.
func Push(userID, id string) Key { return Key{UserPrefix + userID, PushPrefix + id} }

// Report is the key of a user's report of a message.
func Report(roomID, messageID, userID string) Key {
	return Key{RoomPrefix + roomID, ReportOf(messageID) + userID}
}

// ReportOf begins the sort keys of the reports of a message.
func ReportOf(messageID string) string { return ReportPrefix + messageID + "#" }

// UserRooms is the partition key of a user's rooms in GSI1.
func UserRooms(userID string) string { return UserRoomsPrefix + userID }

// Millis renders a time in ms since 1970 with 13 digits, so that times sort as
// text until the year 2286.
func Millis(ms int64) string { return fmt.Sprintf("%013d", ms) }

// Message is the key of a message whose id carries the time ms.
func Message(roomID string, ms int64, messageID string) Key {
	return Key{RoomPrefix + roomID, MessagePrefix + Millis(ms) + "#" + messageID}
}

// Kind is the entity that a key belongs to.
type Kind int

// The entities of the table.
const (
	KindUnknown Kind = iota
	KindConnection
	KindPresence
	KindRoom
	KindMember
	KindParticipation
	KindMessage
	KindLastMessage
	KindSent
	KindSlice
	KindRead
	KindProfile
	KindCreated
	KindRate
	KindAttachment
	KindPlace
	KindOnline
	KindTyping
	KindReacted
	KindSeen
	KindBan
	KindBlock
	KindPush
	KindReport

	kindsEnd // not one of them: a new one comes before it
)

var kindNames = [kindsEnd]string{
	KindUnknown: "unknown", KindConnection: "connection", KindPresence: "presence", KindRoom: "room", KindMember: "member",
	KindParticipation: "participation", KindMessage: "message", KindLastMessage: "lastmessage", KindSent: "sent", KindSlice: "slice",
	KindRead: "read", KindProfile: "profile", KindCreated: "created", KindRate: "rate",
	KindAttachment: "attachment",
	KindPlace:      "place",
	KindOnline:     "online",
	KindTyping:     "typing",
	KindReacted:    "reacted",
	KindSeen:       "seen",
	KindBan:        "ban",
	KindBlock:      "block",
	KindPush:       "push",
	KindReport:     "report",
}

// String names the entity in one lower-case word, for operators and logs.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// Kinds lists the entities.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(kindNames))
	for k := KindUnknown + 1; int(k) < len(kindNames); k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// Identity holds the entity of a key and the ids in it. Fields that the entity does
// not have are empty.
type Identity struct {
	Kind            Kind
	ConnectionID    string
	UserID          string
	Blocked         string // a user's id, of a block
	PushID          string // a hash of a push subscription's endpoint
	RoomID          string
	MessageID       string
	MS              int64 // a message's time
	ClientMessageID string
	IdempotencyKey  string
	Limit           string // the kind of a rate limit
	RunID           string // a fan-out's
	AttachmentID    string
	Slice           int // the number of a part of it
}

// ErrUnknownKey is returned by Parse for a key that no entity has.
var ErrUnknownKey = errors.New("unknown key: want one of the table's entities")

// Parse reads a key back into the ids it was made of. It accepts exactly what
// the constructors above make.
func Parse(k Key) (Identity, error) {
	if id, ok := parse(k); ok {
		return id, nil
	}
	return Identity{}, fmt.Errorf("%w: %q / %q", ErrUnknownKey, k.PK, k.SK)
}

func parse(k Key) (Identity, bool) {
	if connectionID, ok := cut(k.PK, ConnectionPrefix); ok {
		return Identity{Kind: KindConnection, ConnectionID: connectionID}, k.SK == MetadataKey
	}
	if userID, ok := cut(k.PK, UserPrefix); ok {
		return parseUser(userID, k.SK)
	}
	if roomID, ok := cut(k.PK, RoomPrefix); ok {
		return parseRoom(roomID, k.SK)
	}
	if rest, ok := cut(k.PK, FanoutPrefix); ok {
		return parseSlice(rest, k.SK)
	}
	return Identity{}, false
}

func parseSlice(rest, sk string) (Identity, bool) {
	runID, digits, found := strings.Cut(rest, "#")
	n, err := strconv.Atoi(digits)
	ok := found && err == nil && runID != "" && n >= 0 && strconv.Itoa(n) == digits && sk == SliceKey
	return Identity{Kind: KindSlice, RunID: runID, Slice: n}, ok
}

func parseUser(userID, sk string) (Identity, bool) {
	switch sk {
	case PresenceKey:
		return Identity{Kind: KindPresence, UserID: userID}, true
	case SeenKey:
		return Identity{Kind: KindSeen, UserID: userID}, true
	case ProfileKey:
		return Identity{Kind: KindProfile, UserID: userID}, true
	}
	if roomID, ok := cut(sk, RoomPrefix); ok {
		return Identity{Kind: KindParticipation, UserID: userID, RoomID: roomID}, true
	}
	if clientMessageID, ok := cut(sk, SentPrefix); ok {
		return Identity{Kind: KindSent, UserID: userID, ClientMessageID: clientMessageID}, true
	}
	if idempotencyKey, ok := cut(sk, CreatedPrefix); ok {
		return Identity{Kind: KindCreated, UserID: userID, IdempotencyKey: idempotencyKey}, true
	}
	if blocked, ok := cut(sk, BlockPrefix); ok {
		return Identity{Kind: KindBlock, UserID: userID, Blocked: blocked}, true
	}
	if id, ok := cut(sk, PushPrefix); ok {
		return Identity{Kind: KindPush, UserID: userID, PushID: id}, true
	}
	if kind, ok := cut(sk, RatePrefix); ok {
		return Identity{Kind: KindRate, UserID: userID, Limit: kind}, true
	}
	return Identity{}, false
}

func parseRoom(roomID, sk string) (Identity, bool) {
	switch sk {
	case MetadataKey:
		return Identity{Kind: KindRoom, RoomID: roomID}, true
	case LastMessageKey:
		return Identity{Kind: KindLastMessage, RoomID: roomID}, true
	case PlaceKey:
		return Identity{Kind: KindPlace, RoomID: roomID}, true
	}
	if userID, ok := cut(sk, MemberPrefix); ok {
		return Identity{Kind: KindMember, RoomID: roomID, UserID: userID}, true
	}
	if userID, ok := cut(sk, ReadPrefix); ok {
		return Identity{Kind: KindRead, RoomID: roomID, UserID: userID}, true
	}
	if userID, ok := cut(sk, TypingPrefix); ok {
		return Identity{Kind: KindTyping, RoomID: roomID, UserID: userID}, true
	}
	if userID, ok := cut(sk, BanPrefix); ok {
		return Identity{Kind: KindBan, RoomID: roomID, UserID: userID}, true
	}
	if attachmentID, ok := cut(sk, AttachmentPrefix); ok {
		return Identity{Kind: KindAttachment, RoomID: roomID, AttachmentID: attachmentID}, true
	}
	if rest, ok := cut(sk, OnlinePrefix); ok {
		userID, connectionID, found := strings.Cut(rest, "#") // user ids have none
		id := Identity{Kind: KindOnline, RoomID: roomID, UserID: userID, ConnectionID: connectionID}
		return id, found && userID != "" && connectionID != ""
	}
	if rest, ok := cut(sk, ReportPrefix); ok {
		messageID, userID, found := strings.Cut(rest, "#")
		id := Identity{Kind: KindReport, RoomID: roomID, MessageID: messageID, UserID: userID}
		return id, found && messageID != "" && userID != ""
	}
	if rest, ok := cut(sk, ReactedPrefix); ok {
		messageID, userID, found := strings.Cut(rest, "#")
		id := Identity{Kind: KindReacted, RoomID: roomID, MessageID: messageID, UserID: userID}
		return id, found && messageID != "" && userID != ""
	}
	if rest, ok := cut(sk, MessagePrefix); ok {
		digits, messageID, found := strings.Cut(rest, "#")
		ms, err := strconv.ParseInt(digits, 10, 64)
		ok := found && err == nil && messageID != "" && Millis(ms) == digits
		return Identity{Kind: KindMessage, RoomID: roomID, MessageID: messageID, MS: ms}, ok
	}
	return Identity{}, false
}

// cut removes prefix from a key and refuses an empty remainder.
func cut(key, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	return rest, ok && rest != ""
}
