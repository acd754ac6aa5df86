package chat

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// SendStore is what sending needs of the table.
type SendStore interface {
	AdmissionStore
	// IsMember reads strongly whether a user is a member of a room.
	IsMember(ctx context.Context, roomID, userID string) (bool, error)
	// PutMessage stores a message whose id was minted for this call. If the
	// sender has used m.ClientMessageID within SentMemory before now (ms), nothing
	// is stored and the earlier send is returned with duplicate true.
	PutMessage(ctx context.Context, m Message, now int64) (earlier SentBefore, duplicate bool, err error)
}

// SentBefore is what is remembered of a send by its client message id.
type SentBefore struct {
	RoomID    string
	MessageID string
}

// SendRequest is a message that a client wants to send. Refused is set where
// the frame was found faulty before it came here; it counts as a send and is
// what Send returns, unless the connection may not send at all.
type SendRequest struct {
	ConnectionID    string
	RoomID          string
	Content         string
	ClientMessageID string
	Refused         error
}

// Receipt says that a message is stored.
type Receipt struct {
	RoomID          string
	MessageID       string
	SenderID        string
	SentAt          int64
	ClientMessageID string
	Duplicate       bool // stored by an earlier send with the same client message id
}

// Sender stores messages. It never delivers them: that follows from the
// table's stream.
type Sender struct {
	store     SendStore
	ids       IDs
	now       func() time.Time
	admission admission
	fits      func(Message) error
}

// NewSender returns a Sender. fits refuses, with CodeTooLarge, a message that
// no frame could carry.
func NewSender(store SendStore, ids IDs, now func() time.Time, fits func(Message) error) *Sender {
	return &Sender{store: store, ids: ids, now: now, fits: fits, admission: admission{store: store, now: now}}
}

// Send stores one message. Every call counts in the connection's rate window,
// those that are refused too. A warm Sender makes two sequential round trips:
// admission and membership side by side, then the message.
//
// Errors: CodeReconnect, CodeTokenExpired, CodeRateLimited, CodeInvalidRequest,
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

// authorize admits the send and, if check is set, looks up membership: side by
// side where the user behind the connection is remembered.
func (s *Sender) authorize(ctx context.Context, r SendRequest, check bool) (userID string, member bool, err error) {
	known, warm := s.admission.known.get(r.ConnectionID)
	if !warm || !check {
		userID, err = s.admission.admit(ctx, r.ConnectionID)
		if err != nil || !check {
			return userID, false, err
		}
		member, err = s.store.IsMember(ctx, r.RoomID, userID)
		if err != nil {
			return "", false, fmt.Errorf("check membership: %w", err)
		}
		return userID, member, nil
	}

	var memberErr error
	group := errgroup.Group{} // not WithContext: an admission that was written must not be half undone by a cancel
	group.Go(func() error {
		member, memberErr = s.store.IsMember(ctx, r.RoomID, known.userID)
		return nil
	})
	userID, err = s.admission.admit(ctx, r.ConnectionID)
	_ = group.Wait()
	if err != nil {
		return "", false, err // why the connection may not send comes before anything about the room
	}
	if memberErr != nil {
		return "", false, fmt.Errorf("check membership: %w", memberErr)
	}
	return userID, member, nil
}

func (s *Sender) put(ctx context.Context, r SendRequest, userID string) (Receipt, error) {
	id, ms, err := s.ids.Message()
	if err != nil {
		return Receipt{}, err
	}
	m := Message{
		RoomID: r.RoomID, ID: id, SenderID: userID, Content: r.Content, SentAt: ms,
		ClientMessageID: r.ClientMessageID, ReadBy: []string{userID},
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
			return Receipt{}, Errorf(CodeInvalidRequest, "clientMessageId was used for another room; use a new one for each message")
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

// ValidateContent checks a message's content: 1 to MaxContent bytes of UTF-8.
// U+FFFD is refused: it is what decoders put where text was broken, and what is
// stored must be what its author wrote.
func ValidateContent(content string) error {
	switch {
	case content == "":
		return Errorf(CodeInvalidRequest, "content is missing")
	case len(content) > MaxContent:
		return Errorf(CodeTooLarge, "content has %d bytes; at most %d are allowed", len(content), MaxContent)
	case !utf8.ValidString(content) || strings.ContainsRune(content, utf8.RuneError):
		return Errorf(CodeInvalidRequest, "content is not valid UTF-8, or has U+FFFD in it, which stands for text that was broken")
	}
	return nil
}

// errNotAMember answers alike for rooms that do not exist: whether one does is
// its members' business.
func errNotAMember(roomID string) *Error {
	return Errorf(CodeNotAMember, "you are not a member of room %s, or it does not exist", roomID)
}
