package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// TypingEvery is how often the server is told at most that the user types in a room.
	// It takes one in three seconds; fewer cost less.
	TypingEvery = 5 * time.Second

	// TypingLife is how long after its At a [Typing] holds, unless another one or a message
	// of that user comes: a bit longer than until the next one.
	TypingLife = 7 * time.Second
)

// Typing tells the others in a room that the user types, in rooms of at most 20 members.
// Call it at each key: it tells the server once in [TypingEvery], and nothing while there
// is no connection, or if the deployment has switched typing off. The server doesn't
// answer.
//
// Errors: *Error for a room id that is none; ctx's.
func (c *Client) Typing(ctx context.Context, room string) error {
	if !roomID.MatchString(room) {
		return refuse(CodeInvalidRequest, "a room id has 1 to 128 of the characters A-Z a-z 0-9 _ . @ -")
	}
	s := c.typingSession(room)
	if s == nil {
		return nil
	}
	frame, err := json.Marshal(wire.ClientFrame{Action: wire.ActionTyping, ChatRoomID: room})
	if err != nil {
		return fmt.Errorf("encode that the user types: %w", err)
	}
	select {
	case s.out <- frame:
	case <-s.done:
	case <-ctx.Done():
		return fmt.Errorf("tell that the user types: %w", ctx.Err())
	}
	return nil
}

// typingSession returns the session to tell that the user types, nil if it was told just
// now or can't be.
func (c *Client) typingSession(room string) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.current == nil || c.typingOff || now.Sub(c.typed[room]) < TypingEvery {
		return nil
	}
	if len(c.typed) > 100 {
		clear(c.typed)
	}
	c.typed[room] = now
	return c.current
}

// receiveOff notes what the deployment has switched off.
func (c *Client) receiveOff(off []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typingOff = slices.Contains(off, wire.OffTyping)
}
