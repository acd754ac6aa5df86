package changes

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// Record is a record of the stream that was understood.
type Record struct {
	Sequence string    // names the record in a Response
	At       time.Time // of the change, to the second
	Replay   string    // the replay that made the record, by its eventSourceARN; "": the stream's own
	Change   Change
}

// Change is one of the types below.
type Change interface{ isChange() }

type (
	// MessageSent says that a message was stored. Message is in the state of the
	// record: after a replay that may be a later one, with a Version.
	MessageSent struct{ Message chat.Message }

	// MessageEdited says that a message got new content as of its EditedAt.
	MessageEdited struct{ Message chat.Message }

	// MessageDeleted says that a message was deleted as of its DeletedAt.
	MessageDeleted struct{ Message chat.Message }

	// MessageReported says that a user has reported another one's message, for a reason
	// or "", as of At, ms.
	MessageReported struct {
		RoomID, MessageID, SenderID, UserID, Reason string
		At                                          int64
	}

	// ReadMoved says that a user has read a room's messages after From, up to UpTo.
	// From is "" for all. Since and Known are those of a chat.ReadCursor.
	ReadMoved struct{ RoomID, UserID, From, UpTo, Since, Known string }

	// TypingNoted says that a user types in a room at a time, in ms.
	TypingNoted struct {
		RoomID, UserID string
		At             int64
	}

	// Reacted says with what a user reacted to a message, and what they took back.
	Reacted struct {
		RoomID, MessageID, UserID string
		Added, Removed            []string
	}

	// PresenceTold says that others are to be told whether a user is online.
	PresenceTold struct{ UserID string }

	// MemberJoined says that a user became a member. The role is left out.
	MemberJoined struct {
		RoomID string
		Member chat.Member
	}

	// MemberLeft says that a user left, or was removed.
	MemberLeft struct{ RoomID, UserID string }

	// MemberChanged says that a member has another role, or was muted or may speak again,
	// as of At, in ms. MutedUntil is in ms, 0 if they are not muted.
	MemberChanged struct {
		RoomID, UserID string
		Role           chat.Role
		MutedUntil, At int64
	}

	// NotifyChanged says that a member is notified of something else as of At, in ms.
	NotifyChanged struct {
		RoomID, UserID string
		Notify         chat.Notify
		At             int64
	}

	// RoomRenamed says that a room got another name, visibility or place. RenamedAt is in
	// ms.
	RoomRenamed struct {
		RoomID    string
		RenamedAt int64
	}

	// RoomEnded says that a room was deleted.
	RoomEnded struct{ RoomID string }

	// AttachmentExpired says that a file which was announced got no message.
	AttachmentExpired struct{ RoomID, AttachmentID string }

	// SliceStored says that a part of a large room's fan-out is to be done: see
	// fanout.Slice.
	SliceStored struct {
		RunID, RoomID        string
		FromMember, ToMember string
		MessageIDs           []string
		Gap, Renamed         bool
		Replayed             bool  // it comes from a replay
		ExpiresAt            int64 // ms
	}

	// ConnectionReplaced says that newer connections of a user have replaced one, or
	// with Flooded that too many refused frames have ended it, with Expired that one after
	// its end has, with Disconnected that a service or an operator has, with Banned that a
	// ban of the user has.
	ConnectionReplaced struct {
		ConnectionID, UserID string
		Flooded              bool
		Expired              bool
		Disconnected         bool
		Banned               bool
	}
)

func (MessageSent) isChange()        {}
func (MessageEdited) isChange()      {}
func (MessageDeleted) isChange()     {}
func (MessageReported) isChange()    {}
func (ReadMoved) isChange()          {}
func (TypingNoted) isChange()        {}
func (Reacted) isChange()            {}
func (PresenceTold) isChange()       {}
func (MemberJoined) isChange()       {}
func (MemberLeft) isChange()         {}
func (MemberChanged) isChange()      {}
func (NotifyChanged) isChange()      {}
func (RoomRenamed) isChange()        {}
func (RoomEnded) isChange()          {}
func (AttachmentExpired) isChange()  {}
func (SliceStored) isChange()        {}
func (ConnectionReplaced) isChange() {}
