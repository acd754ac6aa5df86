package wire

// RoomRequest creates a room.
type RoomRequest struct {
	Name    string   `json:"name,omitempty"`
	Type    string   `json:"type"` // "group" or "dm"
	Members []string `json:"members,omitempty"`

	Visibility string `json:"visibility,omitempty"` // Public or Private; "": private

	// OnlySignedIn has the request refused if one of the members has never signed in.
	OnlySignedIn bool `json:"onlySignedIn,omitempty"`
}

// MemberRequest adds a member to a room; OnlySignedIn as in RoomRequest.
type MemberRequest struct {
	UserID       string `json:"userId"`
	OnlySignedIn bool   `json:"onlySignedIn,omitempty"`
}

// MemberChange gives a member another role, mutes them, or both. What is nil stays.
type MemberChange struct {
	Role       *string `json:"role,omitempty"`       // owner, moderator or member
	MutedUntil *int64  `json:"mutedUntil,omitempty"` // ms since 1970, 0: not muted
}

// ChangedMember is a member after a MemberChange.
type ChangedMember struct {
	UserID     string `json:"userId"`
	Role       string `json:"role"`
	MutedUntil int64  `json:"mutedUntil,omitempty"` // ms since 1970, 0: not muted
	ChangedAt  int64  `json:"changedAt,omitempty"`  // ms since 1970, 0: never
}

// BanRequest keeps a user out of a room.
type BanRequest struct {
	Until  int64  `json:"until,omitempty"`  // ms since 1970, 0: without an end
	Reason string `json:"reason,omitempty"` // at most 500 characters
}

// Ban keeps a user out of a room.
type Ban struct {
	UserID string `json:"userId"`
	By     string `json:"by"`
	At     int64  `json:"at"`              // ms since 1970
	Until  int64  `json:"until,omitempty"` // ms since 1970, 0: without an end
	Reason string `json:"reason,omitempty"`
}

// ReportRequest says what is wrong with a message.
type ReportRequest struct {
	Reason string `json:"reason,omitempty"` // at most 500 characters
}

// Report is what a user says against a message.
type Report struct {
	MessageID string `json:"messageId"`
	SenderID  string `json:"senderId"` // the message's
	UserID    string `json:"userId"`   // who reported it
	At        int64  `json:"at"`       // ms since 1970
	Reason    string `json:"reason,omitempty"`
}

// ReportList is one page of a room's reports, those of the newest messages first.
type ReportList struct {
	Reports []Report `json:"reports"`
	Cursor  string   `json:"cursor,omitempty"`
}

// BanList is one page of a room's bans, by user id.
type BanList struct {
	Bans   []Ban  `json:"bans"`
	Cursor string `json:"cursor,omitempty"`
}

// Block is a user whom the caller blocks.
type Block struct {
	UserID string `json:"userId"`
	At     int64  `json:"at"` // ms since 1970
}

// BlockList is one page of whom the caller blocks, by user id.
type BlockList struct {
	Blocks []Block `json:"blocks"`
	Cursor string  `json:"cursor,omitempty"`
}

// PushKey is the key that browsers subscribe to Web Push with, base64url.
type PushKey struct {
	PublicKey string `json:"publicKey"`
}

// PushSubscription is a browser's, as its toJSON has it.
type PushSubscription struct {
	Endpoint       string   `json:"endpoint"`
	ExpirationTime *float64 `json:"expirationTime,omitempty"` // ms, which browsers send; not used
	Keys           PushKeys `json:"keys"`
}

// PushKeys are a browser's, base64url.
type PushKeys struct {
	P256dh string `json:"p256dh"`
	Auth   string `json:"auth"`
}

// PushEndpoint names a subscription.
type PushEndpoint struct {
	Endpoint string `json:"endpoint"`
}

// AddedMember is who was added to a room.
type AddedMember struct {
	UserID        string   `json:"userId"`
	NeverSignedIn []string `json:"neverSignedIn,omitempty"` // this user, if they have not
}

// NameRequest renames a room.
type NameRequest struct {
	Name string `json:"name"`
}

// The visibilities of a room.
const (
	Public  = "public"  // anyone may read the description and join
	Private = "private" // members only
)

// RoomChange gives a room what it names.
type RoomChange struct {
	Name          *string `json:"name,omitempty"`
	Visibility    *string `json:"visibility,omitempty"`
	RetentionDays *int    `json:"retentionDays,omitempty"` // 0: no bound of the room's own
}

// PlaceRequest gives a room a place; Lat and Lon are required.
type PlaceRequest struct {
	Lat      *float64 `json:"lat"` // as in Place
	Lon      *float64 `json:"lon"`
	Address  string   `json:"address,omitempty"`
	StartsAt int64    `json:"startsAt,omitempty"`
	EndsAt   int64    `json:"endsAt,omitempty"`
}

// Place is where a public room meets, and when.
type Place struct {
	Lat      float64 `json:"lat"` // degrees, 7 decimals
	Lon      float64 `json:"lon"`
	Address  string  `json:"address,omitempty"`
	StartsAt int64   `json:"startsAt,omitempty"` // ms since 1970, 0: no time
	EndsAt   int64   `json:"endsAt,omitempty"`   // ms since 1970, 0: never
}

// NearbyList is one page of public rooms around a point, nearest first.
type NearbyList struct {
	Rooms   []NearbyRoom `json:"rooms"`
	Cursor  string       `json:"cursor,omitempty"`
	Limited bool         `json:"limited,omitempty"` // there are more, which the search doesn't reach
}

// NearbyRoom is a public room at a distance.
type NearbyRoom struct {
	ChatRoomID string  `json:"chatRoomId"`
	Name       string  `json:"name"`
	Distance   float64 `json:"distance"` // metres
	Place      Place   `json:"place"`
}

// NotifyRequest sets what the caller is notified of in a room while they are offline.
type NotifyRequest struct {
	Notify string `json:"notify"` // "all", "mentions" or "none"
}

// Notify is what the caller is notified of in a room.
type Notify struct {
	Notify   string `json:"notify"`             // "all", "mentions" or "none"
	NotifyAt int64  `json:"notifyAt,omitempty"` // since when, ms since 1970, 0: it was never chosen
}

// ReadRequest moves the caller's read cursor.
type ReadRequest struct {
	UpTo string `json:"upTo"` // message id
}

// SendRequest sends a message, as a ClientFrame with the action ActionSendMessage does.
type SendRequest struct {
	Content         string   `json:"content"`
	ClientMessageID string   `json:"clientMessageId,omitempty"`
	Attachments     []string `json:"attachments,omitempty"` // ids
	ReplyTo         string   `json:"replyTo,omitempty"`     // id of a message of the room
	Mentions        []string `json:"mentions,omitempty"`    // ids of members of the room
}

// Sent answers a SendRequest, as an Ack does: the message is stored.
type Sent struct {
	ChatRoomID      string `json:"chatRoomId"`
	MessageID       string `json:"messageId"`
	SenderID        string `json:"senderId"`
	Timestamp       int64  `json:"timestamp"` // ms since 1970
	ClientMessageID string `json:"clientMessageId,omitempty"`
	Duplicate       bool   `json:"duplicate"`

	Content *string `json:"content,omitempty"` // that is stored instead of what was sent; nil: none
}

// Disconnected says how many connections of a user were ended.
type Disconnected struct {
	Connections int `json:"connections"`
}

// EditRequest gives a message new content.
type EditRequest struct {
	Content  string    `json:"content"`
	Mentions *[]string `json:"mentions,omitempty"` // nil: they stay
}

// ReactionRequest reacts to a message.
type ReactionRequest struct {
	Reaction string `json:"reaction"` // one emoji, or a name such as :tada:
}

// NameChange gives the caller a display name, "" removes it, or hides or shows whether
// they are online. One of both is required.
type NameChange struct {
	DisplayName *string `json:"displayName,omitempty"`
	Presence    *string `json:"presence,omitempty"` // PresenceShown or PresenceHidden
}

// Values of presence.
const (
	PresenceShown  = "shown"
	PresenceHidden = "hidden"
)

// Me is the caller.
type Me struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName,omitempty"`
	Presence    string `json:"presence,omitempty"` // PresenceHidden, or "": shown
}

// ProfilesRequest names the users whose profiles are asked for.
type ProfilesRequest struct {
	Users []string `json:"users"`
}

// Profiles holds profiles by user id. Users without one are left out.
type Profiles struct {
	Profiles map[string]Profile `json:"profiles"`
}

// Profile is the public part of a user.
type Profile struct {
	DisplayName string `json:"displayName"`
}

// Room describes a room. Members is one page of them; a stranger gets none.
type Room struct {
	ChatRoomID  string `json:"chatRoomId"`
	Name        string `json:"name,omitempty"`
	Type        string `json:"type"`
	MemberCount int    `json:"memberCount"`
	Visibility  string `json:"visibility,omitempty"` // Public, or "": private
	Place       *Place `json:"place,omitempty"`      // beside Members
	// RetentionDays is how long new messages are kept; 0: forever.
	RetentionDays int          `json:"retentionDays,omitempty"`
	Role          string       `json:"role,omitempty"`       // the reader's own, beside Members, as the next two
	MutedUntil    int64        `json:"mutedUntil,omitempty"` // ms since 1970, 0: not muted
	ChangedAt     int64        `json:"changedAt,omitempty"`  // when one of both changed last, ms since 1970
	Notify        string       `json:"notify,omitempty"`     // the reader's own, too, as the next: "mentions" or "none", "": all
	NotifyAt      int64        `json:"notifyAt,omitempty"`   // since when, ms since 1970
	Members       []RoomMember `json:"members,omitzero"`
	Cursor        string       `json:"cursor,omitempty"`

	// NeverSignedIn is in the answer to a RoomRequest: those of its members.
	NeverSignedIn []string `json:"neverSignedIn,omitempty"`
}

// RoomMember is a member of a room.
type RoomMember struct {
	UserID      string `json:"userId"`
	Role        string `json:"role"`
	JoinedAt    int64  `json:"joinedAt"`             // ms since 1970
	MutedUntil  int64  `json:"mutedUntil,omitempty"` // ms since 1970, 0: not muted
	ChangedAt   int64  `json:"changedAt,omitempty"`  // when one of both changed last, ms since 1970
	ReadFrom    string `json:"readFrom,omitempty"`   // message id, the newest one when they joined; "": all
	ReadUpTo    string `json:"readUpTo,omitempty"`   // message id
	ReadSince   string `json:"readSince,omitempty"`  // as Read.Since
	ReadKnown   string `json:"readKnown,omitempty"`  // as Read.Known
	DisplayName string `json:"displayName,omitempty"`

	Online     bool  `json:"online,omitempty"`     // in rooms of at most 20 members, unless the user hides it
	LastSeenAt int64 `json:"lastSeenAt,omitempty"` // ms since 1970, if not online
}

// RoomList is one page of a user's rooms, newest message first.
type RoomList struct {
	Rooms  []RoomSummary `json:"rooms"`
	Cursor string        `json:"cursor,omitempty"`
}

// RoomSummary is a room in a user's list.
type RoomSummary struct {
	ChatRoomID    string       `json:"chatRoomId"`
	Name          string       `json:"name,omitempty"`
	Type          string       `json:"type"`
	With          *Person      `json:"with,omitempty"` // the other member of a dm
	LastMessageAt int64        `json:"lastMessageAt"`  // ms since 1970; the room's creation if there is no message
	LastMessage   *LastMessage `json:"lastMessage,omitempty"`
	Notify        string       `json:"notify,omitempty"`     // the caller's: "mentions" or "none", "": all
	NotifyAt      int64        `json:"notifyAt,omitempty"`   // since when, ms since 1970
	ReadUpTo      string       `json:"readUpTo,omitempty"`   // the caller's read cursor, a message id
	Unread        int          `json:"unread"`               // messages of others after the read cursor, at most 100
	UnreadMore    bool         `json:"unreadMore,omitempty"` // counting ended early: unread is a lower bound
	Mentions      int          `json:"mentions,omitempty"`   // those of the unread messages that mention the caller
}

// Person is a user, and what they are called.
type Person struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName,omitempty"`
	Online      bool   `json:"online,omitempty"`
	LastSeenAt  int64  `json:"lastSeenAt,omitempty"` // ms since 1970, if not online
}

// RoomPresence is who is online in a room, and when others were, of its first 100 members
// by id who do not hide it.
type RoomPresence struct {
	Online  int        `json:"online"`
	Users   []Sighting `json:"users"`
	Limited bool       `json:"limited,omitempty"` // the room has more members
}

// Sighting is whether a user is online, or when they were.
type Sighting struct {
	UserID     string `json:"userId"`
	Online     bool   `json:"online,omitempty"`
	LastSeenAt int64  `json:"lastSeenAt,omitempty"` // ms since 1970, if not online
}

// LastMessage is the beginning of a room's newest message.
type LastMessage struct {
	MessageID string `json:"messageId"`
	SenderID  string `json:"senderId"`
	Preview   string `json:"preview"` // at most 140 characters, a few less rather than half of what is read as one
	Timestamp int64  `json:"timestamp"`
	EditedAt  int64  `json:"editedAt,omitempty"`  // ms since 1970, 0: never
	DeletedAt int64  `json:"deletedAt,omitempty"` // ms since 1970; a deleted message has no preview

	Attachments int `json:"attachments,omitempty"` // how many
}

// HistoryMessage is a stored message.
type HistoryMessage struct {
	ChatRoomID string   `json:"chatRoomId"`
	MessageID  string   `json:"messageId"`
	SenderID   string   `json:"senderId"`
	Content    string   `json:"content,omitempty"`
	Timestamp  int64    `json:"timestamp"` // ms since 1970
	ReadBy     []string `json:"readBy,omitempty"`
	EditedAt   int64    `json:"editedAt,omitempty"`
	DeletedAt  int64    `json:"deletedAt,omitempty"`
	DeletedBy  string   `json:"deletedBy,omitempty"` // who moderates the room; "": its sender

	ClientMessageID string       `json:"clientMessageId,omitempty"` // of a message of the reader's own
	Attachments     []Attachment `json:"attachments,omitempty"`
	ReplyTo         *Quote       `json:"replyTo,omitempty"`
	Mentions        []string     `json:"mentions,omitempty"`  // user ids
	ExpiresAt       int64        `json:"expiresAt,omitempty"` // ms since 1970; 0: never
	Reactions       *Reactions   `json:"reactions,omitempty"` // nil: there was none yet
}

// AttachmentRequest announces a file. Width and Height are those of a picture or a
// video, both or neither.
type AttachmentRequest struct {
	Name        string `json:"name"`
	ContentType string `json:"contentType"`
	Size        int64  `json:"size"` // bytes
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
}

// AnnouncedAttachment says how to upload a file, until ExpiresAt.
type AnnouncedAttachment struct {
	AttachmentID string `json:"attachmentId"`
	Upload       Upload `json:"upload"`
	ExpiresAt    int64  `json:"expiresAt"` // ms since 1970
}

// Upload is a form to POST as multipart/form-data: the fields, then the file as the
// field "file".
type Upload struct {
	URL    string            `json:"url"`
	Fields map[string]string `json:"fields"`
}

// Download is where a file can be read by GET, without a token, until ExpiresAt.
type Download struct {
	URL       string `json:"url"`
	ExpiresAt int64  `json:"expiresAt"` // ms since 1970
}

// History is one page of a room's messages.
type History struct {
	Messages []HistoryMessage `json:"messages"`
	Cursor   string           `json:"cursor,omitempty"`
}

// SyncRequest names, for each room, the last message before which the client misses
// none.
type SyncRequest struct {
	Rooms map[string]string `json:"rooms"`
}

// SyncResponse has the messages after those, for each room that the caller is a
// member of.
type SyncResponse struct {
	Rooms map[string]SyncRoom `json:"rooms"`
}

// SyncRoom has the messages that a client missed in one room, oldest first. More
// is set if there are later ones.
type SyncRoom struct {
	Messages []HistoryMessage `json:"messages"`
	More     bool             `json:"more"`
}

// Problem is an error of the HTTP API, as application/problem+json (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`

	NeverSignedIn []string `json:"neverSignedIn,omitempty"` // with the code never_signed_in
	RetryAfter    int64    `json:"retryAfter,omitempty"`    // ms, with the code rate_limited
	Until         int64    `json:"until,omitempty"`         // ms since 1970, with the codes muted and banned
}
