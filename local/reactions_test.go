package local_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// react adds a reaction, or takes it back, and returns the answer.
func react(s *rig.Rig, user, room, messageID, reaction string, add bool) (wire.Reactions, int) {
	s.T.Helper()
	path := "/rooms/" + room + "/messages/" + messageID + "/reactions"
	var now wire.Reactions
	if add {
		return now, s.API(user, http.MethodPut, path, wire.ReactionRequest{Reaction: reaction}, &now)
	}
	status := s.API(user, http.MethodDelete, path+"?reaction="+url.QueryEscape(reaction), nil, &now)
	return now, status
}

// Reactions reach all, are in what is read, and change neither message nor list.
func TestReactions(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice, bob := s.Connect("alice"), s.Connect("bob")
	ack, _ := alice.Deliver(room, "tea?", "q")
	for i, step := range []struct {
		user, reaction string
		add            bool
		counts         map[string]int
	}{
		{"bob", "👍", true, map[string]int{"👍": 1}},
		{"alice", "👍", true, map[string]int{"👍": 2}},
		{"bob", ":tada:", true, map[string]int{"👍": 2, ":tada:": 1}},
		{"alice", "👍", false, map[string]int{"👍": 1, ":tada:": 1}},
	} {
		if _, status := react(s, step.user, room, ack.MessageID, step.reaction, step.add); status != http.StatusOK {
			t.Fatalf("step %d: status %d", i, status)
		}
		want := []wire.ReactionChange{{UserID: step.user, Reaction: step.reaction, Added: step.add}}
		for _, d := range []*rig.Socket{alice, bob} {
			frame := d.ExpectIn(room, wire.TypeReactions)
			if frame.MessageID != ack.MessageID || frame.Version != int64(i+1) || cmp.Diff(step.counts, frame.Counts)+cmp.Diff(want, frame.Changed) != "" {
				t.Errorf("step %d: %+v", i, frame)
			}
		}
	}
	want := &wire.Reactions{Version: 4, Counts: map[string]int{"👍": 1, ":tada:": 1}, Mine: []string{":tada:", "👍"}}
	var missed wire.SyncResponse
	s.API("bob", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{room: ack.MessageID[:10] + strings.Repeat("0", 16)}}, &missed)
	for name, messages := range map[string][]wire.HistoryMessage{"history": s.History("bob", room), "sync": missed.Rooms[room].Messages} {
		if len(messages) != 1 || cmp.Diff(want, messages[0].Reactions) != "" || messages[0].EditedAt != 0 {
			t.Errorf("%s: %+v, want %+v", name, messages, want)
		}
	}
	if status := s.API("alice", http.MethodDelete, "/rooms/"+room+"/messages/"+ack.MessageID, nil, nil); status != http.StatusNoContent {
		t.Fatalf("delete: status %d", status)
	}
	if m := s.History("bob", room)[0]; m.Reactions != nil {
		t.Errorf("the deleted message has %+v", m)
	}
	rig.Eventually(t, "what bob reacted with is removed", func() bool { return len(reacted(s, room)) == 0 })
	if _, status := react(s, "bob", room, ack.MessageID, "👍", true); status != http.StatusNotFound {
		t.Errorf("to a deleted message: status %d", status)
	}
}

// reacted reads what members reacted with in a room.
func reacted(s *rig.Rig, room string) []rig.Item {
	s.T.Helper()
	out, err := s.DB().Query(s.T.Context(), &dynamodb.QueryInput{
		TableName: aws.String(local.TableName), KeyConditionExpression: aws.String("PK = :pk AND begins_with(SK, :sk)"),
		ExpressionAttributeValues: rig.Item{
			":pk": attribute.Text(table.RoomPrefix + room), ":sk": attribute.Text(table.ReactedPrefix),
		},
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return out.Items
}

// A hundred users react to one message at once: each of them is counted, and who is
// connected gets a frame a batch, the last of which has all.
func TestReactions_OfManyAtOnce(t *testing.T) {
	const users = 100
	s := start(t, local.Config{LogLevel: "error", Unthrottled: true})
	names := make([]string, users)
	for i := range names {
		names[i] = fmt.Sprintf("user-%03d", i)
	}
	room := s.Room(append([]string{"alice"}, names[:40]...)...)
	for _, name := range names[40:] {
		s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: name}, nil)
	}
	alice := s.Connect("alice")
	ack, _ := alice.Deliver(room, "tea?", "q")
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() {
			for {
				_, status := react(s, name, room, ack.MessageID, "👍", true)
				if status == http.StatusOK {
					return
				}
				if status != http.StatusTooManyRequests {
					t.Errorf("%s is answered with %d", name, status)
					return
				}
			}
		})
	}
	group.Wait()
	frames := 0
	for {
		frame := alice.ExpectIn(room, wire.TypeReactions)
		frames++
		if frame.Version == users {
			if frame.Counts["👍"] != users {
				t.Errorf("counts %v, want %d", frame.Counts, users)
			}
			break
		}
	}
	t.Logf("%d frames", frames)
	if n := len(reacted(s, room)); n != users {
		t.Errorf("%d users are kept, want %d", n, users)
	}
}
