package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// visit is what a device saw of one room, from when it first heard of it until
// it was told that its user left.
type visit struct {
	room   string
	whole  bool // it began before the room's first message
	newest ulid.ULID
	log    []seen
	held   []seen // shown by a browser, though maybe not handed on as new

	deleted map[ulid.ULID]bool // messages of which it was told that they were deleted
	leftOut int64              // when a gap last said that messages were left out; 0: never

	// What a Go device shows: what it was handed, as it was changed since, and how
	// far each user has read.
	screen  map[string]*client.HistoryMessage // of run.shared
	read    map[string]string
	reacted map[string]*reactions // by message
}

// seen is a message that was handed to the application.
type seen struct {
	id     ulid.ULID
	number int
	at     int64
	since  int64 // when the device was connected
	kept   int64 // when a fault last kept something from its connection; never: it still does
}

// take notes a message.
func (d *device) take(m client.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.visit(m.ChatRoomID)
	id, number, problem := d.run.ledger.recognize(m.ChatRoomID, m.HistoryMessage)
	if problem == "" && !d.browser {
		problem = d.run.ledger.wrongFiles(number, m.HistoryMessage)
	}
	switch late := id.Compare(v.newest) < 0; {
	case problem != "":
		d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
		return
	case late != m.Late && len(v.log) > 0 && !d.browser: // which places messages by their ids
		d.run.ledger.violate(Violation{
			Promise: Unordered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID, v.newest.String()},
			Detail: fmt.Sprintf("a message comes after the newest one, and says of itself that it is late: %t", m.Late),
		})
	case late:
		d.run.tally.add(&d.run.tally.Late)
	default:
		v.newest = id
	}
	v.log = append(v.log, seen{id: id, number: number, at: d.run.now(), since: d.since, kept: d.kept()})
	v.screen[m.MessageID] = d.run.shared.share(m.HistoryMessage)
	if m.Reactions != nil {
		d.noteReacted(v, m.MessageID, *m.Reactions, nil)
	}
	d.run.tally.add(&d.run.tally.Deliveries)
}

// kept is when a fault, or that it was frozen, last kept something from the connection; never
// if functions were answered that it is gone, and leave it alone until its client pings. d.mu is held.
func (d *device) kept() int64 {
	if !d.run.lasting {
		return 0
	}
	if d.run.injector.Gone(d.connectionID) || d.tab.isFrozen() {
		return never
	}
	kept := d.tab.thawed()
	if last := d.run.injector.Disturbed(d.connectionID); !last.IsZero() {
		kept = max(kept, d.run.at(last))
	}
	return kept
}

// hold notes messages that a browser shows.
func (d *device) hold(messages []client.HistoryMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range messages {
		id, number, problem := d.run.ledger.recognize(m.ChatRoomID, m)
		if problem != "" {
			d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
			continue
		}
		v := d.visit(m.ChatRoomID)
		v.held = append(v.held, seen{id: id, number: number, at: d.run.now()})
	}
}

// deleted notes that a device got a deletion: a message that was deleted
// before it was delivered comes as its deletion alone.
func (d *device) deleted(room, messageID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteDeleted(room, messageID)
}

// noteDeleted is deleted with d.mu held.
func (d *device) noteDeleted(room, messageID string) {
	v := d.visit(room)
	if v.deleted == nil {
		v.deleted = map[ulid.ULID]bool{}
	}
	if id, err := ulid.ParseStrict(messageID); err == nil {
		v.deleted[id] = true
	}
}

// leftOut notes that a device was told by a gap that messages of a room were left out.
func (d *device) leftOut(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.visit(room).leftOut = d.run.now()
}

// revise takes a change of a message. What it doesn't show it has no use for.
func (d *device) revise(m client.HistoryMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.visit(m.ChatRoomID)
	_, _, problem := d.run.ledger.recognize(m.ChatRoomID, m)
	held, shown := v.screen[m.MessageID]
	switch {
	case problem != "":
		d.run.ledger.violate(Violation{Promise: Altered, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID}, Detail: problem})
	case !shown && m.DeletedAt != 0:
		d.noteDeleted(m.ChatRoomID, m.MessageID)
	case !shown:
	case held.DeletedAt != 0 || m.DeletedAt == 0 && m.EditedAt <= held.EditedAt:
		d.run.ledger.violate(Violation{
			Promise: WentBack, Room: m.ChatRoomID, Client: d.name, IDs: []string{m.MessageID},
			Detail: fmt.Sprintf("changed at %d, deleted at %d; a change of %d, deleted at %d came before", m.EditedAt, m.DeletedAt, held.EditedAt, held.DeletedAt),
		})
	default:
		v.screen[m.MessageID] = d.run.shared.share(m)
	}
	if m.Reactions != nil {
		d.noteReacted(v, m.MessageID, *m.Reactions, nil)
	}
	d.run.tally.add(&d.run.tally.Changes)
}

// moved takes a read cursor.
func (d *device) moved(room, user, upTo string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.ongoing(room); v != nil {
		v.read[user] = max(v.read[user], upTo)
	}
}

// forgetCursor drops the read cursor of a user who left a room, which takes it with
// them; forgetCursors drops all, before they are asked for.
func (d *device) forgetCursor(room, user string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.ongoing(room); v != nil {
		delete(v.read, user)
	}
}

func (d *device) forgetCursors() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.lives[len(d.lives)-1].visits {
		clear(v.read)
	}
}

// visit is the visit of a room that goes on. d.mu is held.
func (d *device) visit(room string) *visit {
	visits := d.lives[len(d.lives)-1].visits
	v := visits[room]
	if v == nil {
		v = &visit{
			room: room, whole: d.run.loadedAt.Load() == 0,
			screen: map[string]*client.HistoryMessage{}, read: map[string]string{}, reacted: map[string]*reactions{},
		}
		visits[room] = v
	}
	return v
}

// ongoing is the visit that something other than a message belongs to: nil if the user has
// left, for a frame that was under way then begins no visit. d.mu is held.
func (d *device) ongoing(room string) *visit {
	known := d.lives[len(d.lives)-1].visits[room] != nil || d.run.loadedAt.Load() == 0 // until then rooms are made
	if !known && !d.run.isMember(room, d.user) {
		return nil
	}
	return d.visit(room)
}

// leave ends the visit of a room.
func (d *device) leave(room string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := &d.lives[len(d.lives)-1]
	if v := now.visits[room]; v != nil {
		now.past = append(now.past, v)
		delete(now.visits, room)
	}
}

// has says which of the messages the running application was handed, in any
// visit of the room, or got the deletion of; and when it was last told that others
// were left out, which only an application that shows the room asks for. 0 is never.
func (d *device) has(room *room) (ids map[ulid.ULID]bool, leftOut int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.lives[len(d.lives)-1]
	ids = map[ulid.ULID]bool{}
	for _, v := range append(slices.Clone(now.past), now.visits[room.id]) {
		if v == nil || v.room != room.id {
			continue
		}
		maps.Copy(ids, v.deleted)
		if !d.shows(room) {
			leftOut = max(leftOut, v.leftOut)
		}
		for _, s := range slices.Concat(v.log, v.held) {
			ids[s.id] = true
		}
	}
	return ids, leftOut
}

// firstShown is the oldest message that the device shows of a room; zero if it shows none, or
// has to show all.
func (d *device) firstShown(room string) (first ulid.ULID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.lives[len(d.lives)-1].visits[room]
	if v == nil || v.whole {
		return first
	}
	for _, s := range v.log {
		if first.IsZero() || s.id.Compare(first) < 0 {
			first = s.id
		}
	}
	return first
}

// shownMessage is a message as a Go device shows it.
func (v *visit) shownMessage(id string) (m client.HistoryMessage) {
	if shown := v.screen[id]; shown != nil {
		m = *shown
	}
	m.Reactions = v.shownReactions(m.MessageID)
	return m
}

// lacks says which messages of a history the current visit of the room lacks:
// of those since it began.
func (d *device) lacks(room string, history []stored) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.lives[len(d.lives)-1].visits[room]
	ids := map[ulid.ULID]bool{}
	first := ulid.ULID{}
	if v != nil {
		for _, s := range v.log {
			ids[s.id] = true
			if !v.whole && (first.IsZero() || s.id.Compare(first) < 0) {
				first = s.id
			}
		}
	}
	var missing []string
	for _, m := range history {
		if m.id.Compare(first) >= 0 && !ids[m.id] {
			missing = append(missing, m.id.String())
		}
	}
	return missing
}

// visits are all visits of all lives.
func (d *device) visits() []*visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*visit
	for _, l := range d.lives {
		all = append(all, l.past...)
		for _, v := range l.visits {
			all = append(all, v)
		}
	}
	return all
}
