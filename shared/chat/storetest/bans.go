package storetest

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// ban bans a user from room r until some time after epoch, in ms; 0 is no end.
func (f *fixture) ban(userID string, until int64) chat.Ban {
	f.Helper()
	b := chat.Ban{UserID: userID, By: "alice", At: epoch, Reason: "spam"}
	if until != 0 {
		b.Until = epoch + until
	}
	banned, err := f.Ban(f.Context(), "r", b)
	if ok(f, err); !banned {
		f.Fatalf("%s was not banned", userID)
	}
	return b
}

// enters checks what becomes of a user who is added to a room, and of one who joins it.
func (f *fixture) enters(room chat.Room, userID string, code chat.Code, until int64) {
	f.Helper()
	for name, enter := range map[string]func() (bool, error){
		"AddMember": func() (bool, error) { return f.AddMember(f.Context(), room, plain(userID)) },
		"JoinRoom":  func() (bool, error) { return f.JoinRoom(f.Context(), room, plain(userID)) },
	} {
		entered, err := enter()
		if code == "" {
			if ok(f, err); entered {
				_, err = f.RemoveMember(f.Context(), room.ID, plain(userID), chat.Member{})
				ok(f, err)
				continue
			}
		}
		reason := chat.Reason(err)
		if entered || err == nil || reason.Code != code || reason.Until != until {
			f.Errorf("%s of %s: %t, %v, until %d; want %q until %d", name, userID, entered, err, reason.Until, code, until)
		}
	}
}

var banTests = map[string]func(*fixture){
	"Ban/keeps out until it ends or is removed": func(f *fixture) {
		room := f.create("r", "alice")
		room.Public = true
		_, err := f.ShareRoom(f.Context(), chat.Room{ID: "r", Public: true, RenamedAt: epoch})
		ok(f, err)
		f.put(message("r", "alice", 1)) // so that who joins gets a cursor
		before, _, err := f.Room(f.Context(), "r")
		ok(f, err)
		f.enters(before, "bob", "", 0)
		f.ban("bob", 0)
		f.ban("carol", 5_000)
		after, _, err := f.Room(f.Context(), "r")
		ok(f, err)
		if before.BannedAt != 0 || after.BannedAt != epoch {
			f.Errorf("banned at %d, then at %d; want 0, then %d", before.BannedAt, after.BannedAt, epoch)
		}
		for _, read := range []chat.Room{before, after} { // also for a caller who has read the room before the first ban
			f.enters(read, "bob", chat.CodeBanned, 0)
			f.enters(read, "carol", chat.CodeBanned, epoch+5_000)
			f.enters(read, "dave", "", 0)
		}
		f.clock.advance(5 * time.Second)
		f.enters(after, "carol", "", 0)
		f.enters(after, "bob", chat.CodeBanned, 0)
		for range 2 {
			ok(f, f.Unban(f.Context(), "r", "bob"))
		}
		f.enters(after, "bob", "", 0)
		f.count(1)
	},
	"Ban/replaces the one before, and needs the room": func(f *fixture) {
		f.create("r", "alice")
		f.ban("bob", 5_000)
		last := f.ban("bob", 9_000)
		bans, next, err := f.Bans(f.Context(), "r", "", 10)
		ok(f, err)
		equal(f, "bans", []chat.Ban{last}, bans)
		if next != "" {
			f.Errorf("the only page is followed by %q", next)
		}
		banned, err := f.Ban(f.Context(), "none", last)
		if ok(f, err); banned {
			f.Error("banned from a room that does not exist")
		}
		bans, _, err = f.Bans(f.Context(), "none", "", 10)
		ok(f, err)
		equal(f, "bans of no room", []chat.Ban(nil), bans)
	},
	"Bans/pages by user id, without those that ended": func(f *fixture) {
		f.create("r", "alice")
		for user, until := range map[string]int64{"b": 0, "c": 1_000, "d": 0, "e": 9_000} {
			f.ban(user, until)
		}
		f.clock.advance(2 * time.Second)
		var got []string
		after, pages := "", 0
		for {
			bans, next, err := f.Bans(f.Context(), "r", after, 2)
			ok(f, err)
			for _, b := range bans {
				got = append(got, b.UserID)
			}
			pages++
			if after = next; after == "" || pages > 3 {
				break
			}
		}
		inOrder(f, "bans", []string{"b", "d", "e"}, got)
		if pages != 2 {
			f.Errorf("%d pages, want 2", pages)
		}
	},
}
