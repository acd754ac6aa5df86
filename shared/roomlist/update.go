package roomlist

import (
	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
)

// update is what a batch means for one room: only its newest message, in its
// newest state, matters, and who is new. It does not change once grouped.
type update struct {
	roomID    string
	newest    *chat.Message
	sent      string // the newest message that was sent, not only changed
	joined    []string
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
		case changes.MemberJoined:
			u := of(r, c.RoomID)
			u.joined = append(u.joined, c.Member.UserID)
		}
	}
	return updates
}

// addMessage keeps a message if it is the newest, or a newer state of it.
func (u *update) addMessage(m chat.Message) {
	if u.newest == nil || u.newest.ID < m.ID || u.newest.ID == m.ID && u.newest.Version() < m.Version() {
		u.newest = &m
	}
}
