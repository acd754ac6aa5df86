package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/streamroom/streamroom/client"
)

// usersADirect is how many users there are for each direct message.
const usersADirect = 4

// openDirects makes direct messages, each of two users who are beside each other, and has
// the first one say something.
func (d *days) openDirects(ctx context.Context) error {
	for i := range max(1, len(d.people)/usersADirect) {
		m := newRoom(len(d.rooms))
		m.dm, m.users = true, []string{d.people[2*i].user, d.people[2*i+1].user}
		owner := d.deviceOf(m.owner())
		creating, cancel := d.timeout(ctx)
		made, err := owner.current().CreateRoom(creating, client.RoomRequest{Type: "dm", Members: m.users[1:]})
		cancel()
		if err != nil {
			return fmt.Errorf("begin a direct message: %w", err)
		}
		d.addRoom(m, made.ChatRoomID)
		if !owner.say(ctx, m) {
			return errors.New("the first direct message was refused")
		}
	}
	return nil
}

// groups are the rooms that have an owner.
func (r *run) groups() (groups []*room) {
	for _, room := range r.rooms {
		if !room.dm {
			groups = append(groups, room)
		}
	}
	return groups
}

// toggleBlock has a user of a direct message block the other one, or end that.
func (d *days) toggleBlock(ctx context.Context, random *rand.Rand) {
	var directs []*room
	for _, room := range d.rooms {
		if room.dm {
			directs = append(directs, room)
		}
	}
	room := directs[random.IntN(len(directs))]
	by, other := d.deviceOf(room.users[0]), room.users[1]
	if by.absent.Load() {
		return
	}
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	called := d.now()
	blocked := room.mayBeBlocked(called, called)
	var err error
	if blocked {
		err = by.current().Unblock(ctx, other)
	} else {
		err = by.current().Block(ctx, other)
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	switch {
	case blocked:
		for i := range room.blocks {
			room.blocks[i].ends = min(room.blocks[i].ends, called)
			if err == nil {
				room.blocks[i].surelyEnds = min(room.blocks[i].surelyEnds, d.now())
			}
		}
	case err != nil:
		room.blocks = append(room.blocks, sentence{called, never, never, never})
	default:
		room.blocks = append(room.blocks, sentence{called, d.now(), never, never})
	}
	d.tally.did(&d.tally.Moderations, err)
}

// mayBlock reports whether a user may block another one, who can't add them to a room then.
func (d *days) mayBlock(user, other string) bool {
	now := d.now()
	return slices.ContainsFunc(d.rooms, func(m *room) bool {
		return m.dm && m.users[0] == user && m.users[1] == other && m.mayBeBlocked(now, now)
	})
}

// mayBeBlocked reports whether one user of a direct message may have blocked the other at
// some time from one moment to another; isBlocked, whether surely throughout.
func (m *room) mayBeBlocked(from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mayHold(m.blocks, from, to)
}

func (m *room) isBlocked(from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return holds(m.blocks, from, to)
}
