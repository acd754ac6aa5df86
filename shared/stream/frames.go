package stream

import (
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// address appends the room's frames to those of each user who is to see them:
// to nobody, if the room could not be read.
func (r *roomNews) address(frames map[string][][]byte) {
	if r.members == nil {
		return
	}
	everybody := func(frame []byte) {
		for _, user := range r.members {
			frames[user] = append(frames[user], frame)
		}
	}
	only := func(user string, frame []byte) { frames[user] = append(frames[user], frame) }

	for _, m := range r.joined {
		frame := encode(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: r.id, UserID: m.UserID})
		if r.announces() && !r.together[m.UserID] && slices.Contains(r.members, m.UserID) {
			everybody(frame)
		} else {
			only(m.UserID, frame)
		}
	}
	for _, user := range r.left {
		if r.back[user] {
			continue // is back, which another record tells: said after it, they would seem to be gone
		}
		frame := encode(wire.Member{Type: wire.TypeMemberLeft, ChatRoomID: r.id, UserID: user})
		if r.announces() {
			everybody(frame)
		}
		only(user, frame)
	}
	if r.gap {
		everybody(encode(wire.Gap{Type: wire.TypeGap, ChatRoomID: r.id}))
	}
	for _, m := range r.messages {
		r.addressMessage(m, frames)
	}
	for _, m := range r.changes {
		if m.DeletedAt != 0 {
			everybody(encode(deletedFrame(m)))
		} else {
			r.addressEdit(m, frames)
		}
	}
	if r.name != "" {
		everybody(encode(wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: r.id, Name: r.name}))
	}
	small := !r.large && len(r.members) <= chat.SmallRoom
	for _, user := range slices.Sorted(maps.Keys(r.reads)) {
		frame := encode(wire.Read{Type: wire.TypeRead, ChatRoomID: r.id, UserID: user, UpTo: r.reads[user]})
		if small {
			everybody(frame)
		} else {
			only(user, frame)
		}
	}
}

// addressMessage gives a message to everybody in the room. Only its sender
// sees the client message id.
func (r *roomNews) addressMessage(m chat.Message, frames map[string][][]byte) {
	frame := messageFrame(m, r.previous[m.ID])
	own := encode(frame)
	frame.ClientMessageID = ""
	r.addressOwned(m, own, encode(frame), frames)
}

// addressEdit does the same with what has become of a message.
func (r *roomNews) addressEdit(m chat.Message, frames map[string][][]byte) {
	frame := editedFrame(m)
	own := encode(frame)
	frame.ClientMessageID = ""
	r.addressOwned(m, own, encode(frame), frames)
}

func (r *roomNews) addressOwned(m chat.Message, own, others []byte, frames map[string][][]byte) {
	if m.ClientMessageID == "" {
		own = others // one encoding, which is joined once
	}
	for _, user := range r.members {
		if user == m.SenderID {
			frames[user] = append(frames[user], own)
		} else {
			frames[user] = append(frames[user], others)
		}
	}
}

// Fits refuses, with chat.CodeTooLarge, a message that no frame could carry:
// with everything that a frame may say of it, it must not exceed wire.MaxFrame
// once encoded.
func Fits(m chat.Message) error {
	anID := m.ID
	if size := len(encode(messageFrame(m, &anID))); size > wire.MaxFrame {
		return chat.Errorf(chat.CodeTooLarge, "the message has %d bytes once encoded; at most %d are allowed", size, wire.MaxFrame)
	}
	return nil
}

// FitsEdited does so with a message whose content has changed: who has not been
// told of it before is told of it as a message, with its new content.
func FitsEdited(m chat.Message) error {
	if err := Fits(m); err != nil {
		return err
	}
	if size := len(encode(editedFrame(m))); size > wire.MaxFrame {
		return chat.Errorf(chat.CodeTooLarge, "the message has %d bytes once encoded; at most %d are allowed", size, wire.MaxFrame)
	}
	return nil
}

func editedFrame(m chat.Message) wire.MessageEdited {
	return wire.MessageEdited{
		Type:            wire.TypeMessageEdited,
		ChatRoomID:      m.RoomID,
		MessageID:       m.ID,
		SenderID:        m.SenderID,
		Content:         m.Content,
		Timestamp:       m.SentAt,
		EditedAt:        m.EditedAt,
		ClientMessageID: m.ClientMessageID,
	}
}

func deletedFrame(m chat.Message) wire.MessageDeleted {
	return wire.MessageDeleted{
		Type: wire.TypeMessageDeleted, ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID,
		Timestamp: m.SentAt, DeletedAt: m.DeletedAt,
	}
}

// messageFrame is the frame that announces a message.
func messageFrame(m chat.Message, previous *string) wire.Message {
	return wire.Message{
		Type:              wire.TypeMessage,
		ChatRoomID:        m.RoomID,
		MessageID:         m.ID,
		SenderID:          m.SenderID,
		Content:           m.Content,
		Timestamp:         m.SentAt,
		PreviousMessageID: previous,
		ClientMessageID:   m.ClientMessageID,
	}
}

// encode renders a frame of strings and numbers, which cannot fail.
func encode(frame any) []byte {
	data, err := wire.Encode(frame)
	if err != nil {
		panic("stream: " + err.Error())
	}
	return data
}
