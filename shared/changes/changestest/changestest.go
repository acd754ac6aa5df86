// Package changestest makes records of the table's stream for tests, as Lambda
// hands them to functions.
package changestest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Now is when all records are made.
var Now = time.UnixMilli(1_709_136_000_000)

// Attributes are those of an item, in DynamoDB's JSON: by name, then by type.
type Attributes = map[string]map[string]string

// Insert is the record of a new item.
func Insert(key table.Key, item Attributes) json.RawMessage {
	return record("INSERT", key, map[string]any{"NewImage": item})
}

// Modify is the record of an item's change.
func Modify(key table.Key, before, after Attributes) json.RawMessage {
	return record("MODIFY", key, map[string]any{"OldImage": before, "NewImage": after})
}

// Remove is the record of an item's end.
func Remove(key table.Key, item Attributes) json.RawMessage {
	return record("REMOVE", key, map[string]any{"OldImage": item})
}

func record(operation string, key table.Key, change map[string]any) json.RawMessage {
	change["ApproximateCreationDateTime"] = Now.Unix()
	change["SequenceNumber"] = "1"
	change["Keys"] = Attributes{table.PK: {"S": key.PK}, table.SK: {"S": key.SK}}
	return encode(map[string]any{"eventName": operation, "dynamodb": change})
}

// Aged returns a record as it was made age before Now.
func Aged(record json.RawMessage, age time.Duration) json.RawMessage {
	return with(record, func(_, change map[string]any) { change["ApproximateCreationDateTime"] = Now.Add(-age).Unix() })
}

// Numbered returns a record with a sequence number.
func Numbered(record json.RawMessage, n int) json.RawMessage {
	return with(record, func(_, change map[string]any) { change["SequenceNumber"] = strconv.Itoa(n) })
}

// From returns a record with a source and the source's ARN.
func From(record json.RawMessage, source, arn string) json.RawMessage {
	return with(record, func(r, _ map[string]any) { r["eventSource"], r["eventSourceARN"] = source, arn })
}

// Mentioning returns the record of a message's insertion with mentions of users.
func Mentioning(record json.RawMessage, users ...string) json.RawMessage {
	if len(users) == 0 {
		return record
	}
	return with(record, func(_, change map[string]any) {
		list := make([]any, len(users))
		for i, user := range users {
			list[i] = map[string]string{"S": user}
		}
		change["NewImage"].(map[string]any)[table.Mentions] = map[string]any{"L": list}
	})
}

func with(record json.RawMessage, set func(record, change map[string]any)) json.RawMessage {
	var r map[string]any
	if err := json.Unmarshal(record, &r); err != nil {
		panic(err)
	}
	change, ok := r["dynamodb"].(map[string]any)
	if !ok {
		panic("a record without a change")
	}
	set(r, change)
	return encode(r)
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// Send is the record of a message that alice sends.
func Send(roomID, messageID string) json.RawMessage {
	key := table.Message(roomID, timeOf(messageID), messageID)
	return Insert(key, Attributes{table.SenderID: {"S": "alice"}, table.Content: {"S": "hi"}})
}

// Join is the record of a new member.
func Join(roomID, userID string) json.RawMessage {
	return Insert(table.Member(roomID, userID), Attributes{table.JoinedAt: {"N": "2"}})
}

// MessageIDs mints n ids a millisecond apart, oldest first.
func MessageIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = ulid.MustNew(uint64(Now.UnixMilli())+uint64(i), zeros{}).String()
	}
	return ids
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Version is a message of alice's at a version; 0 is as it was sent. deleted
// says that the version is its deletion.
func Version(roomID, messageID string, version int64, deleted bool) chat.Message {
	m := chat.Message{RoomID: roomID, ID: messageID, SenderID: "alice", SentAt: timeOf(messageID), ClientMessageID: "c-1"}
	if deleted {
		m.DeletedAt = version
		return m
	}
	m.EditedAt, m.Content = version, fmt.Sprint("version ", version)
	return m
}

// Item is the item of a Version.
func Item(m chat.Message) Attributes {
	it := Attributes{table.SenderID: {"S": m.SenderID}, table.ClientMessageID: {"S": m.ClientMessageID}}
	if m.Version() != 0 {
		it[table.EditedAt] = map[string]string{"N": strconv.FormatInt(m.Version(), 10)}
	}
	if m.DeletedAt != 0 {
		it[table.DeletedAt] = it[table.EditedAt]
	} else {
		it[table.Content] = map[string]string{"S": m.Content}
	}
	return it
}

// SendVersion is the record of a message's insertion in the state of a Version.
func SendVersion(m chat.Message) json.RawMessage {
	return Insert(table.Message(m.RoomID, m.SentAt, m.ID), Item(m))
}

// Change is the record of a message's change from one Version to the next.
func Change(before, after chat.Message) json.RawMessage {
	return Modify(table.Message(after.RoomID, after.SentAt, after.ID), Item(before), Item(after))
}

func timeOf(messageID string) int64 {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		panic(err)
	}
	return ms
}

// React is the record of a user who reacts to a message otherwise than before.
func React(roomID, messageID, userID string, before, after []string) json.RawMessage {
	operation, images := "MODIFY", map[string]any{}
	set := func(image string, reactions []string) {
		if len(reactions) > 0 {
			images[image] = map[string]any{table.Reactions: map[string]any{"SS": reactions}}
		}
	}
	set("OldImage", before)
	set("NewImage", after)
	switch {
	case len(before) == 0:
		operation = "INSERT"
	case len(after) == 0:
		operation = "REMOVE"
	}
	return record(operation, table.Reacted(roomID, messageID, userID), images)
}
