package main

import (
	"slices"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// world is a small run that went well: alice sent five messages one after the
// other, the third one with a clock that was behind, and alice and bob saw them.
// Times are 10 apart: message n was sent from 10n to 10n+5.
type world struct {
	*run
	room    *room
	alice   *device
	bob     *device
	history []stored
}

const inRoom = "room"

// order is where each message stands in the history.
var order = []int{0, 2, 1, 3, 4}

func newWorld() *world {
	w := &world{
		run:  &run{config: Config{Clock: clockwork.NewFakeClock()}, ledger: &ledger{}},
		room: &room{id: inRoom, users: []string{"alice", "bob"}, members: map[string][]membership{}},
	}
	w.rooms = []*room{w.room}
	for i, user := range w.room.users {
		w.room.members[user] = []membership{{0, 0, never, never}}
		w.devices = append(w.devices, w.newDevice(user, i))
		w.devices[i].lives = []life{{visits: map[string]*visit{}}}
	}
	w.alice, w.bob = w.devices[0], w.devices[1]
	w.history = make([]stored, len(order))
	for n, place := range order {
		w.ledger.sending(inRoom, "alice", "alice/0", int64(10*n))
		m := w.message(n)
		w.ledger.sent(n, int64(10*n+5), client.Ack{ChatRoomID: inRoom, MessageID: m.MessageID, Timestamp: m.Timestamp}, nil)
		w.history[place] = stored{id: w.id(n), number: n}
		for _, d := range w.devices {
			d.take(m)
		}
	}
	return w
}

func (w *world) id(n int) ulid.ULID {
	var id ulid.ULID
	_ = id.SetTime(uint64(1000 + order[n]))
	return id
}

func (w *world) message(n int) client.Message {
	return client.Message{
		HistoryMessage: client.HistoryMessage{
			ChatRoomID: inRoom, MessageID: w.id(n).String(), SenderID: "alice", Content: content(0, n, 0), Timestamp: int64(w.id(n).Time()),
		},
		Late: n == 2,
	}
}

// reads notes a read of the newest messages, newest first.
func (w *world) reads(called, returned int64, more bool, numbers ...int) {
	r := read{room: inRoom, page: client.Page{Limit: 3}, more: more, called: called, returned: returned}
	for _, n := range numbers {
		r.ids = append(r.ids, w.id(n))
	}
	w.ledger.read(r)
}

// readsAfter notes a read of what comes after a message, oldest first.
func (w *world) readsAfter(n int, called, returned int64, more bool, numbers ...int) {
	w.reads(called, returned, more, numbers...)
	w.ledger.reads[len(w.ledger.reads)-1].page.After = w.id(n).String()
}

func (w *world) checkAll() []Promise {
	sends, reads := w.ledger.all()
	w.checkHistory(w.room, w.history, sends)
	w.checkReads(w.room, w.history, sends, reads)
	w.checkSeen(w.room, w.history, sends)
	w.checkRefusals(sends)
	for _, v := range w.missing(w.room, w.history) {
		w.ledger.violate(v)
	}
	var promises []Promise
	for _, v := range w.ledger.broken() {
		promises = append(promises, v.Promise)
	}
	slices.Sort(promises)
	return slices.Compact(promises)
}

func TestEachBrokenPromiseIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(w *world)
		want    []Promise
	}{
		"nothing": {func(*world) {}, nil},
		"an acknowledged message is gone": {func(w *world) {
			for _, d := range w.devices {
				log := &d.lives[0].visits[inRoom].log
				*log = (*log)[:4]
			}
			w.history = w.history[:4]
		}, []Promise{Lost}},
		"a message is there under another id": {func(w *world) { w.history[4].id[15]++ }, []Promise{Lost, Missing}},
		"a message is stored twice": {func(w *world) {
			again := stored{id: w.id(4), number: 4}
			again.id[15]++
			w.history = append(w.history, again)
		}, []Promise{Lost, Missing, StoredTwice}},
		"a device sees what is not there": {func(w *world) {
			w.ledger.sending(inRoom, "alice", "alice/0", 60)
			m := w.message(4)
			m.Content = content(0, 5, 0)
			m.MessageID = m.MessageID[:25] + "Z"
			w.bob.take(m)
		}, []Promise{Lost}},
		"a device sees a message twice": {func(w *world) { w.bob.take(w.message(4)) }, []Promise{SeenTwice}},
		"a device lacks a message": {func(w *world) {
			log := &w.bob.lives[0].visits[inRoom].log
			*log = slices.Delete(*log, 2, 3)
		}, []Promise{Missing}},
		"a device lacks a whole room":           {func(w *world) { w.bob.leave(inRoom) }, []Promise{Missing}},
		"one who came later lacks nothing":      {func(w *world) { w.bob.leave(inRoom); w.loadedAt.Store(1); w.bob.take(w.message(4)) }, nil},
		"a message comes behind a newer one":    {func(w *world) { w.bob.leave(inRoom); w.bob.take(w.message(4)); w.bob.take(w.message(3)) }, []Promise{Missing, Unordered}},
		"the content is another":                {func(w *world) { m := w.message(4); m.Content += "!"; w.bob.take(m) }, []Promise{Altered}},
		"the sender is another":                 {func(w *world) { m := w.message(4); m.SenderID = "bob"; w.bob.take(m) }, []Promise{Altered}},
		"the room is another":                   {func(w *world) { m := w.message(4); m.ChatRoomID = "other"; w.bob.take(m) }, []Promise{Altered}},
		"the time is another":                   {func(w *world) { m := w.message(4); m.Timestamp++; w.bob.take(m) }, []Promise{Altered}},
		"an ack is for another message":         {func(w *world) { w.ledger.sending(inRoom, "bob", "bob/0", 60); w.ledger.sent(5, 61, client.Ack{}, nil) }, []Promise{Altered}},
		"one who left sees what was sent later": {func(w *world) { w.left("bob", 20, 25) }, []Promise{Foreign}},
		"one who asked before leaving sees that": {func(w *world) {
			w.left("bob", 20, 25)
			w.bob.calls = []call{{24, 45}}
		}, nil},
		"one who left sends":                    {func(w *world) { w.left("alice", 20, 25) }, []Promise{Foreign, Unauthorized}},
		"one who may be leaving sees and sends": {func(w *world) { w.left("alice", 20, never) }, nil},
		"a member is refused": {func(w *world) {
			w.ledger.sending(inRoom, "bob", "bob/0", 60)
			w.ledger.sent(5, 61, client.Ack{}, &client.Error{Code: client.CodeNotAMember})
		}, []Promise{Refused}},
		"one who is leaving is refused": {func(w *world) {
			w.left("bob", 60, never)
			w.ledger.sending(inRoom, "bob", "bob/0", 60)
			w.ledger.sent(5, 61, client.Ack{}, &client.Error{Code: client.CodeNotAMember})
		}, nil},
		"reads see what is there": {func(w *world) {
			w.reads(16, 18, false, 1, 0)
			w.reads(26, 28, false, 1, 2, 0)
			w.reads(46, 48, true, 4, 3, 1)
			w.readsAfter(0, 27, 28, false, 2, 1)
			w.readsAfter(2, 46, 48, false, 1, 3, 4)
		}, nil},
		"a read lacks what was acknowledged":     {func(w *world) { w.reads(26, 28, false, 1, 0) }, []Promise{NotLinearizable}},
		"a later read lacks what one saw before": {func(w *world) { w.reads(31, 32, true, 3, 1, 2); w.reads(33, 34, false, 1, 2, 0) }, []Promise{NotLinearizable}},
		"a read says that there is more":         {func(w *world) { w.reads(16, 18, true, 1, 0) }, []Promise{NotLinearizable}},
		"a read hides that there is more":        {func(w *world) { w.reads(46, 48, false, 4, 3, 1) }, []Promise{NotLinearizable}},
		"a read is cut short":                    {func(w *world) { w.reads(46, 48, true, 4, 3) }, []Promise{NotLinearizable}},
		"a read after one begins too late":       {func(w *world) { w.readsAfter(2, 46, 48, false, 3, 4) }, []Promise{NotLinearizable}},
		"a read is out of order":                 {func(w *world) { w.readsAfter(0, 46, 48, true, 1, 2, 3) }, []Promise{NotLinearizable}},
		"a read sees what is never there": {func(w *world) {
			w.reads(46, 48, true, 4, 3, 1)
			w.ledger.reads[0].ids[0][15]++
		}, []Promise{Lost}},
		// Message 3's outcome is unknown: it may have happened at any time after its call.
		"an unknown send shows late": {func(w *world) {
			w.forget(3)
			w.reads(46, 48, true, 4, 1, 2)
			w.reads(50, 52, true, 4, 3, 1)
		}, nil},
		"an unknown send shows and goes": {func(w *world) {
			w.forget(3)
			w.reads(46, 48, true, 4, 3, 1)
			w.reads(50, 52, true, 4, 1, 2)
		}, []Promise{NotLinearizable}},
		"an unknown send shows before it is sent": {func(w *world) { w.forget(3); w.reads(25, 28, true, 3, 1, 2) }, []Promise{NotLinearizable}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.later()
			test.happens(w)
			if got := w.checkAll(); !slices.Equal(got, test.want) {
				t.Errorf("broken are %q, want %q: %v", got, test.want, w.ledger.broken())
			}
		})
	}
}

// later moves what was seen to after all that happens.
func (w *world) later() {
	for _, d := range w.devices {
		for i := range d.lives[0].visits[inRoom].log {
			d.lives[0].visits[inRoom].log[i].at = 100
		}
	}
}

// left notes that a user was removed, between two times.
func (w *world) left(user string, from, to int64) {
	w.room.change(user, func(m *membership) { m.removed, m.surelyRemoved = from, to })
}

// forget makes the outcome of a send unknown.
func (w *world) forget(n int) {
	w.ledger.sends[n].id = ulid.ULID{}
}

// A message that was deleted before it was delivered comes as its deletion alone, and
// one that a gap announces comes to those who ask for it.
func TestUndelivered_WhatWasToldOtherwise(t *testing.T) {
	w := newWorld()
	lacks := func(want int, what string) {
		t.Helper()
		got := 0
		for _, v := range w.undelivered(true) {
			got += len(v.IDs)
		}
		if got != want {
			t.Errorf("%s: %d messages are not delivered, want %d", what, got, want)
		}
	}
	log := &w.bob.lives[0].visits[inRoom].log
	*log = (*log)[:3]
	lacks(2, "bob was handed three of five")
	deleted := w.message(3).HistoryMessage
	w.ledger.erasing(3)
	deleted.Content, deleted.DeletedAt = "", 50
	w.bob.revise(deleted)
	lacks(2, "he shows the message that is deleted")
	delete(w.bob.lives[0].visits[inRoom].screen, deleted.MessageID)
	w.bob.revise(deleted)
	lacks(1, "he has never shown it")

	w.start = w.config.Clock.Now()
	w.room.index, w.bob.browser = closedRooms-1, true
	w.bob.leftOut(inRoom)
	lacks(1, "a gap came before the message was sent")
	w.bob.lives[0].visits[inRoom].leftOut = 45
	lacks(0, "a gap came after it was sent")
	w.room.index = 0
	lacks(1, "his application shows the room, and asks for what is left out")
}
