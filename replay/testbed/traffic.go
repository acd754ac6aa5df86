package testbed

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// Traffic is people who write, join, leave, connect and disconnect.
type Traffic struct {
	w        *World
	stop     context.CancelFunc
	done     sync.WaitGroup
	messages atomic.Int64
	joins    atomic.Int64
	before   [2]int // messages and members that lastmessage had seen
}

// Talk lets people use the rooms, a step at each pause, until Stop.
func (w *World) Talk(rooms []string, pause time.Duration) *Traffic {
	ctx, stop := context.WithCancel(w.t.Context())
	tr := &Traffic{w: w, stop: stop, before: [2]int{w.Took(table.MessagePrefix), w.Took(table.MemberPrefix)}}
	store := dynamo.New(w.Engine(), local.TableName, time.Now)
	tr.done.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			// What has begun is done: nothing is left half.
			if err := tr.step(context.WithoutCancel(ctx), store, rooms[n%len(rooms)], n); err != nil {
				w.t.Errorf("traffic: %v", err)
				return
			}
		}
	})
	w.t.Cleanup(tr.Stop)
	return tr
}

func (tr *Traffic) step(ctx context.Context, store *dynamo.Store, room string, n int) error {
	now := time.Now()
	m := MessageItem(room, now, room+"-0", fmt.Sprintf("live %d", n))
	id, err := table.Parse(table.Key{PK: pk(m), SK: sk(m)})
	if err != nil {
		return err
	}
	_, _, err = store.PutMessage(ctx, chat.Message{
		RoomID: room, ID: id.MessageID, SenderID: room + "-0", Content: fmt.Sprintf("live %d", n), SentAt: id.MS, ReadBy: []string{room + "-0"},
	}, now.UnixMilli())
	if err != nil {
		return err
	}
	tr.messages.Add(1)
	guest := fmt.Sprintf("guest-%d", n/4)
	switch n % 4 {
	case 0:
		err = store.PutConnection(ctx, chat.Connection{
			ID: guest + "=", UserID: guest, ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli(),
		})
	case 1:
		var added bool
		added, err = store.AddMember(ctx, chat.Room{ID: room, CreatedAt: Epoch.UnixMilli()}, chat.Member{UserID: guest, Role: chat.PlainMember, JoinedAt: now.UnixMilli()})
		if added {
			tr.joins.Add(1)
		}
	case 2:
		if n%8 == 2 {
			err = store.DeleteConnection(ctx, guest+"=")
		}
	case 3:
		_, err = store.RemoveMember(ctx, room, chat.Member{UserID: guest, Role: chat.PlainMember}, "")
	}
	return err
}

// Settled waits until lastmessage has seen what was written before the call.
func (tr *Traffic) Settled() {
	tr.w.t.Helper()
	messages, joins := int(tr.messages.Load()), int(tr.joins.Load())
	Eventually(tr.w.t, "what was written in the projections", func() bool {
		return tr.w.Took(table.MessagePrefix) >= tr.before[0]+messages && tr.w.Took(table.MemberPrefix) >= tr.before[1]+joins
	})
}

// Stop ends it. It may be called again.
func (tr *Traffic) Stop() {
	tr.stop()
	tr.done.Wait()
}

// Messages is how many messages were written.
func (tr *Traffic) Messages() int { return int(tr.messages.Load()) }

// Took is how many records of sort keys with a prefix lastmessage took from its
// mapping.
func (w *World) Took(prefix string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took[topology.LastMessage+" "+prefix]
}
