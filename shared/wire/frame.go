// Package wire defines the JSON of the protocol: WebSocket frames in this file,
// HTTP bodies in http.go. docs/protocol.md describes both. Text is never
// HTML-escaped, so that a message's size is the number of bytes that its author
// wrote.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxFrame is the largest encoded frame either way, in bytes. API Gateway
// closes a connection that sends a frame of more than 32 KB.
const MaxFrame = 32_000

// Values of a client frame's action.
const (
	ActionSendMessage = "sendMessage"
	ActionPing        = "ping"
	ActionTyping      = "typing"
)

// Values of a server frame's type.
const (
	TypeAck          = "ack"
	TypeMessage      = "message"
	TypeBatch        = "batch"
	TypeError        = "error"
	TypePong         = "pong"
	TypeGap          = "gap"
	TypeMemberJoined = "memberJoined"
	TypeMemberLeft   = "memberLeft"

	TypeMemberChanged = "memberChanged"
	TypeNotifyChanged = "notifyChanged"

	TypeMessageEdited  = "messageEdited"
	TypeMessageDeleted = "messageDeleted"
	TypeRead           = "read"
	TypeTyping         = "typing"
	TypePresence       = "presence"
	TypeRoomChanged    = "roomChanged"
	TypeReactions      = "reactions"
)

// ClientFrame is a frame from a client.
type ClientFrame struct {
	Action          string `json:"action"`
	ChatRoomID      string `json:"chatRoomId,omitempty"`
	Content         string `json:"content,omitempty"`
	ClientMessageID string `json:"clientMessageId,omitempty"`
	// Attachments are the ids of files that the sender has announced and uploaded.
	Attachments []string `json:"attachments,omitempty"`
	ReplyTo     string   `json:"replyTo,omitempty"`  // id of a message of the room
	Mentions    []string `json:"mentions,omitempty"` // ids of members of the room
	Echo        *bool    `json:"echo,omitempty"`     // false: the ack is enough, don't send the message to this connection
}

// Ack answers a sendMessage: the message is stored. Duplicate is set if an earlier
// send with the same clientMessageId had stored it. PreviousMessageID is a hint at the
// message before it, for a send without an echo: "" for a room's first, nil where it is
// not known.
type Ack struct {
	Type              string  `json:"type"` // TypeAck
	ChatRoomID        string  `json:"chatRoomId"`
	MessageID         string  `json:"messageId"`
	Timestamp         int64   `json:"timestamp"` // ms since 1970
	PreviousMessageID *string `json:"previousMessageId,omitempty"`
	ClientMessageID   string  `json:"clientMessageId,omitempty"`
	Duplicate         bool    `json:"duplicate"`
	Content           *string `json:"content,omitempty"` // that is stored instead of what was sent; nil: none

	// What the frame of the message has; absent if an earlier send had stored it.
	ReplyTo   *Quote `json:"replyTo,omitempty"`
	ExpiresAt int64  `json:"expiresAt,omitempty"` // ms since 1970; 0: never
}

// Message is a new message of a room. PreviousMessageID is a hint at the message
// before it, nil for a room's first. ClientMessageID is sent to its sender's
// devices only.
type Message struct {
	Type              string  `json:"type"` // TypeMessage
	ChatRoomID        string  `json:"chatRoomId"`
	MessageID         string  `json:"messageId"`
	SenderID          string  `json:"senderId"`
	Content           string  `json:"content"`
	Timestamp         int64   `json:"timestamp"` // ms since 1970
	PreviousMessageID *string `json:"previousMessageId"`
	ClientMessageID   string  `json:"clientMessageId,omitempty"`

	Attachments []Attachment `json:"attachments,omitempty"`
	ReplyTo     *Quote       `json:"replyTo,omitempty"`
	Mentions    []string     `json:"mentions,omitempty"`  // user ids
	ExpiresAt   int64        `json:"expiresAt,omitempty"` // ms since 1970; 0: never
}

// Quote is the beginning of the message that another one answers, as it was then. Its
// preview is empty if it was deleted by then, or had attachments alone.
type Quote struct {
	MessageID   string `json:"messageId"`
	SenderID    string `json:"senderId"`
	Preview     string `json:"preview"`               // at most 140 characters
	Attachments int    `json:"attachments,omitempty"` // how many
}

// Attachment is a file of a message.
type Attachment struct {
	AttachmentID string `json:"attachmentId"`
	Name         string `json:"name"` // safe to show, and to save under
	ContentType  string `json:"contentType"`
	Size         int64  `json:"size"`            // bytes
	Width        int    `json:"width,omitempty"` // pixels, of pictures and videos, as its sender says
	Height       int    `json:"height,omitempty"`
}

// Error answers a frame that was refused.
type Error struct {
	Type            string `json:"type"` // TypeError
	Code            string `json:"code"`
	Message         string `json:"message"`
	ClientMessageID string `json:"clientMessageId,omitempty"`
	RetryAfter      int64  `json:"retryAfter,omitempty"` // ms, with the code rate_limited
	Until           int64  `json:"until,omitempty"`      // ms since 1970, with the code muted
	Action          string `json:"action,omitempty"`     // ActionTyping, if it answers that
}

// Pong answers a ping with the client's own ids. ChangedAt is the newest time that is
// noted in the user's list of rooms, 0 for none.
type Pong struct {
	Type         string `json:"type"` // TypePong
	ConnectionID string `json:"connectionId"`
	UserID       string `json:"userId"`
	ChangedAt    int64  `json:"changedAt,omitempty"` // ms since 1970

	// Off names what the deployment has switched off: OffTyping, OffPresence.
	Off []string `json:"off,omitempty"`
}

// What a Pong may say is switched off.
const (
	OffTyping   = "typing"
	OffPresence = "presence"
)

// Typing says that a user types in a room, as of a time. It is never sent to the user's
// own connections.
type Typing struct {
	Type       string `json:"type"` // TypeTyping
	ChatRoomID string `json:"chatRoomId"`
	UserID     string `json:"userId"`
	At         int64  `json:"at"` // ms since 1970
}

// Presence says that a user has come online, or has gone. Of two, the one with the greater
// At counts, in any order of arrival.
type Presence struct {
	Type       string `json:"type"` // TypePresence
	UserID     string `json:"userId"`
	Online     bool   `json:"online"`
	At         int64  `json:"at"`                   // ms since 1970
	LastSeenAt int64  `json:"lastSeenAt,omitempty"` // ms since 1970, of a user who went offline and does not hide it
}

// Gap announces that messages of a room were not broadcast: sync the room.
type Gap struct {
	Type       string `json:"type"` // TypeGap
	ChatRoomID string `json:"chatRoomId"`
}

// Member announces that a user joined or left a room.
type Member struct {
	Type       string `json:"type"` // TypeMemberJoined or TypeMemberLeft
	ChatRoomID string `json:"chatRoomId"`
	UserID     string `json:"userId"`
}

// MemberChanged announces that a member has another role, or was muted or may speak
// again. Of two, the one with the greater At counts, in any order of arrival.
type MemberChanged struct {
	Type       string `json:"type"` // TypeMemberChanged
	ChatRoomID string `json:"chatRoomId"`
	UserID     string `json:"userId"`
	Role       string `json:"role"`
	MutedUntil int64  `json:"mutedUntil,omitempty"` // ms since 1970, 0: not muted
	At         int64  `json:"at"`                   // ms since 1970
}

// NotifyChanged tells a user's devices what the user is notified of in a room while they
// are offline. Of two, the one with the greater At counts, in any order of arrival.
type NotifyChanged struct {
	Type       string `json:"type"` // TypeNotifyChanged
	ChatRoomID string `json:"chatRoomId"`
	Notify     string `json:"notify"` // "all", "mentions" or "none"
	At         int64  `json:"at"`     // ms since 1970
}

// MessageEdited is a message with its new content. Of two, the one with the greater
// EditedAt counts, in any order of arrival.
type MessageEdited struct {
	Type            string `json:"type"` // TypeMessageEdited
	ChatRoomID      string `json:"chatRoomId"`
	MessageID       string `json:"messageId"`
	SenderID        string `json:"senderId"`
	Content         string `json:"content"`
	Timestamp       int64  `json:"timestamp"` // ms since 1970
	EditedAt        int64  `json:"editedAt"`  // ms since 1970
	ClientMessageID string `json:"clientMessageId,omitempty"`

	Attachments []Attachment `json:"attachments,omitempty"`
	ReplyTo     *Quote       `json:"replyTo,omitempty"`
	Mentions    []string     `json:"mentions,omitempty"`  // user ids
	ExpiresAt   int64        `json:"expiresAt,omitempty"` // ms since 1970; 0: never
}

// MessageDeleted announces that a message was deleted. No later frame about the
// message changes that.
type MessageDeleted struct {
	Type       string `json:"type"` // TypeMessageDeleted
	ChatRoomID string `json:"chatRoomId"`
	MessageID  string `json:"messageId"`
	SenderID   string `json:"senderId"`
	Timestamp  int64  `json:"timestamp"`           // ms since 1970
	DeletedAt  int64  `json:"deletedAt"`           // ms since 1970
	DeletedBy  string `json:"deletedBy,omitempty"` // who moderates the room; "": its sender
}

// Read announces that a user has read a room's messages after From, up to UpTo.
type Read struct {
	Type       string `json:"type"` // TypeRead
	ChatRoomID string `json:"chatRoomId"`
	UserID     string `json:"userId"`
	From       string `json:"from,omitempty"` // message id, the newest one when the user joined; "": all
	UpTo       string `json:"upTo"`           // message id

	// Of the messages after Since, up to UpTo, the user has read those whose ids end
	// with one of the 6 characters each in Known: the others were stored later.
	Since string `json:"since,omitempty"` // message id, whether or not that message exists; "": all are read
	Known string `json:"known,omitempty"`
}

// ReactionsChanged announces what members reacted to a message with. Of two, the one with
// the greater Version counts, in any order of arrival.
type ReactionsChanged struct {
	Type       string         `json:"type"` // TypeReactions
	ChatRoomID string         `json:"chatRoomId"`
	MessageID  string         `json:"messageId"`
	Version    int64          `json:"version"` // how often they changed
	Counts     map[string]int `json:"counts"`  // how many members, by reaction

	// Changed are the newest changes, at most 20 and the recipient's own.
	Changed []ReactionChange `json:"changed"`
}

// ReactionChange is a reaction that was added, or removed.
type ReactionChange struct {
	UserID   string `json:"userId"`
	Reaction string `json:"reaction"`
	Added    bool   `json:"added"`
}

// Reactions are what members reacted to a message with, as a reader gets them.
type Reactions struct {
	Version int64          `json:"version"`       // how often they changed
	Counts  map[string]int `json:"counts"`        // how many members, by reaction
	Mine    []string       `json:"mine,omitzero"` // the reader's own; nil: not known
}

// RoomChanged announces a room's name, which is new unless its visibility or its place
// is.
type RoomChanged struct {
	Type       string `json:"type"` // TypeRoomChanged
	ChatRoomID string `json:"chatRoomId"`
	Name       string `json:"name"`
}

// ServerFrame holds any frame from the server, for clients to decode into: Type
// determines which of the other fields are set.
type ServerFrame struct {
	Type              string            `json:"type"`
	ChatRoomID        string            `json:"chatRoomId"`
	MessageID         string            `json:"messageId"`
	SenderID          string            `json:"senderId"`
	Content           string            `json:"content"`
	Timestamp         int64             `json:"timestamp"`
	PreviousMessageID *string           `json:"previousMessageId"`
	ClientMessageID   string            `json:"clientMessageId"`
	Duplicate         bool              `json:"duplicate"`
	Code              string            `json:"code"`
	Message           string            `json:"message"`
	RetryAfter        int64             `json:"retryAfter"`
	Action            string            `json:"action"`
	ConnectionID      string            `json:"connectionId"`
	UserID            string            `json:"userId"`
	ChangedAt         int64             `json:"changedAt"`
	EditedAt          int64             `json:"editedAt"`
	DeletedAt         int64             `json:"deletedAt"`
	DeletedBy         string            `json:"deletedBy"`
	Role              string            `json:"role"`
	MutedUntil        int64             `json:"mutedUntil"`
	Notify            string            `json:"notify"`
	Until             int64             `json:"until"`
	From              string            `json:"from"`
	UpTo              string            `json:"upTo"`
	Since             string            `json:"since"`
	Known             string            `json:"known"`
	At                int64             `json:"at"`
	Online            bool              `json:"online"`
	LastSeenAt        int64             `json:"lastSeenAt"`
	Off               []string          `json:"off"`
	Name              string            `json:"name"`
	Attachments       []Attachment      `json:"attachments"`
	ReplyTo           *Quote            `json:"replyTo"`
	Mentions          []string          `json:"mentions"`
	ExpiresAt         int64             `json:"expiresAt"`
	Version           int64             `json:"version"`
	Counts            map[string]int    `json:"counts"`
	Changed           []ReactionChange  `json:"changed"`
	Frames            []json.RawMessage `json:"frames"`
}

// Encode renders a frame or a body as JSON without HTML escapes and without a
// line end.
func Encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

const (
	batchOpen  = `{"type":"batch","frames":[`
	batchClose = `]}`
)

// Join packs encoded frames for one connection into as few frames as fit in
// limit bytes each, in order: a lone frame goes as it is, several as a batch.
// A frame that alone exceeds limit goes alone.
func Join(frames [][]byte, limit int) [][]byte {
	var out [][]byte
	for len(frames) > 0 {
		n, size := 1, len(batchOpen)+len(batchClose)+len(frames[0])
		for n < len(frames) && size+1+len(frames[n]) <= limit {
			size += 1 + len(frames[n])
			n++
		}
		out = append(out, pack(frames[:n], size))
		frames = frames[n:]
	}
	return out
}

func pack(frames [][]byte, size int) []byte {
	if len(frames) == 1 {
		return frames[0]
	}
	buf := make([]byte, 0, size)
	buf = append(buf, batchOpen...)
	for i, f := range frames {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, f...)
	}
	return append(buf, batchClose...)
}
