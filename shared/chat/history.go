package chat

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Bounds of one /sync.
const (
	MaxSyncRooms    = 100 // rooms a call
	MaxSyncMessages = 100 // messages a room, at most
)

// Range selects up to Limit of a room's messages. Before and After are message
// ids, both exclusive, at most one of them set. With After the messages come
// oldest first, else newest first.
type Range struct {
	Before string
	After  string
	Limit  int
}

// HistoryStore reads messages. All reads are strong.
type HistoryStore interface {
	roomReader
	// RoomFor reads a room and a user's membership of it; false if the room does
	// not exist or the user is not a member.
	RoomFor(ctx context.Context, roomID, userID string) (Room, Member, bool, error)
	// ReadCursors reads how far users have read a room, by user id, of the users
	// from `from` to `to`, both inclusive ("" is open). It may include users who
	// have left: a read may be stored after its reader was removed.
	ReadCursors(ctx context.Context, roomID, from, to string) (map[string]ReadCursor, error)
	// MemberOf returns which of the rooms a user is a member of.
	MemberOf(ctx context.Context, userID string, roomIDs []string) ([]string, error)
	// Messages reads a range of a room's messages, and whether there are more.
	Messages(ctx context.Context, roomID string, r Range) (messages []Message, more bool, err error)
	// MessagesAfter reads the oldest messages after an id in each of at most
	// MaxSyncRooms rooms, in the order given. At least one where there is any, at
	// most limit, and fewer where more would cost too much: then there are more.
	MessagesAfter(ctx context.Context, rooms []Position, limit int) ([]Missed, error)
	// Reacted is ReactionStore's.
	Reacted(ctx context.Context, userID string, messages []Message) (map[string][]string, error)
}

// Position is a place in a room's history: after a message id, whether or not that
// message exists.
type Position struct{ RoomID, MessageID string }

// Histories reads the messages of rooms.
type Histories struct{ store HistoryStore }

// NewHistories returns Histories on a store.
func NewHistories(store HistoryStore) *Histories { return &Histories{store: store} }

// Read returns a range of a room's messages to one of its members, and whether
// there are more in the direction of reading. In rooms of up to CountedReaders
// members the messages have ReadBy: their senders, and the users whose read
// cursors have passed them; in larger ones, their senders. Those with reactions have the
// reader's own.
//
// A service may read every room.
//
// Errors: CodeInvalidRequest, CodeNotAMember, CodeNotFound.
func (h *Histories) Read(ctx context.Context, userID, roomID string, r Range) (messages []Message, more bool, err error) {
	if err := ValidateRoomID(roomID); err != nil {
		return nil, false, err
	}
	if r.Before != "" && r.After != "" {
		return nil, false, Errorf(CodeInvalidRequest, "invalid range: want before or after, got both")
	}
	for _, bound := range []string{r.Before, r.After} {
		if bound == "" {
			continue
		}
		if _, err := MessageTime(bound); err != nil {
			return nil, false, err
		}
	}
	room, err := h.room(ctx, roomID, userID)
	if err != nil {
		return nil, false, err
	}
	var cursors map[string]ReadCursor
	group, reading := errgroup.WithContext(ctx)
	if room.MemberCount <= CountedReaders {
		group.Go(func() error {
			var err error
			if cursors, err = h.store.ReadCursors(reading, roomID, "", ""); err != nil {
				return fmt.Errorf("read the read cursors: %w", err)
			}
			return nil
		})
	}
	group.Go(func() error {
		var err error
		if messages, more, err = h.store.Messages(reading, roomID, r); err != nil {
			return fmt.Errorf("read messages: %w", err)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, false, err
	}
	deriveReaders(messages, cursors)
	if err := addOwnReactions(ctx, h.store, userID, len(messages), messages); err != nil {
		return nil, false, err
	}
	return messages, more, nil
}

// room returns a room whose messages a user may read.
func (h *Histories) room(ctx context.Context, roomID, userID string) (Room, error) {
	if IsService(userID) {
		return serviceRoom(ctx, h.store, roomID)
	}
	room, _, member, err := h.store.RoomFor(ctx, roomID, userID)
	if err != nil {
		return Room{}, fmt.Errorf("check membership: %w", err)
	}
	if !member {
		return Room{}, errNotAMember(roomID)
	}
	return room, nil
}

// deriveReaders gives each message its sender and the users whose cursors have
// passed it.
func deriveReaders(messages []Message, cursors map[string]ReadCursor) {
	for i, m := range messages {
		if m.DeletedAt != 0 {
			continue
		}
		readers := []string{m.SenderID}
		for user, cursor := range cursors {
			if user != m.SenderID && cursor.HasRead(m.ID) {
				readers = append(readers, user)
			}
		}
		slices.Sort(readers)
		messages[i].ReadBy = readers
	}
}

// Missed holds the messages that a client missed in one room, oldest first.
type Missed struct {
	RoomID   string
	Messages []Message
	More     bool // there may be later ones
}

// Sync returns, for each room that the user is a member of, the oldest messages
// after the given message id: at least one where there are any, so that a client
// that continues from the last one reaches the end. Other rooms are left out. Of the
// first MaxSyncReacted messages with reactions it returns the reader's own.
//
// Errors: CodeInvalidRequest for more than MaxSyncRooms rooms or a malformed id.
func (h *Histories) Sync(ctx context.Context, userID string, after map[string]string) ([]Missed, error) {
	if len(after) > MaxSyncRooms {
		return nil, Errorf(CodeInvalidRequest, "invalid rooms: want at most %d in one call, got %d", MaxSyncRooms, len(after))
	}
	rooms := make([]string, 0, len(after))
	for roomID, messageID := range after {
		if err := ValidateRoomID(roomID); err != nil {
			return nil, err
		}
		if _, err := MessageTime(messageID); err != nil {
			return nil, err
		}
		rooms = append(rooms, roomID)
	}
	slices.Sort(rooms)
	mine, err := h.store.MemberOf(ctx, userID, rooms)
	if err != nil {
		return nil, fmt.Errorf("check memberships: %w", err)
	}

	positions := make([]Position, len(mine))
	for i, roomID := range mine {
		positions[i] = Position{roomID, after[roomID]}
	}
	missed, err := h.store.MessagesAfter(ctx, positions, MaxSyncMessages)
	if err != nil {
		return nil, fmt.Errorf("read missed messages: %w", err)
	}
	pages := make([][]Message, len(missed))
	for i := range missed {
		pages[i] = missed[i].Messages
	}
	if err := addOwnReactions(ctx, h.store, userID, MaxSyncReacted, pages...); err != nil {
		return nil, err
	}
	return missed, nil
}
