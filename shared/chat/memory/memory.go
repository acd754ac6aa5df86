// Package memory stores rooms, messages and connections in memory. It implements
// every port of shared/chat, for two uses: tests of the domain and of the packages
// above it, and as the reference of what the ports promise. It is not for
// production: nothing is written to disk, and nothing is ever forgotten.
//
// It keeps the promises of shared/dynamo, which the suite in shared/chat/storetest
// checks for both: conditional writes, transactions that write all or nothing,
// items that expire in whole seconds, limits and cursors. It has no stream:
// AdvanceLastMessage and AdvanceRoomOrder do what the stream's readers would.
package memory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// Store is a store in memory. It is safe for concurrent use.
type Store struct {
	now  func() time.Time
	hook func(method string) error

	mu          sync.Mutex
	connections map[string]connection
	presence    map[string]map[string]int64 // by user and connection: connectedAt
	rooms       map[string]*room
	sent        map[[2]string]sent // by user and client message id
	created     map[[2]string]chat.Creation
	names       map[string]string
	rates       map[[2]string]int64 // by user and action: the window, ms
	signedIn    map[string]bool
	people      map[string]*person
	attachments map[[2]string]chat.Attachment  // by room and id
	blocks      map[[2]string]int64            // by the blocking user and the blocked one: since when, ms
	pushes      map[string][]chat.Subscription // by user, the oldest first
}

type connection struct {
	chat.Connection
	refused int64 // window, ms
}

type sent struct {
	chat.SentBefore
	expiresAt int64 // ms
}

// room holds everything that is stored under a room's id. Messages and read
// cursors may outlive the room.
type room struct {
	about    *chat.Room // nil: the room does not exist
	place    *chat.Location
	members  map[string]chat.Member
	order    map[string]int64           // by member: the room's position in their list, ms
	hidden   map[string]int64           // by member who hid it: as order was, which is absent then
	cursors  map[string]chat.ReadCursor // by user
	typing   map[string]int64           // by user: since when, ms
	bans     map[string]chat.Ban
	reports  map[chat.ReportPlace]chat.Report
	messages map[string]chat.Message
	reacted  map[[2]string][]string // by message and user
	last     *chat.LastMessage
}

// New returns an empty store.
func New(now func() time.Time) *Store {
	return &Store{
		now:         now,
		connections: map[string]connection{},
		presence:    map[string]map[string]int64{},
		rooms:       map[string]*room{},
		sent:        map[[2]string]sent{},
		created:     map[[2]string]chat.Creation{},
		names:       map[string]string{},
		rates:       map[[2]string]int64{},
		signedIn:    map[string]bool{},
		people:      map[string]*person{},
		attachments: map[[2]string]chat.Attachment{},
		blocks:      map[[2]string]int64{},
		pushes:      map[string][]chat.Subscription{},
	}
}

// Before sets a function that is called at the beginning of each method with its
// name, such as "AddMember". An error that it returns is the method's error. The
// function may call methods of the store: their effect is that of a concurrent
// request. Set it before the store is used.
func (s *Store) Before(hook func(method string) error) { s.hook = hook }

// begin starts a method: it calls the hook and locks the store.
func (s *Store) begin(ctx context.Context, method string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.hook != nil {
		if err := s.hook(method); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	return s.mu.Unlock, nil
}

// expired reports whether an item with an end, in ms, has expired; 0 is none. Like
// DynamoDB's TTL it counts whole seconds, so an item lives up to 1 s longer.
func (s *Store) expired(end int64) bool { return end != 0 && (end+999)/1000 <= s.now().Unix() }

// message returns a message as it is now; false if there is none or it has expired.
func (s *Store) message(roomID, messageID string) (chat.Message, bool) {
	m, ok := s.room(roomID).messages[messageID]
	m, alive := m.AsOf(s.now().UnixMilli())
	return m, ok && alive
}

// alive returns messages as they are now, without those that have expired.
func (s *Store) alive(messages []chat.Message) []chat.Message {
	var out []chat.Message
	for _, m := range messages {
		if m, ok := m.AsOf(s.now().UnixMilli()); ok {
			out = append(out, m)
		}
	}
	return out
}

// room returns the items of a room, whether or not the room exists.
func (s *Store) room(roomID string) *room {
	r := s.rooms[roomID]
	if r == nil {
		r = &room{
			members:  map[string]chat.Member{},
			order:    map[string]int64{},
			hidden:   map[string]int64{},
			cursors:  map[string]chat.ReadCursor{},
			typing:   map[string]int64{},
			bans:     map[string]chat.Ban{},
			reports:  map[chat.ReportPlace]chat.Report{},
			messages: map[string]chat.Message{},
			reacted:  map[[2]string][]string{},
		}
		s.rooms[roomID] = r
	}
	return r
}

// SignedIn implements chat.UserStore and chat.RoomStore.
func (s *Store) SignedIn(ctx context.Context, userIDs []string) ([]string, error) {
	unlock, err := s.begin(ctx, "SignedIn")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return slices.DeleteFunc(slices.Clone(userIDs), func(userID string) bool { return !s.signedIn[userID] }), nil
}

// NoteUser implements chat.UserStore.
func (s *Store) NoteUser(ctx context.Context, userID string, _ int64) error {
	unlock, err := s.begin(ctx, "NoteUser")
	if err != nil {
		return err
	}
	defer unlock()
	s.signedIn[userID] = true
	return nil
}

// DisplayNames implements chat.ProfileStore and chat.RoomStore.
func (s *Store) DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error) {
	unlock, err := s.begin(ctx, "DisplayNames")
	if err != nil {
		return nil, err
	}
	defer unlock()
	names := map[string]string{}
	for _, userID := range userIDs {
		if name := s.names[userID]; name != "" {
			names[userID] = name
		}
	}
	return names, nil
}

// SetDisplayName implements chat.ProfileStore.
func (s *Store) SetDisplayName(ctx context.Context, userID, name string, _ int64) error {
	unlock, err := s.begin(ctx, "SetDisplayName")
	if err != nil {
		return err
	}
	defer unlock()
	s.names[userID] = name
	return nil
}
