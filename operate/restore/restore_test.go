package restore_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/restore"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// backup is a Streamroom with a copy of its table, as one that was restored from a
// backup.
type backup struct {
	rig *rig.Operated
	db  *dynamodb.Client
}

func newBackup(t *testing.T) backup {
	t.Helper()
	b := backup{rig: rig.StartOperated(t, rig.OperatedOptions{})}
	b.db = b.rig.DB()
	records := b.rig.Seed(3, 2, 4)
	rig.Eventually(t, "the projections", func() bool { return b.rig.Consumers.Handled("lastmessage") == records })
	if _, err := local.CreateTable(t.Context(), b.db, "backup"); err != nil {
		t.Fatal(err)
	}
	for it := range b.rig.Scan() {
		if strings.HasPrefix(attribute.KeyOf(it).SK, table.MemberPrefix) {
			it[table.Indexed] = attribute.Number(9e12) // as the presences of that table say
		}
		if _, err := b.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("backup"), Item: it}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// remove deletes items of the table whose sort keys begin with a prefix, of a room.
func (b backup) remove(room, prefix string) (removed int) {
	b.rig.T.Helper()
	for it := range b.rig.Scan() {
		k := attribute.KeyOf(it)
		if k.PK != table.Room(room).PK || !strings.HasPrefix(k.SK, prefix) {
			continue
		}
		if _, err := b.db.DeleteItem(b.rig.T.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(local.TableName), Key: attribute.Key(k)}); err != nil {
			b.rig.T.Fatal(err)
		}
		removed++
	}
	return removed
}

func (b backup) run(change func(*restore.Config)) restore.Report {
	b.rig.T.Helper()
	c := restore.Config{DB: b.db, From: "backup", To: local.TableName, Entities: []string{"message"}}
	change(&c)
	report, err := restore.Run(b.rig.T.Context(), c)
	if err != nil {
		b.rig.T.Fatal(err)
	}
	return report
}

func TestRun_CopiesWhatLacks(t *testing.T) {
	b := newBackup(t)
	before := b.messages()
	lost := b.remove("room-0000", table.MessagePrefix) + b.remove("room-0001", table.MessagePrefix)
	left := b.remove("room-0002", table.MemberPrefix)
	edited := b.edit("room-0002")
	if lost != 8 || left == 0 {
		t.Fatalf("%d messages and %d members were removed", lost, left)
	}
	dry := b.run(func(*restore.Config) {})
	if dry.Missing["message"] != lost || dry.Copied != 0 || len(b.messages()) != len(before)-lost {
		t.Errorf("a dry run: %+v", dry)
	}
	one := b.run(func(c *restore.Config) { c.Apply, c.Room = true, "room-0000" })
	if one.Copied != 4 {
		t.Errorf("one room: %+v", one)
	}
	rest := b.run(func(c *restore.Config) { c.Apply = true })
	if rest.Copied != 4 || len(rest.Missing) != 1 {
		t.Errorf("the rest: %+v; members who left stay away", rest)
	}
	after := b.messages()
	if !strings.Contains(after[edited], "changed since") {
		t.Errorf("a message that was edited since is %s", after[edited])
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))); diff != "" {
		t.Errorf("messages (-before +after):\n%s", diff)
	}
	members := b.run(func(c *restore.Config) { c.Apply, c.Entities = true, restore.Entities() })
	if members.Copied != left || members.Missing["member"] != left {
		t.Errorf("everything: %+v, want %d members", members, left)
	}
	for it := range b.rig.Scan() {
		if it[table.Indexed] != nil {
			t.Errorf("%v came with what only the presences of the other table say", attribute.KeyOf(it))
		}
	}
	if again := b.run(func(c *restore.Config) { c.Apply, c.Entities = true, restore.Entities() }); again.Copied != 0 || len(again.Missing) != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

// A ban that was lifted since comes back only where bans are asked for.
func TestRun_CopiesBansAlone(t *testing.T) {
	b := newBackup(t)
	it := rig.Keyed(table.Ban("room-0000", "mallet"), rig.Item{table.At: attribute.Number(7)})
	if _, err := b.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("backup"), Item: it}); err != nil {
		t.Fatal(err)
	}
	for _, entity := range []string{"member", "ban"} {
		report := b.run(func(c *restore.Config) { c.Apply, c.Entities = true, []string{entity} })
		if want := map[string]int{"member": 0, "ban": 1}[entity]; report.Copied != want {
			t.Errorf("--entity %s: %+v, want %d", entity, report, want)
		}
	}
}

// A place comes back with its room, or to one that has it still, and to no other: a search
// does not ask whether its room is public.
func TestRun_CopiesPlacesThatWereLost(t *testing.T) {
	b := newBackup(t)
	put := func(name string, items ...rig.Item) {
		for _, it := range items {
			if _, err := b.db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(name), Item: it}); err != nil {
				t.Fatal(err)
			}
		}
	}
	room := func(id, name, visibility string, placedAt int64) rig.Item {
		return rig.Keyed(table.Room(id), rig.Item{
			table.Name: attribute.Text(name), table.Visibility: attribute.Text(visibility), table.PlacedAt: attribute.Number(placedAt),
		})
	}
	place := func(id, name string) rig.Item {
		return rig.Keyed(table.Place(id), rig.Item{table.Name: attribute.Text(name)})
	}
	for _, id := range []string{"gone", "kept", "renamed", "private", "unplaced", "moved"} {
		put("backup", room(id, "Tea", table.Public, 7), place(id, "Tea"))
	}
	put("backup", place("lonely", "Tea"))
	unplaced := room("unplaced", "Tea", table.Public, 7)
	delete(unplaced, table.PlacedAt)
	put(local.TableName, room("kept", "Tea", table.Public, 7), room("renamed", "Coffee", table.Public, 7),
		room("private", "Tea", "", 7), unplaced, room("moved", "Tea", table.Public, 8), room("lonely", "Tea", table.Public, 7))
	rooms := func(apply bool) restore.Report {
		return b.run(func(c *restore.Config) { c.Apply, c.Entities = apply, []string{"room"} })
	}
	want := map[string]int{"room": 1, "place": 3}
	if dry := rooms(false); !maps.Equal(dry.Missing, want) || dry.Copied != 0 {
		t.Errorf("a dry run: %+v, want %v", dry, want)
	}
	if report := rooms(true); !maps.Equal(report.Missing, want) || report.Copied != 4 {
		t.Errorf("%+v, want %v", report, want)
	}
	places := map[string]string{}
	for it := range b.rig.Scan() {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil && id.Kind == table.KindPlace {
			places[id.RoomID] = attribute.GetText(it, table.Name)
		}
	}
	if diff := cmp.Diff(map[string]string{"gone": "Tea", "kept": "Tea", "renamed": "Coffee"}, places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if again := rooms(true); again.Copied != 0 || len(again.Missing) != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

// left are the kinds of items that no run copies, and why.
var left = map[table.Kind]string{
	table.KindConnection: "it is of a socket that has ended",
	table.KindPresence:   "as the connection",
	table.KindOnline:     "as the connection",
	table.KindSeen:       "as the connection",
	table.KindTyping:     "it ends by itself",
	table.KindSent:       "it ends by itself",
	table.KindCreated:    "it ends by itself",
	table.KindRate:       "it ends by itself",
	table.KindSlice:      "it ends by itself",
	table.KindAttachment: "verify makes it of its message",
}

func TestEveryKindOfTheTableIsRestoredOrNot(t *testing.T) {
	for _, kind := range table.Kinds() {
		if _, isLeft := left[kind]; isLeft == restore.Copies(kind) {
			t.Errorf("%s: copied %t, left %t; want one of both: add the kind to entities in restore.go, or here to left, with the reason", kind, restore.Copies(kind), isLeft)
		}
	}
}

// messages returns the content of messages by their keys.
func (b backup) messages() map[string]string {
	contents := map[string]string{}
	for it := range b.rig.Scan() {
		if k := attribute.KeyOf(it); strings.HasPrefix(k.SK, table.MessagePrefix) {
			contents[k.PK+" "+k.SK] = attribute.GetText(it, table.Content)
		}
	}
	return contents
}

// edit changes a message of a room, and returns its key.
func (b backup) edit(room string) string {
	b.rig.T.Helper()
	for it := range b.rig.Scan() {
		k := attribute.KeyOf(it)
		if k.PK != table.Room(room).PK || !strings.HasPrefix(k.SK, table.MessagePrefix) {
			continue
		}
		it[table.Content] = &types.AttributeValueMemberS{Value: "changed since"}
		if _, err := b.db.PutItem(b.rig.T.Context(), &dynamodb.PutItemInput{TableName: aws.String(local.TableName), Item: it}); err != nil {
			b.rig.T.Fatal(err)
		}
		return k.PK + " " + k.SK
	}
	b.rig.T.Fatalf("%s has no message", room)
	return ""
}

func TestRun_RefusesWhatMakesNoSense(t *testing.T) {
	for want, c := range map[string]restore.Config{
		"invalid entity":                {From: "a", To: "b", Entities: []string{"connection"}},
		"can't be restored from itself": {From: "a", To: "a", Entities: []string{"message"}},
	} {
		if _, err := restore.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}
