package chat

import (
	"cmp"
	"slices"
	"time"
)

// Limits of rooms and messages.
const (
	MaxContent       = 16_384 // bytes of a message's content
	MaxRoomName      = 100    // characters
	MaxInitialMember = 48     // members named at a room's creation; with the creator they fit one transaction
	MaxPreview       = 140    // characters of a last message's preview
	MaxDisplayName   = 64     // characters of a user's name
	MaxMarks         = 8      // combining marks on one character of a name; no language has more
	MaxUnread        = 100    // unread messages that are counted
	MaxAttachments   = 10     // files of a message
	MaxFileName      = 200    // bytes of a file's name
	MaxAddress       = 200    // characters of a place's address
	MaxMentions      = 20     // users whom a message mentions
	MaxReaction      = 35     // bytes of a reaction: the longest of Unicode's emoji, a kiss of two skin tones
	MaxReactionKinds = 20     // reactions to a message that differ
)

// The cost of read receipts grows with the square of a room's members, so large
// rooms have fewer of them.
const (
	// SmallRoom is the largest number of members with which a room sends every read
	// to all of them.
	SmallRoom = 20
	// CountedReaders is the largest number of members with which a room's history
	// names the readers of a message, by their read cursors.
	CountedReaders = 100
)

// A connection's life. API Gateway ends every connection at two hours.
const (
	ConnectionLife = 2*time.Hour + 5*time.Minute
	TokenGrace     = 60 * time.Second // how long a connection is served after its token's end
	TokenLeeway    = 30 * time.Second // clock skew allowed between us and who signed the token
)

// CloseWithin is how soon the socket of a connection is closed that is marked as ended: fanout
// learns of it within a second, and tries to close it for another one. A frame that comes
// later shows that it could not.
const CloseWithin = 10 * time.Second

// MaxConnections is how many connections a user has at most. Another one replaces
// the oldest.
const MaxConnections = 20

// The numbers of members above which a room may itself keep the connections of its members,
// which each message reads instead of each member's presence.
const (
	IndexAbove     = 4  // while it is busy, as a smaller one would save too little
	LongIndexAbove = 50 // for days
)

// A room that is busy, but not large, has its members' connections for BusyLease from one
// message of BusyEvery whose predecessor came within BusyWithin before it. See
// docs/adr/0020 for when that pays.
const (
	BusyEvery  = 32
	BusyWithin = 20 * time.Second
	BusyLease  = 2 * time.Hour
)

// MaxIndexedRooms is in how many rooms the connections of a user are kept: each costs two
// write units for a connection. In further ones the user's presence is read.
const MaxIndexedRooms = 10

// SentMemory is how long a client message id is remembered.
const SentMemory = 24 * time.Hour

// OrderInterval is how often a room moves up in its members' lists by default: those
// stand at a message at most so much older than its last.
const OrderInterval = 3 * time.Minute

// Connection is one device's open WebSocket.
type Connection struct {
	ID             string
	UserID         string
	ConnectedAt    int64 // ms, from API Gateway's event
	TokenExpiresAt int64 // ms
	ReplacedAt     int64 // ms; 0: it has neither been replaced nor ended

	// Replaces names another connection, whose client has opened this one before it
	// ends; "" for none. It is not stored.
	Replaces string

	// Flooded is set with ReplacedAt if too many refused frames have ended the
	// connection.
	Flooded bool

	// Disconnected is set with ReplacedAt if a service or an operator has ended the
	// connection.
	Disconnected bool

	// Banned is set with ReplacedAt if a ban of its user has ended the connection: its
	// client opens another one.
	Banned bool
}

// ExpiresAt is the time, in ms, from which reads ignore the connection's rows,
// however late they are deleted.
func (c Connection) ExpiresAt() int64 {
	return min(c.EndsAt(), c.TokenExpiresAt+TokenGrace.Milliseconds())
}

// EndsAt is the time, in ms, by which the socket is over, whatever its token. Until then
// the row stays, by which frames that are refused are counted and the socket is closed.
func (c Connection) EndsAt() int64 { return c.ConnectedAt + ConnectionLife.Milliseconds() }

// Excess returns which of a user's connections, c among them, are more than
// MaxConnections when c begins: the one that c replaces, then the oldest.
func (c Connection) Excess(present []Connection) []Connection {
	others := slices.DeleteFunc(slices.Clone(present), func(other Connection) bool { return other.ID == c.ID })
	slices.SortStableFunc(others, func(a, b Connection) int {
		switch c.Replaces {
		case a.ID:
			return -1
		case b.ID:
			return 1
		}
		return cmp.Or(cmp.Compare(a.ConnectedAt, b.ConnectedAt), cmp.Compare(b.ID, a.ID))
	})
	return others[:min(max(len(present)-MaxConnections, 0), len(others))]
}

// RoomType is the kind of a room.
type RoomType string

// The types of rooms.
const (
	Group  RoomType = "group"
	Direct RoomType = "dm" // two members, who never change; no name
)

// Role gives a member rights in a room.
type Role string

// The roles of members.
const (
	Owner       Role = "owner"     // may do everything
	Moderator   Role = "moderator" // keeps order, see rights
	PlainMember Role = "member"

	// Service is that of a service in every room. It is stored nowhere: as a member a
	// service has one of the others.
	Service Role = "service"
)

// Roles are those that members may have, from the highest rank to the lowest.
var Roles = []Role{Owner, Moderator, PlainMember}

// Room is a chat room.
type Room struct {
	ID          string
	Name        string
	Type        RoomType
	CreatedBy   string // user id; "" for a room without a creator, which has no owner
	CreatedAt   int64
	MemberCount int
	RenamedAt   int64  // 0: never
	Invited     string // the user with whom CreatedBy made a dm; "" in those that were stored before this was
	Public      bool   // anyone may read the description and join
	BannedAt    int64  // when someone was banned last, ms; 0: no one ever was
	PlacedAt    int64  // when its place was set, ms; 0: it has none. The place may have ended

	// RetentionDays is for how many days its messages are kept at most; 0: it says nothing.
	RetentionDays int
}

// Other returns the other member of a direct message than a user; "" if the room
// doesn't tell.
func (r Room) Other(userID string) string {
	switch {
	case r.Type != Direct:
		return ""
	case r.CreatedBy == userID:
		return r.Invited
	}
	return r.CreatedBy
}

// Member is a user in a room.
type Member struct {
	UserID   string
	Role     Role
	JoinedAt int64

	MutedUntil int64 // ms, from when they may speak; 0: they are not muted

	// PausedUntil is until when, in ms, they have spent their limit over time, as what they
	// did in this room has shown: a limit that instances of functions know by what they
	// count, and may know late; 0: never.
	PausedUntil int64
	ChangedAt   int64 // when the role or MutedUntil changed last, ms; 0: never

	// In a direct message: the other member blocks this one, or this one the other.
	Blocked, Blocks bool

	Notify   Notify
	NotifyAt int64 // since when, ms; 0: never chosen

	// RetentionDays is the room's, kept here for sends, which read no more than the member.
	RetentionDays int

	// IndexedUntil is until when the room itself has the member's connections, in seconds
	// since 1970; negative: until when that is not to be tried; 0: neither.
	IndexedUntil int64
}

// IsMuted reports whether a member may not speak at a time, in ms.
func (m Member) IsMuted(now int64) bool { return now < m.MutedUntil }

// Participant is a member with their display name and read cursor.
type Participant struct {
	Member
	ReadFrom    string // message id: what they have read is after it; "": from the first message
	ReadUpTo    string // message id; "": nothing since they joined
	ReadSince   string // of their ReadCursor, as ReadKnown
	ReadKnown   string
	DisplayName string // "": none
}

// Message is a message of a room. Its id is a ULID that carries SentAt. A deleted
// one keeps its sender and its times. Its Origin is sent it all the same if another
// message than Previous has turned out to be the one before it.
type Message struct {
	RoomID          string
	ID              string
	SenderID        string
	Content         string
	SentAt          int64
	ClientMessageID string
	Origin          string   // the connection that sent it and is not to be sent it; "": none
	Previous        string   // the id that the ack to Origin named as the one before, or NoneBefore; "": it named none
	ReadBy          []string // in a room's history alone: see Histories.Read
	EditedAt        int64    // 0: never
	DeletedAt       int64    // 0: never
	DeletedBy       string   // who deleted another one's message; "": its sender
	ExpiresAt       int64    // ms, in whole seconds: from when it is no longer there; 0: never

	Attachments []File   // none in a deleted message
	Removed     []string // the ids of those that a deleted message had

	ReplyTo  *Quote   // the message that it answers; nil: none, or it is deleted
	Mentions []string // the users whom it mentions, each once; none in a deleted message

	Reactions Reactions
}

// Quote is the beginning of a message as it was when another one answered it. It stays so
// when that message is edited or deleted. Its preview is empty if that message was deleted
// by then, or has attachments alone.
type Quote struct {
	Quoted
	ExpiresAt int64 // the quoted message's, from when the preview is not shown
}

// Quoted is what readers see of a message that another one answers.
type Quoted struct {
	MessageID   string
	SenderID    string
	Preview     string // as LastMessage's
	Attachments int    // how many
}

// Shown is what readers see of a quote; nil for none.
func (q *Quote) Shown() *Quoted {
	if q == nil {
		return nil
	}
	return &q.Quoted
}

// Quote returns what those who answer m quote of it.
func (m Message) Quote() *Quote {
	p := m.Preview()
	return &Quote{Quoted{p.MessageID, p.SenderID, p.Preview, p.Attachments}, p.ExpiresAt}
}

// NoneBefore stands for the id of the message before a room's first: the least id.
const NoneBefore = "00000000000000000000000000"

// Version is the time of the last change, 0 if there was none. It rises with each
// change even if clocks differ, so it orders any two states of a message.
func (m Message) Version() int64 { return max(m.EditedAt, m.DeletedAt) }

// Weight is as how many the send of the message counts over time.
func (m Message) Weight() int { return weight(len(m.Content), len(m.Attachments)) }

// LastMessage is the beginning of a room's newest message. Its preview ends
// where what is read as one character ends.
type LastMessage struct {
	MessageID string
	SenderID  string
	Preview   string
	SentAt    int64
	DeletedAt int64 // 0: never
	Version   int64 // the message's
	ExpiresAt int64 // the message's

	Attachments int // how many

	// OrderedAt is the time of the message for which the room was last moved up in its
	// members' room lists, in ms; 0: that is not known, or a member has hidden it since.
	OrderedAt int64
}

// Preview returns the last-message entry of m.
func (m Message) Preview() LastMessage {
	return LastMessage{
		MessageID: m.ID, SenderID: m.SenderID, Preview: Beginning(m.Content, MaxPreview), SentAt: m.SentAt,
		DeletedAt: m.DeletedAt, Version: m.Version(), Attachments: len(m.Attachments), ExpiresAt: m.ExpiresAt,
	}
}

// Person is a user with their display name, "" if they have none.
type Person struct{ UserID, DisplayName string }

// RoomSummary is a room in a user's list. Last is nil if there is no message.
type RoomSummary struct {
	Room   Room
	With   Person // the other member of a direct message; zero in a group
	SortAt int64  // the room's place in the list, ms: the last message's, or the room's creation
	Last   *LastMessage

	Notify   Notify // the user's, as NotifyAt
	NotifyAt int64
	ReadUpTo string // the user's read cursor, a message id; "": none
	Unread   int    // messages of others after the read cursor, at most MaxUnread
	Mentions int    // those of them that mention the user

	// UnreadMore says that counting ended before the newest message: Unread is what
	// was counted until then, at least 1.
	UnreadMore bool
}
