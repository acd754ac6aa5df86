package verify_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

func s3Client(w *rig.Operated) *s3.Client {
	return s3.NewFromConfig(w.WireAWS(), func(o *s3.Options) { o.UsePathStyle = true })
}

func putObject(t testing.TB, w *rig.Operated, key string) {
	t.Helper()
	_, err := s3Client(w).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.AttachmentsBucket), Key: aws.String(key), Body: strings.NewReader("hello"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func putFile(t testing.TB, w *rig.Operated, room, id string) {
	t.Helper()
	putObject(t, w, objects.Key(room, id))
}

func removeFile(t testing.TB, w *rig.Operated, room, id string) {
	t.Helper()
	if err := objects.New(w.Clients.Config, local.AttachmentsBucket).Remove(t.Context(), room, []string{id}); err != nil {
		t.Fatal(err)
	}
}

// filesOf returns the keys of the bucket.
func filesOf(t testing.TB, w *rig.Operated) []string {
	t.Helper()
	var keys []string
	for object, err := range objects.New(w.Clients.Config, local.AttachmentsBucket).List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, object.Key)
	}
	return keys
}

// filesWorld is a Streamroom with a room, and a message of three files in it.
func filesWorld(t *testing.T) (*rig.Operated, *dynamo.Store, chat.Message) {
	t.Helper()
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(1, 0, 0)
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	m := attach(t, w, store, "room-0000", 3)
	rig.Eventually(t, "the last message", func() bool { return w.Consumers.Handled(topology.LastMessage) == 1 })
	return w, store, m
}

func tomorrow() time.Time { return time.Now().Add(25 * time.Hour) }

// TestFilesWithoutAMessageAreRemoved unless they may be of messages that are being sent.
func TestFilesWithoutAMessageAreRemoved(t *testing.T) {
	w, _, m := filesWorld(t)
	stray, elsewhere, foreign := fileID(), fileID(), objects.Key("room-0000", "notes.txt")
	putFile(t, w, m.RoomID, stray)
	putFile(t, w, "room-that-was-never", elsewhere)
	putObject(t, w, foreign)
	putObject(t, w, objects.PendingKey(m.RoomID, fileID())) // the bucket's own rule is about them
	day := verify.Config{MinAge: chat.PendingTime, Repair: true}
	if report, found := check(t, w, day); len(found) > 0 || report.Files != 6 || report.ForeignFiles != 1 {
		t.Errorf("within a day: %+v, %v", report, found)
	}
	day.Now = tomorrow
	report, found := check(t, w, day)
	for _, d := range found {
		if d.Kind != verify.File || !d.Repaired || !strings.Contains(d.Problem, "and no message does") {
			t.Errorf("%+v", d)
		}
	}
	if want := []string{foreign}; report.Repaired != 2 || len(filesOf(t, w)) != 4 || !slices.Contains(filesOf(t, w), want[0]) {
		t.Errorf("%+v, %v; the bucket has %v", report, found, filesOf(t, w))
	}
	if report, found := check(t, w, day); len(found) > 0 || report.Suspects > 0 {
		t.Errorf("after the repair: %+v, %v", report, found)
	}
}

// TestAFileWhoseItemIsMissingStays, as a message names it: the item is restored.
func TestAFileWhoseItemIsMissingStays(t *testing.T) {
	w, _, m := filesWorld(t)
	before := w.Dump()
	remove(w, fileKey(m, 1))
	_, found := check(t, w, verify.Config{Now: tomorrow, Repair: true})
	for _, d := range found {
		if d.Kind != verify.Attachment || !d.Repaired {
			t.Errorf("%+v", d)
		}
	}
	rig.SameDumps(t, "the table", w.Dump(), before)
	if len(found) != 1 || len(filesOf(t, w)) != 3 {
		t.Errorf("%v; the bucket has %v", found, filesOf(t, w))
	}
}

// TestAMessageWhoseFileIsGone keeps what it says of the file; the item is marked, and
// unmarked when the file is back.
func TestAMessageWhoseFileIsGone(t *testing.T) {
	w, store, m := filesWorld(t)
	before := w.Dump()
	lost, withoutItem := m.Attachments[0].ID, m.Attachments[2].ID
	removeFile(t, w, m.RoomID, lost)
	removeFile(t, w, m.RoomID, withoutItem)
	remove(w, fileKey(m, 2))
	report, found := check(t, w, verify.Config{})
	if report.Differences != 2 || w.Dump()[fileKey(m, 0)] != before[fileKey(m, 0)] {
		t.Errorf("without --repair: %v", found)
	}
	if report, found := check(t, w, verify.Config{Repair: true}); report.Repaired != 2 {
		t.Errorf("%v", found)
	}
	stored, err := store.Attachments(t.Context(), m.RoomID, []string{lost, m.Attachments[1].ID, withoutItem})
	if err != nil || stored[lost].GoneAt == 0 || stored[withoutItem].GoneAt == 0 || stored[m.Attachments[1].ID].GoneAt != 0 || stored[lost].MessageID != m.ID {
		t.Errorf("%+v, %v", stored, err)
	}
	if report, found := check(t, w, verify.Config{Repair: true}); len(found) > 0 || report.Suspects > 0 {
		t.Errorf("after the repair: %+v, %v", report, found)
	}
	putFile(t, w, m.RoomID, lost) // from a copy that someone has
	_, found = check(t, w, verify.Config{Repair: true})
	for _, d := range found {
		if d.Kind != verify.File || !d.Repaired || d.Problem != "it is marked as gone, and its file is in the bucket" {
			t.Errorf("%+v", d)
		}
	}
	if len(found) != 1 || w.Dump()[fileKey(m, 0)] != before[fileKey(m, 0)] {
		t.Errorf("when it is back: %v", found)
	}
	deleteFiles(t, store, m)
	rig.Eventually(t, "the end of the items", func() bool { return w.Dump()[fileKey(m, 0)] == "" && len(filesOf(t, w)) == 0 })
	if _, found := check(t, w, verify.Config{Repair: true}); len(found) > 0 {
		t.Errorf("after the deletion: %v", found)
	}
}

// TestFilesOfRoomsThatEnded go, though messages of the room stay.
func TestFilesOfRoomsThatEnded(t *testing.T) {
	w, _, m := filesWorld(t)
	remove(w, table.Room(m.RoomID))
	for i := range m.Attachments {
		remove(w, fileKey(m, i))
	}
	if report, found := check(t, w, verify.Config{Now: tomorrow, Repair: true}); report.Repaired != 3 || len(filesOf(t, w)) != 0 {
		t.Errorf("%v; the bucket has %v", found, filesOf(t, w))
	}
}

// TestTheBucketOfAnotherTableIsLeft: none of its files has an item.
func TestTheBucketOfAnotherTableIsLeft(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(1, 0, 0)
	const files = 101
	for range files {
		putFile(t, w, "room-0000", fileID())
	}
	report, found := check(t, w, verify.Config{Now: tomorrow, Repair: true})
	for _, d := range found {
		if d.Repaired || !strings.Contains(d.Note, "is the bucket this table's?") {
			t.Errorf("%+v", d)
		}
	}
	if report.Differences != files || len(filesOf(t, w)) != files {
		t.Errorf("%+v", report)
	}
}

// TestWithoutABucketFilesAreLeftOut: of a version that had none.
func TestWithoutABucketFilesAreLeftOut(t *testing.T) {
	w, _, m := filesWorld(t)
	removeFile(t, w, m.RoomID, m.Attachments[0].ID)
	report, err := verify.Run(t.Context(), verify.Config{
		DB: w.Clients.Table, Table: w.Deployment.Table, Now: time.Now, Wait: atOnce, Leftover: time.Hour, OrderInterval: chat.OrderInterval,
	})
	if err != nil || report.Differences != 0 || report.Files != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestABucketThatCannotBeRead ends the run.
func TestABucketThatCannotBeRead(t *testing.T) {
	w, _, _ := filesWorld(t)
	other := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, "<html></html>") }))
	defer other.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for name, bucket := range map[string]*objects.Bucket{
		"list the bucket nowhere":  objects.New(w.Clients.Config, "nowhere"),
		"a server of another kind": objects.New(replay.Local(other.URL, transport), "attachments"),
	} {
		_, err := verify.Run(t.Context(), verify.Config{
			DB: w.Clients.Table, Table: w.Deployment.Table, Files: bucket, Now: time.Now, Wait: atOnce, OrderInterval: chat.OrderInterval,
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}

// largeBucket answers ListObjectsV2 of many files that were just stored.
type largeBucket struct{ files int }

func (b largeBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("continuation-token"), &from)
	var page bytes.Buffer
	fmt.Fprintf(&page, "<ListBucketResult><Name>attachments</Name>")
	now, until := time.Now().UTC().Format(time.RFC3339), min(from+1_000, b.files)
	for i := from; i < until; i++ {
		fmt.Fprintf(&page, "<Contents><Key>rooms/room-%d/01B3F2133F%016d</Key><LastModified>%s</LastModified><Size>5</Size></Contents>", i/100, i, now)
	}
	if until < b.files {
		fmt.Fprintf(&page, "<IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", until)
	}
	page.WriteString("</ListBucketResult>")
	w.Header().Set("X-Amz-Request-Id", "1")
	_, _ = w.Write(page.Bytes())
}

// TestALargeBucketTakesNoMoreMemory than a small one.
func TestALargeBucketTakesNoMoreMemory(t *testing.T) {
	const files, allowed = 30_000, 600 << 10 // 20 bytes a file
	w := rig.StartOperated(t, rig.OperatedOptions{})
	server := httptest.NewServer(largeBucket{files})
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var first, last uint64
	report, err := verify.Run(t.Context(), verify.Config{
		DB: w.Clients.Table, Table: w.Deployment.Table, Files: objects.New(replay.Local(server.URL, transport), "attachments"),
		MinAge: time.Hour, Now: time.Now, Wait: atOnce, OrderInterval: chat.OrderInterval,
		Progress: func(_, _ int) {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if last = m.HeapAlloc; first == 0 {
				first = last
			}
		},
	})
	if err != nil || report.Files != files || report.ForeignFiles != 0 || report.Differences != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	t.Logf("the heap went from %d to %d bytes", first, last)
	if first == 0 || last > first+allowed {
		t.Errorf("the heap went from %d to %d bytes", first, last)
	}
}
