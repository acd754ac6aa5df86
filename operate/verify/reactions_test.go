package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/verify"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/test/rig"
)

const reactedRoom = "room-0000" // of three members

// reactedWorld has messages that members of a room reacted to.
type reactedWorld struct {
	rig      *rig.Operated
	t        testing.TB
	store    *dynamo.Store
	reactors *chat.Reactors
	messages []chat.Message
}

// startReacted has n messages, each with two thumbs and a heart.
func startReacted(t testing.TB, n int) *reactedWorld {
	t.Helper()
	w := &reactedWorld{t: t, rig: rig.StartOperated(t, rig.OperatedOptions{})}
	records := w.rig.Seed(1, 3, 1)
	w.store = dynamo.New(w.rig.DB(), local.TableName, time.Now)
	w.reactors = chat.NewReactors(w.store, time.Now)
	for range n {
		m := attach(t, w.rig, w.store, reactedRoom, 0)
		w.react(m, "0", "👍")
		w.react(m, "1", "👍")
		w.react(m, "1", "❤️")
		w.messages = append(w.messages, m)
	}
	rig.Eventually(t, "the projections", func() bool { return w.rig.Consumers.Handled(topology.LastMessage) == records+n })
	return w
}

func (w *reactedWorld) react(m chat.Message, user, reaction string) chat.Reactions {
	w.t.Helper()
	r, err := w.reactors.React(w.t.Context(), reactedRoom+"-"+user, m.RoomID, m.ID, reaction, true)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func messageKey(m chat.Message) table.Key { return table.Message(m.RoomID, m.SentAt, m.ID) }

// row is what a member reacted to a message with.
func row(m chat.Message, user string) table.Key {
	return table.Reacted(m.RoomID, m.ID, reactedRoom+"-"+user)
}

// rowOf is one more member's, of a message that may not be there.
func rowOf(messageID string) rig.Item {
	return rig.Keyed(table.Reacted(reactedRoom, messageID, "someone"), rig.Item{
		table.Reactions: &types.AttributeValueMemberSS{Value: []string{"👍"}},
	})
}

func counts(of map[string]int64) types.AttributeValue {
	all := rig.Item{}
	for reaction, n := range of {
		all[reaction] = attribute.Number(n)
	}
	return &types.AttributeValueMemberM{Value: all}
}

// plantReactions plants a difference of each kind, and returns what is said of them by
// the key of an item.
func (w *reactedWorld) plantReactions() map[table.Key]string {
	m := w.messages
	set(w.t, w.rig, messageKey(m[0]), table.Reactions, counts(map[string]int64{"👍": 5, "❤️": 1}))
	set(w.t, w.rig, messageKey(m[1]), table.Reactions, counts(map[string]int64{"👍": 1, "❤️": 2}))
	remove(w.rig, row(m[2], "0"))
	remove(w.rig, row(m[2], "1"))
	set(w.t, w.rig, messageKey(m[3]), table.Reactions, counts(nil))
	deleteFiles(w.t, w.store, m[4])
	rig.Eventually(w.t, "the end of reactions", func() bool { return w.rig.Dump()[row(m[4], "1")] == "" })
	w.rig.Write(rowOf(m[4].ID), rowOf("01B3F2133F0000000000000000"), rowOf("x"))
	return map[table.Key]string{
		messageKey(m[0]): "of 6 reactions, and not what members reacted with, 3",
		messageKey(m[1]): "of 3 reactions, and not what members reacted with, 3",
		messageKey(m[2]): "of 3 reactions, and not what members reacted with, 0",
		messageKey(m[3]): "of 0 reactions, and not what members reacted with, 3",
		table.Reacted(reactedRoom, m[4].ID, "someone"):                      "was deleted, and what 1 members reacted with is there",
		table.Reacted(reactedRoom, "01B3F2133F0000000000000000", "someone"): "is not there, and what 1 members reacted with is",
		table.Reacted(reactedRoom, "x", "someone"):                          "is not there, and what 1 members reacted with is",
	}
}

// TestEveryPlantedReactionIsFoundAndRepaired, also where the counts of few messages are
// kept. The last message fits.
func TestEveryPlantedReactionIsFoundAndRepaired(t *testing.T) {
	for name, held := range map[string]int{"all kept": 100, "one kept": 1} {
		t.Run(name, func(t *testing.T) {
			verify.HoldReacted(t, held)
			w := startReacted(t, 6)
			if report, found := check(t, w.rig, verify.Config{}); len(found) > 0 || report.Suspects != 0 {
				t.Fatalf("before: %+v, %v", report, found)
			}
			planted := w.plantReactions()
			for _, repair := range []bool{false, true} {
				said := map[table.Key]string{}
				_, found := check(t, w.rig, verify.Config{Repair: repair})
				for _, d := range found {
					k := table.Key{PK: d.PK, SK: d.SK}
					if said[k] = planted[k]; d.Kind != verify.Reactions || d.Repaired != repair || !strings.Contains(d.Problem, planted[k]) {
						t.Errorf("%+v, want %q", d, planted[k])
					}
				}
				if diff := cmp.Diff(planted, said); diff != "" {
					t.Errorf("(-planted +found):\n%s", diff)
				}
			}
			if _, found := check(t, w.rig, verify.Config{}); len(found) > 0 {
				t.Errorf("after the repair: %v", found)
			}
			for i, m := range w.messages[:4] {
				want := map[string]int{"👍": 3, "❤️": 1}
				if i == 2 { // whose rows are lost
					want = map[string]int{"👍": 1}
				}
				if diff := cmp.Diff(want, w.react(m, "2", "👍").Counts); diff != "" {
					t.Errorf("message %d, with one more (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// TestADeletionThatIsOnItsWayLeavesReactions for a moment.
func TestADeletionThatIsOnItsWayLeavesReactions(t *testing.T) {
	w := startReacted(t, 1)
	m := w.messages[0]
	deleteFiles(t, w.store, m)
	rig.Eventually(t, "the end of reactions", func() bool { return w.rig.Dump()[row(m, "1")] == "" })
	w.rig.Write(rowOf(m.ID))
	for at, want := range map[int64]int{m.SentAt: 0, m.SentAt + 2: 1} {
		now := time.UnixMilli(at)
		if _, found := check(t, w.rig, verify.Config{Now: func() time.Time { return now }}); len(found) != want {
			t.Errorf("at %d: %v, want %d", at, found, want)
		}
	}
}

// TestWhatOthersWereToldIsNotAheadOfAPresence, or they would not be told any more.
func TestWhatOthersWereToldIsNotAheadOfAPresence(t *testing.T) {
	w := rig.StartOperated(t, rig.OperatedOptions{})
	store := dynamo.New(w.DB(), local.TableName, time.Now)
	now := time.Now()
	connection := func(user, id string) chat.Connection {
		return chat.Connection{ID: id, UserID: user, ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli()}
	}
	for _, user := range []string{"ahead", "lost", "late"} {
		if _, _, err := store.PutConnection(t.Context(), connection(user, user+"="), chat.RateTake{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.DeleteConnection(t.Context(), "lost=", false); err != nil {
		t.Fatal(err)
	}
	set(t, w, table.Seen("ahead"), table.Changes, attribute.Number(99))
	remove(w, table.Presence("lost"))
	set(t, w, table.Seen("late"), table.Changes, attribute.Number(0)) // a hint that was lost
	report, found := check(t, w, verify.Config{Repair: true})
	if len(found) != 2 || report.Repaired != 2 {
		t.Errorf("%+v, %v", report, found)
	}
	for _, d := range found {
		if d.Kind != verify.Seen || !strings.Contains(d.Problem, "they do not learn what comes next") {
			t.Errorf("%+v", d)
		}
	}
	if _, found := check(t, w, verify.Config{}); len(found) > 0 {
		t.Errorf("after the repair: %v", found)
	}
	if err := store.DeleteConnection(t.Context(), "ahead=", false); err != nil {
		t.Fatal(err)
	}
	out, err := w.DB().GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(local.TableName), Key: rig.Keyed(table.Seen("ahead"), nil)})
	if err != nil || attribute.GetNumber(out.Item, table.Changes) != 100 {
		t.Errorf("what is told next is of change %v, error %v", out.Item[table.Changes], err)
	}
}
