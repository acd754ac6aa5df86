package testbed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// Item is an item of the table.
type Item = map[string]types.AttributeValue

// Text is a string attribute.
func Text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Number is a number attribute.
func Number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Keyed is an item with a key; without attributes it is the key.
func Keyed(k table.Key, attributes Item) Item {
	it := Item{table.PK: Text(k.PK), table.SK: Text(k.SK)}
	maps.Copy(it, attributes)
	return it
}

func sk(it Item) string { return it[table.SK].(*types.AttributeValueMemberS).Value }

func pk(it Item) string { return it[table.PK].(*types.AttributeValueMemberS).Value }

// Engine is the table without a socket between.
func (w *World) Engine() *dynamodb.Client { return dynamodb.NewFromConfig(w.AWS()) }

// Write puts items, and removes those that are only keys.
func (w *World) Write(items ...Item) {
	w.t.Helper()
	db := w.Engine()
	for chunk := range slices.Chunk(items, 25) {
		var writes []types.WriteRequest
		for _, it := range chunk {
			if len(it) == 2 {
				writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: it}})
			} else {
				writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
			}
		}
		out, err := db.BatchWriteItem(w.t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{local.TableName: writes}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			w.t.Fatalf("write: %v, %v", out, err)
		}
	}
}

// Epoch is when the rooms of tests begin.
var Epoch = time.Now().Add(-3 * time.Hour).Truncate(time.Second)

// RoomItems are a room's with its members and messages, one a second.
func RoomItems(room string, members, messages int) []Item {
	created := Epoch.UnixMilli()
	items := []Item{Keyed(table.Room(room), Item{
		table.Name: Text("Room " + room), table.Type: Text("group"), table.CreatedBy: Text(room + "-0"),
		table.CreatedAt: Number(created), table.MemberCount: Number(int64(members)),
	})}
	for i := range members {
		user, role := fmt.Sprintf("%s-%d", room, i), chat.PlainMember
		if i == 0 {
			role = chat.Owner
		}
		items = append(items,
			Keyed(table.Member(room, user), Item{table.Role: Text(string(role)), table.JoinedAt: Number(created)}),
			Keyed(table.Participation(user, room), Item{
				table.JoinedAt: Number(created), table.GSI1PK: Text(table.UserRooms(user)), table.GSI1SK: Text(table.Millis(created)),
			}))
	}
	for i := range messages {
		at := Epoch.Add(time.Duration(i+1) * time.Second)
		items = append(items, MessageItem(room, at, room+"-0", fmt.Sprintf("message %d", i)))
	}
	return items
}

// MessageItem is a message.
func MessageItem(room string, at time.Time, sender, content string) Item {
	id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
	return Keyed(table.Message(room, at.UnixMilli(), id), Item{
		table.SenderID: Text(sender), table.Content: Text(content), table.ReadBy: &types.AttributeValueMemberSS{Value: []string{sender}},
	})
}

// Seed writes rooms, and returns how many records that makes for lastmessage.
func (w *World) Seed(rooms, members, messages int) int {
	w.t.Helper()
	var items []Item
	for i := range rooms {
		items = append(items, RoomItems(fmt.Sprintf("room-%04d", i), members, messages)...)
	}
	w.Write(items...)
	return rooms * (members + messages)
}

// Edit gives a room's newest message another content, and Delete takes its
// content away.
func (w *World) Edit(room, content string) { w.change(room, content, (*dynamo.Store).EditMessage) }

// Delete is said at Edit.
func (w *World) Delete(room string) { w.change(room, "", (*dynamo.Store).DeleteMessage) }

func (w *World) change(room, content string, do func(*dynamo.Store, context.Context, chat.Message) (chat.Message, bool, error)) {
	w.t.Helper()
	store := dynamo.New(w.Engine(), local.TableName, time.Now)
	newest, _, err := store.Messages(w.t.Context(), room, chat.Range{Limit: 1})
	if err != nil || len(newest) != 1 {
		w.t.Fatalf("the newest message of %s: %v, %v", room, newest, err)
	}
	m := newest[0]
	m.Content, m.EditedAt = content, max(time.Now().UnixMilli(), m.Version()+1)
	if content == "" {
		m.DeletedAt, m.EditedAt = m.EditedAt, 0
	}
	if _, changed, err := do(store, w.t.Context(), m); err != nil || !changed {
		w.t.Fatalf("change the newest message of %s: %t, %v", room, changed, err)
	}
}

// Dump reads the whole table.
func (w *World) Dump() map[table.Key]string {
	w.t.Helper()
	all := map[table.Key]string{}
	for it := range w.Scan() {
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(it)) {
			fields = append(fields, name+"="+render(it[name]))
		}
		all[table.Key{PK: pk(it), SK: sk(it)}] = strings.Join(fields, " ")
	}
	return all
}

func render(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberSS:
		return fmt.Sprint(v.Value)
	}
	return fmt.Sprintf("%T", v)
}

// Scan gives all items of the table.
func (w *World) Scan() func(func(Item) bool) {
	return func(yield func(Item) bool) {
		pages := dynamodb.NewScanPaginator(w.Engine(), &dynamodb.ScanInput{TableName: aws.String(local.TableName)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(w.t.Context())
			if err != nil {
				w.t.Fatalf("scan: %v", err)
			}
			for _, it := range page.Items {
				if !yield(it) {
					return
				}
			}
		}
	}
}

// Spoil sets back or removes what lastmessage keeps: for every second room its
// last message is removed, else an old one is put; all lists are set back.
func (w *World) Spoil() {
	w.t.Helper()
	var items []Item
	for it := range w.Scan() {
		id, err := table.Parse(table.Key{PK: pk(it), SK: sk(it)})
		switch {
		case err != nil:
		case id.Kind == table.KindLastMessage && strings.HasSuffix(id.RoomID, "0"):
			items = append(items, Keyed(table.LastMessage(id.RoomID), nil))
		case id.Kind == table.KindLastMessage:
			items = append(items, Keyed(table.LastMessage(id.RoomID), Item{
				table.MessageID: Text("00000000000000000000000000"), table.SenderID: Text("nobody"), table.Preview: Text("old"), table.MS: Number(0),
			}))
		case id.Kind == table.KindParticipation:
			it[table.GSI1SK] = Text(table.Millis(1))
			items = append(items, it)
		}
	}
	w.Write(items...)
}
