package chat

import (
	"context"
	"fmt"
	"time"
)

// changeAttempts bounds how often a change is tried that others overtake.
const changeAttempts = 8

// EditStore is what editing needs of the table.
type EditStore interface {
	PlaceStore
	// EditMessage gives a message new content, as of m.EditedAt, unless it was
	// deleted or changed at that time or later. It returns the message as it is
	// now, and whether the edit took place.
	EditMessage(ctx context.Context, m Message) (current Message, edited bool, err error)
	// DeleteMessage takes a message's content away, as of m.DeletedAt, likewise.
	DeleteMessage(ctx context.Context, m Message) (current Message, deleted bool, err error)
}

// Editor changes messages on behalf of who sent them.
type Editor struct {
	store EditStore
	now   func() time.Time
	fits  func(Message) error
}

// NewEditor returns an Editor. fits refuses, with CodeTooLarge, a message that
// no frame about an edit could carry.
func NewEditor(store EditStore, now func() time.Time, fits func(Message) error) *Editor {
	return &Editor{store: store, now: now, fits: fits}
}

// Edit gives a message new content and returns it. An edit that changes nothing
// writes nothing.
//
// Errors: CodeInvalidRequest, CodeTooLarge, CodeNotAMember, CodeForbidden for
// another's message, CodeNotFound for one that is not there or was deleted.
func (e *Editor) Edit(ctx context.Context, userID, roomID, messageID, content string) (Message, error) {
	if err := ValidateContent(content); err != nil {
		return Message{}, err
	}
	m, err := e.own(ctx, userID, roomID, messageID)
	if err != nil {
		return Message{}, err
	}
	for range changeAttempts {
		if m.DeletedAt != 0 {
			return Message{}, Errorf(CodeNotFound, "the message was deleted")
		}
		if m.Content == content {
			return m, nil
		}
		edited := m
		edited.Content, edited.EditedAt = content, e.next(m)
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
		m = current
	}
	return Message{}, fmt.Errorf("edit message %s: others were faster %d times", messageID, changeAttempts)
}

// Delete takes a message's content away; who sent it and when is left. Deleting
// it again is no error.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeForbidden for another's
// message, CodeNotFound.
func (e *Editor) Delete(ctx context.Context, userID, roomID, messageID string) error {
	m, err := e.own(ctx, userID, roomID, messageID)
	if err != nil {
		return err
	}
	for range changeAttempts {
		if m.DeletedAt != 0 {
			return nil
		}
		m.DeletedAt = e.next(m)
		current, ok, err := e.store.DeleteMessage(ctx, m)
		if err != nil {
			return fmt.Errorf("delete message: %w", err)
		}
		if ok {
			return nil
		}
		m = current
	}
	return fmt.Errorf("delete message %s: others were faster %d times", messageID, changeAttempts)
}

// own reads a message that its sender wants to change.
func (e *Editor) own(ctx context.Context, userID, roomID, messageID string) (Message, error) {
	place, err := look(ctx, e.store, userID, roomID, messageID)
	if err != nil {
		return Message{}, err
	}
	if !place.Found {
		return Message{}, Errorf(CodeNotFound, "there is no such message in this room")
	}
	if place.Message.SenderID != userID {
		return Message{}, Errorf(CodeForbidden, "only who sent a message edits or deletes it")
	}
	return place.Message, nil
}

// next is the time of a message's next change.
func (e *Editor) next(m Message) int64 { return max(e.now().UnixMilli(), m.Version()+1) }
