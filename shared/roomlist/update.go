package roomlist

import (
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
)

// update is what a batch means for one room: only its newest message, in its
// newest state, matters for lists, and who is new; and what went. It does not change once grouped.
type update struct {
	roomID    string
	newest    *chat.Message
	sent      string // the newest message that was sent, not only changed
	joined    []string
	removed   []string // attachments of messages that were deleted
	reacted   []string // deleted messages that had reactions
	expired   []string // attachments that no message has, whose items are gone
	ended     bool     // the room was deleted
	replayed  bool     // a record comes from a replay
	sequences []string
}

// group returns an update for each room of a batch, in the order of their first
// records.
func group(records []changes.Record) []update {
	var updates []update
	byRoom := map[string]int{}
	of := func(r changes.Record, roomID string) *update {
		i, ok := byRoom[roomID]
		if !ok {
			i = len(updates)
			byRoom[roomID] = i
			updates = append(updates, update{roomID: roomID})
		}
		updates[i].sequences = append(updates[i].sequences, r.Sequence)
		updates[i].replayed = updates[i].replayed || r.Replay != ""
		return &updates[i]
	}
	for _, r := range records {
		switch c := r.Change.(type) {
		case changes.MessageSent:
			u := of(r, c.Message.RoomID)
			u.sent = max(u.sent, c.Message.ID)
			u.addMessage(c.Message)
		case changes.MessageEdited:
			of(r, c.Message.RoomID).addMessage(c.Message)
		case changes.MessageDeleted:
			of(r, c.Message.RoomID).addMessage(c.Message)
		case changes.AttachmentExpired:
			u := of(r, c.RoomID)
			u.expired = append(u.expired, c.AttachmentID)
		case changes.RoomEnded:
			of(r, c.RoomID).ended = true
		case changes.MemberJoined:
			u := of(r, c.RoomID)
			u.joined = append(u.joined, c.Member.UserID)
		}
	}
	return updates
}

// addMessage keeps a message if it is the newest, or a newer state of it, and what a
// deleted one had.
func (u *update) addMessage(m chat.Message) {
	u.removed = append(u.removed, m.Removed...)
	if m.DeletedAt != 0 && m.Reactions.Version != 0 {
		u.reacted = append(u.reacted, m.ID)
	}
	if u.newest == nil || u.newest.ID < m.ID || u.newest.ID == m.ID && u.newest.Version() < m.Version() {
		u.newest = &m
	}
}
