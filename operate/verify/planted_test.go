package verify_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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

// plant is a difference to plant.
type plant struct {
	kind, says string
	at         table.Key
	plant      func()
}

// attach sends a message with files, after those of the seed, and returns it.
func attach(t testing.TB, w *rig.Operated, store *dynamo.Store, room string, files int) chat.Message {
	t.Helper()
	at := rig.Epoch.Add(time.Minute)
	m := chat.Message{
		RoomID: room, ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(), SenderID: room + "-0", SentAt: at.UnixMilli(),
	}
	for range files {
		file := chat.File{ID: fileID(), Name: "a.txt", ContentType: "text/plain", Size: 5, Width: 2, Height: 3}
		err := store.PutAttachment(t.Context(), chat.Attachment{
			File: file, RoomID: room, UploadedBy: m.SenderID, ExpiresAt: time.Now().Add(time.Hour).UnixMilli(),
		})
		if err != nil {
			t.Fatal(err)
		}
		putFile(t, w, room, file.ID)
		m.Attachments = append(m.Attachments, file)
	}
	if err := store.PutMessage(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEveryPlantedDifferenceIsFoundAndRepaired plants one difference of each kind
// in rooms and connections of their own.
func TestEveryPlantedDifferenceIsFoundAndRepaired(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(30, 3, 4)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	now := time.Now()
	for i := range 8 {
		_, _, err := store.PutConnection(t.Context(), chat.Connection{
			ID: fmt.Sprintf("c%d=", i), UserID: fmt.Sprintf("u%d", i/2), ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli(),
		}, chat.RateTake{UserID: fmt.Sprintf("u%d", i/2), Action: chat.Connecting, Limit: chat.PerMinute(1, 8), Count: 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Write(rig.Keyed(table.Connection("over="), rig.Item{ // its token has ended, and it has no entry any more
		table.UserID: attribute.Text("u0"), table.ConnectedAt: attribute.Number(now.Add(-time.Hour).UnixMilli()),
		table.TokenExpiresAt: attribute.Number(now.Add(-2 * time.Minute).UnixMilli()), table.TTL: attribute.Number(now.Add(time.Hour).Unix()),
	}))
	for _, i := range []int{13, 15, 16} {
		w.Edit(fmt.Sprintf("room-%04d", i), "edited")
	}
	for _, i := range []int{14, 17} {
		w.Delete(fmt.Sprintf("room-%04d", i))
	}
	attach(t, w, store, "room-0023", 2)
	attach(t, w, store, "room-0024", 1)
	withFiles, deleted := attach(t, w, store, "room-0025", 2), attach(t, w, store, "room-0026", 1)
	deleteFiles(t, store, deleted)
	rig.Eventually(t, "the changes", func() bool { return w.Consumers.Mapped(table.MessagePrefix) == 30*4+10 })
	_, err := store.AdvanceReadCursor(t.Context(), "room-0000", "room-0000-1", chat.ReadCursor{UpTo: "01B3F2133F0000000000000000"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	hide := func(i int) {
		if err := store.HideRoom(t.Context(), fmt.Sprintf("room-%04d-1", i), chat.Room{ID: fmt.Sprintf("room-%04d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	hide(21) // which fits
	for _, i := range []int{27, 28} {
		user := fmt.Sprintf("room-%04d-1", i)
		was, _, err := store.Member(t.Context(), fmt.Sprintf("room-%04d", i), user)
		if err != nil {
			t.Fatal(err)
		}
		now := was
		now.Notify, now.NotifyAt = chat.NotifyNone, 7
		if changed, err := store.ChangeNotify(t.Context(), fmt.Sprintf("room-%04d", i), was, now); !changed || err != nil {
			t.Fatalf("changed %t: %v", changed, err)
		}
	}
	original := w.Dump()
	if report, found := check(t, w, verify.Config{}); len(found) > 0 || report.Items != len(original) || report.Foreign != 0 || report.Suspects != 0 {
		t.Fatalf("before: %+v, %v", report, found)
	}

	room := func(i int) string { return fmt.Sprintf("room-%04d", i) }
	last := func(i int) table.Key { return table.LastMessage(room(i)) }
	list := func(i int) table.Key { return table.Participation(room(i)+"-1", room(i)) }
	text, number := attribute.Text, attribute.Number
	planted := []plant{
		{verify.LastMessage, "is missing", last(0), func() { remove(w, last(0)) }},
		{verify.LastMessage, "is behind", last(1), func() { set(t, w, last(1), table.MessageID, text("01B3F2133F0000000000000000")) }},
		{verify.LastMessage, "which is not there", last(2), func() { set(t, w, last(2), table.MessageID, text("7ZZZZZZZZZ0000000000000000")) }},
		{verify.LastMessage, "does not name a message", last(3), func() { set(t, w, last(3), table.MessageID, text("x")) }},
		{verify.LastMessage, "its sender is", last(4), func() { set(t, w, last(4), table.SenderID, text("mallory")) }},
		{verify.LastMessage, "its preview is not", last(5), func() { set(t, w, last(5), table.Preview, text("something else")) }},
		{verify.LastMessage, "its time is 1,", last(6), func() { set(t, w, last(6), table.MS, number(1)) }},
		{verify.LastMessage, "was edited since", last(13), func() {
			set(t, w, last(13), table.EditedAt, number(0))
			set(t, w, last(13), table.Preview, text("message 3"))
		}},
		{verify.LastMessage, "was deleted since", last(14), func() {
			set(t, w, last(14), table.EditedAt, number(0))
			set(t, w, last(14), table.DeletedAt, number(0))
			set(t, w, last(14), table.Preview, text("message 3"))
		}},
		{verify.LastMessage, "is ahead: it is of a change at 9", last(15), func() { set(t, w, last(15), table.EditedAt, number(9e12)) }},
		{verify.LastMessage, "was deleted at 9", last(16), func() { set(t, w, last(16), table.DeletedAt, number(9)) }},
		{verify.LastMessage, "its preview is not", last(17), func() { set(t, w, last(17), table.Preview, text("message 3")) }},
		{verify.LastMessage, "says that the message has 3 attachments, and the message has 0", last(22), func() {
			set(t, w, last(22), table.Attachments, number(3))
		}},
		{verify.LastMessage, "says that the message has 0 attachments, and the message has 2", last(23), func() {
			set(t, w, last(23), table.Attachments, number(0))
		}},
		{verify.LastMessage, "is missing", last(24), func() { remove(w, last(24)) }},
		{verify.Attachment, "it is missing, and the message", fileKey(withFiles, 0), func() { remove(w, fileKey(withFiles, 0)) }},
		{verify.Attachment, "no message has it, and the message", fileKey(withFiles, 1), func() {
			w.Write(dynamo.AttachmentItem(chat.Attachment{
				File: withFiles.Attachments[1], RoomID: withFiles.RoomID, ExpiresAt: now.Add(time.Hour).UnixMilli(),
			}))
		}},
		strayFile(w, withFiles, withFiles.ID, "does not name it"),
		strayFile(w, withFiles, "01B3F2133F0000000000000000", "is not there"),
		strayFile(w, withFiles, "x", "is not there"),
		strayFile(w, withFiles, "", "it never expires"),
		strayFile(w, deleted, deleted.ID, "was deleted"),
		{verify.Room, "it says that the room has 7 members, and it has 3", table.Room(room(18)), func() {
			set(t, w, table.Room(room(18)), table.MemberCount, number(7))
		}},
		{verify.Cursor, "lacks the member", table.Read(room(19), "left"), func() {
			w.Write(rig.Keyed(table.Read(room(19), "left"), rig.Item{table.UpTo: text("x"), table.At: number(1)}))
		}},
		{verify.Cursor, "notified of all, and the member says none", table.Read(room(27), room(27)+"-1"), func() {
			remove(w, table.Read(room(27), room(27)+"-1"))
		}},
		{verify.Cursor, "notified of mentions, and the member says none", table.Read(room(28), room(28)+"-1"), func() {
			set(t, w, table.Read(room(28), room(28)+"-1"), table.Notify, text("mentions"))
			set(t, w, table.Read(room(28), room(28)+"-1"), table.NotifyAt, number(3))
		}},
		{verify.Cursor, "notified of none, and the member says all", table.Read(room(0), room(0)+"-1"), func() {
			set(t, w, table.Read(room(0), room(0)+"-1"), table.Notify, text("none"))
			set(t, w, table.Read(room(0), room(0)+"-1"), table.NotifyAt, number(3))
		}},
		{verify.Order, "is behind the newest", list(7), func() { set(t, w, list(7), table.GSI1SK, text(table.Millis(5))) }},
		{verify.Order, "is behind the newest", list(20), func() {
			unset(t, w, list(20))
			set(t, w, list(20), table.HiddenAt, text(table.Millis(5)))
		}},
		{verify.Order, "is ahead of", list(8), func() { set(t, w, list(8), table.GSI1SK, text(table.Millis(9e12))) }},
		{verify.Order, "is not a time", list(9), func() { set(t, w, list(9), table.GSI1SK, text("yesterday")) }},
		{verify.Order, "is in the list of", list(10), func() { set(t, w, list(10), table.GSI1PK, text("USERROOMS#mallory")) }},
		{verify.Membership, "the user's list lacks the room", list(11), func() { remove(w, list(11)) }},
		{verify.Membership, "the room lacks the member", table.Participation("stray", room(12)), func() {
			w.Write(rig.Keyed(table.Participation("stray", room(12)), rig.Item{
				table.JoinedAt: number(1), table.GSI1PK: text(table.UserRooms("stray")), table.GSI1SK: text(table.Millis(1)),
			}))
		}},
		{verify.Connection, "it lacks the connection c0=", table.Presence("u0"), func() {
			_, err := w.DB().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: aws.String(local.TableName), Key: rig.Keyed(table.Presence("u0"), nil), UpdateExpression: aws.String("REMOVE #n"),
				ExpressionAttributeNames: map[string]string{"#n": table.PresenceEntry("c0=")},
			})
			if err != nil {
				t.Fatal(err)
			}
		}},
		{verify.Connection, "it lacks the connection c4=", table.Presence("u2"), func() { remove(w, table.Presence("u2")) }},
		{verify.Connection, "it lacks the connection c5=", table.Presence("u2"), nil},
		{verify.Seen, "and the presence is at 0", table.Seen("u2"), nil}, // since the presence is gone
		{verify.Connection, "which the user does not have", table.Presence("u1"), func() {
			set(t, w, table.Presence("u1"), table.PresenceEntry("gone="), &types.AttributeValueMemberM{Value: rig.Item{
				table.ConnectedAt: number(1), table.TTL: number(now.Unix() + 3600),
			}})
		}},
		{verify.Connection, "as of 7, which is of", table.Presence("u3"), func() {
			set(t, w, table.Presence("u3"), table.PresenceEntry("c6="), &types.AttributeValueMemberM{Value: rig.Item{
				table.ConnectedAt: number(7), table.TTL: number(now.Unix() + 3600),
			}})
		}},
	}
	for _, p := range planted {
		if p.plant != nil {
			p.plant()
		}
	}
	expect := func(found map[string]verify.Difference, repaired bool) {
		t.Helper()
		left := len(found)
		for _, p := range planted {
			hit := false
			for _, d := range found {
				if d.Kind == p.kind && d.PK == p.at.PK && d.SK == p.at.SK && strings.Contains(d.Problem, p.says) {
					hit = true
					if d.Repaired != repaired || strings.Contains(d.Problem, "message 3") {
						t.Errorf("%+v", d)
					}
				}
			}
			if !hit {
				t.Errorf("not found: %s %v: %s", p.kind, p.at, p.says)
				continue
			}
			left--
		}
		if left != 0 {
			t.Errorf("%d differences were not planted: %v", left, found)
		}
	}
	_, found := check(t, w, verify.Config{})
	expect(found, false)
	report, found := check(t, w, verify.Config{Repair: true})
	expect(found, true)
	if report.Repaired != len(planted) {
		t.Errorf("repaired %d of %d", report.Repaired, len(planted))
	}
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Errorf("after the repair: %v", found)
	}
	repairedDump, lost := w.Dump(), table.Presence("u2")
	if n := changes.FindString(repairedDump[lost]); len(n) < len(changes.FindString(original[lost])) {
		t.Errorf("the presence that was lost has %q, want more than before", n)
	}
	for _, dump := range []map[table.Key]string{repairedDump, original} {
		dump[lost] = strings.TrimSpace(unrepaired.ReplaceAllString(dump[lost], ""))
	}
	rig.SameDumps(t, "after the repair", repairedDump, original)
}

// changes is how often a presence has changed, in a dump; unrepaired are that and the window of
// the user's limit, which is lost with the presence.
var (
	changes    = regexp.MustCompile(`changes=[0-9]*`)
	unrepaired = regexp.MustCompile(`(changes|rateTat)=[0-9]*`)
)
