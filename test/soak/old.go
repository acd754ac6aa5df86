package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/test/rig"
)

// Some rooms are there when the days begin, as the first version of the functions stored
// them: one room of this number.
const (
	oldRooms    = 5
	oldOne      = 3 // which of them: it is neither retained nor placed
	oldMessages = 12
	oldDays     = 3 // in which these were sent
)

func isOld(index int) bool { return index%oldRooms == oldOne }

// plantRooms stores those rooms, past the functions. Devices find them in lists of rooms.
func (d *days) plantRooms(ctx context.Context, users []string) error {
	var rooms []rig.OldRoom
	for index := range d.run.config.Rooms {
		if isOld(index) {
			rooms = append(rooms, d.oldRoom(index, users))
		}
	}
	if len(rooms) == 0 {
		return nil
	}
	if err := d.host.Plant(ctx, rooms...); err != nil {
		return fmt.Errorf("plant rooms: %w", err)
	}
	d.pause(ctx, cost.Window+time.Minute) // until the last messages were projected: as they are now
	if err := d.host.PlantLast(ctx, rooms...); err != nil {
		return fmt.Errorf("plant last messages: %w", err)
	}
	return nil
}

// oldRoom notes a room and its messages.
func (d *days) oldRoom(index int, users []string) rig.OldRoom {
	random := d.random(fmt.Sprint("old room ", index))
	m := newRoom(index)
	m.users = append(m.users, users[index%len(users)])
	for _, i := range random.Perm(len(users))[:min(peopleInRoom-1, len(users))] {
		if users[i] != m.owner() {
			m.users = append(m.users, users[i])
		}
	}
	d.addRoom(m, fmt.Sprintf("room-old-%d", index))
	for _, user := range m.users {
		m.members[user] = []membership{{math.MinInt64, math.MinInt64, never, never}}
	}
	old := rig.OldRoom{
		ID: m.id, Name: fmt.Sprintf("Room %d", index), Users: m.users, Created: d.start.Add(-oldDays * day),
		Left: fmt.Sprintf("Old%d=", index), Now: d.start,
	}
	sent, step := old.Created, oldDays*day/(oldMessages+1)
	for range oldMessages {
		sent = sent.Add(step/2 + part(random, step/2)).Truncate(time.Millisecond)
		sender := m.users[random.IntN(len(m.users))]
		id := ulid.MustNew(ulid.Timestamp(sent), rand.Reader)
		number, text := d.ledger.sending(m.id, sender, "the first version", d.at(sent))
		d.ledger.sent(number, d.at(sent), client.Ack{ChatRoomID: m.id, MessageID: id.String(), Timestamp: sent.UnixMilli()}, nil)
		readers := append([]string{sender}, m.users[:random.IntN(len(m.users))]...)
		slices.Sort(readers)
		old.Messages = append(old.Messages, rig.OldMessage{ID: id, Sender: sender, Content: text, Readers: slices.Compact(readers)})
	}
	return old
}
