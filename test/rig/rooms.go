package rig

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// Epoch is when the rooms of RoomItems were created.
var Epoch = time.Now().Add(-3 * time.Hour).Truncate(time.Second)

// RoomItems returns the items of a room with its members, called room-0 and so on
// of which the first is the owner, and its messages, one a second since Epoch.
func RoomItems(room string, members, messages int) []Item {
	created := Epoch.UnixMilli()
	items := []Item{Keyed(table.Room(room), Item{
		table.Name: attribute.Text("Room " + room), table.Type: attribute.Text("group"), table.CreatedBy: attribute.Text(room + "-0"),
		table.CreatedAt: attribute.Number(created), table.MemberCount: attribute.Number(int64(members)),
	})}
	for i := range members {
		user, role := fmt.Sprintf("%s-%d", room, i), chat.PlainMember
		if i == 0 {
			role = chat.Owner
		}
		items = append(items,
			Keyed(table.Member(room, user), Item{table.Role: attribute.Text(string(role)), table.JoinedAt: attribute.Number(created)}),
			Keyed(table.Participation(user, room), Item{
				table.JoinedAt: attribute.Number(created), table.GSI1PK: attribute.Text(table.UserRooms(user)), table.GSI1SK: attribute.Text(table.Millis(created)),
			}))
	}
	for i := range messages {
		at := Epoch.Add(time.Duration(i+1) * time.Second)
		items = append(items, MessageItem(room, at, room+"-0", fmt.Sprintf("message %d", i)))
	}
	return items
}

// MessageItem returns a message.
func MessageItem(room string, at time.Time, sender, content string) Item {
	id := ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String()
	return Keyed(table.Message(room, at.UnixMilli(), id), Item{
		table.SenderID: attribute.Text(sender), table.Content: attribute.Text(content),
	})
}

// Seed writes rooms, called room-0000 and so on, and returns how many stream
// records that makes for lastmessage.
func (s *Rig) Seed(rooms, members, messages int) int {
	s.T.Helper()
	var items []Item
	for i := range rooms {
		items = append(items, RoomItems(fmt.Sprintf("room-%04d", i), members, messages)...)
	}
	s.Write(items...)
	return rooms * (members + messages)
}

// Edit changes the content of a room's newest message.
func (s *Rig) Edit(room, content string) { s.change(room, content, (*dynamo.Store).EditMessage) }

// Delete deletes a room's newest message.
func (s *Rig) Delete(room string) { s.change(room, "", (*dynamo.Store).DeleteMessage) }

func (s *Rig) change(room, content string, do func(*dynamo.Store, context.Context, chat.Message) (chat.Message, bool, error)) {
	s.T.Helper()
	store := s.Store()
	newest, _, err := store.Messages(s.T.Context(), room, chat.Range{Limit: 1})
	if err != nil || len(newest) != 1 {
		s.T.Fatalf("the newest message of %s: %v, %v", room, newest, err)
	}
	m := newest[0]
	m.Content, m.EditedAt = content, max(time.Now().UnixMilli(), m.Version()+1)
	if content == "" {
		m.DeletedAt, m.EditedAt = m.EditedAt, 0
	}
	if _, changed, err := do(store, s.T.Context(), m); err != nil || !changed {
		s.T.Fatalf("change the newest message of %s: %t, %v", room, changed, err)
	}
}

// Spoil makes what lastmessage derives wrong: it removes the last message of rooms
// whose id ends in 0, sets back those of others, and sets back all lists of rooms.
func (s *Rig) Spoil() {
	s.T.Helper()
	var items []Item
	for it := range s.Scan() {
		id, err := table.Parse(attribute.KeyOf(it))
		switch {
		case err != nil:
		case id.Kind == table.KindLastMessage && strings.HasSuffix(id.RoomID, "0"):
			items = append(items, Keyed(table.LastMessage(id.RoomID), nil))
		case id.Kind == table.KindLastMessage:
			items = append(items, Keyed(table.LastMessage(id.RoomID), Item{
				table.MessageID: attribute.Text("00000000000000000000000000"), table.SenderID: attribute.Text("stranger"), table.Preview: attribute.Text("old"), table.MS: attribute.Number(0),
			}))
		case id.Kind == table.KindParticipation:
			it[table.GSI1SK] = attribute.Text(table.Millis(1))
			items = append(items, it)
		}
	}
	s.Write(items...)
}
