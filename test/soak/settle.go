package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// settle lets the run come to rest and compares. Nothing breaks any more.
//
// First nothing is said: what was sent last in a room has to arrive by itself,
// and the room lists have to come to it. Then somebody says something in each
// room, which shows who is deaf. Then all networks are cut once, and each device
// has to catch up with what it missed.
func (r *run) settle(ctx context.Context) error {
	began := r.Clock.Now()
	steps := []func(context.Context) error{r.settleQuietly, r.settleSpeaking, r.settleCaughtUp}
	for i, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		r.tally.settled(i, r.Clock.Since(began))
	}
	r.sample()
	return nil
}

func (r *run) settleQuietly(ctx context.Context) error {
	givenUp, err := r.host.givenUp(ctx)
	if err != nil {
		return err
	}
	var deaf, listed []Violation
	err = r.await(ctx, func() bool {
		if givenUp, err = r.host.givenUp(ctx); err != nil {
			return false
		}
		deaf, listed = nil, nil
		if givenUp["fanout"] == 0 {
			deaf = r.undelivered(false)
		}
		if givenUp["lastmessage"] == 0 {
			listed = r.outdatedLists(ctx)
		}
		return len(deaf)+len(listed) == 0 && r.allConnected()
	})
	r.tally.gaveUp(givenUp)
	return r.unsettled(err, append(deaf, listed...))
}

func (r *run) settleSpeaking(ctx context.Context) error {
	for _, room := range r.rooms {
		if !r.deviceOf(room.owner()).say(ctx, room) {
			r.ledger.violate(Violation{Promise: "refused", Room: room.id, Detail: "nothing breaks any more, and a send fails"})
		}
	}
	givenUp, err := r.host.givenUp(ctx)
	if err != nil || givenUp["fanout"] > 0 {
		return err
	}
	var deaf []Violation
	err = r.await(ctx, func() bool {
		deaf = r.undelivered(false)
		return len(deaf) == 0
	})
	return r.unsettled(err, deaf)
}

func (r *run) settleCaughtUp(ctx context.Context) error {
	for _, d := range r.devices {
		if err := d.followRooms(); err != nil {
			return err
		}
		d.network.cut()
	}
	cut := r.now()
	histories := map[string][]stored{}
	var missing []Violation
	var failed error
	err := r.await(ctx, func() bool {
		missing = nil
		for _, room := range r.rooms {
			if histories[room.id], failed = r.history(ctx, room); failed != nil {
				return false
			}
			missing = append(missing, r.missing(room, histories[room.id])...)
		}
		return len(missing) == 0 && !slices.ContainsFunc(r.devices, func(d *device) bool {
			id, since := d.connection()
			return id == "" || since < cut
		})
	})
	if failed != nil {
		return fmt.Errorf("read a history: %w", failed)
	}
	if err := r.unsettled(err, missing); err != nil {
		return err
	}
	return r.judge(ctx, histories)
}

// unsettled makes what did not come right in time violations.
func (r *run) unsettled(err error, left []Violation) error {
	if !errors.Is(err, errUnsettled) {
		return err
	}
	for _, v := range left {
		r.ledger.violate(v)
	}
	if !r.allConnected() {
		r.ledger.violate(Violation{Promise: "connected", Detail: "not all devices are connected"})
	}
	return nil
}

func (r *run) allConnected() bool {
	return !slices.ContainsFunc(r.devices, func(d *device) bool {
		id, _ := d.connection()
		return id == ""
	})
}

// undelivered says who should have got which messages without doing anything:
// those that were sent while the device was connected and left alone; with all,
// every message.
func (r *run) undelivered(all bool) []Violation {
	sends, _ := r.ledger.all()
	var found []Violation
	for _, d := range r.devices {
		id, calm := d.connection()
		if all {
			calm = -1
		} else if id == "" || r.injector.Gone(id) { // who is told that it is gone lets it be, until its client pings
			continue
		} else if last := r.injector.Disturbed(id); !last.IsZero() {
			calm = max(calm, int64(last.Sub(r.start)))
		}
		for _, room := range r.rooms {
			var got map[ulid.ULID]bool
			var lacking []string
			for _, s := range sends {
				if s.room != room.id || s.id.IsZero() || s.called <= calm || !room.must(d.user, s.called, never) {
					continue
				}
				if got == nil {
					got = d.has(room.id)
				}
				if !got[s.id] {
					lacking = append(lacking, s.id.String())
				}
			}
			if lacking != nil {
				found = append(found, Violation{
					Promise: "not delivered", Room: room.id, Client: d.name, IDs: lacking,
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
		if !room.has(d.user) {
			continue
		}
		if lacking := d.lacks(room.id, history); len(lacking) > 0 {
			found = append(found, Violation{
				Promise: "missing", Room: room.id, Client: d.name, IDs: lacking,
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
		if err != nil || len(page.Messages) == 0 {
			return []Violation{{Promise: "list", Room: room.id, Detail: fmt.Sprintf("the newest message can't be read: %v", err)}}
		}
		newest[room.id] = page.Messages[0]
	}
	users := map[string]bool{}
	for _, d := range r.devices {
		if users[d.user] {
			continue
		}
		users[d.user] = true
		list, err := r.roomList(ctx, d)
		if err != nil {
			return []Violation{{Promise: "list", Client: d.user, Detail: fmt.Sprintf("the list can't be read: %v", err)}}
		}
		for _, room := range r.rooms {
			if !room.has(d.user) {
				continue
			}
			want := newest[room.id]
			i := slices.IndexFunc(list, func(s client.RoomSummary) bool { return s.ChatRoomID == room.id })
			switch {
			case i < 0:
				found = append(found, Violation{Promise: "list", Room: room.id, Client: d.user, Detail: "the room is not in the list"})
			// A room may be from after its newest message, by the clocks of those who made them.
			case list[i].LastMessage == nil || list[i].LastMessage.MessageID != want.MessageID || list[i].LastMessageAt < want.Timestamp:
				v := Violation{
					Promise: "list", Room: room.id, Client: d.user, IDs: []string{want.MessageID},
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

func (r *run) roomList(ctx context.Context, d *device) ([]client.RoomSummary, error) {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	var all []client.RoomSummary
	for cursor := ""; ; {
		page, err := d.current().ListRooms(ctx, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rooms...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}
