package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

var listTests = map[string]func(*fixture){
	"UserRooms/lists by the newest message, then creation, and pages through all": func(f *fixture) {
		for i := range 5 {
			f.create(fmt.Sprint("r", i), "alice")
		}
		f.create("foreign", "bob")
		for room, ms := range map[string]int64{"r3": 30, "r1": 10} {
			ok(f, f.AdvanceRoomOrder(f.Context(), "alice", room, epoch+ms))
		}
		for _, size := range []int{1, 2, 3, 5, 100} {
			var got []string
			cursor, pages := "", 0
			for {
				rooms, next, err := f.UserRooms(f.Context(), "alice", cursor, size)
				ok(f, err)
				if len(rooms) > size || pages > 6 {
					f.Fatalf("page %d of at most %d has %d rooms", pages, size, len(rooms))
				}
				for _, r := range rooms {
					got = append(got, r.Room.ID)
				}
				if next == "" {
					break
				}
				cursor, pages = next, pages+1
			}
			if len(got) != 5 {
				f.Fatalf("pages of %d: %q, want 5 rooms", size, got)
			}
			inOrder(f, "rooms with messages", []string{"r3", "r1"}, got[:2])
			rest := slices.Clone(got[2:])
			slices.Sort(rest)
			inOrder(f, "rooms without", []string{"r0", "r2", "r4"}, rest)
		}
	},
	"UserRooms/lists by the last message where the stored order is behind it": func(f *fixture) {
		const interval, rooms = int64(chat.OrderInterval / time.Millisecond), 40
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
		at := map[string]int64{}
		for i := range rooms {
			id := fmt.Sprintf("r%02d", i)
			f.create(id, "alice")
			order, last := 1+random.Int64N(5*interval), int64(0)
			switch i % 8 {
			case 0: // on its way, or too large to move
				last, at[id] = order+interval+1+random.Int64N(9*interval), order
			case 1: // without a message, or none is known yet
				at[id] = order
			case 2: // the farthest that the order may be behind
				last, at[id] = order+interval, order+interval
			default:
				last = order + random.Int64N(interval)
				at[id] = last
			}
			ok(f, f.AdvanceRoomOrder(f.Context(), "alice", id, epoch+order))
			if last > 0 {
				_, err := f.AdvanceLastMessage(f.Context(), id, message(id, "alice", last).Preview())
				ok(f, err)
			}
		}
		want := slices.SortedFunc(maps.Keys(at), func(a, b string) int { return cmp.Compare(at[b], at[a]) })
		for _, size := range []int{1, 2, 3, 7, 20, 39, 40, 100} {
			var got []string
			for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
				page, next, err := f.UserRooms(f.Context(), "alice", cursor, size)
				ok(f, err)
				if len(page) > size || pages > rooms {
					f.Fatalf("page %d of at most %d has %d rooms", pages, size, len(page))
				}
				for _, r := range page {
					got = append(got, r.Room.ID)
					if r.SortAt != epoch+at[r.Room.ID] {
						f.Errorf("%s is at %d, want %d", r.Room.ID, r.SortAt-epoch, at[r.Room.ID])
					}
				}
				cursor = next
			}
			inOrder(f, fmt.Sprintf("pages of %d", size), want, got)
		}
	},
	"UserRooms/takes a cursor whose room has moved up or was deleted": func(f *fixture) {
		for i := range int64(3) {
			id := fmt.Sprint("r", i)
			f.create(id, "alice")
			ok(f, f.AdvanceRoomOrder(f.Context(), "alice", id, epoch+10*(i+1)))
		}
		_, cursor, err := f.UserRooms(f.Context(), "alice", "", 2) // r2, r1
		ok(f, err)
		for _, change := range []func(){
			func() { ok(f, f.AdvanceRoomOrder(f.Context(), "alice", "r1", epoch+99)) },
			func() {
				if _, err := f.RemoveMember(f.Context(), "r1", chat.Member{UserID: "alice", Role: chat.Owner}, chat.Member{}); err != nil {
					f.Error(err)
				}
			},
		} {
			change()
			rooms, _, err := f.UserRooms(f.Context(), "alice", cursor, 2)
			ok(f, err)
			if len(rooms) != 1 || rooms[0].Room.ID != "r0" {
				f.Errorf("rooms %v, want r0", rooms)
			}
		}
	},
	"UserRooms/refuses other cursors": func(f *fixture) {
		for _, user := range []string{"alice", "bob"} {
			f.create("r-"+user, user)
			f.create("s-"+user, user)
		}
		_, foreign, err := f.UserRooms(f.Context(), "bob", "", 1)
		ok(f, err)
		if foreign == "" {
			f.Fatal("no cursor")
		}
		for _, cursor := range []string{foreign, "x", "%", "W10", messageID(0, 0)} {
			if _, _, err := f.UserRooms(f.Context(), "alice", cursor, 1); chat.Reason(err).Code != chat.CodeInvalidRequest {
				f.Errorf("cursor %q: %v, want %s", cursor, err, chat.CodeInvalidRequest)
			}
		}
	},
	"UserRooms/shows the last message, forward only": func(f *fixture) {
		f.create("r", "alice")
		old := chat.LastMessage{MessageID: messageID(1, 0), SenderID: "alice", Preview: "old", SentAt: epoch + 1}
		edited := old
		edited.Preview, edited.Version = "edited", epoch+5
		fresh := chat.LastMessage{MessageID: messageID(2, 0), SenderID: "alice", Preview: "new", SentAt: epoch + 2}
		deleted := fresh
		deleted.Preview, deleted.Version, deleted.DeletedAt = "", epoch+6, epoch+6
		for i, step := range []struct{ advance, want chat.LastMessage }{
			{old, old}, {edited, edited}, {old, edited}, {fresh, fresh}, {edited, fresh}, {deleted, deleted}, {fresh, deleted},
		} {
			got, err := f.AdvanceLastMessage(f.Context(), "r", step.advance)
			ok(f, err)
			equal(f, fmt.Sprintf("step %d", i), step.want, got)
			rooms, _, err := f.UserRooms(f.Context(), "alice", "", 1)
			ok(f, err)
			equal(f, fmt.Sprintf("step %d: list", i), &step.want, rooms[0].Last)
		}
	},
	"UserRooms/counts what others sent after the read cursor, up to MaxUnread": func(f *fixture) {
		f.create("r", "alice", "bob")
		unread := func() int {
			f.Helper()
			rooms, _, err := f.UserRooms(f.Context(), "alice", "", 1)
			ok(f, err)
			return rooms[0].Unread
		}
		check := func(when string, want int) {
			f.Helper()
			if got := unread(); got != want {
				f.Errorf("%s: %d unread, want %d", when, got, want)
			}
		}
		check("no message", 0)
		for i := range int64(4) {
			f.put(message("r", "bob", i))
		}
		f.put(message("r", "alice", 4))
		check("four of bob, one of alice", 4)
		gone := message("r", "bob", 2)
		gone.DeletedAt = epoch + 9
		_, _, err := f.DeleteMessage(f.Context(), gone)
		ok(f, err)
		check("one deleted", 3)
		f.read("alice", messageID(0, 0))
		check("the first is read", 2)
		for i := range int64(97) {
			f.put(message("r", "bob", 5+i))
		}
		check("101 after the cursor, two of them not unread", 99)
		f.read("alice", messageID(4, 0))
		check("97 after the cursor", 97)
		for i := range int64(4) {
			f.put(message("r", "bob", 102+i))
		}
		check("101 after the cursor", chat.MaxUnread)
	},
	"UserRooms/counts past own and deleted messages, and long ones": func(f *fixture) {
		ms := int64(0)
		next := func(room, sender string) chat.Message {
			ms++
			return message(room, sender, ms)
		}
		for i, test := range []struct {
			name                       string
			deleted, own, others, long int // messages, in this order
			want                       int
			more                       bool
		}{
			{name: "deleted ones first", deleted: 108, others: 3, want: 3},
			{name: "own ones first", own: 108, others: 4, want: 4},
			{name: "many own ones first", own: 500, others: 1, want: 1},
			{name: "own ones alone", own: 250},
			{name: "more than 1 MB", long: 80, want: 80},
			{name: "exactly MaxUnread", others: chat.MaxUnread, want: chat.MaxUnread},
			{name: "one more", others: chat.MaxUnread + 1, want: chat.MaxUnread, more: true},
		} {
			room := fmt.Sprint("r", i)
			f.create(room, fmt.Sprint("alice", i), "bob") // a list for each: they share no budget
			for range test.deleted {
				m := next(room, "bob")
				f.put(m)
				m.DeletedAt = epoch + 1_000_000
				_, _, err := f.DeleteMessage(f.Context(), m)
				ok(f, err)
			}
			for range test.own {
				f.put(next(room, fmt.Sprint("alice", i)))
			}
			for range test.others {
				f.put(next(room, "bob"))
			}
			for range test.long {
				m := next(room, "bob")
				m.Content = fmt.Sprintf("%0*d", chat.MaxContent, ms)
				f.put(m)
			}
			rooms, _, err := f.UserRooms(f.Context(), fmt.Sprint("alice", i), "", 1)
			ok(f, err)
			if got := rooms[0]; got.Unread != test.want || got.UnreadMore != test.more {
				f.Errorf("%s: %d unread, more %t; want %d, %t", test.name, got.Unread, got.UnreadMore, test.want, test.more)
			}
		}
	},
	"HideRoom/takes a room out of one member's list until the next message": func(f *fixture) {
		room := f.create("r", "alice", "bob")
		listed := func(user string) int64 {
			f.Helper()
			rooms, _, err := f.UserRooms(f.Context(), user, "", 10)
			ok(f, err)
			if len(rooms) == 0 {
				return -1
			}
			return rooms[0].SortAt - epoch
		}
		expect := func(what string, want int64) {
			f.Helper()
			if got := listed("alice"); got != want {
				f.Errorf("%s: the room is at %d in alice's list, want %d", what, got, want)
			}
		}
		hide := func() {
			f.Helper()
			for range 2 {
				ok(f, f.HideRoom(f.Context(), "alice", room))
			}
		}
		advance := func(ms int64) {
			f.Helper()
			for _, user := range []string{"alice", "bob"} {
				ok(f, f.AdvanceRoomOrder(f.Context(), user, "r", epoch+ms))
			}
		}
		hide()
		expect("hidden without messages", -1)
		ok(f, f.ShowRoom(f.Context(), "alice", "r"))
		expect("shown again", 0)
		ok(f, f.ShowRoom(f.Context(), "alice", "r"))
		expect("shown twice", 0)

		f.put(message("r", "bob", 7))
		hide()
		advance(7)
		expect("a message that was there", -1)
		advance(5)
		expect("an older one", -1)
		if got := listed("bob"); got != 7 {
			f.Errorf("the room is at %d in bob's list, want 7", got)
		}
		ok(f, f.ShowRoom(f.Context(), "alice", "r"))
		expect("shown at the newest message", 7)

		hide()
		advance(9)
		expect("a newer message", 9)
		advance(8)
		expect("an older one again", 9)
		f.put(message("r", "bob", 9))
		hide()
		expect("hidden again", -1)
		member, err := f.IsMember(f.Context(), "r", "alice")
		ok(f, err)
		if !member {
			f.Error("alice is not a member any more")
		}
		ok(f, f.HideRoom(f.Context(), "carol", room))
		if got := listed("carol"); got != -1 {
			f.Error("carol has the room")
		}
	},
	"HideRoom/does not miss a message that comes at the same time": func(f *fixture) {
		room := f.create("r", "alice", "bob")
		for i := range int64(20) {
			sent := make(chan error, 1)
			go func() {
				m := message("r", "bob", i+1)
				err := f.PutMessage(f.Context(), m)
				if err == nil {
					err = f.AdvanceRoomOrder(f.Context(), "alice", "r", m.SentAt)
				}
				sent <- err
			}()
			ok(f, f.HideRoom(f.Context(), "alice", room))
			ok(f, <-sent)
			rooms, _, err := f.UserRooms(f.Context(), "alice", "", 10)
			ok(f, err)
			ok(f, f.ShowRoom(f.Context(), "alice", "r"))
			shown, _, err := f.UserRooms(f.Context(), "alice", "", 10)
			ok(f, err)
			// Hidden or not, its place is the last message's: it was read, or moved the room.
			if len(shown) != 1 || shown[0].SortAt != epoch+i+1 {
				f.Fatalf("message %d: %v, then %v", i, rooms, shown)
			}
		}
	},
	"UserRooms/names the other member of a direct message": func(f *fixture) {
		ok(f, f.SetDisplayName(f.Context(), "bob", "Bob", epoch))
		f.create("r", "alice", "bob")
		// Rooms that were stored before they had Invited name the sender, or else a member.
		for roomID, invited := range map[string]string{"d1": "bob", "d2": "", "d3": ""} {
			direct, members := group(roomID, "alice", "bob")
			direct.Name, direct.Type, direct.Invited = "", chat.Direct, invited
			_, err := f.CreateRoom(f.Context(), direct, members)
			ok(f, err)
		}
		m := message("d3", "bob", 1)
		f.put(m)
		_, err := f.AdvanceLastMessage(f.Context(), "d3", m.Preview())
		ok(f, err)
		for user, want := range map[string]chat.Person{"alice": {UserID: "bob", DisplayName: "Bob"}, "bob": {UserID: "alice"}} {
			rooms, _, err := f.UserRooms(f.Context(), user, "", 10)
			ok(f, err)
			with := map[string]chat.Person{}
			for _, room := range rooms {
				with[room.Room.ID] = room.With
			}
			equal(f, "the others of "+user, map[string]chat.Person{"r": {}, "d1": want, "d2": want, "d3": want}, with)
		}
	},
	"UserRooms/counts what the cursor doesn't know": func(f *fixture) {
		f.create("r", "alice", "bob")
		for i := range int64(20) {
			f.put(message("r", "bob", i))
		}
		cursor := chat.ReadCursor{UpTo: messageID(19, 0), Since: messageID(9, 0)}
		known, _, err := f.StoredBetween(f.Context(), "r", cursor.Since, cursor.UpTo)
		ok(f, err)
		for _, id := range known {
			cursor.Known += id[len(id)-6:]
		}
		_, err = f.AdvanceReadCursor(f.Context(), "r", "alice", cursor, epoch)
		ok(f, err)
		for n, ms := range []int64{0, 8, 9, 10, 15, 19, 20, 30} {
			late := message("r", "bob", ms)
			late.ID = messageID(ms, 100+uint16(n))
			f.put(late)
			rooms, _, err := f.UserRooms(f.Context(), "alice", "", 10)
			ok(f, err)
			if want := max(0, n-1); rooms[0].Unread != want || rooms[0].UnreadMore {
				f.Errorf("after one of %d ms: %d unread, more %t; want %d", ms, rooms[0].Unread, rooms[0].UnreadMore, want)
			}
		}
	},
	"AdvanceRoomOrder/moves forward, and adds no member": func(f *fixture) {
		f.create("r", "alice")
		for _, ms := range []int64{5, 3, -7} {
			ok(f, f.AdvanceRoomOrder(f.Context(), "alice", "r", epoch+ms))
			ok(f, f.AdvanceRoomOrder(f.Context(), "bob", "r", epoch+ms))
		}
		rooms, _, err := f.UserRooms(f.Context(), "alice", "", 1)
		ok(f, err)
		others, _, err := f.UserRooms(f.Context(), "bob", "", 1)
		ok(f, err)
		if len(others) > 0 || rooms[0].SortAt != epoch+5 {
			f.Errorf("sorted at %d, bob's rooms %v; want %d and none", rooms[0].SortAt, others, epoch+5)
		}
	},
}
