package web_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/oklog/ulid/v2"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/web"
)

// fake is a server of frames and bodies that can misbehave: what the page must
// cope with is decided here, and seldom happens in a healthy server.
type fake struct {
	*httptest.Server
	t testing.TB

	page http.HandlerFunc // serves the page, until the first request another one can be set

	mu    sync.Mutex
	rooms map[string]*fakeRoom
	conns map[*fakeConn]bool
	sent  map[string]wire.Ack // by user and clientMessageId
	syncs int
	names map[string]string // by user, those who chose one
	seen  map[string]int64  // by user, when they were last seen, in ms since 1970; 0: they are online

	pushKey string              // "": there is no Web Push
	pushes  map[string][]string // by user, the endpoints of their subscriptions

	down    bool                                             // refuses handshakes
	deliver func(c *fakeConn, m wire.Message) []wire.Message // what a connection gets of a message
	refuse  func(f wire.ClientFrame) any                     // answers a send in place of an ack
	hold    func(r *http.Request)                            // returns when a request may be served
	fail    func(r *http.Request) bool                       // answers a request of the API with 500
	mute    bool                                             // stores sends, but acks none
	ahead   time.Duration                                    // of this machine's clock
}

type fakeRoom struct {
	name     string
	kind     string   // "" is a group
	members  []string // the owner first
	messages []wire.HistoryMessage
	public   bool
	place    *wire.Place
	distance float64           // of the place from where is searched, m
	read     map[string]string // by user, the id that the user has read up to
	notify   map[string]wire.Notify
}

type fakeConn struct {
	user string
	ws   *websocket.Conn
}

func newFake(t testing.TB) *fake {
	t.Helper()
	return startFake(t, (*httptest.Server).Start)
}

// overHTTP2 starts a fake as CloudFront serves the page.
func overHTTP2(s *httptest.Server) {
	s.EnableHTTP2 = true
	s.StartTLS()
}

func startFake(t testing.TB, start func(*httptest.Server)) *fake {
	t.Helper()
	f := &fake{
		t:     t,
		rooms: map[string]*fakeRoom{"general": {name: "general", members: []string{"system"}}},
		conns: make(map[*fakeConn]bool),
		sent:  make(map[string]wire.Ack),
		names: make(map[string]string), pushes: make(map[string][]string),
	}
	page, err := web.Handler(localConfig)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	f.page = page.ServeHTTP
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { f.page(w, r) })
	mux.Handle("/sources/", http.StripPrefix("/sources/", http.FileServer(http.Dir("."))))
	mux.Handle("/vectors/", http.StripPrefix("/vectors/", http.FileServer(http.Dir("../docs/vectors"))))
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("GET /local", f.socket)
	mux.HandleFunc("GET /api/rooms", f.as(f.listRooms))
	mux.HandleFunc("POST /api/rooms", f.as(f.createRoom))
	mux.HandleFunc("GET /api/rooms/{id}", f.as(f.readRoom))
	mux.HandleFunc("POST /api/rooms/{id}/members", f.as(f.addMember))
	mux.HandleFunc("GET /api/rooms/{id}/messages", f.as(f.history))
	mux.HandleFunc("POST /api/sync", f.as(f.sync))
	f.handleChanges(mux)
	f.handlePlaces(mux)
	f.Server = httptest.NewUnstartedServer(mux)
	start(f.Server)
	t.Cleanup(f.Close)
	t.Cleanup(f.dropAll)
	return f
}

// with runs change while nothing else looks.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// dropAll ends every connection without a close handshake.
func (f *fake) dropAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.ws.CloseNow()
	}
}

// say stores a message and delivers it.
func (f *fake) say(room, user, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.store(room, user, content, "", nil)
}

// count tells how many messages of a room have this content.
func (f *fake) count(room, content string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, m := range f.rooms[room].messages {
		if m.Content == content {
			n++
		}
	}
	return n
}

// fill gives a room n messages without delivering them, a second apart, the last
// of them at end.
func (f *fake) fill(room string, n int, end time.Time, content func(i int) (user, text string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range n {
		user, text := content(i)
		at := end.Add(-time.Duration(n-1-i) * time.Second)
		f.rooms[room].messages = append(f.rooms[room].messages, wire.HistoryMessage{
			ChatRoomID: room, MessageID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(),
			SenderID: user, Content: text, Timestamp: at.UnixMilli(),
		})
	}
}

// store stores a message and delivers it to all connections but the one, if any, that
// it came from without an echo.
func (f *fake) store(id, user, content, clientMessageID string, origin *fakeConn) wire.Ack {
	room := f.rooms[id]
	messageID := ulid.Make()
	h := wire.HistoryMessage{
		ChatRoomID: id, MessageID: messageID.String(), SenderID: user, Content: content,
		Timestamp: int64(messageID.Time()), // 48 bits
	}
	m := wire.Message{
		Type: wire.TypeMessage, ChatRoomID: id, MessageID: h.MessageID, SenderID: user,
		Content: content, Timestamp: h.Timestamp,
	}
	if n := len(room.messages); n > 0 {
		m.PreviousMessageID = &room.messages[n-1].MessageID
	}
	room.messages = append(room.messages, h)
	for c := range f.conns {
		if c == origin || !slices.Contains(room.members, c.user) {
			continue
		}
		own := m
		if c.user == user {
			own.ClientMessageID = clientMessageID
		}
		out := []wire.Message{own}
		if f.deliver != nil {
			out = f.deliver(c, own)
		}
		for _, m := range out {
			f.post(c, m)
		}
	}
	ack := wire.Ack{Type: wire.TypeAck, ChatRoomID: id, MessageID: h.MessageID, Timestamp: h.Timestamp, ClientMessageID: clientMessageID}
	if origin != nil {
		previous := ""
		if m.PreviousMessageID != nil {
			previous = *m.PreviousMessageID
		}
		ack.PreviousMessageID = &previous
	}
	return ack
}

// types has a user type in a room until the test ends.
func (f *fake) types(room, user string) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	f.t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			f.with(func() {
				f.broadcast(room, wire.Typing{Type: wire.TypeTyping, ChatRoomID: room, UserID: user, At: time.Now().UnixMilli()})
			})
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
}

func (f *fake) post(c *fakeConn, frame any) {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
	defer cancel()
	_ = wsjson.Write(ctx, c.ws, frame) // a connection that is gone misses it, as it would
}

func (f *fake) token(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User string `json:"user"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.User == "refused" {
		problem(w, http.StatusBadRequest, "invalid_request", "this name is not allowed here")
		return
	}
	f.mu.Lock()
	if general := f.rooms["general"]; !slices.Contains(general.members, body.User) {
		general.members = append(general.members, body.User)
	}
	f.mu.Unlock()
	claims, _ := json.Marshal(map[string]any{"username": body.User, "exp": time.Now().Add(time.Hour).Unix()})
	answer(w, http.StatusOK, map[string]string{"token": "e30." + base64.RawURLEncoding.EncodeToString(claims) + ".e30"})
}

// userOf reads the user from a token without a signature.
func userOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		Username string `json:"username"`
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		return ""
	}
	return claims.Username
}

func (f *fake) socket(w http.ResponseWriter, r *http.Request) {
	offered := strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ", ")
	user := userOf(offered[len(offered)-1])
	f.mu.Lock()
	down := f.down
	f.mu.Unlock()
	if user == "" || down {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"streamroom"}})
	if err != nil {
		return
	}
	c := &fakeConn{user: user, ws: ws}
	f.with(func() { f.conns[c] = true })
	defer f.with(func() { delete(f.conns, c) })
	for {
		var frame wire.ClientFrame
		if err := wsjson.Read(r.Context(), ws, &frame); err != nil {
			_ = ws.CloseNow()
			return
		}
		f.with(func() { f.received(c, frame) })
	}
}

func (f *fake) received(c *fakeConn, frame wire.ClientFrame) {
	if frame.Action == wire.ActionPing {
		f.post(c, wire.Pong{Type: wire.TypePong, ConnectionID: "c=", UserID: c.user})
		return
	}
	if frame.Action != wire.ActionSendMessage {
		return // such as that someone types, of which no one is notified here
	}
	if f.refuse != nil {
		if refusal := f.refuse(frame); refusal != nil {
			f.post(c, refusal)
			return
		}
	}
	key := c.user + " " + frame.ClientMessageID
	ack, duplicate := f.sent[key]
	if !duplicate {
		var origin *fakeConn
		if frame.Echo != nil && !*frame.Echo {
			origin = c
		}
		ack = f.store(frame.ChatRoomID, c.user, frame.Content, frame.ClientMessageID, origin)
		f.sent[key] = ack
	}
	if ack.Duplicate = duplicate; duplicate {
		ack.PreviousMessageID = nil
	}
	if !f.mute {
		f.post(c, ack)
	}
}

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
