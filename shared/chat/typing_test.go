package chat_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

// typing are Typists in a world with a room of alice's, who has the connection a, and what
// they asked of the store.
type typing struct {
	world *world
	*chat.Typists
	asked map[string]int
}

func newTyping(t *testing.T, members int) *typing {
	t.Helper()
	w := newWorld(t)
	w.opens("a", "alice")
	names := []chat.Member{{UserID: "alice", Role: chat.Owner}}
	for i := range members - 1 {
		names = append(names, chat.Member{UserID: fmt.Sprint("user-", i)})
	}
	if _, err := w.store.CreateRoom(t.Context(), chat.Room{ID: "r", Type: chat.Group}, names); err != nil {
		t.Fatal(err)
	}
	typing := &typing{world: w, asked: map[string]int{}}
	w.store.Before(func(method string) error {
		typing.asked[method]++
		return nil
	})
	typing.Typists = chat.NewTypists(w.store, chat.Limits{
		chat.Typing: chat.PerMinute(chat.TypingRate, chat.TypingBurst), chat.Ignoring: chat.PerMinute(chat.IgnoredRate, chat.IgnoredBurst),
	}, w.clock.now)
	return typing
}

// opens stores a connection of a user.
func (w *world) opens(connectionID, userID string) {
	w.Helper()
	_, _, err := w.store.PutConnection(w.Context(), chat.Connection{
		ID: connectionID, UserID: userID, ConnectedAt: w.clock.now().UnixMilli(), TokenExpiresAt: w.clock.now().Add(time.Hour).UnixMilli(),
	}, chat.RateTake{})
	ok(w, err)
}

func TestTypists_NoteOnceInAWhile(t *testing.T) {
	w := newTyping(t, chat.TypingRoom)
	for range 3 {
		for range 5 {
			ok(t, w.Type(t.Context(), "a", "r"))
		}
		w.world.clock.advance(chat.TypingEvery)
	}
	if w.asked["PutTyping"] != 3 || w.asked["RoomOf"] != 3 || w.asked["Connection"] != 3 {
		t.Errorf("fifteen frames in nine seconds asked for %v, want each three times", w.asked)
	}
}

func TestTypists_LargeRoomsCostNothing(t *testing.T) {
	w := newTyping(t, chat.TypingRoom+1)
	for range 10 {
		ok(t, w.Type(t.Context(), "a", "r"))
		w.world.clock.advance(chat.TypingEvery)
	}
	if w.asked["PutTyping"] != 0 || w.asked["RoomOf"] != 1 {
		t.Errorf("ten frames asked for %v, want no write and one look", w.asked)
	}
}

func TestTypists_Refusals(t *testing.T) {
	for _, test := range []struct {
		name, connection, room string
		prepare                func(w *typing)
		want                   chat.Code
	}{
		{"no room id", "a", "", nil, chat.CodeInvalidRequest},
		{"a room that is none", "a", "r#1", nil, chat.CodeInvalidRequest},
		{"a room that does not exist", "a", "none", nil, chat.CodeNotAMember},
		{"a foreign room", "m", "r", func(w *typing) { w.world.opens("m", "mallory") }, chat.CodeNotAMember},
		{"an unknown connection", "x", "r", nil, chat.CodeReconnect},
		{"an expired token", "a", "r", func(w *typing) { w.world.clock.advance(time.Hour + chat.TokenLeeway) }, chat.CodeTokenExpired},
		{"too many rooms at once", "a", "r", func(w *typing) {
			for i := range chat.TypingBurst {
				_ = w.Type(w.world.Context(), "a", fmt.Sprint("r", i))
			}
		}, chat.CodeRateLimited},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newTyping(t, 2)
			if test.prepare != nil {
				test.prepare(w)
			}
			refused(t, test.name, w.Type(t.Context(), test.connection, test.room), test.want)
			if w.asked["PutTyping"] != 0 {
				t.Error("a note was written")
			}
		})
	}
}

// The limit is the user's, over all connections, and what it refuses reads nothing.
func TestTypists_LimitsUsers(t *testing.T) {
	w := newTyping(t, 2)
	w.world.opens("b", "alice")
	ok(t, w.Type(t.Context(), "a", "r"))
	ok(t, w.Type(t.Context(), "b", "r"))
	for i := range chat.TypingBurst - 2 {
		refused(t, "a foreign room", w.Type(t.Context(), []string{"a", "b"}[i%2], fmt.Sprint("r", i)), chat.CodeNotAMember)
	}
	asked := w.asked["Connection"]
	for _, connection := range []string{"a", "b"} {
		refused(t, "one more", w.Type(t.Context(), connection, "r2"), chat.CodeRateLimited)
	}
	if w.asked["Connection"] != asked {
		t.Error("what was refused read the connection")
	}
}

// Frames that change nothing have a limit, too, which reads nothing, and is the user's.
func TestTypists_LimitWhatTheyIgnore(t *testing.T) {
	w := newTyping(t, 2)
	w.world.opens("b", "alice")
	ok(t, w.Type(t.Context(), "a", "r"))
	ok(t, w.Type(t.Context(), "b", "r"))
	asked := maps.Clone(w.asked)
	for i := range chat.IgnoredBurst {
		ok(t, w.Type(t.Context(), []string{"a", "b"}[i%2], "r"))
	}
	refused(t, "one more", w.Type(t.Context(), "a", "r"), chat.CodeRateLimited)
	refused(t, "one more", w.Type(t.Context(), "b", "r"), chat.CodeRateLimited)
	if diff := cmp.Diff(asked, w.asked); diff != "" {
		t.Errorf("the store was asked (-before +after):\n%s", diff)
	}
	w.world.clock.advance(chat.TypingEvery)
	ok(t, w.Type(t.Context(), "a", "r"))
}
