package functions_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/chat"
)

// apiCall is one request of the HTTP API, made ready for the n-th time.
type apiCall struct {
	name   string
	status int
	event  func(w *world, n int) []byte
}

// apiCalls are all of them; those that change the number of members come last.
var apiCalls = []apiCall{
	{"list-20-rooms", 200, func(w *world, _ int) []byte { return w.request("GET", "/rooms", "limit=20", "") }},
	{"create-room-of-20", 201, func(w *world, n int) []byte {
		return w.request("POST", "/rooms", "", string(w.encode(object{"type": "group", "name": "x", "members": users(n, 19)})))
	}},
	{"get-room-and-100-members", 200, func(w *world, _ int) []byte { return w.request("GET", "/rooms/"+room, "limit=100", "") }},
	{"rename-room", 200, func(w *world, n int) []byte {
		return w.request("PATCH", "/rooms/"+room, "", fmt.Sprintf(`{"name":"Room %d"}`, n))
	}},
	{"read-1-message", 204, func(w *world, _ int) []byte {
		w.clock.advance(10 * time.Second) // a conversation
		return w.readEvent(w.otherMessage(room))
	}},
	{"read-an-older-message", 204, func(w *world, _ int) []byte {
		m := w.otherMessage(room)
		w.clock.advance(chat.StoreWithin)
		return w.readEvent(m)
	}},
	{"read-100-messages", 204, func(w *world, _ int) []byte {
		var last chat.Message
		for range 100 {
			last = w.otherMessage(room)
		}
		return w.readEvent(last)
	}},
	{"history-of-50", 200, func(w *world, _ int) []byte { return w.request("GET", "/rooms/"+room+"/messages", "limit=50", "") }},
	{"edit-message", 200, func(w *world, n int) []byte {
		return w.request("PATCH", "/rooms/"+room+"/messages/"+w.message(300).ID, "", fmt.Sprintf(`{"content":"edit %d"}`, n))
	}},
	{"delete-message", 204, func(w *world, _ int) []byte {
		return w.request("DELETE", "/rooms/"+room+"/messages/"+w.message(300).ID, "", "")
	}},
	{"sync-20-rooms", 200, func(w *world, _ int) []byte {
		after := object{}
		for _, id := range w.rooms(20) {
			after[id] = w.newestID(id)
		}
		return w.request("POST", "/sync", "", string(w.encode(object{"rooms": after})))
	}},
	{"get-me", 200, func(w *world, _ int) []byte { return w.request("GET", "/me", "", "") }},
	{"change-me", 200, func(w *world, n int) []byte {
		return w.request("PUT", "/me", "", fmt.Sprintf(`{"displayName":"Name %d"}`, n))
	}},
	{"get-100-profiles", 200, func(w *world, _ int) []byte {
		return w.request("POST", "/profiles", "", string(w.encode(object{"users": users(0, 100)})))
	}},
	{"add-member", 201, func(w *world, n int) []byte {
		return w.request("POST", "/rooms/"+room+"/members", "", fmt.Sprintf(`{"userId":"new-%d"}`, n))
	}},
	{"remove-member", 204, func(w *world, n int) []byte {
		w.join(room, fmt.Sprint("leaver-", n), chat.PlainMember)
		return w.request("DELETE", "/rooms/"+room+"/members", fmt.Sprint("userId=leaver-", n), "")
	}},
	{"owner-leaves", 204, func(w *world, _ int) []byte {
		w.own(room)
		return w.request("DELETE", "/rooms/"+room+"/members", "userId="+user(0), "")
	}},
}

// BenchmarkAPI prints what each call of the HTTP API asks of the table, in rooms
// of 20, 100 and 1,000 members and with 20 rooms in the caller's list, in each
// of which three messages are unread.
func BenchmarkAPI(b *testing.B) {
	for _, members := range sizes(20, 100, 1_000) {
		b.Run(fmt.Sprintf("%d-members", members), func(b *testing.B) {
			m := newMetered(b, nearby, members)
			m.furnish()
			handler := m.wired(functions.API)
			for _, call := range apiCalls {
				b.Run(call.name, func(b *testing.B) {
					var used total
					n := 0
					for b.Loop() {
						n++
						m.clock.advance(time.Millisecond)
						event := call.event(m.world, int(m.clock.now().UnixNano())+n)
						used.add(m.count(handler, event, call.status))
					}
					used.report(b)
				})
			}
		})
	}
}

// users are n user ids that no other batch has.
func users(batch, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("guest-%d-%d", batch, i)
	}
	return ids
}

// furnish gives user 0 19 more rooms than the populated one, all with a history
// and some unread messages.
func (w *world) furnish() {
	w.t.Helper()
	for _, id := range w.rooms(20) {
		description := chat.Room{ID: id, Name: "Room", Type: chat.Group, CreatedBy: user(0), CreatedAt: w.clock.now().UnixMilli(), MemberCount: 2}
		_, err := w.store.CreateRoom(w.t.Context(), description, []chat.Member{
			{UserID: user(0), Role: chat.Owner, JoinedAt: 1}, {UserID: user(1), Role: chat.PlainMember, JoinedAt: 1},
		})
		w.must(err)
	}
	for _, id := range append(w.rooms(20), room) {
		var read chat.Message
		for i := range 53 {
			if m := w.otherMessage(id); i < 50 {
				read = m
			}
		}
		_, err := w.store.AdvanceReadCursor(w.t.Context(), id, user(0), chat.ReadCursor{UpTo: read.ID}, 1)
		w.must(err)
	}
}

func (w *world) newestID(roomID string) string {
	w.t.Helper()
	newest, err := w.store.MessagesUpTo(w.t.Context(), roomID, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 4)
	w.must(err)
	return newest[len(newest)-1].ID
}

func (w *world) readEvent(m chat.Message) []byte {
	return w.request(http.MethodPost, "/rooms/"+m.RoomID+"/read", "", fmt.Sprintf(`{"upTo":%q}`, m.ID))
}

func (w *world) join(roomID, userID string, role chat.Role) {
	w.t.Helper()
	_, err := w.store.AddMember(w.t.Context(), chat.Room{ID: roomID}, chat.Member{UserID: userID, Role: role, JoinedAt: w.clock.now().UnixMilli()})
	w.must(err)
}

// own makes user 0 an owner again, who may have left.
func (w *world) own(roomID string) {
	w.t.Helper()
	w.join(roomID, user(0), chat.Owner)
}
