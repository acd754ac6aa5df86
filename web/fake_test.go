package web_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
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
