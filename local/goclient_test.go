package local_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
)

// told says whether an event came.
func (f *follower) told(e client.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.events, func(came client.Event) bool { return cmp.Equal(came, e) })
}

// toldRead reports whether it was told that a user has read a message of a room.
func (f *follower) toldRead(room, user, messageID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.events, func(came client.Event) bool {
		read, ok := came.(client.Read)
		return ok && read.ChatRoomID == room && read.UserID == user && read.UpTo == messageID && read.Includes(messageID)
	})
}

func TestTheGoClientChangesWhatIsThere(t *testing.T) {
	s := start(t, local.Config{})
	alice, ctx := follow(s, "alice"), t.Context()
	room, err := alice.CreateRoomOnce(ctx, "k-1", client.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob", "a/b?"}})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := alice.CreateRoomOnce(ctx, "k-1", client.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob", "a/b?"}}); err != nil || again.ChatRoomID != room.ChatRoomID {
		t.Errorf("again: %+v, %v", again, err)
	}
	id := room.ChatRoomID
	bob := follow(s, "bob", id)
	messageID := alice.tell(id, "helo")
	bob.has(id, "helo")

	edited, err := alice.Edit(ctx, id, messageID, "hello")
	if err != nil || edited.Content != "hello" || edited.EditedAt == 0 || edited.ClientMessageID == "" {
		t.Fatalf("edited %+v, %v", edited, err)
	}
	edited.ReadBy, edited.ClientMessageID = nil, "" // not in frames, and not in those to others
	rig.Eventually(t, "the edit", func() bool { return bob.told(client.Edited{HistoryMessage: edited}) })
	if err := bob.MarkRead(ctx, id, messageID); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "the reader", func() bool { return alice.toldRead(id, "bob", messageID) && bob.toldRead(id, "bob", messageID) })
	if err := bob.Report(ctx, id, messageID, "spam"); err != nil {
		t.Error(err)
	}
	list, err := alice.Reports(ctx, id, "")
	if err != nil || len(list.Reports) != 1 || list.Reports[0].UserID != "bob" || list.Reports[0].Reason != "spam" {
		t.Errorf("reported are %+v, %v", list, err)
	}
	if err := alice.DismissReports(ctx, id, messageID); err != nil {
		t.Error(err)
	}
	if list, err = alice.Reports(ctx, id, ""); err != nil || len(list.Reports) > 0 {
		t.Errorf("reported are %+v, %v", list, err)
	}
	if room, err := alice.RetainRoom(ctx, id, 7); err != nil || room.RetentionDays != 7 {
		t.Fatal(room, err)
	}
	if _, err := alice.RenameRoom(ctx, id, "Coffee"); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "the name", func() bool { return bob.told(client.RoomChanged{ChatRoomID: id, Name: "Coffee"}) })
	if me, err := alice.SetName(ctx, " Alice "); err != nil || me.DisplayName != "Alice" {
		t.Errorf("alice is %+v, %v", me, err)
	}
	if me, err := alice.Me(ctx); err != nil || me != (client.Me{UserID: "alice", DisplayName: "Alice"}) {
		t.Errorf("alice is %+v, %v", me, err)
	}
	if names, err := bob.Names(ctx, "alice", "bob"); err != nil || !cmp.Equal(names, map[string]string{"alice": "Alice"}) {
		t.Errorf("the names are %v, %v", names, err)
	}
	if err := alice.RemoveMember(ctx, id, "a/b?"); err != nil {
		t.Error(err)
	}

	// Deleted while bob is away.
	bob.cut(1)
	if status := s.API("alice", http.MethodDelete, messagePath(id, messageID), nil, nil); status != http.StatusNoContent {
		t.Fatalf("delete: status %d", status)
	}
	stored := s.History("bob", id)[0]
	gone := client.Deleted{ChatRoomID: id, MessageID: messageID, SenderID: "alice", Timestamp: stored.Timestamp, DeletedAt: stored.DeletedAt}
	rig.Eventually(t, "the end", func() bool { return bob.told(gone) })
	if err := alice.Delete(ctx, id, messageID); err != nil {
		t.Errorf("deleting it again: %v", err)
	}
}

// Nearby goes on where its cursor says, and reaches only public rooms that have a place.
func TestTheGoClientFindsRoomsNearby(t *testing.T) {
	s := start(t, local.Config{})
	alice, bob, ctx := follow(s, "alice"), follow(s, "bob"), t.Context()
	var want []string
	for i, name := range []string{"Here", "Around the corner", "Across the river"} {
		room, err := alice.CreateRoom(ctx, client.RoomRequest{Name: name, Type: "group", Visibility: "public"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alice.PlaceRoom(ctx, room.ChatRoomID, client.Place{Lat: 52.52 + float64(i)/100, Lon: 13.405, Address: name + " 1"}); err != nil {
			t.Fatal(err)
		}
		want = append(want, room.ChatRoomID)
	}
	walk := func(search client.Search) (ids []string) {
		t.Helper()
		for range 10 {
			page, err := bob.Nearby(ctx, search)
			if err != nil || page.Limited || len(page.Rooms) > search.Limit {
				t.Fatalf("a page of %d: %+v, %v", search.Limit, page, err)
			}
			for _, room := range page.Rooms {
				if i := len(ids); room.Place.Address != room.Name+" 1" || room.Distance < float64(i*1100) || room.Distance > float64(i*1130) {
					t.Errorf("room %d is %+v", i, room)
				}
				ids = append(ids, room.ChatRoomID)
			}
			if search.Cursor = page.Cursor; search.Cursor == "" {
				return ids
			}
		}
		t.Fatal("the cursors don't end")
		return nil
	}
	around := client.Search{Lat: 52.52, Lon: 13.405, Limit: 1}
	rig.Eventually(t, "the places", func() bool { return cmp.Equal(walk(around), want) })
	around.Radius = 1500
	if got := walk(around); !cmp.Equal(got, want[:2]) {
		t.Errorf("within 1,500 m are %v, want %v", got, want[:2])
	}

	if room, err := bob.JoinRoom(ctx, want[0]); err != nil || room.MemberCount != 2 {
		t.Errorf("bob joined %+v, %v", room, err)
	}
	// Members learn of a place that is set or removed.
	told := func() (times int) {
		bob.mu.Lock()
		defer bob.mu.Unlock()
		for _, e := range bob.events {
			if e == (client.RoomChanged{ChatRoomID: want[0], Name: "Here"}) {
				times++
			}
		}
		return times
	}
	before := told()
	if _, err := alice.PlaceRoom(ctx, want[0], client.Place{Lat: 52.52, Lon: 13.405, Address: "Here 2"}); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "the news of the place", func() bool { return told() == before+1 })
	if room, err := bob.Room(ctx, want[0], ""); err != nil || room.Place == nil || room.Place.Address != "Here 2" {
		t.Errorf("bob reads %+v, %v", room, err)
	}
	if err := alice.UnplaceRoom(ctx, want[0]); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "the news of its end", func() bool { return told() == before+2 })
	if _, err := alice.ShareRoom(ctx, want[1], false); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "no place", func() bool { return len(walk(around)) == 0 })
	var refused *client.Error
	if _, err := bob.Nearby(ctx, client.Search{Lat: 91}); !errors.As(err, &refused) || refused.Code != client.CodeInvalidRequest {
		t.Errorf("a search beyond the pole: %v", err)
	}
}

func TestTheGoClientSendsFiles(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room, ctx := s.Room("alice", "bob"), t.Context()
	alice, bob := follow(s, "alice", room), follow(s, "bob", room)
	content := strings.Repeat("tea ", 100_000)
	attach := func(size int) (string, error) {
		return alice.Attach(ctx, room, client.File{
			Name: "../tea.png", ContentType: "image/png", Size: int64(size), Width: 4, Height: 3, Content: strings.NewReader(content),
		})
	}
	id, err := attach(len(content))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := alice.Send(ctx, room, "", client.WithAttachments(id))
	if err != nil {
		t.Fatal(err)
	}
	want := []client.Attachment{{AttachmentID: id, Name: "tea.png", ContentType: "image/png", Size: int64(len(content)), Width: 4, Height: 3}}
	for _, f := range []*follower{alice, bob} {
		rig.Eventually(t, "the message at "+f.user, func() bool { return len(f.messages(room)) > 0 })
		if got := f.messages(room)[0]; got.MessageID != ack.MessageID || !slices.Equal(got.Attachments, want) {
			t.Errorf("%s gets %+v, want %+v", f.user, got, want)
		}
	}
	file, err := bob.Download(ctx, room, id)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || string(got) != content {
		t.Errorf("bob reads %d bytes, %v, want %d", len(got), err, len(content))
	}

	if id, err := attach(len(content) - 1); err == nil {
		t.Errorf("a file that is longer than announced is uploaded as %s", id)
	}
	if id, err := attach(len(content) + 1); err == nil {
		t.Errorf("a file that is shorter than announced is uploaded as %s", id)
	}
	var refused *client.Error
	if _, err := alice.Send(ctx, room, "again", client.WithAttachments(id)); !errors.As(err, &refused) || refused.Code != client.CodeInvalidRequest {
		t.Errorf("a file of another message: %v", err)
	}
	if _, err := bob.Download(ctx, room, "01HQZ6T0T0ABCDEFGHJKMNPQRS"); !errors.As(err, &refused) || refused.Code != client.CodeNotAMember {
		t.Errorf("a file that is not there: %v", err)
	}
}
