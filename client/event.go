package client

import "time"

// Event is one of [Message], [Edited], [Deleted], [Reacted], [Read], [Typing], [Presence],
// [MemberJoined], [MemberLeft], [MemberChanged],
// [NotifyChanged], [RoomChanged], [Connected], [Disconnected] and [CatchUpFailed].
// More may come: ignore those you don't know.
type Event interface{ event() }

// Message is a message of a room: ChatRoomID, MessageID, SenderID, Content,
// Timestamp in ms since 1970, and the rest of what [HistoryMessage] has; ReadBy
// only if it was fetched from the history, ClientMessageID only on messages that this
// user's devices sent. Within a room each comes once, in the order of MessageID, with
// one exception: see Late.
type Message struct {
	HistoryMessage

	// Backlog says that the message was there before the client first looked at
	// the room.
	Backlog bool

	// Late says that a message with a greater id came before this one: it was
	// stored late, or fetched only after the room went on. Put it where its id
	// belongs. Those who have read a later message may not have read this one:
	// [Client.MarkRead] again says that the user has.
	Late bool
}

// Edited is a message that came before, with its new content. Each later event of
// a message is newer than the one before. It may come for messages that are older
// than any that came: ignore it then. ReadBy is there only if it was fetched
// from the history.
type Edited struct{ HistoryMessage }

// Deleted says that a message has no content any more. No event of this message
// follows. DeletedBy is who moderates the room and deleted it, empty if its sender did.
type Deleted struct {
	ChatRoomID, MessageID, SenderID string
	Timestamp, DeletedAt            int64 // ms since 1970
	DeletedBy                       string
}

// Read says that a user has read a room's messages after From, up to UpTo. From is
// empty for members who were there from the beginning. In rooms of more than
// 20 members only the user's own reads, from other devices, are reported. It may
// come twice, and late: the greatest UpTo counts. One with the same UpTo again says
// that the user has read what was stored behind it since, see [Message].Late.
type Read struct {
	ChatRoomID, UserID, From, UpTo string

	// Of the messages after Since, up to UpTo, those were read whose ids end with one of
	// the 6 characters each in Known; the others were stored later. Since is empty if all
	// were read. See [Read.Includes].
	Since, Known string
}

// Includes reports whether the user had read a message of the room by then.
func (r Read) Includes(messageID string) bool {
	if messageID <= r.From || messageID > r.UpTo {
		return false
	}
	if r.Since == "" || messageID <= r.Since {
		return true
	}
	end := messageID[max(0, len(messageID)-endOfID):]
	for rest := r.Known; len(rest) >= endOfID; rest = rest[endOfID:] {
		if rest[:endOfID] == end {
			return true
		}
	}
	return false
}

// endOfID is how many characters of an id Read.Known has.
const endOfID = 6

// Typing says that another user typed in a room of at most 20 members at a time, in ms. It
// holds for [TypingLife], or until a message of theirs. It may come late, or twice: one
// that is not newer than the last, or than the user's last message there, says nothing.
type Typing struct {
	ChatRoomID, UserID string
	At                 int64
}

// Presence says that a user who shares a room of at most 20 members has come online, or
// has gone, as of a time in ms: of two the greater At counts. LastSeenAt is when who has
// gone was last there, 0 if they hide it. A user who reconnects may seem gone for a moment: wait
// some seconds before you show it. What was missed while there was no connection is not
// told later; Client.Room has who is online.
type Presence struct {
	UserID         string
	Online         bool
	At, LastSeenAt int64
}

// RoomChanged says what a room is called now, that it became public or private, or that
// its place was set or removed, which Client.Room has.
type RoomChanged struct{ ChatRoomID, Name string }

// MemberJoined says that a user has become a member of a room.
type MemberJoined struct{ ChatRoomID, UserID string }

// MemberLeft says that a user is no longer a member of a room. With the
// client's own user id it is the last event of that room.
type MemberLeft struct{ ChatRoomID, UserID string }

// MemberChanged says that a member of a room has another role, was muted, or may speak
// again: MutedUntil is in ms, 0 if they are not muted. Of two events about a member the
// one with the greater At counts.
type MemberChanged struct {
	ChatRoomID, UserID, Role string
	MutedUntil, At           int64
}

// NotifyChanged says what the user is notified of in a room while they are offline, since
// a time in ms: NotifyAll, NotifyMentions or NotifyNone. Of two the one with the greater At
// counts.
type NotifyChanged struct {
	ChatRoomID, Notify string
	At                 int64
}

// Connected says that the server has answered on a new connection. What was
// missed follows.
type Connected struct{ ConnectionID, UserID string }

// Disconnected says that there is no connection. Err is why; RetryIn is the pause before
// the next attempt. There is none when a connection is succeeded by another one before
// it ends.
type Disconnected struct {
	Err     error
	RetryIn time.Duration
}

// CatchUpFailed says that the API didn't give what rooms miss: their backlog
// doesn't come, and live messages come without those that are missing between
// them, which follow when the API answers again. Err is why; RetryIn is the
// pause before the next attempt, and the pauses grow. It comes once for a
// connection's failures in a row, however many attempts they are. An Err that
// lasts is often a wrong APIURL.
type CatchUpFailed struct {
	Err     error
	RetryIn time.Duration
}

func (Message) event()       {}
func (Edited) event()        {}
func (Deleted) event()       {}
func (Read) event()          {}
func (Typing) event()        {}
func (Presence) event()      {}
func (RoomChanged) event()   {}
func (MemberJoined) event()  {}
func (MemberLeft) event()    {}
func (MemberChanged) event() {}
func (NotifyChanged) event() {}
func (Connected) event()     {}
func (Disconnected) event()  {}
func (CatchUpFailed) event() {}
