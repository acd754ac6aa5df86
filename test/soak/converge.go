package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/streamroom/streamroom/client"
)

// converge waits until the devices and the room lists agree with the histories,
// and checks them. No more faults are injected.
//
// First no message is sent: the last one of a room has to arrive by itself, and in
// the room lists. Then one message is sent in each room, which shows which devices
// are no longer delivered to. Then all networks are cut once, and each device has
// to catch up with what it missed, and to show what the server has. That has to hold
// again after changes that it gets as they happen, and after those while it was away.
func (r *run) converge(ctx context.Context) error {
	began := r.config.Clock.Now()
	r.settling.Store(true)
	// Not before: a connection whose end no one noticed would keep the visitor online.
	if in := r.visited(); in != nil {
		if err := r.comeVisitor(ctx); err != nil {
			return err
		}
		if err := r.awaitPresence(ctx, visitor, in, true); err != nil {
			return err
		}
	}
	steps := []func(context.Context) error{r.awaitDelivered, r.awaitLive, r.awaitCaughtUp, r.awaitSameOnline, r.awaitSameAfterAbsence, r.check}
	for i, step := range steps {
		if r.enough() {
			break
		}
		if err := step(ctx); err != nil {
			return err
		}
		r.tally.converged(i, r.config.Clock.Since(began))
	}
	r.sample()
	return nil
}

func (r *run) awaitDelivered(ctx context.Context) error {
	givenUp, err := r.host.GivenUp(ctx)
	if err != nil {
		return err
	}
	var undelivered, listed []Violation
	err = r.await(ctx, func() bool {
		if givenUp, err = r.host.GivenUp(ctx); err != nil {
			return false
		}
		undelivered, listed = nil, nil
		if givenUp["fanout"] == 0 {
			undelivered = r.undelivered(false)
		}
		if givenUp["lastmessage"] == 0 {
			listed = r.outdatedLists(ctx)
		}
		return len(undelivered)+len(listed) == 0 && r.allConnected()
	})
	r.tally.gaveUp(givenUp)
	return r.violations(err, append(undelivered, listed...))
}

func (r *run) awaitLive(ctx context.Context) error {
	for _, room := range r.rooms {
		r.sayAs(ctx, room)
	}
	givenUp, err := r.host.GivenUp(ctx)
	if err != nil || givenUp["fanout"] > 0 {
		return err
	}
	var undelivered, listed []Violation
	err = r.await(ctx, func() bool {
		undelivered, listed = r.undelivered(false), nil
		if givenUp["lastmessage"] == 0 {
			listed = r.outdatedLists(ctx)
		}
		return len(undelivered)+len(listed) == 0
	})
	return r.violations(err, append(undelivered, listed...))
}

func (r *run) awaitCaughtUp(ctx context.Context) error {
	cut := map[*device]int64{} // some are back before the last one is
	for _, d := range r.devices {
		if err := d.followRooms(ctx); err != nil {
			return err
		}
		cut[d] = r.now()
		d.network.cut()
	}
	var missing []Violation
	var failed error
	err := r.await(ctx, func() bool {
		missing = nil
		for _, room := range r.rooms {
			var history []stored
			if history, failed = r.history(ctx, room); failed != nil {
				return false
			}
			missing = append(missing, r.missing(room, history)...)
		}
		return len(missing) == 0 && !slices.ContainsFunc(r.devices, func(d *device) bool {
			id, since := d.connection()
			return id == "" || since < cut[d]
		})
	})
	if failed != nil {
		return fmt.Errorf("read a history: %w", failed)
	}
	if err := r.violations(err, missing); err != nil {
		return err
	}
	return r.awaitSame(ctx, "after a reconnect")
}

// awaitSameOnline changes something in all rooms while everyone is connected, and
// then has all users read all.
func (r *run) awaitSameOnline(ctx context.Context) error {
	if in := r.visited(); in != nil {
		r.leaving = visitor
		r.leaveVisitor()
		if err := r.awaitPresence(ctx, visitor, in, false); err != nil {
			return err
		}
	}
	r.stir(ctx, "online", r.devices)
	if err := r.awaitSame(ctx, "after changes while connected"); err != nil || r.enough() {
		return err
	}
	for _, room := range r.rooms {
		room.shown = [2]int{r.sayAs(ctx, room), r.sayAs(ctx, room)}
	}
	var all sync.WaitGroup
	for _, d := range r.devices {
		if d != r.deviceOf(d.user) {
			continue
		}
		all.Go(func() {
			for _, room := range r.rooms {
				if room.isMember(d.user) {
					d.readUpTo(ctx, room, r.ledger.newest(room.id))
				}
			}
		})
	}
	all.Wait()
	return r.awaitSame(ctx, "after all was read")
}

// awaitSameAfterAbsence changes something while half of the devices are away: messages
// that they show, too, and what they had read becomes unread.
func (r *run) awaitSameAfterAbsence(ctx context.Context) error {
	var stay []*device
	for _, d := range r.devices {
		if d == r.deviceOf(d.user) {
			stay = append(stay, d)
		} else {
			d.network.leave()
		}
	}
	for _, room := range r.rooms {
		owner := r.deviceOf(room.owner())
		owner.editMessage(ctx, room, room.shown[0], r.ledger.idOf(room.shown[0]))
		owner.eraseMessage(ctx, room, room.shown[1], r.ledger.idOf(room.shown[1]))
	}
	r.stir(ctx, "absence", stay)
	for _, room := range r.rooms {
		r.sayAs(ctx, room)
	}
	for _, d := range r.devices {
		if d.network.back() {
			d.wake(ctx)
		}
	}
	if err := r.awaitSame(ctx, "after changes while disconnected"); err != nil || r.enough() {
		return err
	}
	return r.awaitVisitor(ctx)
}

// awaitVisitor waits until all show that the visitor has gone, and then that they are back.
func (r *run) awaitVisitor(ctx context.Context) error {
	in := r.visited()
	if in == nil {
		return nil
	}
	r.leaving = ""
	if err := r.awaitSame(ctx, "after someone has gone"); err != nil || r.enough() {
		return err
	}
	if err := r.comeVisitor(ctx); err != nil {
		return err
	}
	if err := r.awaitPresence(ctx, visitor, in, true); err != nil {
		return err
	}
	return r.awaitSame(ctx, "after someone has come back")
}

// sayAs has a room's owner say something, whose number it gives.
func (r *run) sayAs(ctx context.Context, room *room) int {
	number, acked := r.deviceOf(room.owner()).sayNumber(ctx, room)
	if !acked {
		r.ledger.violate(Violation{Promise: Refused, Room: room.id, Detail: "a send fails though no faults are injected any more"})
	}
	return number
}

// stirredRooms is how many rooms a device changes something in.
const stirredRooms = 3

// stir has devices send, edit, delete, react, read and rename.
func (r *run) stir(ctx context.Context, when string, devices []*device) {
	var all sync.WaitGroup
	for _, d := range devices {
		random := r.random("stir " + when + " " + d.name)
		var rooms []*room
		for _, i := range random.Perm(len(r.rooms)) {
			if r.rooms[i].isMember(d.user) && len(rooms) < stirredRooms {
				rooms = append(rooms, r.rooms[i])
			}
		}
		all.Go(func() {
			for _, room := range rooms {
				if !d.sayMore(ctx, room, random) {
					r.ledger.violate(Violation{Promise: Refused, Room: room.id, Client: d.name, Detail: "a send fails though no faults are injected any more"})
				}
				d.edit(ctx, room, random)
				d.erase(ctx, room, random)
				d.react(ctx, room, random)
				d.mark(ctx, room, random)
				if d == r.deviceOf(room.owner()) {
					r.rename(ctx, d, room, when)
				}
			}
		})
	}
	all.Wait()
}

func (r *run) rename(ctx context.Context, d *device, room *room, when string) {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	if _, err := d.current().RenameRoom(ctx, room.id, fmt.Sprintf("Room %d, %s", room.index, when)); err != nil {
		r.ledger.violate(Violation{Promise: Refused, Room: room.id, Client: d.name, Detail: "a room can't be renamed: " + err.Error()})
	}
}

// violations reports what did not converge in time as violations.
func (r *run) violations(err error, left []Violation) error {
	if !errors.Is(err, errTimeout) {
		return err
	}
	for _, v := range left {
		r.ledger.violate(v)
	}
	if !r.allConnected() {
		r.ledger.violate(Violation{Promise: Connected, Detail: "not all devices are connected"})
	}
	return nil
}

func (r *run) allConnected() bool {
	return !slices.ContainsFunc(r.present(), func(d *device) bool {
		id, _ := d.connection()
		return id == ""
	})
}

// present are the devices that are not away for long.
func (r *run) present() []*device {
	return slices.DeleteFunc(slices.Clone(r.devices), func(d *device) bool { return d.absent.Load() })
}

// undelivered says who should have got which messages without doing anything:
// those that were sent while the device was connected and left alone; with all,
// every message.
func (r *run) undelivered(all bool) []Violation {
	sends := r.ledger.unsettled()
	var found []Violation
	for _, d := range r.present() {
		id, calm := d.connection()
		if all {
			calm = -1
		} else if id == "" || r.injector.Gone(id) { // functions were answered that it is gone, and leave it alone until its client pings
			continue
		} else if last := r.injector.Disturbed(id); !last.IsZero() {
			calm = max(calm, int64(last.Sub(r.start)))
		}
		calm = max(calm, d.tab.thawed())
		for _, room := range r.rooms {
			if sends[room.id] == nil || !room.isMember(d.user) {
				continue
			}
			got, leftOut := d.has(room)
			var lacking []string
			for _, s := range sends[room.id] {
				if s.id.IsZero() || s.called <= max(calm, leftOut) || !room.isMemberThroughout(d.user, s.called, never) {
					continue
				}
				if !got[s.id] {
					lacking = append(lacking, s.id.String())
				}
			}
			if lacking != nil {
				found = append(found, Violation{
					Promise: NotDelivered, Room: room.id, Client: d.name, IDs: lacking,
					Detail: fmt.Sprintf("connection %s was left alone since %s", id, time.Duration(calm).Round(time.Millisecond)),
				})
			}
		}
	}
	return found
}

// missing says which devices of members lack messages of a room.
func (r *run) missing(room *room, history []stored) []Violation {
	var found []Violation
	for _, d := range r.devices {
		if !room.isMember(d.user) || d.browser { // awaitSame has the browsers
			continue
		}
		if lacking := d.lacks(room.id, history); len(lacking) > 0 {
			found = append(found, Violation{
				Promise: Missing, Room: room.id, Client: d.name, IDs: lacking,
				Detail: "the device is a member's and has caught up, and lacks messages",
			})
		}
	}
	return found
}

// outdatedLists says whose list of rooms is not at a room's newest message.
func (r *run) outdatedLists(ctx context.Context) []Violation {
	var found []Violation
	newest := map[string]client.HistoryMessage{}
	for _, room := range r.rooms {
		page, err := r.page(ctx, room, client.Page{Limit: 1})
		if err == nil && len(page.Messages) == 0 && room.keeps > 0 {
			continue // all are past their time
		}
		if err != nil || len(page.Messages) == 0 {
			return []Violation{{Promise: List, Room: room.id, Detail: fmt.Sprintf("the newest message can't be read: %v", err)}}
		}
		newest[room.id] = page.Messages[0]
	}
	users := map[string]bool{}
	for _, d := range r.devices {
		if users[d.user] {
			continue
		}
		users[d.user] = true
		list, err := r.roomList(ctx, d.user)
		if err != nil {
			return []Violation{{Promise: List, Client: d.user, Detail: fmt.Sprintf("the list can't be read: %v", err)}}
		}
		newestFirst := func(a, b client.RoomSummary) int { return cmp.Compare(b.LastMessageAt, a.LastMessageAt) }
		if !slices.IsSortedFunc(list, newestFirst) {
			found = append(found, Violation{Promise: List, Client: d.user, Detail: "the list is not in the order of last messages"})
		}
		for _, room := range r.rooms {
			if !room.isMember(d.user) {
				continue
			}
			want, known := newest[room.id]
			if !known {
				continue
			}
			i := slices.IndexFunc(list, func(s client.RoomSummary) bool { return s.ChatRoomID == room.id })
			switch {
			case i < 0:
				found = append(found, Violation{Promise: List, Room: room.id, Client: d.user, Detail: "the room is not in the list"})
			// A room may be from after its newest message, by the clocks of those who made them.
			case list[i].LastMessage == nil || list[i].LastMessage.MessageID != want.MessageID || list[i].LastMessageAt < want.Timestamp:
				v := Violation{
					Promise: List, Room: room.id, Client: d.user, IDs: []string{want.MessageID},
					Detail: fmt.Sprintf("the list is not at the newest message, of %d, but at %d", want.Timestamp, list[i].LastMessageAt),
				}
				if last := list[i].LastMessage; last != nil {
					v.Detail += ", and shows " + last.MessageID
				}
				found = append(found, v)
			}
		}
	}
	return found
}

func (r *run) roomList(ctx context.Context, user string) ([]client.RoomSummary, error) {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	reader, err := r.reader(user)
	if err != nil {
		return nil, err
	}
	var all []client.RoomSummary
	for cursor := ""; ; {
		page, err := reader.ListRooms(ctx, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rooms...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}
