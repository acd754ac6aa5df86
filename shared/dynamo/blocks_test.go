package dynamo_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
)

// overtaken is a client of which another one overtakes the first transaction.
type overtaken struct {
	dynamo.Client
	by *func()
}

func (o overtaken) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if by := *o.by; by != nil {
		*o.by = nil
		by()
	}
	return o.Client.TransactWriteItems(ctx, in, options...)
}

// A user who blocks another one on one device while they end that on another: the marks in
// the direct message say what the block says.
func TestBlock_IsMarkedAsItIsKept(t *testing.T) {
	const alice, bob = "alice", "bob"
	for name, ends := range map[string]bool{"a block that is ended": true, "an end that is overtaken by a block": false} {
		t.Run(name, func(t *testing.T) {
			var by func()
			db := openTable(t)
			other, store := dynamo.New(db, "table", time.Now), dynamo.New(overtaken{db, &by}, "table", time.Now)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			room := chat.Room{ID: chat.DirectRoomID(alice, bob), Type: chat.Direct, CreatedBy: alice, Invited: bob, CreatedAt: 1}
			_, err := other.CreateRoom(t.Context(), room, []chat.Member{{UserID: alice, Role: chat.PlainMember}, {UserID: bob, Role: chat.PlainMember}})
			must(err)
			if ends {
				by = func() { must(other.Unblock(t.Context(), alice, bob)) }
				must(store.Block(t.Context(), alice, bob, 1))
			} else {
				must(other.Block(t.Context(), alice, bob, 1))
				by = func() { must(other.Block(t.Context(), alice, bob, 2)) }
				must(store.Unblock(t.Context(), alice, bob))
			}
			blocks, _, err := other.Blocks(t.Context(), alice, "", 10)
			must(err)
			for _, user := range []string{alice, bob} {
				m, _, err := other.Member(t.Context(), room.ID, user)
				must(err)
				if marked := m.Blocks || m.Blocked; marked != (len(blocks) > 0) {
					t.Errorf("%s: %+v; alice blocks %v", user, m, blocks)
				}
			}
		})
	}
}

// No one blocks themselves, and to end that is no error.
func TestUnblock_Oneself(t *testing.T) {
	blocks := chat.NewBlocks(dynamo.New(openTable(t), "table", time.Now), time.Now)
	if err := blocks.Unblock(t.Context(), "alice", "alice"); err != nil {
		t.Error(err)
	}
}
