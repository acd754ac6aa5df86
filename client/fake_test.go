package client_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/wire"
)

// fake is a scripted server, not a whole Streamroom (test/rig starts that): it
// stores and broadcasts, answers the API, and fails in the ways that a test asks
// for.
type fake struct {
	// What goes wrong, nil for nothing. Each returns true if it has dealt with the
	// request or frame.
	onHandshake func(n int, w http.ResponseWriter) bool
	onFrame     func(c *fakeConn, f wire.ClientFrame) bool
	onRead      func() // before a page or a sync is answered
	onAPI       func(w http.ResponseWriter, r *http.Request) bool

	// date is the Date header of answers, "" for none; nil for the time that it is.
	date func() string
	// noSubprotocol accepts handshakes without selecting a subprotocol.
	noSubprotocol bool
	// off is what pongs say is switched off.
	off []string

	mu         sync.Mutex
	now        func() time.Time
	rooms      map[string][]wire.HistoryMessage // ascending by id
	sent       map[string]wire.Ack
	conns      []*fakeConn // those open
	handshakes int
	tokens     []string // of the handshakes
	replaces   []string // what they named
	closes     []websocket.StatusCode
	frames     []wire.ClientFrame
	syncs      []map[string]string
	histories  []string // the queries
	serial     uint64
}

type fakeConn struct {
	ctx context.Context
	ws  *websocket.Conn
	id  string
}

func newFake() *fake {
	return &fake{now: time.Now, rooms: map[string][]wire.HistoryMessage{}, sent: map[string]wire.Ack{}}
}

func (s *fake) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", s.serveSocket)
	mux.HandleFunc("GET /api/rooms", s.listRooms)
	mux.HandleFunc("POST /api/rooms", s.createRoom)
	mux.HandleFunc("POST /api/rooms/{room}/members", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	mux.HandleFunc("GET /api/rooms/{room}", s.room)
	mux.HandleFunc("DELETE /api/rooms/{room}/members", s.removeMember)
	mux.HandleFunc("GET /api/rooms/{room}/messages", s.history)
	mux.HandleFunc("POST /api/sync", s.sync)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.date != nil {
			w.Header()["Date"] = nil
			if date := s.date(); date != "" {
				w.Header().Set("Date", date)
			}
		}
		isAPI := strings.HasPrefix(r.URL.Path, "/api/")
		switch {
		case isAPI && r.Header.Get("Authorization") == "Bearer ":
			refuse(w, http.StatusUnauthorized, "unauthorized")
		case isAPI && s.onAPI != nil && s.onAPI(w, r):
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

func (s *fake) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.handshakes++
	n := s.handshakes
	_, token, _ := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), ",")
	s.tokens = append(s.tokens, strings.TrimSpace(token))
	s.replaces = append(s.replaces, r.URL.Query().Get("replaces"))
	s.mu.Unlock()
	if s.onHandshake != nil && s.onHandshake(n, w) {
		return
	}
	ws, err := websocket.Accept(w, r, s.accepts())
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(wire.MaxFrame)
	c := &fakeConn{ctx: r.Context(), ws: ws, id: "conn-" + strconv.Itoa(n)}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	for {
		_, data, err := ws.Read(r.Context())
		if err != nil {
			s.mu.Lock()
			s.closes = append(s.closes, websocket.CloseStatus(err))
			s.conns = slices.DeleteFunc(s.conns, func(o *fakeConn) bool { return o == c })
			s.mu.Unlock()
			return
		}
		s.frame(c, data)
	}
}

func (s *fake) accepts() *websocket.AcceptOptions {
	if s.noSubprotocol {
		return nil
	}
	return &websocket.AcceptOptions{Subprotocols: []string{"streamroom"}}
}

func (s *fake) frame(c *fakeConn, data []byte) {
	var f wire.ClientFrame
	if err := json.Unmarshal(data, &f); err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.frames = append(s.frames, f)
	s.mu.Unlock()
	if s.onFrame != nil && s.onFrame(c, f) {
		return
	}
	switch f.Action {
	case wire.ActionPing:
		c.write(wire.Pong{Type: wire.TypePong, ConnectionID: c.id, UserID: "alice", ChangedAt: s.changedAt(), Off: s.off})
	case wire.ActionSendMessage:
		ack, frame := s.accept(f)
		c.write(ack)
		if !ack.Duplicate {
			s.broadcastBut(f.Echo, c, frame)
		}
	}
}

// changedAt is when the rooms' last messages moved them up: at once.
func (s *fake) changedAt() (newest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, messages := range s.rooms {
		for _, m := range messages {
			newest = max(newest, m.Timestamp)
		}
	}
	return newest
}

// accept stores what a client sent.
func (s *fake) accept(f wire.ClientFrame) (wire.Ack, wire.Message) {
	s.mu.Lock()
	ack, ok := s.sent[f.ClientMessageID]
	s.mu.Unlock()
	if ok {
		ack.Duplicate, ack.PreviousMessageID = true, nil
		return ack, wire.Message{}
	}
	frame := s.store(f.ChatRoomID, "alice", f.Content)
	frame.ClientMessageID = f.ClientMessageID
	ack = wire.Ack{
		Type: wire.TypeAck, ChatRoomID: f.ChatRoomID, MessageID: frame.MessageID,
		Timestamp: frame.Timestamp, ClientMessageID: f.ClientMessageID,
	}
	if f.Echo != nil && !*f.Echo {
		if ack.PreviousMessageID = frame.PreviousMessageID; ack.PreviousMessageID == nil {
			ack.PreviousMessageID = new(string)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[f.ClientMessageID] = ack
	return ack, frame
}

// store stores a message, now, and returns its frame, which is not broadcast.
func (s *fake) store(room, sender, content string) wire.Message {
	return s.storeAt(room, sender, content, s.now())
}

func (s *fake) storeAt(room, sender, content string, at time.Time) wire.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at))
	binary.BigEndian.PutUint64(id[8:], s.serial)
	m := wire.HistoryMessage{
		ChatRoomID: room, MessageID: id.String(), SenderID: sender, Content: content, Timestamp: at.UnixMilli(),
	}
	frame := wire.Message{
		Type: wire.TypeMessage, ChatRoomID: room, MessageID: m.MessageID, SenderID: sender, Content: content, Timestamp: m.Timestamp,
	}
	i, _ := slices.BinarySearchFunc(s.rooms[room], m, byID)
	if i > 0 {
		frame.PreviousMessageID = &s.rooms[room][i-1].MessageID
	}
	s.rooms[room] = slices.Insert(slices.Clone(s.rooms[room]), i, m)
	return frame
}

func byID(a, b wire.HistoryMessage) int { return cmp.Compare(a.MessageID, b.MessageID) }

// say stores a message of someone else and broadcasts it.
func (s *fake) say(room, content string) { s.broadcast(s.store(room, "bob", content)) }

// broadcast sends a frame to every connection.
func (s *fake) broadcast(frame any) { s.broadcastBut(nil, nil, frame) }

// broadcastBut sends it to every connection but, without an echo, its origin.
func (s *fake) broadcastBut(echo *bool, origin *fakeConn, frame any) {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		if echo == nil || *echo || c != origin {
			c.write(frame)
		}
	}
}

func (c *fakeConn) write(frame any) {
	data, err := wire.Encode(frame)
	if err != nil {
		panic(err)
	}
	_ = c.ws.Write(c.ctx, websocket.MessageText, data)
}

// cut ends every connection without a goodbye.
func (s *fake) cut() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.ws.CloseNow()
	}
}

// forgetSyncs begins to count again.
func (s *fake) forgetSyncs() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs = nil
}

func (s *fake) listRooms(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list wire.RoomList
	for id := range s.rooms {
		if r.URL.Query().Get("cursor") == "" {
			list.Cursor = "next"
			break
		}
		room := wire.RoomSummary{ChatRoomID: id, Type: "group"}
		for _, m := range s.rooms[id] {
			room.LastMessageAt = max(room.LastMessageAt, m.Timestamp)
		}
		list.Rooms = append(list.Rooms, room)
	}
	slices.SortFunc(list.Rooms, func(a, b wire.RoomSummary) int { return cmp.Compare(b.LastMessageAt, a.LastMessageAt) })
	answer(w, http.StatusOK, list)
}

func (s *fake) createRoom(w http.ResponseWriter, r *http.Request) {
	var req wire.RoomRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	answer(w, http.StatusCreated, wire.Room{ChatRoomID: "room-1", Name: req.Name, Type: req.Type, MemberCount: 1 + len(req.Members)})
}

// room answers with two members, on two pages.
func (s *fake) room(w http.ResponseWriter, r *http.Request) {
	room := wire.Room{ChatRoomID: r.PathValue("room"), Type: "group", MemberCount: 2}
	if r.URL.Query().Get("cursor") == "" {
		room.Members, room.Cursor = []wire.RoomMember{{UserID: "alice", Role: "owner"}}, "next/page"
	} else {
		room.Members = []wire.RoomMember{{UserID: "after " + r.URL.Query().Get("cursor"), Role: "member"}}
	}
	answer(w, http.StatusOK, room)
}

// removeMember knows one member.
func (s *fake) removeMember(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("room") != "room-1" || r.URL.Query().Get("userId") != "c/rol@home" {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *fake) history(w http.ResponseWriter, r *http.Request) {
	if s.onRead != nil {
		s.onRead()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.histories = append(s.histories, r.URL.RawQuery)
	all, ok := s.rooms[r.PathValue("room")]
	if !ok {
		refuse(w, http.StatusForbidden, "not_a_member")
		return
	}
	limit, after := 50, r.URL.Query().Get("after")
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		limit = n
	}
	page := slices.Clone(all)
	if after != "" {
		page = slices.DeleteFunc(page, func(m wire.HistoryMessage) bool { return m.MessageID <= after })
	} else {
		slices.Reverse(page)
	}
	if before := r.URL.Query().Get("before"); before != "" {
		page = slices.DeleteFunc(page, func(m wire.HistoryMessage) bool { return m.MessageID >= before })
	}
	var h wire.History
	h.Messages = page
	if len(page) > limit {
		h.Messages = page[:limit]
		h.Cursor = page[limit-1].MessageID
	}
	answer(w, http.StatusOK, h)
}

func (s *fake) sync(w http.ResponseWriter, r *http.Request) {
	var req wire.SyncRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	if s.onRead != nil {
		s.onRead()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs = append(s.syncs, req.Rooms)
	got := wire.SyncResponse{Rooms: map[string]wire.SyncRoom{}}
	for id, after := range req.Rooms {
		all, ok := s.rooms[id]
		if !ok {
			continue
		}
		page := slices.DeleteFunc(slices.Clone(all), func(m wire.HistoryMessage) bool { return m.MessageID <= after })
		got.Rooms[id] = wire.SyncRoom{Messages: page[:min(100, len(page))], More: len(page) > 100}
	}
	answer(w, http.StatusOK, got)
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := wire.Encode(body)
	if err != nil {
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	answer(w, status, wire.Problem{Title: "refused", Status: status, Detail: "as the test wants it", Code: code})
}

// token is a JWT of alice, with an end if there's one.
func token(ends time.Time, id string) string {
	claims := jwt.RegisteredClaims{Subject: "alice", ID: id}
	if !ends.IsZero() {
		claims.ExpiresAt = jwt.NewNumericDate(ends)
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("not a secret"))
	if err != nil {
		panic(err)
	}
	return signed
}
