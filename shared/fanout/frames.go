package fanout

import (
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// frames are the encoded frames for each user, in order.
type frames struct {
	byUser map[string][][]byte

	// acked are frames that one of a user's connections, by its id, has had an ack for
	// and asked not to be sent.
	acked map[string][][]byte
}

func newFrames() frames { return frames{byUser: map[string][][]byte{}, acked: map[string][][]byte{}} }

func (f frames) add(user string, frame []byte) { f.byUser[user] = append(f.byUser[user], frame) }

func (f frames) addAll(users []string, frame []byte) {
	for _, user := range users {
		f.byUser[user] = append(f.byUser[user], frame)
	}
}

// without returns a user's frames that a connection is to be sent.
func (f frames) without(own [][]byte, connectionID string) [][]byte {
	acked := f.acked[connectionID]
	if len(acked) == 0 {
		return own
	}
	return slices.DeleteFunc(slices.Clone(own), func(frame []byte) bool {
		return slices.ContainsFunc(acked, func(a []byte) bool { return same(a, frame) })
	})
}

// grow makes space for n more frames of each user, at once.
func (f frames) grow(users []string, n int) {
	for _, user := range users {
		f.byUser[user] = slices.Grow(f.byUser[user], n)
	}
}

// encodeFor appends a broadcast's frames to those of each recipient, as of a time in ms.
func (b *broadcast) encodeFor(to frames, at int64) {
	to.grow(b.audience.members, len(b.snapshot.messages)+len(b.snapshot.changed))
	b.encodeJoins(to)
	b.encodeLeaves(to)
	b.encodeAltered(to)
	e, now, members := b.events, b.snapshot, b.audience.members
	if e.gap {
		to.addAll(members, encode(wire.Gap{Type: wire.TypeGap, ChatRoomID: e.roomID}))
	}
	for _, m := range now.messages {
		encodeMessage(m, now.previous[m.ID], members, to)
	}
	for _, m := range now.changed {
		if m.DeletedAt != 0 {
			to.addAll(members, encode(deletedFrame(m)))
		} else {
			encodeEdit(m, members, to)
		}
	}
	if now.name != "" {
		to.addAll(members, encode(wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: e.roomID, Name: now.name}))
	}
	b.encodeReactions(to)
	b.encodeReads(to)
	b.encodeNotify(to)
	b.encodeTyping(to, at)
}

func (b *broadcast) encodeJoins(to frames) {
	a := &b.audience
	for _, m := range b.events.joined {
		frame := encode(wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: b.events.roomID, UserID: m.UserID})
		if a.announces && !a.foundingMembers[m.UserID] && slices.Contains(a.members, m.UserID) {
			to.addAll(a.members, frame)
		} else {
			to.add(m.UserID, frame)
		}
	}
}

func (b *broadcast) encodeLeaves(to frames) {
	a := &b.audience
	for _, user := range b.events.left {
		if a.rejoined[user] {
			continue
		}
		frame := encode(wire.Member{Type: wire.TypeMemberLeft, ChatRoomID: b.events.roomID, UserID: user})
		if a.announces {
			to.addAll(a.members, frame)
		}
		to.add(user, frame)
	}
}

// encodeAltered says what role members have, and whether they are muted: to all members
// of a room that announces who joins, in a larger one to those members alone.
func (b *broadcast) encodeAltered(to frames) {
	for _, user := range slices.Sorted(maps.Keys(b.events.altered)) {
		c := b.events.altered[user]
		frame := encode(wire.MemberChanged{
			Type: wire.TypeMemberChanged, ChatRoomID: c.RoomID, UserID: user, Role: string(c.Role), MutedUntil: c.MutedUntil, At: c.At,
		})
		if b.audience.announces {
			to.addAll(b.audience.members, frame)
		} else if b.audience.large || slices.Contains(b.audience.members, user) {
			to.add(user, frame)
		}
	}
}

func (b *broadcast) encodeReads(to frames) {
	for _, user := range slices.Sorted(maps.Keys(b.events.reads)) {
		read := b.events.reads[user]
		frame := encode(wire.Read{
			Type: wire.TypeRead, ChatRoomID: b.events.roomID, UserID: user, From: read.From, UpTo: read.UpTo, Since: read.Since, Known: read.Known,
		})
		if b.audience.isSmall() {
			to.addAll(b.audience.members, frame)
		} else {
			to.add(user, frame)
		}
	}
}

// encodeNotify tells members' own devices what they are notified of.
func (b *broadcast) encodeNotify(to frames) {
	for user, c := range b.events.notify {
		to.add(user, encode(wire.NotifyChanged{Type: wire.TypeNotifyChanged, ChatRoomID: c.RoomID, Notify: c.Notify.String(), At: c.At}))
	}
}

// encodeTyping says who types, to the others in a small room: not of a user who is not a
// member any more, or has sent a message since.
func (b *broadcast) encodeTyping(to frames, at int64) {
	if !b.audience.isSmall() {
		return
	}
	for _, user := range slices.Sorted(maps.Keys(b.events.typing)) {
		since, members := b.events.typing[user], b.audience.members
		sent := slices.ContainsFunc(b.events.messages, func(m chat.Message) bool { return m.SenderID == user && m.SentAt >= since })
		if at-since > chat.TypingLife.Milliseconds() || sent || !slices.Contains(members, user) {
			continue
		}
		frame := encode(wire.Typing{Type: wire.TypeTyping, ChatRoomID: b.events.roomID, UserID: user, At: since})
		for _, member := range members {
			if member != user {
				to.add(member, frame)
			}
		}
	}
}

// encodeMessage gives a message to all members. Only its sender sees the client
// message id, and not on the connection that the ack is enough for: there it is sent if
// the ack named another message as the one before, which was stored in the meantime.
func encodeMessage(m chat.Message, previous *string, members []string, to frames) {
	frame := messageFrame(m, previous)
	own := encode(frame)
	before := chat.NoneBefore
	if previous != nil {
		before = *previous
	}
	inAck := m.Previous == "" || m.Previous == before
	if m.Origin != "" && m.ClientMessageID != "" && inAck {
		to.acked[m.Origin] = append(to.acked[m.Origin], own)
	}
	frame.ClientMessageID = ""
	addOwned(m, own, encode(frame), members, to)
}

// encodeEdit does the same with a message's new content.
func encodeEdit(m chat.Message, members []string, to frames) {
	frame := editedFrame(m)
	own := encode(frame)
	frame.ClientMessageID = ""
	addOwned(m, own, encode(frame), members, to)
}

func addOwned(m chat.Message, own, others []byte, members []string, to frames) {
	if m.ClientMessageID == "" {
		own = others // one encoding, which is joined once
	}
	for _, user := range members {
		if user == m.SenderID {
			to.add(user, own)
		} else {
			to.add(user, others)
		}
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
		Attachments:       attachments(m.Attachments),
		ReplyTo:           (*wire.Quote)(m.ReplyTo.Shown()),
		Mentions:          m.Mentions,
		ExpiresAt:         m.ExpiresAt,
	}
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
		Attachments:     attachments(m.Attachments),
		ReplyTo:         (*wire.Quote)(m.ReplyTo.Shown()),
		Mentions:        m.Mentions,
		ExpiresAt:       m.ExpiresAt,
	}
}

func attachments(files []chat.File) []wire.Attachment {
	var out []wire.Attachment
	for _, f := range files {
		out = append(out, wire.Attachment{
			AttachmentID: f.ID, Name: f.Name, ContentType: f.ContentType, Size: f.Size, Width: f.Width, Height: f.Height,
		})
	}
	return out
}

func deletedFrame(m chat.Message) wire.MessageDeleted {
	return wire.MessageDeleted{
		Type: wire.TypeMessageDeleted, ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID,
		Timestamp: m.SentAt, DeletedAt: m.DeletedAt, DeletedBy: m.DeletedBy,
	}
}

// encode renders a frame of strings and numbers, which cannot fail.
func encode(frame any) []byte {
	data, err := wire.Encode(frame)
	if err != nil {
		panic("fanout: " + err.Error())
	}
	return data
}
