package verify_test

import (
	"maps"
	"slices"
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

// TestMembersWithAnotherRetention has a change of it end between its members.
func TestMembersWithAnotherRetention(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 2, 1)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	for _, k := range []table.Key{
		table.Room("room-0000"), table.Member("room-0000", "room-0000-0"), table.Member("room-0000", "room-0000-1"),
		table.Room("room-0001"), table.Member("room-0001", "room-0001-1"),
	} {
		set(t, w, k, table.RetentionDays, attribute.Number(7))
	}
	report, found := check(t, w, verify.Config{})
	for _, d := range found {
		if d.Kind != verify.Room || d.PK != table.Room("room-0001").PK || !strings.Contains(d.Problem, "keeps messages for 7 days, its members' copies say 0 to 7") {
			t.Errorf("%+v", d)
		}
	}
	if report.Differences != 1 {
		t.Errorf("%d differences, want 1", report.Differences)
	}
}

// TestWhatHasExpiredIsNotMissing has messages expire that rooms' lists, reactions and files
// follow from, in every order in which DynamoDB may delete the items.
func TestWhatHasExpiredIsNotMissing(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	records := w.Seed(2, 2, 3)
	rig.Eventually(t, "the projections", func() bool { return w.Consumers.Handled(topology.LastMessage) == records })
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	expires := time.Now().Add(time.Hour).Truncate(time.Second).UnixMilli()
	file := chat.File{ID: fileID(), Name: "a.txt", ContentType: "text/plain", Size: 5}
	err := store.PutAttachment(t.Context(), chat.Attachment{File: file, RoomID: "room-0000", UploadedBy: "room-0000-0", ExpiresAt: expires})
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, w, "room-0000", file.ID)
	at := rig.Epoch.Add(time.Minute)
	m := chat.Message{
		RoomID: "room-0000", ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(), SenderID: "room-0000-0", SentAt: at.UnixMilli(),
		Attachments: []chat.File{file}, ExpiresAt: expires,
	}
	if err := store.PutMessage(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if added, err := store.ChangeReaction(t.Context(), m, "room-0000-1", "👍", true); err != nil || !added {
		t.Fatal(added, err)
	}
	rig.Eventually(t, "the message in the list", func() bool {
		return w.Consumers.HasHandled(topology.LastMessage, attribute.Key(table.Message(m.RoomID, m.SentAt, m.ID)))
	})
	over := verify.Config{Leftover: 72 * time.Hour, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }}
	none := func(when string, c verify.Config) {
		t.Helper()
		if _, found := check(t, w, c); len(found) > 0 {
			t.Errorf("%s: %v", when, found)
		}
	}
	none("before", verify.Config{})
	none("once it has expired", over)
	for _, gone := range []table.Key{
		table.Reacted("room-0000", m.ID, "room-0000-1"), table.Attachment("room-0000", file.ID), table.Message("room-0000", m.SentAt, m.ID),
	} {
		if gone.SK == table.AttachmentPrefix+file.ID {
			removeFile(t, w, "room-0000", file.ID) // as lastmessage does
		}
		remove(w, gone)
		none("without "+gone.SK, over)
	}
	// What has not expired is missing still.
	set(t, w, table.LastMessage("room-0000"), table.ExpiresAt, attribute.Number(0))
	_, found := check(t, w, over)
	if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(k string) bool { return strings.Contains(k, "which is not there") }) {
		t.Errorf("a message that never expires is not missed: %v", found)
	}
}
