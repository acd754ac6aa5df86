package web_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// as wraps a handler of the API: it is called with the user, one at a time.
func (f *fake) as(handle func(w http.ResponseWriter, r *http.Request, user string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := userOf(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		var hold func(*http.Request)
		if f.with(func() { hold = f.hold }); hold != nil {
			hold(r)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		w.Header().Set("Date", time.Now().Add(f.ahead).UTC().Format(http.TimeFormat))
		if f.fail != nil && f.fail(r) {
			problem(w, http.StatusInternalServerError, "internal", "a server error")
			return
		}
		if id := r.PathValue("id"); id != "" {
			isDescription := r.Method == http.MethodGet && r.URL.Path == "/api/rooms/"+id
			room := f.rooms[id]
			mayRead := room != nil && (slices.Contains(room.members, user) || room.public && isDescription)
			if !mayRead {
				problem(w, http.StatusForbidden, "not_a_member", "you are not a member of this room")
				return
			}
		}
		handle(w, r, user)
	}
}

func (f *fake) listRooms(w http.ResponseWriter, _ *http.Request, user string) {
	list := wire.RoomList{Rooms: []wire.RoomSummary{}}
	for id, room := range f.rooms {
		if !slices.Contains(room.members, user) {
			continue
		}
		s := wire.RoomSummary{ChatRoomID: id, Name: room.name, Type: cmp.Or(room.kind, "group"), LastMessageAt: 1, Unread: room.unread(user)}
		s.Notify, s.NotifyAt = room.notify[user].Notify, room.notify[user].NotifyAt
		if room.kind == "dm" {
			for _, other := range room.members {
				if other != user {
					s.With = &wire.Person{UserID: other, DisplayName: f.names[other]}
				}
			}
		}
		if n := len(room.messages); n > 0 {
			last := room.messages[n-1]
			s.LastMessageAt = last.Timestamp
			s.LastMessage = &wire.LastMessage{MessageID: last.MessageID, SenderID: last.SenderID, Preview: last.Content, Timestamp: last.Timestamp}
		}
		list.Rooms = append(list.Rooms, s)
	}
	slices.SortFunc(list.Rooms, func(a, b wire.RoomSummary) int { return cmp.Compare(b.LastMessageAt, a.LastMessageAt) })
	answer(w, http.StatusOK, list)
}

func (f *fake) createRoom(w http.ResponseWriter, r *http.Request, user string) {
	var req wire.RoomRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		problem(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	id := fmt.Sprintf("room-%d", len(f.rooms))
	if req.Type == "dm" {
		pair := []string{user, req.Members[0]}
		slices.Sort(pair)
		id = "dm-" + strings.Join(pair, "-")
	}
	if f.rooms[id] != nil {
		answer(w, http.StatusOK, f.describe(id))
		return
	}
	f.rooms[id] = &fakeRoom{name: req.Name, kind: req.Type, members: append([]string{user}, req.Members...)}
	f.tell(id, f.rooms[id].members...)
	answer(w, http.StatusCreated, f.describe(id))
}

func (f *fake) readRoom(w http.ResponseWriter, r *http.Request, user string) {
	room := f.describe(r.PathValue("id"))
	switch slices.Index(f.rooms[room.ChatRoomID].members, user) {
	case 0:
		room.Role = "owner"
	case -1: // a stranger, in a public room
		room.Members = nil // and no role
	default:
		room.Role = "member"
	}
	answer(w, http.StatusOK, room)
}

func (f *fake) addMember(w http.ResponseWriter, r *http.Request, user string) {
	var req wire.MemberRequest
	room := f.rooms[r.PathValue("id")]
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || room.members[0] != user {
		problem(w, http.StatusForbidden, "forbidden", "only an owner adds members")
		return
	}
	room.members = append(room.members, req.UserID)
	f.tell(r.PathValue("id"), req.UserID)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte("{}"))
}

// tell posts memberJoined for each of joined to the room's connections.
func (f *fake) tell(id string, joined ...string) {
	for _, user := range joined {
		for c := range f.conns {
			if slices.Contains(f.rooms[id].members, c.user) {
				f.post(c, wire.Member{Type: wire.TypeMemberJoined, ChatRoomID: id, UserID: user})
			}
		}
	}
}

func (f *fake) describe(id string) wire.Room {
	room := f.rooms[id]
	d := wire.Room{ChatRoomID: id, Name: room.name, Type: cmp.Or(room.kind, "group"), MemberCount: len(room.members), Place: room.place}
	if room.public {
		d.Visibility = wire.Public
	}
	for i, user := range room.members {
		role := "member"
		if i == 0 {
			role = "owner"
		}
		member := wire.RoomMember{UserID: user, Role: role, ReadUpTo: room.read[user], DisplayName: f.names[user]}
		if at, known := f.seen[user]; known {
			member.Online, member.LastSeenAt = at == 0, at
		}
		d.Members = append(d.Members, member)
	}
	return d
}

func (f *fake) history(w http.ResponseWriter, r *http.Request, _ string) {
	messages := f.rooms[r.PathValue("id")].messages
	if before := r.URL.Query().Get("before"); before != "" {
		messages = messages[:slices.IndexFunc(messages, func(m wire.HistoryMessage) bool { return m.MessageID == before })]
	}
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		f.t.Errorf("history was asked for with %s", r.URL.RawQuery)
	}
	page := wire.History{Messages: slices.Clone(messages[max(0, len(messages)-limit):])}
	if len(page.Messages) < len(messages) {
		page.Cursor = page.Messages[0].MessageID
	}
	slices.Reverse(page.Messages)
	answer(w, http.StatusOK, page)
}

func (f *fake) sync(w http.ResponseWriter, r *http.Request, user string) {
	var req wire.SyncRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		problem(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	f.syncs++
	res := wire.SyncResponse{Rooms: make(map[string]wire.SyncRoom)}
	for id, after := range req.Rooms {
		room := f.rooms[id]
		if room == nil || !slices.Contains(room.members, user) {
			continue
		}
		i, _ := slices.BinarySearchFunc(room.messages, after+"~", func(m wire.HistoryMessage, id string) int { return cmp.Compare(m.MessageID, id) })
		later := room.messages[i:]
		res.Rooms[id] = wire.SyncRoom{Messages: later[:min(100, len(later))], More: len(later) > 100}
	}
	answer(w, http.StatusOK, res)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code})
}
