package fanout

import (
	"cmp"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// Fits refuses, with chat.CodeTooLarge, a message that no frame could carry:
// with all fields that a frame may have of it, it must not exceed wire.MaxFrame
// once encoded.
func Fits(m chat.Message) error {
	anID := m.ID
	m.ExpiresAt = cmp.Or(m.ExpiresAt, m.SentAt) // it may have one
	return fits(encode(messageFrame(m, &anID)))
}

// FitsEdited also checks the messageEdited frame of a message whose content has
// changed. Clients that missed the original get the edit as a message, with its
// new content.
func FitsEdited(m chat.Message) error {
	if err := Fits(m); err != nil {
		return err
	}
	return fits(encode(editedFrame(m)))
}

func fits(frame []byte) error {
	if size := len(frame); size > wire.MaxFrame {
		return chat.Errorf(chat.CodeTooLarge, "the message has %d bytes once encoded; at most %d are allowed", size, wire.MaxFrame)
	}
	return nil
}
