package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/coder/websocket"
)

// centrifugo is a server of Centrifuge's JSON protocol: Centrifugo, or the
// library in a server of its own. It passes messages on without storing them. It
// must let in clients without a token, and let them subscribe and publish: with
// Centrifugo that is `centrifugo --client.insecure`.
type centrifugo struct {
	target
	ledger *ledger
	rooms  []map[int]int // each user's rooms
}

func newCentrifugo(t target, l *ledger) (peer, error) { return &centrifugo{target: t, ledger: l}, nil }

// prepare has nothing to make: a channel exists while someone is subscribed.
func (c *centrifugo) prepare(_ context.Context, p Plan, _ func(string)) error {
	c.rooms = p.roomsOf()
	return nil
}

func (c *centrifugo) channel(room int) string {
	return "load-" + c.ledger.run + "-" + strconv.Itoa(room)
}

// centrifugoReply is what the server sends: the answer to a command, by its id, or
// a push. An empty one is its ping.
type centrifugoReply struct {
	ID      uint32
	Error   *struct{ Message string }
	Connect *struct{}
	Push    *struct {
		Pub *struct{ Data struct{ Content string } }
	}
}

func (c *centrifugo) connect(ctx context.Context, user int) (session, error) {
	conn, err := dial(ctx, c.socket.String())
	if err != nil {
		return nil, err
	}
	s := &centrifugoSession{conn: conn, peer: c}
	if err := s.enter(ctx, c.rooms[user]); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// firstPublish is the least id of a publishing command: id minus this is a
// message's number. Those below are the commands of enter.
const firstPublish = 1_000_000

type centrifugoSession struct {
	conn *websocket.Conn
	peer *centrifugo
}

// enter connects and subscribes to a user's rooms, each command after the answer
// to the one before.
func (s *centrifugoSession) enter(ctx context.Context, rooms map[int]int) error {
	commands := []map[string]any{{"connect": map[string]any{}}}
	for room := range rooms {
		commands = append(commands, map[string]any{"subscribe": map[string]string{"channel": s.peer.channel(room)}})
	}
	for i, command := range commands {
		command["id"] = i + 1
		if err := writeJSON(ctx, s.conn, command); err != nil {
			return err
		}
		if err := s.answered(ctx, uint32(i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (s *centrifugoSession) answered(ctx context.Context, id uint32) error {
	for {
		replies, err := s.read(ctx)
		if err != nil {
			return err
		}
		for _, r := range replies {
			if r.ID == id && r.Error != nil {
				return errors.New(r.Error.Message)
			}
			if r.ID == id {
				return nil
			}
		}
	}
}

// read returns a frame's replies, and answers a ping.
func (s *centrifugoSession) read(ctx context.Context) ([]centrifugoReply, error) {
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var replies []centrifugoReply
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if bytes.Equal(line, []byte("{}")) {
			if err := s.conn.Write(ctx, websocket.MessageText, line); err != nil {
				return nil, err
			}
			continue
		}
		var r centrifugoReply
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("a frame that is not JSON: %.200s", line)
		}
		replies = append(replies, r)
	}
	return replies, nil
}

func (s *centrifugoSession) send(ctx context.Context, room, number int, content string) error {
	return writeJSON(ctx, s.conn, map[string]any{
		"id":      firstPublish + number,
		"publish": map[string]any{"channel": s.peer.channel(room), "data": map[string]string{"content": content}},
	})
}

func (s *centrifugoSession) receive(ctx context.Context) ([]event, error) {
	replies, err := s.read(ctx)
	var found []event
	for _, r := range replies {
		switch {
		case r.ID >= firstPublish && r.Error != nil:
			found = append(found, event{kind: refused, number: int(r.ID - firstPublish), code: r.Error.Message})
		case r.ID >= firstPublish:
			found = append(found, event{kind: acked, number: int(r.ID - firstPublish)})
		case r.Push != nil && r.Push.Pub != nil:
			if number, ok := s.peer.ledger.number(r.Push.Pub.Data.Content); ok {
				found = append(found, event{kind: delivered, number: number})
			}
		}
	}
	return found, err
}

func (s *centrifugoSession) close() { _ = s.conn.CloseNow() }
