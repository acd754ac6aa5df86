package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// bucket is a bucket of attachments.
type bucket struct {
	mu       sync.Mutex
	uploaded map[string]bool // by id; absent: no
	kept     []string        // in order
	fault    error
}

func (b *bucket) SignUpload(_ context.Context, a chat.Attachment, _, until time.Time) (chat.Upload, error) {
	return chat.Upload{URL: "form of " + a.ID, ExpiresAt: until.UnixMilli()}, b.fault
}

func (b *bucket) SignDownload(_ context.Context, a chat.Attachment, _, until time.Time) (chat.Download, error) {
	return chat.Download{URL: "link to " + a.ID, ExpiresAt: until.UnixMilli()}, b.fault
}

func (b *bucket) Keep(_ context.Context, a chat.Attachment) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == nil && b.uploaded[a.ID] {
		b.kept = append(b.kept, a.ID)
	}
	return b.uploaded[a.ID], b.fault
}

// attaching adds attachments to a world.
func (w *world) attaching() (*chat.Attachments, *bucket) {
	b := &bucket{uploaded: map[string]bool{}}
	w.sender.Attaching(b)
	return chat.NewAttachments(w.store, b, chat.NewIDs(w.clock.now, &counter{}), w.clock.now, 1_000), b
}

var picture = chat.File{Name: "tea.png", ContentType: "image/png", Size: 10}

// upload announces and uploads a file of a user.
func (w *world) upload(s *chat.Attachments, b *bucket, user, room string) chat.File {
	w.Helper()
	w.clock.advance(time.Millisecond)
	a, _, err := s.Announce(w.Context(), user, room, picture)
	ok(w, err)
	b.uploaded[a.ID] = true
	return a.File
}

func (w *world) attach(user, room, clientMessageID string, files ...chat.File) (chat.Receipt, error) {
	w.connect(user)
	r := chat.SendRequest{ConnectionID: user, RoomID: room, ClientMessageID: clientMessageID}
	for _, f := range files {
		r.Attachments = append(r.Attachments, f.ID)
	}
	return w.sender.Send(w.Context(), r)
}

func TestAttachments_Announce(t *testing.T) {
	w := newWorld(t)
	s, _ := w.attaching()
	room := w.group("alice")
	a, form, err := s.Announce(t.Context(), "alice", room, chat.File{Name: "x/Tea.PNG", ContentType: "Image/PNG; q=1", Size: 1_000, Width: 3, Height: 65_535})
	ok(t, err)
	want := chat.Attachment{
		File:   chat.File{ID: a.ID, Name: "Tea.PNG", ContentType: "image/png", Size: 1_000, Width: 3, Height: 65_535},
		RoomID: room, UploadedBy: "alice", ExpiresAt: epoch + chat.PendingTime.Milliseconds(),
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if want := (chat.Upload{URL: "form of " + a.ID, ExpiresAt: epoch + chat.UploadTime.Milliseconds()}); !cmp.Equal(form, want) {
		t.Errorf("form %+v, want %+v", form, want)
	}
	for name, test := range map[string]struct {
		user, room string
		change     func(*chat.File)
		code       chat.Code
	}{
		"a stranger":       {"carol", room, nil, chat.CodeNotAMember},
		"no room":          {"alice", "nowhere", nil, chat.CodeNotAMember},
		"a forged room":    {"alice", "a#b", nil, chat.CodeInvalidRequest},
		"no name":          {"alice", room, func(f *chat.File) { f.Name = "" }, chat.CodeInvalidRequest},
		"no type":          {"alice", room, func(f *chat.File) { f.ContentType = "" }, chat.CodeInvalidRequest},
		"half a type":      {"alice", room, func(f *chat.File) { f.ContentType = "image/" }, chat.CodeInvalidRequest},
		"a long type":      {"alice", room, func(f *chat.File) { f.ContentType = "image/" + strings.Repeat("x", 122) }, chat.CodeInvalidRequest},
		"an empty file":    {"alice", room, func(f *chat.File) { f.Size = 0 }, chat.CodeInvalidRequest},
		"a file too large": {"alice", room, func(f *chat.File) { f.Size = 1_001 }, chat.CodeTooLarge},
		"one side":         {"alice", room, func(f *chat.File) { f.Height = 1 }, chat.CodeInvalidRequest},
		"too wide":         {"alice", room, func(f *chat.File) { f.Width, f.Height = 65_536, 1 }, chat.CodeInvalidRequest},
		"inside out":       {"alice", room, func(f *chat.File) { f.Width, f.Height = -1, -1 }, chat.CodeInvalidRequest},
	} {
		file := picture
		if test.change != nil {
			test.change(&file)
		}
		_, _, err := s.Announce(t.Context(), test.user, test.room, file)
		refused(t, name, err, test.code)
	}
}

func TestAttachments_DownloadIsForMembers(t *testing.T) {
	w := newWorld(t)
	s, b := w.attaching()
	room, other := w.group("alice", "bob"), w.group("alice")
	sent, unsent := w.upload(s, b, "alice", room), w.upload(s, b, "alice", room)
	_, err := w.attach("alice", room, "", sent)
	ok(t, err)
	got, err := s.Download(t.Context(), "bob", room, sent.ID)
	ok(t, err)
	if want := (chat.Download{URL: "link to " + sent.ID, ExpiresAt: w.clock.now().Add(chat.DownloadTime).UnixMilli(), Size: sent.Size}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	gone := sent
	gone.ID = w.say("alice", room, "an id")
	ok(t, w.store.PutAttachment(t.Context(), chat.Attachment{File: gone, RoomID: room, MessageID: gone.ID, GoneAt: epoch}))
	texts := map[string]bool{}
	for _, test := range []struct{ user, room, id string }{
		{"carol", room, sent.ID},
		{"bob", room, gone.ID},
		{"bob", room, unsent.ID},
		{"bob", room, w.say("alice", room, "x")},
		{"alice", other, sent.ID},
		{"alice", "nowhere", sent.ID},
	} {
		_, err := s.Download(t.Context(), test.user, test.room, test.id)
		refused(t, fmt.Sprint(test), err, chat.CodeNotAMember)
		texts[strings.ReplaceAll(chat.Reason(err).Message, test.room, "")] = true
	}
	if len(texts) != 1 {
		t.Errorf("the answers differ: %v", texts)
	}
	_, err = s.Download(t.Context(), "bob", room, "../"+sent.ID)
	refused(t, "a forged id", err, chat.CodeInvalidRequest)
}

func TestAttachments_WithoutABucket(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice")
	s := chat.NewAttachments(w.store, nil, chat.NewIDs(w.clock.now, &counter{}), w.clock.now, 1_000)
	_, _, err := s.Announce(t.Context(), "alice", room, picture)
	refused(t, "announce", err, chat.CodeNotFound)
	_, err = s.Download(t.Context(), "alice", room, "x")
	refused(t, "download", err, chat.CodeNotFound)
	_, err = w.attach("alice", room, "", chat.File{ID: w.say("alice", room, "x")})
	refused(t, "send", err, chat.CodeNotFound)
}

func TestSend_WithAttachments(t *testing.T) {
	w := newWorld(t)
	s, b := w.attaching()
	room := w.group("alice", "bob")
	one, two := w.upload(s, b, "alice", room), w.upload(s, b, "alice", room)
	receipt, err := w.attach("alice", room, "k", two, one)
	ok(t, err)
	m := w.message(room, receipt.MessageID)
	if !slices.Equal(m.Attachments, []chat.File{two, one}) || m.Content != "" {
		t.Errorf("the message is %+v", m)
	}
	again, err := w.attach("alice", room, "k", two, one)
	ok(t, err)
	if !again.Duplicate || again.MessageID != receipt.MessageID || len(b.kept) != 2 {
		t.Errorf("a resend is answered %+v, and %d files were copied", again, len(b.kept))
	}
	_, err = w.editor.Edit(t.Context(), "alice", room, receipt.MessageID, "two of them", nil)
	ok(t, err)
	m, err = w.editor.Edit(t.Context(), "alice", room, receipt.MessageID, "", nil)
	ok(t, err)
	if len(m.Attachments) != 2 {
		t.Errorf("an edit leaves %+v", m)
	}
	ok(t, w.editor.Delete(t.Context(), "alice", room, receipt.MessageID))
	if m = w.message(room, receipt.MessageID); len(m.Attachments) != 0 || !slices.Equal(m.Removed, []string{two.ID, one.ID}) {
		t.Errorf("a deletion leaves %+v", m)
	}
	_, err = w.editor.Edit(t.Context(), "alice", room, w.say("alice", room, "x"), "", nil)
	refused(t, "an edit to nothing", err, chat.CodeInvalidRequest)
}

// Nothing is stored and nothing is copied unless all can be used.
func TestSend_RefusesAttachments(t *testing.T) {
	w := newWorld(t)
	s, b := w.attaching()
	room, other := w.group("alice", "bob"), w.group("alice")
	good, used := w.upload(s, b, "alice", room), w.upload(s, b, "alice", room)
	_, err := w.attach("alice", room, "", used)
	ok(t, err)
	b.kept = nil
	many := make([]chat.File, chat.MaxAttachments+1)
	for i := range many {
		many[i].ID = w.say("alice", room, "an id")
	}
	for name, files := range map[string][]chat.File{
		"another's":      {good, w.upload(s, b, "bob", room)},
		"another room's": {good, w.upload(s, b, "alice", other)},
		"used":           {good, used},
		"unknown":        {good, {ID: w.say("alice", room, "an id")}},
		"twice":          {good, good},
		"malformed":      {good, {ID: "x"}},
		"too many":       many,
	} {
		_, err := w.attach("alice", room, "k"+name[:1], files...)
		refused(t, name, err, chat.CodeInvalidRequest)
	}
	if len(b.kept) != 0 {
		t.Errorf("copied %v, want none", b.kept)
	}
	_, err = w.attach("alice", room, "k", good, func() chat.File {
		f := w.upload(s, b, "alice", room)
		delete(b.uploaded, f.ID)
		return f
	}())
	refused(t, "not uploaded", err, chat.CodeInvalidRequest)
	_, err = w.attach("alice", room, "k", good) // as a client that leaves the bad one out
	ok(t, err)
	late := w.upload(s, b, "alice", room)
	w.clock.advance(chat.PendingTime + time.Second) // items live up to a second longer
	_, err = w.attach("alice", room, "late", late)
	refused(t, "late", err, chat.CodeInvalidRequest)
}

// A send that ended between its steps is completed by its resend, at once and later.
func TestSend_ResendWithAttachments(t *testing.T) {
	for name, step := range map[string]string{"before the copy": "Keep", "before the message": "PutMessage"} {
		for _, later := range []time.Duration{0, chat.ResumeWithin + time.Second} {
			t.Run(name+" "+later.String(), func(t *testing.T) {
				w := newWorld(t)
				s, b := w.attaching()
				room := w.group("alice")
				file := w.upload(s, b, "alice", room)
				if step == "Keep" {
					b.fault = errBroken
				} else {
					w.breakOn(step)
				}
				_, err := w.attach("alice", room, "k", file)
				refused(t, "the first", err, chat.CodeInternal)
				b.fault = nil
				w.store.Before(nil)
				w.clock.advance(later)
				receipt, err := w.attach("alice", room, "k", file)
				ok(t, err)
				again, err := w.attach("alice", room, "k", file)
				ok(t, err)
				if m := w.message(room, receipt.MessageID); !slices.Equal(m.Attachments, []chat.File{file}) || again.MessageID != m.ID {
					t.Errorf("stored %+v, the next resend is answered %+v", m, again)
				}
				_, err = w.attach("alice", room, "other", file)
				refused(t, "another message", err, chat.CodeInvalidRequest)
			})
		}
	}
}

// Of two sends that both found a file free, one gets it.
func TestSend_RacesForAnAttachment(t *testing.T) {
	w := newWorld(t)
	s, b := w.attaching()
	room := w.group("alice")
	file := w.upload(s, b, "alice", room)
	w.once("PutMessage", func() {
		_, err := w.attach("alice", room, "faster", file)
		ok(t, err)
	})
	_, err := w.attach("alice", room, "slower", file)
	refused(t, "the slower", err, chat.CodeInvalidRequest)
	_, err = w.attach("alice", room, "slower", file)
	refused(t, "the slower, again", err, chat.CodeInvalidRequest)
}

// A send without attachments asks no more of the store than before there were any.
func TestSend_WithoutAttachmentsAsksNothingMore(t *testing.T) {
	w := newWorld(t)
	_, b := w.attaching()
	room := w.group("alice")
	w.connect("alice")
	var asked []string
	var mu sync.Mutex
	w.store.Before(func(method string) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, method)
		return nil
	})
	_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "alice", RoomID: room, Content: "x", ClientMessageID: "k"})
	ok(t, err)
	slices.Sort(asked)
	if want := []string{"ClaimSend", "Connection", "Member", "PutMessage"}; !slices.Equal(asked, want) || len(b.kept) != 0 {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

func TestFile_InlineIsForWhatRunsNoScript(t *testing.T) {
	for contentType, want := range map[string]bool{
		"image/png": true, "image/jpeg": true, "video/mp4": true, "audio/mpeg": true,
		"text/html": false, "image/svg+xml": false, "text/xml": false, "application/xhtml+xml": false, "text/javascript": false,
		"application/pdf": false, "text/plain": false, "": false,
	} {
		if got := (chat.File{ContentType: contentType}).Inline(); got != want {
			t.Errorf("%s: inline %t, want %t", contentType, got, want)
		}
	}
}
