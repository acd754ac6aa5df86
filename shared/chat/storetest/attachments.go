package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// pending is the file that a user announces in room r as messageID(n, 1).
func pending(userID string, n int64) chat.Attachment {
	return chat.Attachment{
		File:   chat.File{ID: messageID(n, 1), Name: "tea.png", ContentType: "image/png", Size: 10_000_000_000, Width: 3, Height: 4},
		RoomID: "r", UploadedBy: userID, ExpiresAt: epoch + chat.PendingTime.Milliseconds(),
	}
}

// with is a message of alice's in room r with files.
func with(ms int64, files ...chat.Attachment) chat.Message {
	m := message("r", "alice", ms)
	m.Content = ""
	for _, a := range files {
		m.Attachments = append(m.Attachments, a.File)
	}
	return m
}

// announce stores files.
func (f *fixture) announce(files ...chat.Attachment) {
	f.Helper()
	for _, a := range files {
		ok(f, f.PutAttachment(f.Context(), a))
	}
}

// owners returns which message has each of some files of room r.
func (f *fixture) owners(files ...chat.Attachment) map[string]string {
	f.Helper()
	var ids []string
	for _, a := range files {
		ids = append(ids, a.ID)
	}
	found, err := f.Attachments(f.Context(), "r", ids)
	ok(f, err)
	owners := map[string]string{}
	for id, a := range found {
		owners[id] = a.MessageID
	}
	return owners
}

var attachmentTests = map[string]func(*fixture){
	"Attachments/reads what was announced, until it expires": func(f *fixture) {
		picture, text := pending("alice", 1), pending("bob", 2)
		text.Width, text.Height, text.Name = 0, 0, "tea.txt"
		text.GoneAt = epoch
		f.announce(picture, text)
		read := func(room string, want map[string]chat.Attachment) {
			f.Helper()
			got, err := f.Attachments(f.Context(), room, []string{text.ID, picture.ID, messageID(3, 1)})
			ok(f, err)
			equal(f, "attachments of "+room, want, got)
		}
		read("r", map[string]chat.Attachment{picture.ID: picture, text.ID: text})
		read("s", nil)
		f.clock.advance(chat.PendingTime)
		read("r", nil)
	},
	"PutMessage/gives files to their message permanently": func(f *fixture) {
		one, two := pending("alice", 1), pending("alice", 2)
		f.announce(one, two)
		m := with(5, two, one)
		f.put(m, m) // an answer that was lost
		got, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 1})
		ok(f, err)
		equal(f, "messages", []chat.Message{m}, got)
		f.clock.advance(chat.PendingTime)
		equal(f, "owners", map[string]string{one.ID: m.ID, two.ID: m.ID}, f.owners(one, two))
	},
	"PutMessage and ResumeSend/refuse a file that the sender can't use, and store nothing": func(f *fixture) {
		good, theirs, used, late := pending("alice", 1), pending("bob", 2), pending("alice", 3), pending("alice", 4)
		late.ExpiresAt = epoch
		elsewhere := pending("alice", 5)
		elsewhere.RoomID = "s"
		f.announce(good, theirs, used, late, elsewhere)
		f.put(with(1, used))
		for name, bad := range map[string]chat.Attachment{
			"another's": theirs, "used": used, "expired": late, "another room's": elsewhere, "unknown": pending("alice", 6),
		} {
			m := with(9, good, bad)
			refusal(f, name, bad, f.PutMessage(f.Context(), m))
			m.ClientMessageID = name[:1]
			earlier, claimed, err := f.ClaimSend(f.Context(), m, epoch)
			ok(f, err)
			if !claimed {
				f.Fatalf("%s: claimed before, by %+v", name, earlier)
			}
			_, _, err = f.ResumeSend(f.Context(), m, chat.SentBefore{RoomID: "r", MessageID: m.ID}, epoch)
			refusal(f, name+", resumed", bad, err)
			if stored, err := f.HasMessage(f.Context(), "r", m.ID); stored || err != nil {
				f.Errorf("%s: stored %t, error %v", name, stored, err)
			}
		}
		equal(f, "owner", map[string]string{good.ID: ""}, f.owners(good))
	},
	"PutMessage/racing messages get a file once": func(f *fixture) {
		one, two := pending("alice", 1), pending("alice", 2)
		f.announce(one, two)
		won := race(f, 8, func(i int) (bool, error) {
			files := []chat.Attachment{one, two}
			if i%2 == 1 {
				slices.Reverse(files)
			}
			err := f.PutMessage(f.Context(), with(int64(i), files...))
			var refused *chat.Error
			if errors.As(err, &refused) && refused.Code == chat.CodeInvalidRequest {
				return false, nil
			}
			return err == nil, err
		})
		stored, _, err := f.Messages(f.Context(), "r", chat.Range{Limit: 10})
		ok(f, err)
		if won != 1 || len(stored) != 1 {
			f.Fatalf("%d messages got the files, %d are stored; want one", won, len(stored))
		}
		equal(f, "owners", map[string]string{one.ID: stored[0].ID, two.ID: stored[0].ID}, f.owners(one, two))
	},
	"ResumeSend/gives files to the message, and a second one finds it": func(f *fixture) {
		a := pending("alice", 1)
		f.announce(a)
		m := with(1, a)
		m.ClientMessageID = "k"
		_, _, err := f.ClaimSend(f.Context(), m, epoch)
		ok(f, err)
		earlier := chat.SentBefore{RoomID: "r", MessageID: m.ID}
		for _, want := range []bool{true, false} {
			latest, resumed, err := f.ResumeSend(f.Context(), m, earlier, epoch)
			ok(f, err)
			if resumed != want {
				f.Errorf("resumed %t, want %t", resumed, want)
			}
			equal(f, "latest", chat.SentBefore{RoomID: "r", MessageID: m.ID, Stored: true}, latest)
		}
		equal(f, "owner", map[string]string{a.ID: m.ID}, f.owners(a))
	},
	"ResumeSend/finds a message that the first send stored with its files": func(f *fixture) {
		a := pending("alice", 1)
		f.announce(a)
		m := with(1, a)
		m.ClientMessageID = "k"
		_, _, err := f.ClaimSend(f.Context(), m, epoch)
		ok(f, err)
		f.put(m)
		latest, resumed, err := f.ResumeSend(f.Context(), m, chat.SentBefore{RoomID: "r", MessageID: m.ID}, epoch)
		ok(f, err)
		if resumed {
			f.Error("resumed, want the stored message to be found")
		}
		equal(f, "latest", chat.SentBefore{RoomID: "r", MessageID: m.ID, Stored: true}, latest)
	},
	"EditMessage and DeleteMessage/an edit keeps attachments, a deletion keeps their ids": func(f *fixture) {
		one, two := pending("alice", 1), pending("alice", 2)
		f.announce(one, two)
		m := with(1, one, two)
		f.put(m)
		m.Content, m.EditedAt = "two pictures", epoch+10
		got, _, err := f.EditMessage(f.Context(), m)
		ok(f, err)
		equal(f, "edited", m, got)
		m.DeletedAt = epoch + 11
		got, _, err = f.DeleteMessage(f.Context(), m)
		ok(f, err)
		equal(f, "removed", []string{one.ID, two.ID}, got.Removed)
		if len(got.Attachments) != 0 || got.Content != "" {
			f.Errorf("a deleted message has %+v", got)
		}
	},
	"AdvanceLastMessage/says how many files": func(f *fixture) {
		f.create("r", "alice")
		last, err := f.AdvanceLastMessage(f.Context(), "r", with(1, pending("alice", 1), pending("alice", 2)).Preview())
		ok(f, err)
		rooms, _, err := f.UserRooms(f.Context(), "alice", "", 10)
		ok(f, err)
		if last.Attachments != 2 || len(rooms) != 1 || rooms[0].Last.Attachments != 2 {
			f.Errorf("the last message has %d attachments, the list %+v; want 2", last.Attachments, rooms)
		}
	},
	"RoomAttachments and RemoveAttachments/page by page, again and again": func(f *fixture) {
		var all []string
		for n := range int64(60) {
			a := pending("alice", n)
			f.announce(a)
			all = append(all, a.ID)
		}
		other := pending("alice", 1)
		other.RoomID = "s"
		f.announce(other)
		ids, more, err := f.RoomAttachments(f.Context(), "r", 25)
		ok(f, err)
		inOrder(f, "the first page", all[:25], ids)
		if !more {
			f.Error("want more pages")
		}
		for range 2 {
			ok(f, f.RemoveAttachments(f.Context(), "r", all[:55]))
		}
		ids, more, err = f.RoomAttachments(f.Context(), "r", 25)
		ok(f, err)
		inOrder(f, "what is left", all[55:], ids)
		if more {
			f.Error("want no more pages")
		}
		if left, err := f.Attachments(f.Context(), "s", []string{other.ID}); err != nil || len(left) != 1 {
			f.Errorf("another room's: %v, error %v", slices.Collect(maps.Keys(left)), err)
		}
	},
}

// refusal checks that a send was refused for a file.
func refusal(f *fixture, what string, a chat.Attachment, err error) {
	f.Helper()
	want := fmt.Sprint(chat.ErrAttachment(a.ID))
	var refused *chat.Error
	if !errors.As(err, &refused) || refused.Error() != want {
		f.Errorf("%s: error %v, want %s", what, err, want)
	}
}

// attachmentReader is what the stream's reader calls of a store.
type attachmentReader interface {
	RoomAttachments(ctx context.Context, roomID string, limit int) (ids []string, more bool, err error)
	RemoveAttachments(ctx context.Context, roomID string, ids []string) error
}
