package rig

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// OldRoom is a room as the first version of the functions stored it. Its first user owns it.
type OldRoom struct {
	ID, Name string
	Users    []string
	Created  time.Time
	Messages []OldMessage // oldest first, at least one

	// Left is the id of a connection of the owner's that no gateway has any more, and that
	// ends an hour after Now.
	Left string
	Now  time.Time
}

// OldMessage is a message with the users who have read it.
type OldMessage struct {
	ID              ulid.ULID
	Sender, Content string
	Readers         []string // the sender among them
}

// What the first version stored that no other one does: of a message who has read it, of a
// connection its rate.
const (
	oldReadBy  = "readBy"
	oldRateTAT = "rateTat"
)

// Plant writes rooms into the table, past the functions. Whatever follows from that in the
// stream is as the functions are now; PlantLast then writes last messages as they were.
func (h *Host) Plant(ctx context.Context, rooms ...OldRoom) error {
	var items []Item
	for _, r := range rooms {
		items = append(items, r.items()...)
	}
	return h.write(ctx, items)
}

// PlantLast writes the rooms' last messages.
func (h *Host) PlantLast(ctx context.Context, rooms ...OldRoom) error {
	var items []Item
	for _, r := range rooms {
		m := r.Messages[len(r.Messages)-1]
		items = append(items, Keyed(table.LastMessage(r.ID), Item{
			table.MessageID: attribute.Text(m.ID.String()), table.SenderID: attribute.Text(m.Sender),
			table.Preview: attribute.Text(m.Content), table.MS: attribute.Number(m.ID.Timestamp().UnixMilli()),
		}))
	}
	return h.write(ctx, items)
}

func (r OldRoom) items() (items []Item) {
	put := func(k table.Key, attributes Item) { items = append(items, Keyed(k, attributes)) }
	for _, m := range r.Messages {
		id, sent := m.ID.String(), m.ID.Timestamp()
		put(table.Message(r.ID, sent.UnixMilli(), id), Item{
			table.SenderID: attribute.Text(m.Sender), table.Content: attribute.Text(m.Content),
			table.ClientMessageID: attribute.Text("old-" + id), oldReadBy: &types.AttributeValueMemberSS{Value: m.Readers},
		})
		if remembered := sent.Add(chat.SentMemory); remembered.After(r.Now) {
			put(table.Sent(m.Sender, "old-"+id), Item{
				table.RoomID: attribute.Text(r.ID), table.MessageID: attribute.Text(id), table.TTL: attribute.Number(remembered.Unix()),
			})
		}
	}
	created := attribute.Number(r.Created.UnixMilli())
	put(table.Room(r.ID), Item{
		table.Name: attribute.Text(r.Name), table.Type: attribute.Text("group"), table.CreatedBy: attribute.Text(r.Users[0]),
		table.CreatedAt: created, table.MemberCount: attribute.Number(int64(len(r.Users))),
	})
	moved := r.Messages[len(r.Messages)-1].ID.Timestamp().UnixMilli()
	for i, user := range r.Users {
		role := "member"
		if i == 0 {
			role = "owner"
		}
		put(table.Member(r.ID, user), Item{table.Role: attribute.Text(role), table.JoinedAt: created})
		put(table.Participation(user, r.ID), Item{
			table.JoinedAt: created, table.GSI1PK: attribute.Text(table.UserRooms(user)), table.GSI1SK: attribute.Text(table.Millis(moved)),
		})
	}
	return append(items, r.connection()...)
}

// connection is what is left of a connection: with an item of its own beside its row, as the
// first version had it, and in its user's presence, without the number of changes, as a later
// one did.
func (r OldRoom) connection() []Item {
	ends := r.Now.Add(time.Hour)
	at, ttl := attribute.Number(r.Now.Add(-time.Hour).UnixMilli()), attribute.Number(ends.Unix())
	user := r.Users[0]
	return []Item{
		Keyed(table.Connection(r.Left), Item{
			table.UserID: attribute.Text(user), table.ConnectedAt: at, table.TTL: ttl,
			table.TokenExpiresAt: attribute.Number(ends.UnixMilli()), oldRateTAT: attribute.Number(0),
		}),
		Keyed(table.Key{PK: table.UserPrefix + user, SK: table.ConnectionPrefix + r.Left}, Item{table.ConnectedAt: at, table.TTL: ttl}),
		Keyed(table.Presence(user), Item{
			table.PresenceEntry(r.Left): &types.AttributeValueMemberM{Value: Item{table.ConnectedAt: at, table.TTL: ttl}},
		}),
	}
}

// write puts items into the table.
func (h *Host) write(ctx context.Context, items []Item) error {
	h.mu.Lock()
	server := h.server
	h.mu.Unlock()
	if server == nil {
		return errors.New("write to the table: no server runs")
	}
	for chunk := range slices.Chunk(items, batchSize) {
		if err := writeChunk(ctx, dynamodb.NewFromConfig(server.AWS()), chunk); err != nil {
			return err
		}
	}
	return nil
}
