package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// quiet is how long a test waits for what should not come.
const quiet = 150 * time.Millisecond

// maxFrames bounds the frames that a Socket keeps for a test that does not take
// them.
const maxFrames = 10_000

// maxFrameBytes is more than the largest frame that API Gateway sends.
const maxFrameBytes = 1 << 20

// Socket is one device of a user: a raw WebSocket, whose frames a test reads one
// after the other. A test of what an application sees uses package client.
type Socket struct {
	User         string
	ConnectionID string
	Conn         *websocket.Conn
	Frames       chan wire.ServerFrame // batches taken apart; closed when the socket ends
	Ended        chan error            // has the reason then
	Rig          *Rig                  // that it is connected to
}

// Connect opens a socket and waits for its first pong.
func (s *Rig) Connect(user string) *Socket {
	s.T.Helper()
	return s.ConnectWith(user, s.token(user))
}

// ConnectWith is Connect with a token that the test has.
func (s *Rig) ConnectWith(user, token string) *Socket {
	s.T.Helper()
	return s.connect(user, token, "")
}

// Succeed opens a connection of its user that is to replace d, which stays open.
func (d *Socket) Succeed() *Socket {
	d.Rig.T.Helper()
	return d.Rig.connect(d.User, d.Rig.token(d.User), "?"+url.Values{"replaces": {d.ConnectionID}}.Encode())
}

func (s *Rig) connect(user, token, query string) *Socket {
	s.T.Helper()
	d := &Socket{
		Rig: s, User: user, Conn: s.dial(user, token, query),
		Frames: make(chan wire.ServerFrame, maxFrames), Ended: make(chan error, 1),
	}
	var reading sync.WaitGroup
	reading.Go(d.read)
	s.T.Cleanup(func() {
		_ = d.Conn.CloseNow()
		reading.Wait()
	})
	d.Write(`{"action":"ping"}`)
	pong := d.Expect(wire.TypePong)
	if pong.UserID != user {
		s.T.Fatalf("the pong of %s is for user %q", user, pong.UserID)
	}
	d.ConnectionID = pong.ConnectionID
	return d
}

// Dial opens a socket of which nothing is read yet. The caller closes it.
func (s *Rig) Dial(user string) *websocket.Conn {
	s.T.Helper()
	return s.dial(user, s.token(user), "")
}

func (s *Rig) dial(user, token, query string) *websocket.Conn {
	s.T.Helper()
	conn, response, err := websocket.Dial(s.T.Context(), s.WebSocketURL()+query, &websocket.DialOptions{ //nolint:bodyclose // Dial: "You never need to close resp.Body"
		Subprotocols: []string{"streamroom", token},
	})
	if err != nil {
		s.T.Fatalf("connect %s: %v (%v)", user, err, response)
	}
	if conn.Subprotocol() != "streamroom" {
		s.T.Fatalf("the server selects the subprotocol %q, want %q", conn.Subprotocol(), "streamroom")
	}
	conn.SetReadLimit(maxFrameBytes)
	return conn
}

// Handshake asks for a socket with a token, "" for none, and returns the status of the
// answer: 101 for one that is opened, which it closes.
func (s *Rig) Handshake(token string) int {
	s.T.Helper()
	conn, response, err := websocket.Dial(s.T.Context(), s.WebSocketURL(), &websocket.DialOptions{ //nolint:bodyclose // Dial: "You never need to close resp.Body"
		Subprotocols: []string{"streamroom", token},
	})
	if err == nil {
		_ = conn.CloseNow()
	}
	if response == nil {
		s.T.Fatalf("connect: %v", err)
	}
	return response.StatusCode
}

func (d *Socket) read() {
	for {
		_, data, err := d.Conn.Read(context.Background())
		if err != nil {
			d.Ended <- err
			close(d.Frames)
			return
		}
		d.take(data)
	}
}

func (d *Socket) take(data []byte) {
	var frame wire.ServerFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		d.Rig.T.Errorf("%s got a frame that is not JSON: %s", d.User, data)
		return
	}
	if frame.Type == wire.TypeBatch {
		for _, part := range frame.Frames {
			d.take(part)
		}
		return
	}
	d.Frames <- frame
}

// Write sends a frame as it is.
func (d *Socket) Write(frame string) {
	d.Rig.T.Helper()
	if err := d.Conn.Write(d.Rig.T.Context(), websocket.MessageText, []byte(frame)); err != nil {
		d.Rig.T.Fatalf("%s sends: %v", d.User, err)
	}
}

// Send sends a message and does not wait for the ack. clientMessageID may be "".
func (d *Socket) Send(room, content, clientMessageID string) {
	d.Rig.T.Helper()
	frame, err := wire.Encode(wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: room, Content: content, ClientMessageID: clientMessageID,
	})
	if err != nil {
		d.Rig.T.Fatal(err)
	}
	d.Write(string(frame))
}

// Next returns the next frame, whatever it is.
func (d *Socket) Next() (wire.ServerFrame, error) {
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	select {
	case frame, ok := <-d.Frames:
		if !ok {
			return wire.ServerFrame{}, errors.New("the socket has ended")
		}
		return frame, nil
	case <-timeout.C:
		return wire.ServerFrame{}, fmt.Errorf("no frame within %s", Patience)
	case <-d.Rig.T.Context().Done():
		return wire.ServerFrame{}, d.Rig.T.Context().Err()
	}
}

// Expect returns the next frame of one of the types and drops others before it.
func (d *Socket) Expect(types ...string) wire.ServerFrame {
	d.Rig.T.Helper()
	for {
		frame, err := d.Next()
		if err != nil {
			d.Rig.T.Fatalf("%s waits for %v: %v", d.User, types, err)
		}
		if slices.Contains(types, frame.Type) {
			return frame
		}
	}
}

// ExpectIn is Expect for the frames of one room.
func (d *Socket) ExpectIn(room string, types ...string) wire.ServerFrame {
	d.Rig.T.Helper()
	for {
		if frame := d.Expect(types...); frame.ChatRoomID == room {
			return frame
		}
	}
}

// ExpectEnd waits until the server has closed the socket, and drops the frames before.
func (d *Socket) ExpectEnd() {
	d.Rig.T.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		select {
		case _, open := <-d.Frames:
			if !open {
				return
			}
		case <-timeout.C:
			d.Rig.T.Fatalf("the socket of %s is open after %s", d.User, Patience)
		}
	}
}

// Types says that the user types.
func (d *Socket) Types(room string) {
	d.Rig.T.Helper()
	d.Write(`{"action":"typing","chatRoomId":"` + room + `"}`)
}

// TypesTo is Types until another one is told, and returns what that one gets:
// no one is told once it is older than a few seconds, which a busy machine may take.
func (d *Socket) TypesTo(room string, told *Socket) wire.ServerFrame {
	d.Rig.T.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	again := time.NewTicker(chat.TypingEvery + time.Second) // the server takes one in that time
	defer again.Stop()
	for {
		d.Types(room)
		for waiting := true; waiting; {
			select {
			case frame := <-told.Frames:
				if frame.Type == wire.TypeTyping && frame.ChatRoomID == room {
					return frame
				}
			case <-again.C:
				waiting = false
			case <-deadline.C:
				d.Rig.T.Fatalf("%s is not told within %s that %s types", told.User, Patience, d.User)
			}
		}
	}
}

// Deliver sends a message and returns its ack and its own frame, which come in
// either order.
func (d *Socket) Deliver(room, content, clientMessageID string) (ack, message wire.ServerFrame) {
	d.Rig.T.Helper()
	d.Send(room, content, clientMessageID)
	for ack.Type == "" || message.Type == "" {
		switch frame := d.Expect(wire.TypeAck, wire.TypeMessage, wire.TypeError); frame.Type {
		case wire.TypeAck:
			ack = frame
		case wire.TypeMessage:
			message = frame
		case wire.TypeError:
			d.Rig.T.Fatalf("%s is refused: %s, %s", d.User, frame.Code, frame.Message)
		}
	}
	return ack, message
}

// ExpectNone checks that no frame of a type comes within 150 ms.
func (d *Socket) ExpectNone(kind string) {
	d.Rig.T.Helper()
	d.ExpectNoneIn("", kind)
}

// ExpectNoneIn is ExpectNone for the frames of one room; "" is any.
func (d *Socket) ExpectNoneIn(room, kind string) {
	d.Rig.T.Helper()
	timeout := time.NewTimer(quiet)
	defer timeout.Stop()
	for {
		select {
		case frame, ok := <-d.Frames:
			if !ok {
				return
			}
			if frame.Type == kind && (room == "" || frame.ChatRoomID == room) {
				d.Rig.T.Errorf("%s got %+v, want no frame of type %s", d.User, frame, kind)
			}
		case <-timeout.C:
			return
		}
	}
}
