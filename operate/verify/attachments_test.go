package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

// fileID makes the id of a file that was announced over a day ago, and less than a day
// before the messages of attach.
func fileID() string {
	return ulid.MustNew(ulid.Timestamp(time.Now().Add(-25*time.Hour)), ulid.DefaultEntropy()).String()
}

func fileKey(m chat.Message, i int) table.Key { return table.Attachment(m.RoomID, m.Attachments[i].ID) }

func deleteFiles(t testing.TB, store *dynamo.Store, m chat.Message) {
	t.Helper()
	m.DeletedAt = m.SentAt + 1
	if _, ok, err := store.DeleteMessage(t.Context(), m); err != nil || !ok {
		t.Fatalf("delete a message: %t, %v", ok, err)
	}
}

// strayFile plants an item of a file that its message does not have.
func strayFile(w *rig.Operated, in chat.Message, messageID, says string) plant {
	a := chat.Attachment{
		File: chat.File{ID: fileID(), Name: "a.txt", ContentType: "text/plain", Size: 5}, RoomID: in.RoomID, MessageID: messageID,
	}
	return plant{verify.Attachment, says, table.Attachment(a.RoomID, a.ID), func() { w.Write(dynamo.AttachmentItem(a)) }}
}

// TestAttachmentsThatAreNoDifference: announced within a day, or of a room that ended or
// was made once more.
func TestAttachmentsThatAreNoDifference(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(3, 0, 0)
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	ended, again, recent := attach(t, w, store, "room-0000", 1), attach(t, w, store, "room-0001", 1), attach(t, w, store, "room-0002", 1)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records+3 })
	remove(w, table.Room(ended.RoomID))
	remove(w, fileKey(ended, 0))
	removeFile(t, w, ended.RoomID, ended.Attachments[0].ID)
	set(t, w, table.Room(again.RoomID), table.CreatedAt, attribute.Number(again.SentAt+1))
	remove(w, fileKey(again, 0))
	removeFile(t, w, again.RoomID, again.Attachments[0].ID)
	now := ulid.Make().String()
	w.Write(dynamo.AttachmentItem(chat.Attachment{File: chat.File{ID: now}, RoomID: recent.RoomID, MessageID: recent.ID}))
	if report, found := check(t, w, verify.Config{Repair: true}); len(found) > 0 || report.Suspects != 4 {
		t.Errorf("%+v, %v", report, found)
	}
	tomorrow := func() time.Time { return time.Now().Add(25 * time.Hour) }
	if _, found := check(t, w, verify.Config{Now: tomorrow}); len(found) != 1 {
		t.Errorf("a day later: %v", found)
	}
}

// TestAnAttachmentOfTwoMessagesIsReported, and stays that of the one that it says.
func TestAnAttachmentOfTwoMessagesIsReported(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(1, 0, 0)
	m := attach(t, w, dynamo.New(w.DB(), local.TableName, time.Now), "room-0000", 1)
	rig.Eventually(t, "the last message", func() bool { return w.Consumers.Handled(topology.LastMessage) == 1 })
	set(t, w, fileKey(m, 0), table.MessageID, attribute.Text("01B3F2133F0000000000000000"))
	_, found := check(t, w, verify.Config{Repair: true})
	for _, d := range found {
		if d.Repaired || !strings.Contains(d.Problem, "and the message "+m.ID+" names it") || !strings.Contains(d.Note, "can't be repaired") {
			t.Errorf("%+v", d)
		}
	}
	if len(found) != 1 || w.Dump()[fileKey(m, 0)] == "" {
		t.Errorf("%v", found)
	}
}

// TestARepairOfAStrayAttachmentRemovesTheFile, by what its item's end says.
func TestARepairOfAStrayAttachmentRemovesTheFile(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	w.Seed(1, 0, 0)
	stray := strayFile(w, chat.Message{RoomID: "room-0000"}, "01B3F2133F0000000000000000", "")
	stray.plant()
	id, err := table.Parse(stray.at)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, w, id.RoomID, id.AttachmentID)
	if report, found := check(t, w, verify.Config{Repair: true}); report.Repaired != 1 {
		t.Fatalf("%v", found)
	}
	rig.Eventually(t, "the removal of the file", func() bool { return len(filesOf(t, w)) == 0 })
}
