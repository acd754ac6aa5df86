package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// lateStored is how long behind a read cursor messages may be stored, and be unread all
// the same.
const lateStored = 60 * time.Second

// marks is how far a user has read a room: what was acknowledged, and what was tried.
type marks struct{ sure, tried string }

// marking notes a move of a read cursor that begins; marked, one that was acknowledged.
func (l *ledger) marking(room, user, upTo string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.marksOf(room, user)
	m.tried = max(m.tried, upTo)
}

func (l *ledger) marked(room, user, upTo string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.marksOf(room, user)
	m.sure = max(m.sure, upTo)
}

// marksOf are a user's marks of a room. l.mu is held.
func (l *ledger) marksOf(room, user string) *marks {
	if l.cursors == nil {
		l.cursors = map[[2]string]*marks{}
	}
	key := [2]string{room, user}
	if l.cursors[key] == nil {
		l.cursors[key] = &marks{}
	}
	return l.cursors[key]
}

// checkLists compares each user's list of rooms with what was sent and read: which rooms
// there are, how far the user has read, and how much is unread.
func (r *run) checkLists(ctx context.Context) error {
	histories := map[string][]stored{}
	for _, room := range r.rooms {
		var err error
		if histories[room.id], err = r.history(ctx, room); err != nil {
			return fmt.Errorf("read a history: %w", err)
		}
	}
	for user := range r.users() {
		list, err := r.roomList(ctx, user)
		if err != nil {
			return fmt.Errorf("read a list of rooms: %w", err)
		}
		for _, room := range r.rooms {
			i := slices.IndexFunc(list, func(s client.RoomSummary) bool { return s.ChatRoomID == room.id })
			if listed := i >= 0; listed != room.isMember(user) {
				r.ledger.violate(Violation{Promise: List, Room: room.id, Client: user, Detail: fmt.Sprintf("is in the list: %t, and a member: %t", listed, !listed)})
			} else if listed {
				r.checkUnread(room, user, list[i], histories[room.id])
			}
		}
	}
	return nil
}

// users are those of the devices.
func (r *run) users() map[string]bool {
	users := map[string]bool{}
	for _, d := range r.devices {
		users[d.user] = true
	}
	return users
}

func (r *run) checkUnread(room *room, user string, listed client.RoomSummary, history []stored) {
	r.ledger.mu.Lock()
	m := *r.ledger.marksOf(room.id, user)
	r.ledger.mu.Unlock()
	wrong := func(format string, arguments ...any) {
		r.ledger.violate(Violation{Promise: Unread, Room: room.id, Client: user, IDs: []string{listed.ReadUpTo}, Detail: fmt.Sprintf(format, arguments...)})
	}
	if listed.ReadUpTo < m.sure {
		wrong("the user has read up to %s", m.sure)
	}
	var from, before ulid.ULID // the user has read all that was stored before it
	if listed.ReadUpTo != "" {
		var err error
		if from, err = ulid.ParseStrict(listed.ReadUpTo); err != nil {
			wrong("the read cursor is not a message")
			return
		}
		_ = before.SetTime(from.Time() - uint64(lateStored/time.Millisecond)) // 48 bits
	}
	least, most := 0, 0
	for _, s := range history {
		if s.message.SenderID == user || s.message.DeletedAt != 0 {
			continue
		}
		if s.id.Compare(from) > 0 {
			least++
		}
		if s.id.Compare(before) > 0 {
			most++
		}
	}
	least, most = min(least, client.MaxPage), min(most, client.MaxPage)
	if listed.Unread > most || listed.Unread < least && !listed.UnreadMore {
		wrong("%d are unread in the list (more: %t): want %d to %d", listed.Unread, listed.UnreadMore, least, most)
	}
}

// itemKind is what is known of the items of a kind: the longest life that they may have, by
// the table's own rule; 0: they stay.
type itemKind struct {
	sk   bool // the prefix is of the sort key, else of the partition key
	text string
	life time.Duration
}

var itemKinds = []itemKind{
	{false, "CONNECTION#", 2*time.Hour + 10*time.Minute},
	{true, "ONLINE#", 2*time.Hour + 10*time.Minute},
	{false, "FANOUT#", 90 * time.Minute},
	{true, "SENT#", 25 * time.Hour},
	{true, "CREATED#", 25 * time.Hour},
	{true, "RATE#", 2 * time.Hour},
}

// checkItems looks for items that have outlived their time by more than the lag, for those
// that will, and for what is left of users who left rooms.
func (r *run) checkItems(ctx context.Context, lag time.Duration) error {
	now := r.config.Clock.Now()
	members := map[string]*room{}
	for _, room := range r.rooms {
		members[room.id] = room
	}
	items := 0
	defer func() {
		if n := len(r.samples); n > 0 {
			r.samples[n-1].Items = items
		}
	}()
	return r.host.Items(ctx, func(pk, sk string, ttl int64) {
		items++
		wrong := func(promise Promise, format string, arguments ...any) {
			r.ledger.violate(Violation{Promise: promise, Detail: pk + " " + sk + " " + fmt.Sprintf(format, arguments...)})
		}
		switch ends := time.Unix(ttl, 0); {
		case ttl != 0 && ends.Add(lag+2*sweep).Before(now):
			wrong(Outlives, "was to end at %s", ends.UTC().Format(time.DateTime))
		default:
			for _, kind := range itemKinds {
				if text := map[bool]string{false: pk, true: sk}[kind.sk]; strings.HasPrefix(text, kind.text) && (ttl == 0 || ends.After(now.Add(kind.life))) {
					wrong(Outlives, "ends at %d, which is later than in %s", ttl, kind.life)
				}
			}
		}
		roomID, user := roomAndUser(pk, sk)
		if room := members[roomID]; room != nil && slices.Contains(room.users, user) && !room.isMember(user) {
			wrong(Remains, "is left of a user who left")
		}
	})
}

// roomAndUser are those that an item of a member is of. Rows of connections in a large room
// stay until they expire (docs/adr/0020): no one reads those of a user who left.
func roomAndUser(pk, sk string) (room, user string) {
	if room, ok := strings.CutPrefix(pk, "CHATROOM#"); ok {
		for _, prefix := range []string{"MEMBER#", "READ#"} {
			if user, ok := strings.CutPrefix(sk, prefix); ok {
				return room, user
			}
		}
	}
	if user, ok := strings.CutPrefix(pk, "USER#"); ok {
		if room, ok := strings.CutPrefix(sk, "CHATROOM#"); ok {
			return room, user
		}
	}
	return "", ""
}
