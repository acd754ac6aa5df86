package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// A program connects, reads a room, sends a message, and loses its connection, which takes
// nothing of what comes in the meantime.
//
// The server below stands in for a Streamroom. In tests of yours take a real one in memory:
// package local starts it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	room := &chatRoom{}
	room.store("bob", "welcome")
	server := httptest.NewServer(room)
	defer server.Close()

	c, err := client.New(client.Options{
		WebSocketURL: strings.Replace(server.URL, "http", "ws", 1),
		APIURL:       server.URL,
		// Of `streamroom local` a token comes from POST /token {"user":"alice"}; of a
		// deployed Streamroom from its user pool.
		Token: func(context.Context) (string, error) {
			return "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", nil // {"alg":"none"}.{"sub":"alice"}
		},
		HTTPClient: server.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Follow("general"); err != nil { // from its newest messages on
		fmt.Println(err)
		return
	}
	events := make(chan client.Event, 16)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(_ context.Context, e client.Event) { events <- e })
	}()
	next := func() client.Message {
		for e := range events {
			if m, ok := e.(client.Message); ok {
				return m
			}
		}
		return client.Message{}
	}

	m := next()
	fmt.Printf("%s: %s (backlog: %v)\n", m.SenderID, m.Content, m.Backlog)

	// Send waits for the connection, and returns once the message is stored. It comes as
	// an event, too.
	ack, err := c.Send(ctx, "general", "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	m = next()
	fmt.Printf("%s: %s (the ack's id: %v)\n", m.SenderID, m.Content, m.MessageID == ack.MessageID)

	room.breakConnection()
	room.store("bob", "see you")
	m = next()
	fmt.Printf("%s: %s\n", m.SenderID, m.Content)

	fmt.Println(c.Close(ctx), <-ended)
	// Output:
	// bob: welcome (backlog: true)
	// alice: hello (the ack's id: true)
	// bob: see you
	// <nil> <nil>
}

// chatRoom is a server with one room and one connection.
type chatRoom struct {
	mu       sync.Mutex
	messages []stored // oldest first
	socket   *websocket.Conn
}

type stored struct {
	RoomID   string `json:"chatRoomId"`
	ID       string `json:"messageId"`
	SenderID string `json:"senderId"`
	Content  string `json:"content"`
	At       int64  `json:"timestamp"`
}

func (r *chatRoom) store(sender, content string) stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := stored{"general", ulid.Make().String(), sender, content, time.Now().UnixMilli()}
	r.messages = append(r.messages, m)
	return m
}

func (r *chatRoom) breakConnection() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.socket.CloseNow()
}

func (r *chatRoom) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case req.URL.Path == "/sync": // what is newer than what the client has
		var asked struct{ Rooms map[string]string }
		_ = json.NewDecoder(req.Body).Decode(&asked)
		r.mu.Lock()
		newer := slices.DeleteFunc(slices.Clone(r.messages), func(m stored) bool { return m.ID <= asked.Rooms["general"] })
		r.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"rooms": map[string]any{"general": map[string]any{"messages": newer}}})
	case strings.HasSuffix(req.URL.Path, "/messages"): // history, newest first
		r.mu.Lock()
		page := slices.Clone(r.messages)
		r.mu.Unlock()
		slices.Reverse(page)
		_ = json.NewEncoder(w).Encode(map[string]any{"messages": page})
	default:
		r.serveSocket(w, req)
	}
}

func (r *chatRoom) serveSocket(w http.ResponseWriter, req *http.Request) {
	socket, err := websocket.Accept(w, req, &websocket.AcceptOptions{Subprotocols: []string{"streamroom"}})
	if err != nil {
		return
	}
	defer socket.CloseNow()
	r.mu.Lock()
	r.socket = socket
	r.mu.Unlock()
	write := func(frame map[string]any) { _ = wsjson.Write(req.Context(), socket, frame) }
	for {
		var frame struct{ Action, Content, ClientMessageID string }
		if wsjson.Read(req.Context(), socket, &frame) != nil {
			return
		}
		switch frame.Action {
		case "ping":
			write(map[string]any{"type": "pong", "connectionId": "c1", "userId": "alice"})
		case "sendMessage":
			m := r.store("alice", frame.Content)
			write(map[string]any{
				"type": "ack", "chatRoomId": "general", "messageId": m.ID, "timestamp": m.At, "clientMessageId": frame.ClientMessageID,
			})
			write(map[string]any{
				"type": "message", "chatRoomId": "general", "messageId": m.ID, "timestamp": m.At, "senderId": "alice", "content": m.Content,
			})
		}
	}
}
