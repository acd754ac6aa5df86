package replay_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// sharing is a room with files and a place, and what alice does there.
type sharing struct {
	rig  *rig.Operated
	room string
}

// share makes a public room with a place.
func share(w *rig.Operated, members ...string) sharing {
	w.T.Helper()
	s := sharing{w, w.Room(append([]string{"alice"}, members...)...)}
	public := wire.Public
	s.must(http.MethodPatch, "", wire.RoomChange{Visibility: &public}, nil)
	s.place(52.52)
	return s
}

func (s sharing) must(method, path string, body, into any) {
	s.rig.T.Helper()
	if status := s.rig.API("alice", method, "/rooms/"+s.room+path, body, into); status >= http.StatusMultipleChoices {
		s.rig.T.Fatalf("%s %s: status %d", method, path, status)
	}
}

func (s sharing) place(lat float64) {
	s.rig.T.Helper()
	lon := 13.405
	s.must(http.MethodPut, "/place", wire.PlaceRequest{Lat: &lat, Lon: &lon, Address: "Café"}, nil)
}

func (s sharing) upload() string {
	s.rig.T.Helper()
	var announced wire.AnnouncedAttachment
	s.must(http.MethodPost, "/attachments", wire.AttachmentRequest{Name: "a.txt", ContentType: "text/plain", Size: 1}, &announced)
	if status := s.rig.Upload(announced.Upload, []byte("x")); status != http.StatusNoContent {
		s.rig.T.Fatalf("upload: status %d", status)
	}
	return announced.AttachmentID
}

// send sends a message with a number of files and returns its id.
func (s sharing) send(files int) string {
	s.rig.T.Helper()
	ids := make([]string, files)
	for i := range ids {
		ids[i] = s.upload()
	}
	var sent wire.Sent
	s.must(http.MethodPost, "/messages", wire.SendRequest{Attachments: ids}, &sent)
	return sent.MessageID
}

func (s sharing) leave() {
	s.rig.T.Helper()
	s.must(http.MethodDelete, "/members?userId=alice", nil, nil)
}

// bucketKeys are those of all objects, uploads included.
func bucketKeys(w *rig.Operated) (keys []string) {
	w.T.Helper()
	listed, err := s3.NewFromConfig(w.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true }).ListObjectsV2(
		w.T.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(local.AttachmentsBucket)})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, object := range listed.Contents {
		keys = append(keys, aws.ToString(object.Key))
	}
	return keys
}

// putFile stores an object and its item. Without a message it is a file that was announced.
func putFile(w *rig.Operated, room, messageID string) chat.File {
	w.T.Helper()
	file := chat.File{ID: ulid.Make().String(), Name: "b.txt", ContentType: "text/plain", Size: 1}
	_, err := s3.NewFromConfig(w.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true }).PutObject(w.T.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.AttachmentsBucket), Key: aws.String(objects.Key(room, file.ID)), Body: strings.NewReader("x"),
	})
	if err != nil {
		w.T.Fatal(err)
	}
	w.Write(dynamo.AttachmentItem(chat.Attachment{File: file, RoomID: room, UploadedBy: "alice", MessageID: messageID}))
	return file
}

// A replay of files and places that came, changed and went leaves the table and the bucket
// as they are.
func TestFilesAndPlacesAreReplayedAsTheyAre(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	lives, ended, again := share(w), share(w), share(w)
	lives.send(2)
	edited, deleted := lives.send(1), lives.send(1)
	lives.must(http.MethodPatch, "/messages/"+edited, wire.EditRequest{Content: "see"}, nil)
	lives.place(48.85)
	lives.must(http.MethodDelete, "/messages/"+deleted, nil, nil)
	lives.upload() // and not sent
	unplaced := share(w)
	unplaced.must(http.MethodDelete, "/place", nil, nil)
	for _, s := range []sharing{ended, again} {
		s.send(1)
		s.leave()
	}
	expired := putFile(w, lives.room, "")
	w.Write(rig.Keyed(table.Attachment(lives.room, expired.ID), nil))
	rig.Eventually(t, "what went to be gone", func() bool {
		copies := 0
		for _, key := range bucketKeys(w) {
			if strings.HasPrefix(key, topology.RoomsPrefix) {
				copies++
			}
		}
		return copies == 3
	})
	// A room of the same id has a file of its own.
	w.Write(rig.RoomItems(again.room, 1, 0)...)
	putFile(w, again.room, ulid.Make().String())
	for _, room := range []string{lives.room, unplaced.room, again.room, "general"} { // in which all are who sign in
		last := rig.MessageItem(room, time.Now(), "alice", "the last")
		w.Write(last)
		rig.Eventually(t, "the last of the room", func() bool { return w.Consumers.HasHandled(topology.LastMessage, last) })
	}

	original, files := w.Dump(), bucketKeys(w)
	saved := filepath.Join(t.TempDir(), "records.jsonl")
	run(t, w, replay.Config{Source: replay.FromStream, Target: replay.ToNone, Save: saved, RunID: "save", StreamPause: time.Millisecond})
	for _, source := range []replay.Source{replay.FromStream, replay.FromTable, replay.FromFile} {
		w.Spoil()
		c := plain(t, source)
		if source == replay.FromFile {
			c.File = saved
		}
		run(t, w, c)
		rig.SameDumps(t, string(source), w.Dump(), original)
		if got := bucketKeys(w); !slices.Equal(got, files) {
			t.Errorf("%s: the bucket has %q, want %q", source, got, files)
		}
	}
}

// Messages that are delivered again have their files, and deleted ones have none.
func TestMessagesAreDeliveredAgainWithTheirFiles(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{Fanout: true})
	s := share(w, "bob")
	bob := w.Connect("bob")
	s.send(2)
	live := bob.ExpectIn(s.room, wire.TypeMessage) // first: frames of one batch come in any order
	deleted := s.send(1)
	s.must(http.MethodDelete, "/messages/"+deleted, nil, nil)
	bob.ExpectIn(s.room, wire.TypeMessageDeleted)

	c := plain(t, replay.FromTable)
	c.Target, c.Deliver = topology.Fanout, true
	run(t, w, c)
	if got := bob.ExpectIn(s.room, wire.TypeMessage); got.MessageID != live.MessageID || !slices.Equal(got.Attachments, live.Attachments) || len(got.Attachments) != 2 {
		t.Errorf("delivered again is %+v, want %+v", got, live)
	}
	if got := bob.ExpectIn(s.room, wire.TypeMessage, wire.TypeMessageDeleted); got.Type != wire.TypeMessageDeleted || len(got.Attachments) > 0 {
		t.Errorf("of the deleted message came %+v", got)
	}
}
