package storetest

import (
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// expiring is a message of alice's in room r, which expires n seconds after epoch.
func expiring(ms, n int64) chat.Message {
	m := message("r", "alice", ms)
	m.ExpiresAt = epoch + n*1000
	return m
}

// retained reads for how many days a room and its members say that messages are kept.
func (f *fixture) retained(want int) {
	f.Helper()
	room, _, err := f.Room(f.Context(), "r")
	ok(f, err)
	members, _, err := f.Members(f.Context(), "r", "", 100)
	ok(f, err)
	if room.RetentionDays != want {
		f.Errorf("the room says %d days, want %d", room.RetentionDays, want)
	}
	for _, m := range members {
		one, _, err := f.Member(f.Context(), "r", m.UserID)
		ok(f, err)
		if m.RetentionDays != want || one.RetentionDays != want {
			f.Errorf("the member %s says %d and %d days, want %d", m.UserID, m.RetentionDays, one.RetentionDays, want)
		}
	}
}

var retentionTests = map[string]func(*fixture){
	"Messages/are nowhere once they have expired": func(f *fixture) {
		f.create("r", "alice", "bob")
		first, second, third := expiring(1, 10), message("r", "alice", 2), expiring(3, 20)
		second.ReplyTo, third.ReplyTo = first.Quote(), second.Quote()
		f.put(first, second, third)
		_, err := f.AdvanceLastMessage(f.Context(), "r", third.Preview())
		ok(f, err)
		f.react(first, "bob", "👍", true)
		all := []chat.Message{first, second, third}
		for _, step := range []struct {
			seconds int64
			alive   []chat.Message
			quote   string
		}{
			{9, all, first.Content}, {10, all[1:], ""}, {19, all[1:], ""}, {20, all[1:2], ""},
		} {
			f.clock.ms.Store(epoch + step.seconds*1000)
			at := fmt.Sprintf(" after %d s", step.seconds)
			want := ids(step.alive)
			backward, more, err := f.Messages(f.Context(), "r", chat.Range{Limit: 2})
			ok(f, err)
			if len(backward) != min(len(want), 2) || backward[0].ID != want[len(want)-1] || more != (len(want) > 2) {
				f.Errorf("backward%s: %v, more %t", at, ids(backward), more)
			}
			forward, _, err := f.Messages(f.Context(), "r", chat.Range{After: messageID(-1, 0), Limit: 9})
			ok(f, err)
			inOrder(f, "forward"+at, want, ids(forward))
			missed, err := f.MessagesAfter(f.Context(), []chat.Position{{RoomID: "r", MessageID: messageID(-1, 0)}}, 9)
			ok(f, err)
			inOrder(f, "missed"+at, want, ids(missed[0].Messages))
			if missed[0].More {
				f.Errorf("missed%s: more", at)
			}
			byID, err := f.MessagesByID(f.Context(), "r", ids(all))
			ok(f, err)
			inOrder(f, "by id"+at, want, ids(byID))
			for _, m := range all {
				place, err := f.Place(f.Context(), "r", "bob", m.ID)
				ok(f, err)
				has, err := f.HasMessage(f.Context(), "r", m.ID)
				ok(f, err)
				if alive := m.ExpiresAt == 0 || m.ExpiresAt > epoch+step.seconds*1000; place.Found != alive || has != alive {
					f.Errorf("%s%s: found %t, has %t", m.ID, at, place.Found, has)
				}
			}
			mine, err := f.Reacted(f.Context(), "bob", []chat.Message{first})
			ok(f, err)
			if has := len(mine[first.ID]) == 1; has != (step.seconds < 10) {
				f.Errorf("reacted with%s: %v", at, mine)
			}
			for what, messages := range map[string][]chat.Message{"history": forward, "sync": missed[0].Messages, "batch": byID} {
				for _, m := range messages {
					if m.ID == second.ID && m.ReplyTo.Preview != step.quote {
						f.Errorf("quoted in %s%s: %q, want %q", what, at, m.ReplyTo.Preview, step.quote)
					}
				}
			}
			rooms, _, err := f.UserRooms(f.Context(), "bob", "", 9)
			ok(f, err)
			if len(rooms) != 1 || rooms[0].Unread != len(want) || rooms[0].UnreadMore || (rooms[0].Last != nil) != (step.seconds < 20) {
				f.Errorf("bob's rooms%s: %+v, want %d unread", at, rooms, len(want))
			}
		}
	},
	"Messages/pass what has expired between others": func(f *fixture) {
		var want []string
		for i := range int64(60) {
			m := expiring(i, 1)
			if i%20 == 0 {
				m.ExpiresAt = 0
				want = append(want, m.ID)
			}
			f.put(m)
		}
		f.clock.advance(time.Second)
		got, more, err := f.Messages(f.Context(), "r", chat.Range{After: messageID(-1, 0), Limit: 2})
		ok(f, err)
		inOrder(f, "messages", want[:2], ids(got))
		if !more {
			f.Error("no more, want one")
		}
		got, more, err = f.Messages(f.Context(), "r", chat.Range{Before: want[2], Limit: 2})
		ok(f, err)
		inOrder(f, "messages before", []string{want[1], want[0]}, ids(got))
		if more {
			f.Error("more before the first")
		}
		missed, err := f.MessagesAfter(f.Context(), []chat.Position{{RoomID: "r", MessageID: want[0]}}, 1)
		ok(f, err)
		inOrder(f, "missed", want[1:2], ids(missed[0].Messages))
		if !missed[0].More {
			f.Error("nothing more was missed, want one")
		}
	},
	"PutMessage/has files end with their message": func(f *fixture) {
		file := pending("alice", 1)
		f.announce(file)
		m := with(2, file)
		m.ExpiresAt = epoch + 48*time.Hour.Milliseconds()
		f.put(m)
		f.clock.advance(47 * time.Hour)
		equal(f, "files", map[string]string{file.ID: m.ID}, f.owners(file))
		f.clock.advance(time.Hour)
		equal(f, "files after the message", map[string]string{}, f.owners(file))
	},
	"RetainRoom/holds for the room, its members, and who joins": func(f *fixture) {
		room := f.create("r", "alice", "bob")
		old := room
		for i, days := range []int{7, 30, 0} {
			room.RetentionDays, room.RenamedAt = days, epoch+int64(i)+1
			retained, err := f.RetainRoom(f.Context(), room)
			ok(f, err)
			ok(f, f.RetainMembers(f.Context(), "r", days))
			if !retained {
				f.Errorf("%d days were not stored", days)
			}
			// The user who adds them has read the room before.
			added, err := f.AddMember(f.Context(), old, chat.Member{UserID: fmt.Sprint("carol", i), Role: chat.PlainMember, JoinedAt: epoch})
			if ok(f, err); !added {
				f.Error("not added")
			}
			f.retained(days)
		}
		f.count(5)
		if retained, err := f.RetainRoom(f.Context(), room); retained || err != nil {
			f.Errorf("at the time of another change: %t, %v; want false, nil", retained, err)
		}
	},
	"HideRoom/hides a room whose messages have expired": func(f *fixture) {
		room := f.create("r", "alice", "bob")
		m := expiring(1000, 10)
		f.put(m)
		_, err := f.AdvanceLastMessage(f.Context(), "r", m.Preview())
		ok(f, err)
		ok(f, f.AdvanceRoomOrder(f.Context(), "bob", "r", m.SentAt))
		f.clock.advance(time.Minute)
		ok(f, f.HideRoom(f.Context(), "bob", room))
		rooms, _, err := f.UserRooms(f.Context(), "bob", "", 9)
		if ok(f, err); len(rooms) > 0 {
			f.Errorf("listed are %+v", rooms)
		}
	},
}
