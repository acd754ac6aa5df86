package local_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// announce announces a file of a user.
func announce(s *rig.Rig, user, room, name, contentType string, size int) wire.AnnouncedAttachment {
	s.T.Helper()
	var announced wire.AnnouncedAttachment
	request := wire.AttachmentRequest{Name: name, ContentType: contentType, Size: int64(size)}
	if status := s.API(user, http.MethodPost, "/rooms/"+room+"/attachments", request, &announced); status != http.StatusCreated {
		s.T.Fatalf("announce %s: status %d", name, status)
	}
	return announced
}

// writeFiles sends a message with attachments.
func writeFiles(s *rig.Rig, d *rig.Socket, room, content, clientMessageID string, ids ...string) {
	s.T.Helper()
	frame, err := json.Marshal(wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: room, Content: content, ClientMessageID: clientMessageID, Attachments: ids,
	})
	if err != nil {
		s.T.Fatal(err)
	}
	d.Write(string(frame))
}

// sendFile sends a message with one file, and returns the file as the sender sees it.
func sendFile(s *rig.Rig, d *rig.Socket, room, name, contentType string, content []byte) wire.Attachment {
	s.T.Helper()
	announced := announce(s, d.User, room, name, contentType, len(content))
	if status := s.Upload(announced.Upload, content); status != http.StatusNoContent {
		s.T.Fatalf("upload %s: status %d", name, status)
	}
	writeFiles(s, d, room, "", "file-"+announced.AttachmentID, announced.AttachmentID)
	got := d.ExpectIn(room, wire.TypeMessage)
	for got.SenderID != d.User { // what others said before is on its way
		got = d.ExpectIn(room, wire.TypeMessage)
	}
	if len(got.Attachments) != 1 {
		s.T.Fatalf("the message has %+v, want one attachment", got.Attachments)
	}
	return got.Attachments[0]
}

// download reads a file by a link.
func download(s *rig.Rig, user, room, id string) (*http.Response, []byte) {
	s.T.Helper()
	var link wire.Download
	if status := s.API(user, http.MethodGet, "/rooms/"+room+"/attachments/"+id+"?redirect=false", nil, &link); status != http.StatusOK {
		s.T.Fatalf("ask for %s: status %d", id, status)
	}
	return fetch(s, link.URL)
}

func fetch(s *rig.Rig, url string) (*http.Response, []byte) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return response, body
}

func TestAttachments_FromOneUserToAnother(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	picture := []byte("\x89PNG\r\n\x1a\n and more")
	file := sendFile(s, alice, room, "C:\\photos\\caf\u00e9.png", "image/png", picture)
	want := wire.Attachment{AttachmentID: file.AttachmentID, Name: "caf\u00e9.png", ContentType: "image/png", Size: int64(len(picture))}
	if file != want {
		t.Errorf("the sender sees %+v, want %+v", file, want)
	}
	if got := bob.ExpectIn(room, wire.TypeMessage); !slices.Equal(got.Attachments, []wire.Attachment{want}) || got.Content != "" {
		t.Errorf("bob gets %+v, want %+v", got, want)
	}
	history := s.History("bob", room)
	if last := history[0]; !slices.Equal(last.Attachments, []wire.Attachment{want}) {
		t.Errorf("the history has %+v, want %+v", last, want)
	}
	response, body := download(s, "bob", room, file.AttachmentID)
	if !bytes.Equal(body, picture) || response.StatusCode != http.StatusOK {
		t.Errorf("bob downloads %q with status %d", body, response.StatusCode)
	}
	for name, value := range map[string]string{
		"Content-Type": "image/png", "Content-Disposition": `inline; filename="caf_.png"; filename*=UTF-8''caf%C3%A9.png`,
	} {
		if got := response.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if status := s.API("mallet", http.MethodGet, "/rooms/"+room+"/attachments/"+file.AttachmentID, nil, nil); status != http.StatusForbidden {
		t.Errorf("a stranger is answered with %d", status)
	}
}

func TestAttachments_AreRefusedAndNothingStored(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room, other := s.Room("alice", "bob"), s.Room("alice", "bob")
	alice := s.Connect("alice")
	sent := sendFile(s, alice, room, "a", "text/plain", []byte("x"))
	uploaded := func(user, room string) string {
		a := announce(s, user, room, "a", "text/plain", 1)
		s.Upload(a.Upload, []byte("x"))
		return a.AttachmentID
	}
	good := uploaded("alice", room)
	many := make([]string, 11)
	for i := range many {
		many[i] = strings.Repeat("0", 24) + "0" + string(rune('A'+i%8))
	}
	for name, ids := range map[string][]string{
		"another's":      {good, uploaded("bob", room)},
		"another room's": {good, uploaded("alice", other)},
		"not uploaded":   {good, announce(s, "alice", room, "a", "text/plain", 1).AttachmentID},
		"used":           {good, sent.AttachmentID},
		"twice":          {good, good},
		"unknown":        {good, "01HQZ6T0T0ABCDEFGHJKMNPQRS"},
		"none":           {"nothing"},
		"too many":       many,
	} {
		writeFiles(s, alice, room, "see", "", ids...)
		if got := alice.Expect(wire.TypeError); got.Code != "invalid_request" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	alice.Write(`{"action":"sendMessage","chatRoomId":"` + room + `","content":"x","attachments":"` + good + `"}`)
	if got := alice.Expect(wire.TypeError); got.Code != "invalid_request" {
		t.Errorf("a string: %+v", got)
	}
	if got := s.History("alice", room); len(got) != 1 {
		t.Errorf("the room has %d messages, want one", len(got))
	}
	// Refusals leave what is good as it is.
	writeFiles(s, alice, room, "see", "", good)
	if got := alice.Expect(wire.TypeAck); got.ChatRoomID != room {
		t.Errorf("a good one: %+v", got)
	}
}

// keys are those of all objects.
func keys(s *rig.Rig) []string {
	s.T.Helper()
	listed, err := s3.NewFromConfig(s.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true }).ListObjectsV2(
		s.T.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(local.AttachmentsBucket)})
	if err != nil {
		s.T.Fatal(err)
	}
	keys := []string{}
	for _, object := range listed.Contents {
		keys = append(keys, aws.ToString(object.Key))
	}
	return keys
}

// kept waits until a room has as many objects, and as many items that say so.
func kept(s *rig.Rig, room string, n int) {
	s.T.Helper()
	rig.Eventually(s.T, "the objects of the room", func() bool {
		objects := 0
		for _, key := range keys(s) {
			if strings.HasPrefix(key, "rooms/"+room+"/") {
				objects++
			}
		}
		items := 0
		for it := range s.Scan() {
			if id, err := table.Parse(attribute.KeyOf(it)); err == nil && id.Kind == table.KindAttachment && id.RoomID == room {
				items++
			}
		}
		return objects == n && items == n
	})
}

func TestAttachments_GoWithTheirMessageAndTheirRoom(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	for range 3 {
		sendFile(s, alice, room, "a", "text/plain", []byte("x"))
	}
	kept(s, room, 3)
	newest := s.History("alice", room)[0]
	if status := s.API("alice", http.MethodDelete, messagePath(room, newest.MessageID), nil, nil); status != http.StatusNoContent {
		t.Fatalf("delete: status %d", status)
	}
	kept(s, room, 2)
	if status := s.API("alice", http.MethodGet, "/rooms/"+room+"/attachments/"+newest.Attachments[0].AttachmentID, nil, nil); status != http.StatusForbidden {
		t.Errorf("a deleted file is answered with %d", status)
	}
	if got := s.History("bob", room)[0]; len(got.Attachments) != 0 || got.DeletedAt == 0 {
		t.Errorf("the history has %+v", got)
	}
	for _, user := range []string{"bob", "alice"} {
		s.API(user, http.MethodDelete, "/rooms/"+room+"/members?userId="+user, nil, nil)
	}
	kept(s, room, 0)
}

// What is in the data folder is there after a restart, and nothing else is: not what had
// been removed, nor what was deleted in the moment before.
func TestAttachments_AfterARestart(t *testing.T) {
	dir := t.TempDir()
	before := start(t, local.Config{LogLevel: "warn", DataDir: dir, Wrap: rig.Hasten})
	room := before.Room("alice", "bob")
	alice := before.Connect("alice")
	content := func(name string) []byte { return []byte(strings.Repeat(name, 1_000)) }
	files := map[string]wire.Attachment{}
	for _, name := range []string{"kept.png", "removed.txt", "deleted.txt"} {
		files[name] = sendFile(before, alice, room, name, "text/plain", content(name))
	}
	messages := map[string]string{}
	for _, m := range before.History("alice", room) {
		messages[m.Attachments[0].Name] = m.MessageID
	}
	deleteMessage := func(name string) {
		t.Helper()
		if status := before.API("alice", http.MethodDelete, messagePath(room, messages[name]), nil, nil); status != http.StatusNoContent {
			t.Fatalf("delete: status %d", status)
		}
	}
	deleteMessage("removed.txt")
	kept(before, room, 2)
	waiting := announce(before, "alice", room, "waiting.txt", "text/plain", len(content("waiting.txt")))
	if status := before.Upload(waiting.Upload, content("waiting.txt")); status != http.StatusNoContent {
		t.Fatalf("upload: status %d", status)
	}
	deleteMessage("deleted.txt")
	before.Stop()

	after := start(t, local.Config{LogLevel: "warn", DataDir: dir, Wrap: rig.Hasten})
	alice = after.Connect("alice")
	writeFiles(after, alice, room, "", "", waiting.AttachmentID)
	if got := alice.Expect(wire.TypeAck, wire.TypeError); got.Type != wire.TypeAck {
		t.Errorf("what was uploaded before is answered with %+v", got)
	}
	for name, id := range map[string]string{"kept.png": files["kept.png"].AttachmentID, "waiting.txt": waiting.AttachmentID} {
		response, body := download(after, "bob", room, id)
		if !bytes.Equal(body, content(name)) || response.Header.Get("Content-Type") != "text/plain" ||
			!strings.Contains(response.Header.Get("Content-Disposition"), `"`+name+`"`) {
			t.Errorf("%s: status %d, headers %v, %d bytes", name, response.StatusCode, response.Header, len(body))
		}
	}
	kept(after, room, 2)
	for _, name := range []string{"removed.txt", "deleted.txt"} {
		if status := after.API("bob", http.MethodGet, "/rooms/"+room+"/attachments/"+files[name].AttachmentID, nil, nil); status != http.StatusForbidden {
			t.Errorf("%s is answered with %d", name, status)
		}
	}
}

// A copy that no message got goes with its item.
func TestAttachments_ThatNoMessageHasExpire(t *testing.T) {
	clock := clockwork.NewFakeClockAt(time.Now())
	s := start(t, local.Config{LogLevel: "warn", Clock: clock})
	room := s.Room("alice")
	good := announce(s, "alice", room, "a", "text/plain", 1)
	if status := s.Upload(good.Upload, []byte("x")); status != http.StatusNoContent {
		t.Fatalf("upload: status %d", status)
	}
	file := chat.Attachment{File: chat.File{ID: good.AttachmentID, Name: "a", ContentType: "text/plain"}, RoomID: room}
	if kept, err := objects.New(s.WireAWS(), local.AttachmentsBucket).Keep(t.Context(), file); !kept || err != nil {
		t.Fatalf("keep: %t, error %v", kept, err)
	}
	if got := keys(s); len(got) != 2 {
		t.Fatalf("the bucket has %q, want what was uploaded and its copy", got)
	}
	clock.Advance(25 * time.Hour)
	rig.Eventually(t, "the copy to be removed", func() bool {
		clock.Advance(time.Minute)
		return len(keys(s)) == 0
	})
}
