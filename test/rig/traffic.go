package rig

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// Traffic is users who write, edit, delete, read, join, leave, connect and
// disconnect, past the functions, while a tool works.
type Traffic struct {
	s        *Operated
	stop     context.CancelFunc
	done     sync.WaitGroup
	rooms    []string
	acting   sync.Mutex // held while one of them does something
	messages atomic.Int64
	changes  atomic.Int64
	joins    atomic.Int64
	before   [2]int // messages and members that lastmessage had processed
}

// Talk has users act in rooms that were seeded, a step after each pause, until
// Stop.
func (s *Operated) Talk(rooms []string, pause time.Duration) *Traffic {
	ctx, stop := context.WithCancel(s.T.Context())
	tr := &Traffic{s: s, stop: stop, rooms: rooms, before: [2]int{s.Consumers.Mapped(table.MessagePrefix), s.Consumers.Mapped(table.MemberPrefix)}}
	store := s.Store()
	tr.done.Go(func() {
		for n := 0; backoff.Sleep(ctx, pause) == nil; n++ {
			// A step that has begun is completed.
			if err := tr.step(context.WithoutCancel(ctx), store, n); err != nil {
				s.T.Errorf("traffic: %v", err)
				return
			}
		}
	})
	s.T.Cleanup(tr.Stop)
	return tr
}

func (tr *Traffic) step(ctx context.Context, store *dynamo.Store, n int) error {
	room := tr.rooms[n%len(tr.rooms)]
	tr.acting.Lock()
	defer tr.acting.Unlock()
	now := time.Now()
	it := MessageItem(room, now, room+"-0", fmt.Sprintf("live %d", n))
	id, err := table.Parse(attribute.KeyOf(it))
	if err != nil {
		return err
	}
	m := chat.Message{
		RoomID: room, ID: id.MessageID, SenderID: room + "-0", Content: fmt.Sprintf("live %d", n), SentAt: id.MS,
	}
	if err = store.PutMessage(ctx, m); err != nil {
		return err
	}
	tr.messages.Add(1)
	if err := tr.alter(ctx, store, m, n); err != nil {
		return err
	}
	guest := fmt.Sprintf("guest-%d", n/4)
	switch n % 4 {
	case 0:
		_, _, err = store.PutConnection(ctx, chat.Connection{
			ID: guest + "=", UserID: guest, ConnectedAt: now.UnixMilli(), TokenExpiresAt: now.Add(time.Hour).UnixMilli(),
		}, chat.RateTake{})
	case 1:
		var added bool
		added, err = store.AddMember(ctx, chat.Room{ID: room, CreatedAt: Epoch.UnixMilli()},
			chat.Member{UserID: guest, Role: chat.PlainMember, JoinedAt: now.UnixMilli()})
		if added {
			tr.joins.Add(1)
			_, moved := store.AdvanceReadCursor(ctx, room, guest, chat.ReadCursor{UpTo: m.ID}, now.UnixMilli())
			err = errors.Join(err, moved)
		}
	case 2:
		if n%8 == 2 {
			err = store.DeleteConnection(ctx, guest+"=", false)
		}
	case 3:
		var removed bool
		room = tr.rooms[(n-2)%len(tr.rooms)] // that the guest is in
		removed, err = store.RemoveMember(ctx, room, chat.Member{UserID: guest, Role: chat.PlainMember}, chat.Member{})
		if err == nil && !removed {
			err = errors.New("the guest is not a member")
		}
	}
	return err
}

// alter edits every third message, and deletes every ninth then.
func (tr *Traffic) alter(ctx context.Context, store *dynamo.Store, m chat.Message, n int) error {
	if n%3 != 0 {
		return nil
	}
	m.Content, m.EditedAt = fmt.Sprintf("edited %d", n), time.Now().UnixMilli()
	m, changed, err := store.EditMessage(ctx, m)
	if err != nil || !changed {
		return fmt.Errorf("edit: %t, %w", changed, err)
	}
	tr.changes.Add(1)
	if n%9 != 0 {
		return nil
	}
	m.DeletedAt = max(time.Now().UnixMilli(), m.Version()+1)
	if _, changed, err = store.DeleteMessage(ctx, m); err != nil || !changed {
		return fmt.Errorf("delete: %t, %w", changed, err)
	}
	tr.changes.Add(1)
	return nil
}

// Drained waits until lastmessage has processed what was written before the call,
// including a step under way.
func (tr *Traffic) Drained() {
	tr.s.T.Helper()
	tr.acting.Lock()
	messages, joins := int(tr.messages.Load()+tr.changes.Load()), int(tr.joins.Load())
	tr.acting.Unlock()
	Eventually(tr.s.T, "projections of what was written", func() bool {
		return tr.s.Consumers.Mapped(table.MessagePrefix) >= tr.before[0]+messages && tr.s.Consumers.Mapped(table.MemberPrefix) >= tr.before[1]+joins
	})
}

// Stop ends the traffic. It may be called again.
func (tr *Traffic) Stop() {
	tr.stop()
	tr.done.Wait()
}

// Messages returns how many messages were written.
func (tr *Traffic) Messages() int { return int(tr.messages.Load()) }
