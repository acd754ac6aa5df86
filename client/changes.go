package client

import "github.com/oklog/ulid/v2"

// version is when a message changed last, in ms; 0: never.
func version(m HistoryMessage) int64 { return max(m.EditedAt, m.DeletedAt) }

// change takes what has become of a message: live, or from the room's history.
// Of a message that the application doesn't have yet it becomes the message
// itself; of others it is told, but never what was before the last that was told.
func (r *room) change(h held) {
	if i, ok := r.search(h.id); ok {
		r.renew(i, h)
		return
	}
	if r.looked && !r.knows(h.id) && h.id.Compare(r.sure) > 0 {
		r.offer(h)
		return
	}
	r.tell(h.HistoryMessage, h.id)
}

// renew takes a newer state of a message that is held.
func (r *room) renew(i int, h held) {
	if version(h.HistoryMessage) > version(r.held[i].HistoryMessage) {
		r.held[i].HistoryMessage = h.HistoryMessage
	}
}

// tell hands out a change of a message that was handed out before. What there is
// no space for is told when the room's history is read again.
func (r *room) tell(m HistoryMessage, id ulid.ULID) {
	v := version(m)
	if v <= r.versions[id] {
		return
	}
	var e Event = Edited{HistoryMessage: m}
	if m.DeletedAt != 0 {
		e = Deleted{
			ChatRoomID: m.ChatRoomID, MessageID: m.MessageID, SenderID: m.SenderID,
			Timestamp: m.Timestamp, DeletedAt: m.DeletedAt,
		}
	}
	if r.out(e) {
		r.note(id, v)
		return
	}
	r.recheck()
	r.reread = r.opened
}

// outdated tells whether a message comes as it was before a change that has been
// told already: another sync has it as it is now.
func (r *room) outdated(h held) bool { return version(h.HistoryMessage) < r.versions[h.id] }

// note remembers which state of a message was handed out.
func (r *room) note(id ulid.ULID, v int64) {
	if v == 0 {
		return
	}
	if r.versions == nil || len(r.versions) >= maxKnown {
		// Forgotten ones are told again, should they come again: that does no harm.
		r.versions = map[ulid.ULID]int64{}
	}
	r.versions[id] = v
}

// compare takes the newest page of the room's history, for changes that were
// missed. Messages that are missing are left to syncs.
func (r *room) compare(page []held) {
	r.reread = false
	for _, h := range page {
		if i, ok := r.search(h.id); ok {
			r.renew(i, h)
		} else if r.knows(h.id) {
			r.tell(h.HistoryMessage, h.id)
		}
	}
}
