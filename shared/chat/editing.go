package chat

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// changeAttempts bounds how often a change is tried when concurrent changes
// overtake it.
const changeAttempts = 8

// EditStore stores edits and deletions of messages.
type EditStore interface {
	PlaceStore
	MemberStore
	// EditMessage gives a message new content and mentions, as of m.EditedAt, unless it
	// was deleted or changed at that time or later. It returns the stored message,
	// and whether this call edited it. An error if there is no such message.
	EditMessage(ctx context.Context, m Message) (current Message, edited bool, err error)
	// DeleteMessage removes a message's content, readers, attachments, quote, mentions and
	// the counts of its reactions, as of m.DeletedAt, under the same conditions. The ids of
	// m.Attachments stay as Removed, and so does the version of the reactions. m.DeletedBy
	// is stored.
	DeleteMessage(ctx context.Context, m Message) (current Message, deleted bool, err error)
}

// Editor edits messages on behalf of their senders, and deletes them on behalf of those
// and of those who moderate the room.
type Editor struct {
	store EditStore
	now   func() time.Time
	fits  func(Message) error

	reviewing Reviewing
}

// NewEditor returns an Editor. fits refuses, with CodeTooLarge, a message that
// no frame about an edit could carry.
func NewEditor(store EditStore, now func() time.Time, fits func(Message) error) *Editor {
	return &Editor{store: store, now: now, fits: fits}
}

// Edit gives a message new content and returns it. It mentions the users in mentioned,
// ids in their normal form, or the same as before if that is nil. Whom it mentions
// already need not be a member any more. An edit that changes nothing writes nothing.
//
// Errors: CodeInvalidRequest, CodeTooLarge, CodeNotAMember, CodeForbidden for
// another user's message, CodeMuted, CodeNotFound for one that does not exist or was
// deleted, and for a new mention of a non-member.
func (e *Editor) Edit(ctx context.Context, userID, roomID, messageID, content string, mentioned *[]string) (Message, error) {
	if content != "" { // which a message with attachments may have
		if err := ValidateContent(content); err != nil {
			return Message{}, err
		}
	}
	place, err := e.find(ctx, userID, roomID, messageID)
	if err != nil {
		return Message{}, err
	}
	m := place.Message
	if m.SenderID != userID {
		return Message{}, Errorf(CodeForbidden, "only the sender of a message edits it")
	}
	if err := may(ToEdit, place.Room.Type, place.Self, e.now().UnixMilli()); err != nil {
		return Message{}, err
	}
	if len(m.Attachments) == 0 && m.DeletedAt == 0 {
		if err := ValidateContent(content); err != nil {
			return Message{}, err
		}
	}
	users := m.Mentions
	if mentioned != nil && m.DeletedAt == 0 {
		if users, err = e.mentions(ctx, m, *mentioned); err != nil {
			return Message{}, err
		}
	}
	if content, err = e.reviewed(ctx, m, content, users); err != nil {
		return Message{}, err
	}
	for range changeAttempts {
		if m.DeletedAt != 0 {
			return Message{}, Errorf(CodeNotFound, "this message was deleted and cannot be edited")
		}
		if m.Content == content && slices.Equal(m.Mentions, users) {
			return m, nil
		}
		edited := m
		edited.Content, edited.Mentions, edited.EditedAt = content, users, e.next(m)
		if err := e.fits(edited); err != nil {
			return Message{}, err
		}
		current, ok, err := e.store.EditMessage(ctx, edited)
		if err != nil {
			return Message{}, fmt.Errorf("edit message: %w", err)
		}
		if ok {
			return current, nil
		}
		if m = current; mentioned == nil {
			users = m.Mentions
		}
	}
	return Message{}, fmt.Errorf("edit message %s: gave up after %d concurrent changes", messageID, changeAttempts)
}

// mentions returns whom an edit of a message mentions.
func (e *Editor) mentions(ctx context.Context, m Message, userIDs []string) ([]string, error) {
	users, err := mentions(userIDs)
	if err != nil {
		return nil, err
	}
	unknown, err := strangers(ctx, e.store, m.RoomID, users, append([]string{m.SenderID}, m.Mentions...)...)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, errNoMembers(m.RoomID, unknown)
	}
	return users, nil
}

// Delete removes a message's content; its sender and time stay, and who deleted it if
// they are not the sender. Deleting it again succeeds. A service may delete every message.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for another user's
// message if the user does not moderate the room, CodeNotFound.
func (e *Editor) Delete(ctx context.Context, userID, roomID, messageID string) error {
	place, err := e.find(ctx, userID, roomID, messageID)
	if err != nil {
		return err
	}
	m, op, deletedBy := place.Message, ToDelete, ""
	if m.SenderID != userID {
		op, deletedBy = ToDeleteOthers, userID
	}
	if err := may(op, place.Room.Type, place.Self, e.now().UnixMilli()); err != nil {
		return err
	}
	for range changeAttempts {
		if m.DeletedAt != 0 {
			return nil
		}
		m.DeletedAt, m.DeletedBy = e.next(m), deletedBy
		current, ok, err := e.store.DeleteMessage(ctx, m)
		if err != nil {
			return fmt.Errorf("delete message: %w", err)
		}
		if ok {
			return nil
		}
		m = current
	}
	return fmt.Errorf("delete message %s: gave up after %d concurrent changes", messageID, changeAttempts)
}

// find reads a message of a room for one of its members, or a service.
func (e *Editor) find(ctx context.Context, userID, roomID, messageID string) (Place, error) {
	place, err := lookup(ctx, e.store, userID, roomID, messageID)
	if err == nil && !place.Found {
		err = errNoMessage(roomID, messageID)
	}
	return place, err
}

// next returns the time of a message's next change, later than its last.
func (e *Editor) next(m Message) int64 { return max(e.now().UnixMilli(), m.Version()+1) }
