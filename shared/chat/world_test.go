package chat_test

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
)

// epoch is the time at which tests begin, in ms: a whole second.
const epoch = 1_709_136_000_000

// maxFit is the longest content that the tests' frames can carry, in bytes.
const maxFit = chat.MaxContent - 1

// world is the whole domain on a store in memory, with a clock and ids that are
// the same in every run.
type world struct {
	*testing.T
	store *memory.Store
	clock *clock

	sessions  *chat.Sessions
	sender    *chat.Sender
	rooms     *chat.Rooms
	histories *chat.Histories
	editor    *chat.Editor
	readers   *chat.Readers
	reactors  *chat.Reactors
	profiles  *chat.Profiles
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{}}
	w.clock.set(0)
	w.store = memory.New(w.clock.now)
	ids := chat.NewIDs(w.clock.now, &counter{})
	fits := func(m chat.Message) error {
		if len(m.Content) > maxFit {
			return chat.Errorf(chat.CodeTooLarge, "does not fit")
		}
		return nil
	}
	w.sessions = chat.NewSessions(w.store, nil, w.clock.now)
	w.sender = chat.NewSender(w.store, ids, w.clock.now, fits, nil)
	w.rooms = chat.NewRooms(w.store, ids, w.clock.now)
	w.histories = chat.NewHistories(w.store)
	w.editor = chat.NewEditor(w.store, w.clock.now, fits)
	w.readers = chat.NewReaders(w.store, w.clock.now)
	w.reactors = chat.NewReactors(w.store, w.clock.now)
	w.profiles = chat.NewProfiles(w.store, w.clock.now)
	return w
}

type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) set(d time.Duration)     { c.ms.Store(epoch + d.Milliseconds()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// counter is entropy that rises, so that ids of one millisecond do.
type counter struct{ n atomic.Uint64 }

func (c *counter) Read(p []byte) (int, error) {
	clear(p)
	if len(p) < 8 {
		return 0, io.ErrShortBuffer
	}
	binary.BigEndian.PutUint64(p[len(p)-8:], c.n.Add(1))
	return len(p), nil
}

// ok fails the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that an error has a code, and a text for clients.
func refused(t testing.TB, what string, err error, code chat.Code) {
	t.Helper()
	reason := chat.Reason(err)
	if err == nil || reason.Code != code || reason.Message == "" {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

// answers checks an error against a code, "" for none.
func answers(t testing.TB, what string, err error, code chat.Code) {
	t.Helper()
	if code == "" && err != nil {
		t.Errorf("%s: %v, want no error", what, err)
	} else if code != "" {
		refused(t, what, err, code)
	}
}

// group creates a group of an owner and members, and returns its id.
func (w *world) group(owner string, members ...string) string {
	w.Helper()
	room, _, err := w.rooms.Create(w.Context(), owner, chat.NewRoom{Name: "Team", Type: chat.Group, Members: members})
	ok(w, err)
	return room.ID
}

// direct creates the direct message room of two users, and returns its id.
func (w *world) direct(a, b string) string {
	w.Helper()
	room, _, err := w.rooms.Create(w.Context(), a, chat.NewRoom{Type: chat.Direct, Members: []string{b}})
	ok(w, err)
	return room.ID
}

// connect opens a connection of a user, whose id is the user's, until its life ends.
func (w *world) connect(userID string) {
	w.Helper()
	ok(w, w.sessions.Open(w.Context(), chat.Connection{
		ID: userID, UserID: userID, ConnectedAt: w.clock.now().UnixMilli(),
		TokenExpiresAt: w.clock.now().Add(24 * time.Hour).UnixMilli(),
	}))
}

// say sends a message through a fresh connection, a millisecond after the last
// one, and returns its id.
func (w *world) say(userID, roomID, content string) string {
	w.Helper()
	w.clock.advance(time.Millisecond)
	w.connect(userID)
	receipt, err := w.sender.Send(w.Context(), chat.SendRequest{ConnectionID: userID, RoomID: roomID, Content: content})
	ok(w, err)
	return receipt.MessageID
}

// message reads a stored message.
func (w *world) message(roomID, messageID string) chat.Message {
	w.Helper()
	place, err := w.store.Place(w.Context(), roomID, "anyone", messageID)
	ok(w, err)
	if !place.Found {
		w.Fatalf("message %s is not stored", messageID)
	}
	return place.Message
}

// roles returns the roles of a room's members.
func (w *world) roles(roomID string) map[string]chat.Role {
	w.Helper()
	members, _, err := w.store.Members(w.Context(), roomID, "", 100)
	ok(w, err)
	roles := map[string]chat.Role{}
	for _, m := range members {
		roles[m.UserID] = m.Role
	}
	return roles
}

var errBroken = errors.New("the store is broken")

// breakOn makes a method of the store fail.
func (w *world) breakOn(broken string) {
	w.store.Before(func(method string) error {
		if method == broken {
			return errBroken
		}
		return nil
	})
}

// on runs a function before each call of a method of the store, except for those
// that the function makes: a change that overtakes the test's.
func (w *world) on(method string, do func()) {
	var inside atomic.Bool
	w.store.Before(func(called string) error {
		if called == method && inside.CompareAndSwap(false, true) {
			do()
			inside.Store(false)
		}
		return nil
	})
}

// once is on for the first call alone.
func (w *world) once(method string, do func()) {
	var once sync.Once
	w.on(method, func() { once.Do(do) })
}
