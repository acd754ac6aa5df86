package storetest

import "github.com/streamroom/streamroom/shared/chat"

// altered is a member after a change.
func altered(m chat.Member, role chat.Role, mutedUntil, at int64) chat.Member {
	m.Role, m.MutedUntil, m.ChangedAt = role, mutedUntil, at
	return m
}

var moderationTests = map[string]func(*fixture){
	"PauseMember/keeps the latest time, and leaves the rest": func(f *fixture) {
		f.create("r", "alice", "bob")
		for _, until := range []int64{epoch + 5, epoch + 9, epoch + 7} {
			ok(f, f.PauseMember(f.Context(), "r", "bob", until))
		}
		ok(f, f.PauseMember(f.Context(), "r", "carol", epoch+5))
		bob := plain("bob")
		bob.PausedUntil = epoch + 9
		f.is(bob)
		_, known, err := f.Member(f.Context(), "r", "carol")
		if ok(f, err); known {
			f.Error("who is no member has become one")
		}
		muted := altered(bob, chat.PlainMember, epoch+20, epoch+3)
		changed, err := f.ChangeMember(f.Context(), "r", bob, muted, "")
		if ok(f, err); !changed {
			f.Error("the member can't be changed")
		}
		f.is(muted)
	},
	"ChangeMember/changes who is as was, and all reads have it": func(f *fixture) {
		f.create("r", "alice", "bob")
		was := plain("bob")
		for _, now := range []chat.Member{
			altered(was, chat.Moderator, 0, epoch+1),
			altered(was, chat.Moderator, epoch+9_000, epoch+2),
			altered(was, chat.PlainMember, 0, epoch+3),
		} {
			if changed, err := f.ChangeMember(f.Context(), "r", altered(was, chat.Owner, 0, was.ChangedAt), now, ""); changed || err != nil {
				f.Errorf("another role: changed %t, error %v", changed, err)
			}
			if changed, err := f.ChangeMember(f.Context(), "r", altered(was, was.Role, 0, 7), now, ""); changed || err != nil {
				f.Errorf("another time: changed %t, error %v", changed, err)
			}
			changed, err := f.ChangeMember(f.Context(), "r", was, now, "")
			if ok(f, err); !changed {
				f.Fatalf("%+v was not stored", now)
			}
			f.is(now)
			was = now
		}
		if changed, err := f.ChangeMember(f.Context(), "r", plain("carol"), altered(plain("carol"), chat.Moderator, 0, epoch), ""); changed || err != nil {
			f.Errorf("a stranger: changed %t, error %v", changed, err)
		}
		f.count(2)
	},
	"ChangeMember/needs the owner who stays": func(f *fixture) {
		f.create("r", "alice", "bob", "carol")
		alice := chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch}
		down := altered(alice, chat.PlainMember, 0, epoch+2)
		for _, keeps := range []string{"bob", "dave"} {
			if changed, err := f.ChangeMember(f.Context(), "r", alice, down, keeps); changed || err != nil {
				f.Errorf("%s, who is not an owner: changed %t, error %v", keeps, changed, err)
			}
		}
		_, err := f.ChangeMember(f.Context(), "r", plain("bob"), altered(plain("bob"), chat.Owner, 0, epoch+1), "")
		ok(f, err)
		changed, err := f.ChangeMember(f.Context(), "r", alice, down, "bob")
		if ok(f, err); !changed {
			f.Error("an owner beside another one was not changed")
		}
		f.is(down)
		f.is(altered(plain("bob"), chat.Owner, 0, epoch+1))
	},
	"ChangeMember/leaves one of two owners who step down at once": func(f *fixture) {
		f.create("r", "alice", "bob")
		alice := chat.Member{UserID: "alice", Role: chat.Owner, JoinedAt: epoch}
		bob := altered(plain("bob"), chat.Owner, 0, epoch+1)
		_, err := f.ChangeMember(f.Context(), "r", plain("bob"), bob, "")
		ok(f, err)
		pair := []chat.Member{alice, bob}
		won := race(f, 2, func(i int) (bool, error) {
			return f.ChangeMember(f.Context(), "r", pair[i], altered(pair[i], chat.PlainMember, 0, epoch+2), pair[1-i].UserID)
		})
		if won != 1 {
			f.Errorf("%d of two owners stepped down, want 1", won)
		}
	},
	"DeleteMessage/keeps who deleted another one's message": func(f *fixture) {
		f.create("r", "alice", "bob")
		m := message("r", "bob", 1)
		f.put(m)
		m.DeletedAt, m.DeletedBy = epoch+5, "alice"
		stored, deleted, err := f.DeleteMessage(f.Context(), m)
		if ok(f, err); !deleted || stored.DeletedBy != "alice" {
			f.Errorf("deleted %t by %q", deleted, stored.DeletedBy)
		}
		page, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		if len(page) != 1 || page[0].DeletedBy != "alice" || page[0].SenderID != "bob" || page[0].Content != "" {
			f.Errorf("stored %+v", page)
		}
	},
}

// is checks what all reads of a member of room r return.
func (f *fixture) is(want chat.Member) {
	f.Helper()
	alone, _, err := f.Member(f.Context(), "r", want.UserID)
	ok(f, err)
	equal(f, "Member", want, alone)
	_, beside, _, err := f.RoomFor(f.Context(), "r", want.UserID)
	ok(f, err)
	equal(f, "RoomFor", want, beside)
	place, err := f.Place(f.Context(), "r", want.UserID, messageID(1, 0))
	ok(f, err)
	equal(f, "Place", want, place.Self)
	_, self, _, err := f.RoomOf(f.Context(), "r", want.UserID)
	ok(f, err)
	equal(f, "RoomOf", want, self)
}
