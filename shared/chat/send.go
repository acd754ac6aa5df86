package chat

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

// SendStore stores messages that are sent.
type SendStore interface {
	AdmissionStore
	MemberStore
	roomReader
	// Member reads a member strongly; false if the user is none.
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
	// PutMessage stores a message unless one with its id exists. With Attachments, it
	// gives them to the message in the same step, or fails with ErrAttachment if one is
	// not the sender's, has expired, or is another message's.
	PutMessage(ctx context.Context, m Message) error
	// Attachments reads files of a room by their ids strongly. Those that don't exist or
	// have expired are left out.
	Attachments(ctx context.Context, roomID string, ids []string) (map[string]Attachment, error)
	// MessagesByID reads messages of a room strongly. Those that do not exist are left out.
	MessagesByID(ctx context.Context, roomID string, messageIDs []string) ([]Message, error)
	// HasMessage reads strongly whether a message is stored.
	HasMessage(ctx context.Context, roomID, messageID string) (bool, error)
	// MessageBefore reads the id of a room's newest message before one that is about to
	// be stored; NoneBefore if there is none, "" if that is stored already. It may be a
	// moment old.
	MessageBefore(ctx context.Context, roomID, messageID string) (string, error)
	// ClaimSend remembers, for SentMemory from now (ms), that m's sender uses
	// m.ClientMessageID for m, whose id was minted for this call. If another use is
	// remembered, it changes nothing and returns that, with claimed false.
	ClaimSend(ctx context.Context, m Message, now int64) (earlier SentBefore, claimed bool, err error)
	// ResumeSend stores m, and remembers it instead of an earlier claim that is not known
	// to be stored, in one step. If the claim is no longer what is remembered, or a message
	// with m's id exists, it changes nothing and returns what is remembered now, with
	// resumed false. Attachments as with PutMessage.
	ResumeSend(ctx context.Context, m Message, earlier SentBefore, now int64) (latest SentBefore, resumed bool, err error)
}

// SendRequest is a message to send. Refused, unless nil, is an error that was
// found in the client's frame before: the request counts as a send, and Send
// returns Refused unless the connection may not send at all.
type SendRequest struct {
	ConnectionID    string
	RoomID          string
	Content         string   // may be empty with Attachments
	Attachments     []string // ids
	ReplyTo         string   // the id of a message of the room that this one answers; "": none
	Mentions        []string // user ids in their normal form
	ClientMessageID string
	NoEcho          bool // the ack is enough for the connection: the message is not sent to it
	Refused         error
}

// Receipt confirms that a message is stored.
type Receipt struct {
	RoomID          string
	MessageID       string
	SenderID        string
	SentAt          int64
	ClientMessageID string
	Duplicate       bool   // of an earlier send with the same client message id, whose message id it has
	Previous        string // the message before it or NoneBefore, as far as a send without an echo found it; else ""

	Replaced *string // the content that a review had stored instead of what was sent; nil: none

	// As they are stored; absent where an earlier send did that.
	ReplyTo   *Quote
	ExpiresAt int64 // ms; 0: never
}

// Sender stores messages. It does not deliver them: the table's stream causes
// that.
type Sender struct {
	store     SendStore
	ids       IDs
	now       func() time.Time
	admission admission
	fits      func(Message) error
	keeper    Keeper // nil: messages have no attachments
	reviewing Reviewing
	retention int // days, of the deployment; 0: forever
}

// NewSender returns a Sender. fits refuses, with CodeTooLarge, a message that
// no frame could carry. Of the limits, Sending and Sustaining count here.
func NewSender(store SendStore, ids IDs, now func() time.Time, fits func(Message) error, limits Limits) *Sender {
	return &Sender{
		store: store, ids: ids, now: now, fits: fits,
		admission: admission{
			store: store, now: now, sends: pace{limit: limits[Sending]},
			limiter: NewLimiter(store, Limits{Sending: limits[Sending].Shared(), Sustaining: limits[Sustaining]}, now),
		},
	}
}

// CountingFrom says where this Sender begins to count a user's sends: at any number that is
// not negative, and not the same as that of other instances of the function. Call it before
// the first Send.
func (s *Sender) CountingFrom(n int) *Sender {
	s.admission.limiter.CountingFrom(n)
	return s
}

// Attaching has the Sender take messages with attachments. Call it before the first Send.
func (s *Sender) Attaching(keeper Keeper) *Sender {
	s.keeper = keeper
	return s
}

// Send stores one message. Every call counts in the limit of the connection's user,
// refused ones too. A Sender that remembers the connection makes two sequential
// round trips: its row, the limit, membership and the claim of the client message id in
// parallel, then the message. One with attachments makes a third between them, which
// copies the files. A send that is refused may leave a claim.
//
// Errors: CodeReconnect, CodeReplaced, CodeTokenExpired, CodeRateLimited, CodeInvalidRequest,
// CodeTooLarge, CodeNotAMember, CodeMuted, CodeNotFound for an answer to what is no message of the
// room, and for a mention of a non-member.
func (s *Sender) Send(ctx context.Context, r SendRequest) (Receipt, error) {
	faulty := r.Refused
	if faulty == nil {
		faulty = validateSend(r)
	}
	if faulty != nil {
		if err := s.admission.admit(ctx, r.ConnectionID, 1, nil); err != nil {
			return Receipt{}, err
		}
		return Receipt{}, faulty
	}
	var a attempt
	err := s.admission.admit(ctx, r.ConnectionID, r.weight(), func(userID string) (err error) {
		a, err = s.prepare(ctx, r, userID)
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	return s.put(ctx, a)
}

// SendAs stores one message of a user or a service whose token was verified for this
// request, instead of the one that opened a connection. A service may send to every room.
// It counts in the same limits as a Send, and costs the same but for the connection's
// row, which it does not read; refused ones count, too.
//
// Errors: CodeRateLimited, CodeInvalidRequest, CodeTooLarge, CodeNotAMember, CodeMuted,
// CodeNotFound as with Send, and for a room that does not exist if it is a service's.
func (s *Sender) SendAs(ctx context.Context, userID string, r SendRequest) (Receipt, error) {
	faulty := cmp.Or(r.Refused, validateSend(r))
	var a attempt
	weight := 1
	if faulty == nil {
		weight = r.weight()
	}
	err := s.admission.admitUser(ctx, userID, weight, func() (err error) {
		if faulty == nil {
			a, err = s.prepare(ctx, r, userID)
		}
		return cmp.Or(faulty, err)
	})
	if err != nil {
		return Receipt{}, err
	}
	return s.put(ctx, a)
}

// weight is as how many a send that is valid counts over time.
func (r SendRequest) weight() int { return weight(len(r.Content), len(r.Attachments)) }

// weight is that of a message, by the bytes of its content.
func weight(content, files int) int { return 1 + content/ContentWeight + files }

// attempt is a send that may be stored.
type attempt struct {
	message Message    // with an id that was minted for it
	sent    string     // the content that was asked for
	claimed bool       // it was the first to use its client message id
	earlier SentBefore // else

	attachments []string              // the ids that were asked for
	found       map[string]Attachment // of those, as they were before the message

	reviewed bool // the message may be stored as it is

	// refused is why the message is not stored, unless an earlier send has stored it: it
	// may be what has changed since.
	refused error
}

// prepare mints the message's id, and looks up what the send needs. If the ack is to say
// which message is before it, others may be stored between the two, which fanout finds:
// see [Message].
func (s *Sender) prepare(ctx context.Context, r SendRequest, userID string) (attempt, error) {
	id, ms, err := s.ids.Message()
	if err != nil {
		return attempt{}, err
	}
	a := attempt{message: Message{
		RoomID: r.RoomID, ID: id, SenderID: userID, Content: r.Content, SentAt: ms,
		ClientMessageID: r.ClientMessageID,
	}, sent: r.Content, attachments: r.Attachments}
	if a.message.Mentions, err = mentions(r.Mentions); err != nil {
		return attempt{}, err
	}
	if r.NoEcho {
		a.message.Origin = r.ConnectionID
	}
	tooLarge := s.fits(a.message)
	known := s.lookUp(ctx, r, &a, tooLarge == nil)
	if a.claimed { // else it is another id that it would be before
		a.message.Previous = known.previous
	}
	if code := Reason(known.memberErr).Code; code == CodeMuted || code == CodeForbidden || code == CodeRateLimited {
		a.refused, known.memberErr = known.memberErr, nil
	}
	a.message.ExpiresAt = expiry(ms, shorter(known.retention, s.retention))
	switch {
	case known.memberErr != nil:
		return attempt{}, known.memberErr
	case tooLarge != nil:
		return attempt{}, cmp.Or(a.refused, tooLarge)
	case known.err() != nil:
		return attempt{}, cmp.Or(a.refused, known.err())
	}
	a.refused = cmp.Or(a.refused, s.about(&a.message, r, known))
	if a.earlier.MessageID == "" { // there is no earlier send
		return a, a.refused
	}
	return a, nil
}

// about gives a message what it quotes, or returns why it can't be about that, or about
// those whom it mentions.
func (s *Sender) about(m *Message, r SendRequest, known *lookups) error {
	switch {
	case len(known.strangers) > 0:
		return errNoMembers(r.RoomID, known.strangers)
	case r.ReplyTo == "":
		return nil
	case len(known.quoted) == 0:
		return errNoMessage(r.RoomID, r.ReplyTo)
	}
	m.ReplyTo = known.quoted[0].Quote()
	return s.fits(*m)
}

// lookups is what is known of a send before it is stored.
type lookups struct {
	previous  string    // the message before it
	quoted    []Message // the message that it answers
	strangers []string  // who is mentioned and is not a member

	retention int   // days, of the room
	memberErr error // the sender may not send
	errs      [5]error
}

// err is the first of those that count for a member.
func (l *lookups) err() error { return cmp.Or(l.errs[:]...) }

// lookUp looks up membership, claims the client message id, and reads whatever else the
// send is about, side by side. It claims nothing for a message that does not fit.
func (s *Sender) lookUp(ctx context.Context, r SendRequest, a *attempt, fits bool) *lookups {
	l, sent := &lookups{}, a.message
	var group errgroup.Group
	n := 0
	beside := func(asked bool, what string, do func() error) {
		failed := &l.errs[n]
		n++
		if !asked {
			return
		}
		group.Go(func() error {
			if err := do(); err != nil {
				*failed = fmt.Errorf("%s: %w", what, err)
			}
			return nil
		})
	}
	beside(r.ClientMessageID != "" && fits, "claim the client message id", func() (err error) {
		a.earlier, a.claimed, err = s.store.ClaimSend(ctx, sent, s.now().UnixMilli())
		return err
	})
	beside(len(r.Attachments) > 0, "read the attachments", func() (err error) {
		a.found, err = s.store.Attachments(ctx, r.RoomID, r.Attachments)
		return err
	})
	beside(r.NoEcho && fits, "look up the message before", func() (err error) {
		l.previous, err = s.store.MessageBefore(ctx, r.RoomID, sent.ID)
		return err
	})
	beside(r.ReplyTo != "", "read the message that it answers", func() (err error) {
		l.quoted, err = s.store.MessagesByID(ctx, r.RoomID, []string{r.ReplyTo})
		return err
	})
	beside(len(sent.Mentions) > 0, "check the mentions", func() (err error) {
		l.strangers, err = strangers(ctx, s.store, r.RoomID, sent.Mentions, sent.SenderID)
		return err
	})
	l.retention, l.memberErr = speaker(ctx, s.store, ToSend, r.RoomID, sent.SenderID, s.now().UnixMilli())
	_ = group.Wait()
	return l
}

// maySpeak checks that a user may do something in a room for which it takes a voice and no
// role. A service may in every room that exists.
func maySpeak(ctx context.Context, store memberReader, op Operation, roomID, userID string, now int64) error {
	_, err := speaker(ctx, store, op, roomID, userID, now)
	return err
}

// speaker is maySpeak, and returns for how many days the room has messages kept.
func speaker(ctx context.Context, store memberReader, op Operation, roomID, userID string, now int64) (retention int, err error) {
	if IsService(userID) {
		room, err := serviceRoom(ctx, store, roomID)
		return room.RetentionDays, err
	}
	member, ok, err := store.Member(ctx, roomID, userID)
	switch {
	case err != nil:
		return 0, fmt.Errorf("check membership: %w", err)
	case !ok:
		return 0, errNotAMember(roomID)
	}
	return member.RetentionDays, may(op, "", member, now) // the room's type says nothing about it, and is not read
}

type memberReader interface {
	roomReader
	Member(ctx context.Context, roomID, userID string) (Member, bool, error)
}

// put stores the message of an attempt.
func (s *Sender) put(ctx context.Context, a attempt) (Receipt, error) {
	m := a.message
	if m.ClientMessageID != "" && !a.claimed {
		return s.resume(ctx, a)
	}
	if err := s.ready(ctx, &a, m.ID); err != nil {
		return Receipt{}, err
	}
	m = a.message
	// If it exists, a request was repeated whose answer was lost, or a resend was faster.
	if err := s.store.PutMessage(ctx, m); err != nil {
		return Receipt{}, fmt.Errorf("put message: %w", err)
	}
	return a.receipt(m, false), nil
}

// attach gives an attempt's message its files: the sender's own, uploaded, and in no
// other message. All are checked before the first is copied. It copies an upload, so that
// what is uploaded later does not change a message; a copy that no message gets is
// removed with its item.
func (s *Sender) attach(ctx context.Context, a *attempt) error {
	if len(a.attachments) == 0 || len(a.message.Attachments) > 0 {
		return nil
	}
	if s.keeper == nil {
		return errNoAttachments()
	}
	files := make([]File, len(a.attachments))
	for i, id := range a.attachments {
		found, ok := a.found[id]
		if !ok || found.UploadedBy != a.message.SenderID || found.MessageID != "" {
			return ErrAttachment(id)
		}
		files[i] = found.File
	}
	a.message.Attachments = files
	if err := s.fits(a.message); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, id := range a.attachments {
		group.Go(func() error {
			uploaded, err := s.keeper.Keep(ctx, a.found[id])
			if err != nil {
				return fmt.Errorf("keep the upload %s: %w", id, err)
			}
			if !uploaded {
				return ErrAttachment(id)
			}
			return nil
		})
	}
	return group.Wait()
}

// receipt says that a message is stored, for an attempt.
func (a *attempt) receipt(m Message, duplicate bool) Receipt {
	r := Receipt{
		RoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, SentAt: m.SentAt,
		ClientMessageID: m.ClientMessageID, Duplicate: duplicate, Previous: m.Previous,
		ReplyTo: m.ReplyTo, ExpiresAt: m.ExpiresAt,
	}
	if m.Content != a.sent {
		r.Replaced = &m.Content
	}
	return r
}

func validateSend(r SendRequest) error {
	if err := ValidateRoomID(r.RoomID); err != nil {
		return err
	}
	if err := ValidateClientMessageID(r.ClientMessageID); err != nil {
		return err
	}
	if r.NoEcho && r.ClientMessageID == "" {
		return Errorf(CodeInvalidRequest, "echo false needs a clientMessageId, by which the ack is matched")
	}
	if err := validateAttachmentIDs(r.Attachments); err != nil {
		return err
	}
	if r.ReplyTo != "" {
		if _, err := MessageTime(r.ReplyTo); err != nil {
			return err
		}
	}
	if _, err := mentions(r.Mentions); err != nil {
		return err
	}
	if r.Content == "" && len(r.Attachments) > 0 {
		return nil
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

func errNoMessage(roomID, messageID string) *Error {
	return Errorf(CodeNotFound, "message %s is not in room %s", messageID, roomID)
}
