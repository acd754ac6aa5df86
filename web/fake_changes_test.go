package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// handleChanges serves what changes rooms, messages and people.
func (f *fake) handleChanges(mux *http.ServeMux) {
	mux.HandleFunc("PATCH /api/rooms/{id}", f.as(f.changeRoom))
	mux.HandleFunc("POST /api/rooms/{id}/read", f.as(f.markRead))
	mux.HandleFunc("PATCH /api/rooms/{id}/messages/{message}", f.as(f.editMessage))
	mux.HandleFunc("DELETE /api/rooms/{id}/messages/{message}", f.as(f.deleteMessage))
	mux.HandleFunc("DELETE /api/rooms/{id}/members", f.as(f.removeMember))
	mux.HandleFunc("DELETE /api/rooms/{id}/members/{user}", f.as(f.removeMember))
	mux.HandleFunc("GET /api/me", f.as(func(w http.ResponseWriter, _ *http.Request, user string) {
		answer(w, http.StatusOK, wire.Me{UserID: user, DisplayName: f.names[user]})
	}))
	mux.HandleFunc("PUT /api/me", f.as(func(w http.ResponseWriter, r *http.Request, user string) {
		if in, ok := decode[wire.NameChange](w, r); ok {
			if in.DisplayName != nil {
				f.names[user] = *in.DisplayName
			}
			answer(w, http.StatusOK, wire.Me{UserID: user, DisplayName: f.names[user]})
		}
	}))
	mux.HandleFunc("PUT /api/rooms/{id}/notify", f.as(f.setNotify))
	mux.HandleFunc("GET /api/me/push", f.as(f.pushing(func(w http.ResponseWriter, _ *http.Request, _ string) {
		answer(w, http.StatusOK, wire.PushKey{PublicKey: f.pushKey})
	})))
	mux.HandleFunc("PUT /api/me/push", f.as(f.pushing(func(w http.ResponseWriter, r *http.Request, user string) {
		if in, ok := decode[wire.PushSubscription](w, r); ok {
			if !slices.Contains(f.pushes[user], in.Endpoint) {
				f.pushes[user] = append(f.pushes[user], in.Endpoint)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})))
	mux.HandleFunc("DELETE /api/me/push", f.as(f.pushing(func(w http.ResponseWriter, r *http.Request, user string) {
		if in, ok := decode[wire.PushEndpoint](w, r); ok {
			f.pushes[user] = slices.DeleteFunc(f.pushes[user], func(endpoint string) bool { return endpoint == in.Endpoint })
			w.WriteHeader(http.StatusNoContent)
		}
	})))
	mux.HandleFunc("GET /api/me/blocks", f.as(func(w http.ResponseWriter, _ *http.Request, _ string) {
		answer(w, http.StatusOK, wire.BlockList{Blocks: []wire.Block{}})
	}))
	mux.HandleFunc("POST /api/profiles", f.as(func(w http.ResponseWriter, r *http.Request, _ string) {
		in, ok := decode[wire.ProfilesRequest](w, r)
		if !ok {
			return
		}
		out := wire.Profiles{Profiles: make(map[string]wire.Profile)}
		for _, user := range in.Users {
			if name := f.names[user]; name != "" {
				out.Profiles[user] = wire.Profile{DisplayName: name}
			}
		}
		answer(w, http.StatusOK, out)
	}))
}

func (f *fake) changeRoom(w http.ResponseWriter, r *http.Request, user string) {
	in, ok := decode[wire.RoomChange](w, r)
	if !ok {
		return
	}
	id := r.PathValue("id")
	room := f.rooms[id]
	if room.members[0] != user {
		problem(w, http.StatusForbidden, "forbidden", "only an owner can change a room")
		return
	}
	if in.Name != nil {
		room.name = *in.Name
	}
	if in.Visibility != nil {
		if room.public = *in.Visibility == wire.Public; !room.public {
			room.place = nil
		}
	}
	f.broadcast(id, wire.RoomChanged{Type: wire.TypeRoomChanged, ChatRoomID: id, Name: room.name})
	answer(w, http.StatusOK, f.describe(id))
}

// pushing refuses what is asked for where there is no Web Push.
func (f *fake) pushing(next func(http.ResponseWriter, *http.Request, string)) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, r *http.Request, user string) {
		if f.pushKey == "" {
			problem(w, http.StatusNotFound, "not_found", "there is no Web Push")
			return
		}
		next(w, r, user)
	}
}

func (f *fake) setNotify(w http.ResponseWriter, r *http.Request, user string) {
	in, ok := decode[wire.NotifyRequest](w, r)
	if !ok {
		return
	}
	f.chooses(r.PathValue("id"), user, in.Notify)
	answer(w, http.StatusOK, f.rooms[r.PathValue("id")].notify[user])
}

// chooses sets what a user is notified of in a room, and tells the user's devices.
func (f *fake) chooses(id, user, notify string) {
	room := f.rooms[id]
	if room.notify == nil {
		room.notify = map[string]wire.Notify{}
	}
	now := wire.Notify{Notify: notify, NotifyAt: max(time.Now().UnixMilli(), room.notify[user].NotifyAt+1)}
	room.notify[user] = now
	for c := range f.conns {
		if c.user == user {
			f.post(c, wire.NotifyChanged{Type: wire.TypeNotifyChanged, ChatRoomID: id, Notify: notify, At: now.NotifyAt})
		}
	}
}

func (f *fake) markRead(w http.ResponseWriter, r *http.Request, user string) {
	in, ok := decode[wire.ReadRequest](w, r)
	if !ok {
		return
	}
	f.readUpTo(r.PathValue("id"), user, in.UpTo)
	w.WriteHeader(http.StatusNoContent)
}

// readUpTo moves a user's cursor forward.
func (f *fake) readUpTo(id, user, upTo string) {
	room := f.rooms[id]
	if upTo <= room.read[user] {
		return
	}
	if room.read == nil {
		room.read = make(map[string]string)
	}
	room.read[user] = upTo
	f.broadcast(id, wire.Read{Type: wire.TypeRead, ChatRoomID: id, UserID: user, UpTo: upTo})
}

// readAll moves a user's cursor to a room's newest message.
func (f *fake) readAll(id, user string) {
	messages := f.rooms[id].messages
	f.readUpTo(id, user, messages[len(messages)-1].MessageID)
}

func (f *fake) editMessage(w http.ResponseWriter, r *http.Request, user string) {
	in, ok := decode[wire.EditRequest](w, r)
	m := f.message(w, r, user)
	if !ok || m == nil {
		return
	}
	m.Content, m.EditedAt = in.Content, time.Now().UnixMilli()
	f.broadcast(m.ChatRoomID, wire.MessageEdited{
		Type: wire.TypeMessageEdited, ChatRoomID: m.ChatRoomID, MessageID: m.MessageID, SenderID: m.SenderID,
		Content: m.Content, Timestamp: m.Timestamp, EditedAt: m.EditedAt,
	})
	answer(w, http.StatusOK, m)
}

func (f *fake) deleteMessage(w http.ResponseWriter, r *http.Request, user string) {
	m := f.message(w, r, user)
	if m == nil {
		return
	}
	m.Content, m.DeletedAt = "", time.Now().UnixMilli()
	f.broadcast(m.ChatRoomID, wire.MessageDeleted{
		Type: wire.TypeMessageDeleted, ChatRoomID: m.ChatRoomID, MessageID: m.MessageID, DeletedAt: m.DeletedAt,
	})
	w.WriteHeader(http.StatusNoContent)
}

// message is the user's message that a request names; nil when it was refused.
func (f *fake) message(w http.ResponseWriter, r *http.Request, user string) *wire.HistoryMessage {
	messages := f.rooms[r.PathValue("id")].messages
	i := slices.IndexFunc(messages, func(m wire.HistoryMessage) bool { return m.MessageID == r.PathValue("message") })
	if i < 0 || messages[i].SenderID != user {
		problem(w, http.StatusForbidden, "forbidden", "not your message")
		return nil
	}
	return &messages[i]
}

func (f *fake) removeMember(w http.ResponseWriter, r *http.Request, user string) {
	id, who := r.PathValue("id"), r.PathValue("user")
	if who == "" {
		who = r.URL.Query().Get("userId")
	}
	room := f.rooms[id]
	if who != user && room.members[0] != user {
		problem(w, http.StatusForbidden, "forbidden", "only an owner removes members")
		return
	}
	f.broadcast(id, wire.Member{Type: wire.TypeMemberLeft, ChatRoomID: id, UserID: who})
	room.members = slices.DeleteFunc(room.members, func(m string) bool { return m == who })
	w.WriteHeader(http.StatusNoContent)
}

// broadcast posts a frame to every connection of a room's members.
func (f *fake) broadcast(id string, frame any) {
	for c := range f.conns {
		if slices.Contains(f.rooms[id].members, c.user) {
			f.post(c, frame)
		}
	}
}

// unread counts the messages of others behind a user's cursor, up to 100.
func (room *fakeRoom) unread(user string) int {
	n := 0
	for _, m := range room.messages {
		if m.MessageID > room.read[user] && m.SenderID != user && m.DeletedAt == 0 {
			n++
		}
	}
	return min(n, 100)
}

// decode reads a body as strictly as the API does.
func decode[T any](w http.ResponseWriter, r *http.Request) (T, bool) {
	var in T
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		problem(w, http.StatusBadRequest, "invalid_request", err.Error())
		return in, false
	}
	return in, true
}
