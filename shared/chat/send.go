package chat

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// SendStore stores messages that are sent.
type SendStore interface {
	AdmissionStore
	// IsMember reads strongly whether a user is a member of a room.
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	// PutMessage stores a message whose id was minted for this call, and with it
	// m.ClientMessageID, unless "", for SentMemory from now (ms). If the sender's
	// use of it is remembered, nothing is stored, and the earlier send is returned
	// with duplicate true.
	PutMessage(ctx context.Context, m Message, now int64) (earlier SentBefore, duplicate bool, err error)
}

// SentBefore is an earlier send, remembered by its client message id.
type SentBefore struct {
	RoomID    string
	MessageID string
}

// SendRequest is a message to send. Refused, unless nil, is an error that was
// found in the client's frame before: the request counts as a send, and Send
// returns Refused unless the connection may not send at all.
type SendRequest struct {
	ConnectionID    string
	RoomID          string
	Content         string
	ClientMessageID string
	Refused         error
}

// Receipt confirms that a message is stored.
type Receipt struct {
	RoomID          string
	MessageID       string
	SenderID        string
	SentAt          int64
	ClientMessageID string
	Duplicate       bool // stored by an earlier send with the same client message id
}

// Sender stores messages. It does not deliver them: the table's stream causes
// that.
type Sender struct {
	store     SendStore
	ids       IDs
	now       func() time.Time
	admission admission
	fits      func(Message) error
}

// NewSender returns a Sender. fits refuses, with CodeTooLarge, a message that
// no frame could carry. Of the limits, Sending counts here.
func NewSender(store SendStore, ids IDs, now func() time.Time, fits func(Message) error, limits Limits) *Sender {
	return &Sender{
		store: store, ids: ids, now: now, fits: fits,
		admission: admission{store: store, now: now, limiter: NewLimiter(store, limits, now)},
	}
}

// Send stores one message. Every call counts in the limit of the connection's user,
// refused ones too. A Sender that remembers the connection makes two sequential
// round trips: its row, the limit and membership in parallel, then the message.
//
// Errors: CodeReconnect, CodeReplaced, CodeTokenExpired, CodeRateLimited, CodeInvalidRequest,
// CodeTooLarge, CodeNotAMember.
func (s *Sender) Send(ctx context.Context, r SendRequest) (Receipt, error) {
	faulty := r.Refused
	if faulty == nil {
		faulty = validateSend(r)
	}
	userID, member, err := s.authorize(ctx, r, faulty == nil)
	if err != nil {
		return Receipt{}, err
	}
	if faulty != nil {
		return Receipt{}, faulty
	}
	if !member {
		return Receipt{}, errNotAMember(r.RoomID)
	}
	return s.put(ctx, r, userID)
}

// authorize admits the send and, if check is set, looks up membership.
func (s *Sender) authorize(ctx context.Context, r SendRequest, check bool) (userID string, member bool, err error) {
	if !check {
		userID, err = s.admission.admit(ctx, r.ConnectionID, nil)
		return userID, false, err
	}
	userID, err = s.admission.admit(ctx, r.ConnectionID, func(userID string) (err error) {
		if member, err = s.store.IsMember(ctx, r.RoomID, userID); err != nil {
			return fmt.Errorf("check membership: %w", err)
		}
		return nil
	})
	return userID, member, err
}

func (s *Sender) put(ctx context.Context, r SendRequest, userID string) (Receipt, error) {
	id, ms, err := s.ids.Message()
	if err != nil {
		return Receipt{}, err
	}
	m := Message{
		RoomID: r.RoomID, ID: id, SenderID: userID, Content: r.Content, SentAt: ms,
		ClientMessageID: r.ClientMessageID,
	}
	if err := s.fits(m); err != nil {
		return Receipt{}, err
	}
	earlier, duplicate, err := s.store.PutMessage(ctx, m, s.now().UnixMilli())
	if err != nil {
		return Receipt{}, fmt.Errorf("put message: %w", err)
	}
	if duplicate {
		if earlier.RoomID != r.RoomID {
			return Receipt{}, Errorf(CodeInvalidRequest, "clientMessageId %s was used in room %s; use a new one for each message", r.ClientMessageID, earlier.RoomID)
		}
		id = earlier.MessageID
		if ms, err = MessageTime(id); err != nil {
			return Receipt{}, fmt.Errorf("read the earlier send: %w", err)
		}
	}
	return Receipt{
		RoomID: r.RoomID, MessageID: id, SenderID: userID, SentAt: ms,
		ClientMessageID: r.ClientMessageID, Duplicate: duplicate,
	}, nil
}

func validateSend(r SendRequest) error {
	if err := ValidateRoomID(r.RoomID); err != nil {
		return err
	}
	if err := ValidateClientMessageID(r.ClientMessageID); err != nil {
		return err
	}
	return ValidateContent(r.Content)
}

// ValidateContent checks a message's content: 1 to MaxContent bytes of UTF-8,
// with something visible in them. U+FFFD is refused: decoders put it where text
// was broken, and the stored text must be the one that its author wrote.
func ValidateContent(content string) error {
	switch {
	case content == "":
		return Errorf(CodeInvalidRequest, "content is missing")
	case len(content) > MaxContent:
		return Errorf(CodeTooLarge, "invalid content: want at most %d bytes, got %d", MaxContent, len(content))
	case !utf8.ValidString(content) || strings.ContainsRune(content, utf8.RuneError):
		return Errorf(CodeInvalidRequest, "invalid content: want valid UTF-8 without U+FFFD, the replacement for broken text")
	case !hasVisible(content):
		return Errorf(CodeInvalidRequest, "invalid content: want at least one visible character")
	}
	return nil
}

// errNotAMember is the same for rooms that do not exist: only members may learn
// that a room exists.
func errNotAMember(roomID string) *Error {
	return Errorf(CodeNotAMember, "you are not a member of room %s, or it does not exist", roomID)
}
