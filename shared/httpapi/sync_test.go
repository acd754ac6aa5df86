package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/wire"
)

// chatter is a store in which every room has as many messages as are asked for,
// all with the same content.
type chatter struct{ content string }

func (c *chatter) RoomFor(context.Context, string, string) (chat.Room, chat.Member, bool, error) {
	return chat.Room{}, chat.Member{}, true, nil
}

func (c *chatter) Room(context.Context, string) (chat.Room, bool, error) {
	return chat.Room{}, true, nil
}

func (c *chatter) ReadCursors(context.Context, string, string, string) (map[string]chat.ReadCursor, error) {
	return nil, nil
}

func (c *chatter) MemberOf(_ context.Context, _ string, rooms []string) ([]string, error) {
	return rooms, nil
}

func (c *chatter) Messages(context.Context, string, chat.Range) ([]chat.Message, bool, error) {
	return nil, false, nil
}

func (c *chatter) MessagesAfter(_ context.Context, rooms []chat.Position, limit int) ([]chat.Missed, error) {
	missed := make([]chat.Missed, len(rooms))
	for i, room := range rooms {
		missed[i] = chat.Missed{RoomID: room.RoomID, More: true}
		for n := range limit {
			missed[i].Messages = append(missed[i].Messages, chat.Message{
				RoomID: room.RoomID, ID: fmt.Sprintf("01HQ%022d", n), SenderID: "bob", Content: c.content,
			})
		}
	}
	return missed, nil
}

func (c *chatter) Reacted(context.Context, string, []chat.Message) (map[string][]string, error) {
	return nil, nil
}

// A client continues its sync from the last message that came, so a room that is
// behind always gets one: without it, its client would never come to the end.
func TestSyncGivesEveryRoomAMessage(t *testing.T) {
	for _, test := range []struct {
		name     string
		content  string
		rooms    int
		messages int // at least, all rooms together
	}{
		{"short messages", "hello", 100, 10_000},
		{"messages of quotes", strings.Repeat(`"`, 15_800), 100, 100},
		{"a few rooms with long messages", strings.Repeat("a", chat.MaxContent), 3, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := &chatter{content: test.content}
			api := httpapi.New(httpapi.Domain{Histories: chat.NewHistories(store)}, gateway.Status, zerolog.Nop())
			request := wire.SyncRequest{Rooms: map[string]string{}}
			for i := range test.rooms {
				request.Rooms[fmt.Sprintf("room-%d", i)] = strings.Repeat("0", 26)
			}
			body, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sync", bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			api.ServeUser(w, r, "alice")

			const limit = 4_500_000 // in base 64 it fits the 6 MB of a function's answer
			if w.Code != http.StatusOK || w.Body.Len() > limit {
				t.Fatalf("status %d with %d bytes, want 200 with at most %d", w.Code, w.Body.Len(), limit)
			}
			var got wire.SyncResponse
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			total := 0
			for id := range request.Rooms {
				room := got.Rooms[id]
				if len(room.Messages) == 0 || !room.More {
					t.Errorf("room %s has %d messages, more %t; want one at least, and more", id, len(room.Messages), room.More)
				}
				total += len(room.Messages)
			}
			if total < test.messages {
				t.Errorf("%d messages, want %d at least", total, test.messages)
			}
		})
	}
}

func TestPathsAreTakenLiterally(t *testing.T) {
	api := httpapi.New(httpapi.Domain{}, gateway.Status, zerolog.Nop())
	for _, path := range []string{"//rooms", "/rooms/", "/./rooms", "/rooms/../rooms", "/rooms//messages"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		api.ServeUser(w, r, "alice")
		if w.Code != http.StatusNotFound {
			t.Errorf("GET %s: status %d, want 404", path, w.Code)
		}
	}
}
