package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
)

// Lobby is the room that everyone who signs in here joins, so that two people
// who try a Streamroom on a laptop can talk at once. There is none on AWS.
const Lobby = "general"

// openLobby makes the lobby and has everyone who signs in join it.
func (s *Server) openLobby(ctx context.Context, store *dynamo.Store) error {
	// No user created it, so it has no owner.
	room := chat.Room{ID: Lobby, Name: "General", Type: chat.Group, CreatedAt: s.clock.Now().UnixMilli()}
	created, err := store.CreateRoom(ctx, room, nil)
	if err != nil {
		return fmt.Errorf("make the room %s: %w", Lobby, err)
	}
	if !created {
		if room, _, err = store.Room(ctx, Lobby); err != nil {
			return fmt.Errorf("read the room %s: %w", Lobby, err)
		}
	}
	// Each join changes the room's member count, so they take turns.
	var turn sync.Mutex
	s.pool.SignedIn = func(ctx context.Context, userID string) error {
		turn.Lock()
		defer turn.Unlock()
		if member, err := store.IsMember(ctx, Lobby, userID); err != nil || member {
			return err
		}
		_, err := store.AddMember(ctx, room, chat.Member{
			UserID: userID, Role: chat.PlainMember, JoinedAt: s.clock.Now().UnixMilli(),
		})
		return err
	}
	return nil
}
