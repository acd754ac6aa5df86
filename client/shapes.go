package client

import "github.com/streamroom/streamroom/shared/wire"

// Ack is the server's answer to a message that it has stored:
//
//	Type            string // always "ack"
//	ChatRoomID      string
//	MessageID       string // a ULID: ids sort by when messages were stored
//	Timestamp       int64  // when, in ms since 1970
//	ClientMessageID string // which Send it was
//	Duplicate       bool   // an earlier attempt had stored it
//
//	PreviousMessageID *string // the message before it, nil where that is not known
//	Content           *string // what a review had stored instead of what was sent; nil: none
//
//	// As they are stored, and not known if Duplicate.
//	ReplyTo   *Quote // the message that it answers; nil: none
//	ExpiresAt int64  // from when on no one can read it, in ms since 1970; 0: never
type Ack = wire.Ack

// RoomRequest describes the room to create:
//
//	Name    string   // none for a direct message
//	Type    string   // "group" or "dm"
//	Members []string // user ids: at most 48, without one's own; one for a "dm"
//
//	Visibility   string // "public": anyone may join; "" or "private": those who are added
//	OnlySignedIn bool   // refuse members who have never signed in: see CodeNeverSignedIn
type RoomRequest = wire.RoomRequest

// Room is a room and one page of its members:
//
//	ChatRoomID  string
//	Name        string // a direct message has none
//	Type        string // "group" or "dm"
//	MemberCount int
//	Visibility  string       // "public", or empty: private
//	RetentionDays int        // how long new messages are kept; 0: forever
//	Place       *Place       // where it meets, given by Client.Room only; nil: nowhere
//	Role        string       // one's own, "owner", "moderator" or "member", given by Client.Room only, as the next two
//	MutedUntil  int64        // ms since 1970, from when one may speak; 0: one is not muted
//	ChangedAt   int64        // when one of both changed last, ms since 1970; 0: never
//	Notify      string       // what one is notified of: NotifyMentions or NotifyNone; empty: NotifyAll. By Client.Room only
//	NotifyAt    int64        // since when, ms since 1970; 0: it was never chosen
//	Members     []RoomMember // one page, given by Client.Room only
//	Cursor      string       // where they go on; empty: these were the last
//
//	NeverSignedIn []string // given by CreateRoom only: members who have never signed in
type Room = wire.Room

// Place is where a public room meets, and when:
//
//	Lat      float64 // degrees north
//	Lon      float64 // degrees east
//	Address  string  // at most 200 characters; empty: none
//	StartsAt int64   // ms since 1970, 0: no time
//	EndsAt   int64   // ms since 1970, after which the room has no place; 0: never
type Place = wire.Place

// NearbyList is one page of the public rooms around a point:
//
//	Rooms   []NearbyRoom // nearest first
//	Cursor  string       // where they go on; empty: these were the last
//	Limited bool         // there are more farther away, found by a search around another point
type NearbyList = wire.NearbyList

// NearbyRoom is a public room at a distance from the point that was searched around:
//
//	ChatRoomID string
//	Name       string
//	Distance   float64 // metres
//	Place      Place
type NearbyRoom = wire.NearbyRoom

// RoomMember is a member of a room:
//
//	UserID      string
//	Role        string // RoleOwner, RoleModerator or RoleMember
//	JoinedAt    int64  // ms since 1970
//	MutedUntil  int64  // ms since 1970, 0: not muted
//	ChangedAt   int64  // when one of both changed last, ms since 1970; 0: never
//	ReadFrom    string // the id after which they have read, since they joined later; empty: from the first one
//	ReadUpTo    string // the id of the last message that they have read; empty: none
//	ReadSince   string // as Read.Since
//	ReadKnown   string // as Read.Known
//	DisplayName string // empty: they have none
//	Online      bool   // in rooms of at most 20 members, unless the user hides it
//	LastSeenAt  int64  // ms since 1970, if not online; 0: not known
type RoomMember = wire.RoomMember

// RoomList is one page of the user's rooms:
//
//	Rooms  []RoomSummary // newest message first
//	Cursor string        // where they go on; empty: these were the last
type RoomList = wire.RoomList

// RoomSummary is a room in the user's list:
//
//	ChatRoomID    string
//	Name          string       // a direct message has none
//	Type          string       // "group" or "dm"
//	With          *Person      // the other user of a direct message; nil in a group
//	LastMessageAt int64        // ms since 1970; the room's creation where there is no message
//	LastMessage   *LastMessage // nil: there is none
//	Notify        string       // what the user is notified of: NotifyMentions or NotifyNone; empty: NotifyAll
//	NotifyAt      int64        // since when, ms since 1970; 0: it was never chosen
//	ReadUpTo      string       // the user's read cursor, a message id; empty: none
//	Unread        int          // messages of others that the user has not read, at most 100
//	UnreadMore    bool         // there may be more than these
//	Mentions      int          // those of the unread messages that mention the user
type RoomSummary = wire.RoomSummary

// Person is another user:
//
//	UserID      string
//	DisplayName string // empty: none
//	Online      bool   // unless the user hides it
//	LastSeenAt  int64  // ms since 1970, if not online; 0: not known
type Person = wire.Person

// LastMessage is the beginning of a room's newest message:
//
//	MessageID string
//	SenderID  string
//	Preview   string // at most 140 characters
//	Timestamp int64  // ms since 1970
//	EditedAt  int64  // ms since 1970, 0: never
//	DeletedAt int64  // ms since 1970, 0: it was not deleted
//
//	Attachments int // how many it has
type LastMessage = wire.LastMessage

// Me is the user:
//
//	UserID      string
//	DisplayName string // empty: none
//	Presence    string // "hidden" if others don't learn whether they are online; else empty
type Me = wire.Me

// ChangedMember is a member of a room after a change:
//
//	UserID     string
//	Role       string // RoleOwner, RoleModerator or RoleMember
//	MutedUntil int64  // ms since 1970, 0: not muted
//	ChangedAt  int64  // ms since 1970, 0: never
type ChangedMember = wire.ChangedMember

// Notify is what the user is notified of in a room:
//
//	Notify   string // NotifyAll, NotifyMentions or NotifyNone
//	NotifyAt int64  // since when, ms since 1970; 0: it was never chosen
type Notify = wire.Notify

// Ban keeps a user out of a room:
//
//	UserID string
//	By     string // who made it
//	At     int64  // ms since 1970
//	Until  int64  // ms since 1970, 0: without an end
//	Reason string // empty: none
type Ban = wire.Ban

// Report is what a user says against a message:
//
//	MessageID string
//	SenderID  string // the message's
//	UserID    string // who reported it
//	At        int64  // ms since 1970
//	Reason    string // empty: none
type Report = wire.Report

// ReportList is one page of a room's reports:
//
//	Reports []Report // of the newest messages first
//	Cursor  string   // where they go on; empty: these were the last
type ReportList = wire.ReportList

// BanList is one page of a room's bans:
//
//	Bans   []Ban
//	Cursor string // where they go on; empty: these were the last
type BanList = wire.BanList

// BlockList is one page of whom the user blocks:
//
//	Blocks []Block
//	Cursor string // where they go on; empty: these were the last
type BlockList = wire.BlockList

// Block is a user whom this one blocks:
//
//	UserID string
//	At     int64 // since when, ms since 1970
type Block = wire.Block

// RoomPresence is who is online in a room, and when others were, without those who hide it:
//
//	Online  int // how many
//	Users   []Sighting
//	Limited bool // the room has more members than the 100 who were looked up
type RoomPresence = wire.RoomPresence

// Sighting is whether a user is online, or when they were:
//
//	UserID     string
//	Online     bool
//	LastSeenAt int64 // ms since 1970, if not online
type Sighting = wire.Sighting

// History is one page of a room's messages:
//
//	Messages []HistoryMessage
//	Cursor   string // where they go on; empty: these were the last
type History = wire.History

// HistoryMessage is a stored message:
//
//	ChatRoomID string
//	MessageID  string   // a ULID: ids sort by when messages were stored
//	SenderID   string   // a user id
//	Content    string   // empty if it was deleted, or has attachments only
//	Timestamp  int64    // when it was stored, in ms since 1970
//	ReadBy     []string // user ids
//	EditedAt   int64    // ms since 1970, 0: never
//	DeletedAt  int64    // ms since 1970, 0: it was not deleted
//	DeletedBy  string   // who moderates the room and deleted it; empty: its sender
//
//	ClientMessageID string // which send of this user's it was
//	Attachments     []Attachment
//	ReplyTo         *Quote // the message that it answers; nil: none
//	Mentions        []string // ids of the users whom it mentions
//	ExpiresAt       int64      // from when on no one can read it, in ms since 1970; 0: never
//	Reactions       *Reactions // what members reacted with; nil: not known, or nothing yet
type HistoryMessage = wire.HistoryMessage

// Quote is the beginning of the message that another one answers, as it was then:
//
//	MessageID   string
//	SenderID    string
//	Preview     string // at most 140 characters; empty if it was deleted, or had attachments only
//	Attachments int    // how many it had
type Quote = wire.Quote

// Attachment is a file of a message:
//
//	AttachmentID string
//	Name         string // safe to show, and to save under
//	ContentType  string // as its sender says, such as "image/png"
//	Size         int64  // bytes
//	Width        int    // pixels of a picture or a video, as its sender says; 0: unknown
//	Height       int
type Attachment = wire.Attachment
