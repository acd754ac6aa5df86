package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/backoff"
)

// tinode is a server of Tinode's JSON protocol. Its configuration must ask for no
// validated credentials, and let a group have enough subscribers.
type tinode struct {
	target
	ledger *ledger
	rooms  []map[int]int // each user's rooms
	topics []string      // by room
	tokens []string      // by user
}

// tinodeKey is the API key of Tinode's own example configuration.
const tinodeKey = "AQEAAAABAAD_rAp4DJh05a1HAwFT3A6K"

func newTinode(t target, l *ledger) (peer, error) {
	if t.key == "" {
		t.key = tinodeKey
	}
	return &tinode{target: t, ledger: l}, nil
}

// tinodeFrame is what the server sends: the answer to a request, or a message.
type tinodeFrame struct {
	Ctrl *struct {
		ID    string
		Code  int
		Text  string
		Topic string

		Params struct{ Token string }
	}
	Data *struct{ Content any }
}

// login and secret are a user's account, one for this run: a server forgets none.
func (t *tinode) login(user int) string { return "lr" + t.ledger.run + strconv.Itoa(user) }

func (t *tinode) secret(user int) string {
	return base64.StdEncoding.EncodeToString([]byte(t.login(user) + ":" + t.login(user)))
}

func (t *tinode) prepare(ctx context.Context, p Plan, progress func(string)) error {
	t.rooms, t.topics, t.tokens = p.roomsOf(), make([]string, p.Rooms), make([]string, p.Users)
	var accounts errgroup.Group
	accounts.SetLimit(atOnce)
	for user := range p.Users {
		accounts.Go(func() error {
			progress(fmt.Sprintf("made account %d of %d", user+1, p.Users))
			return t.register(ctx, user)
		})
	}
	if err := accounts.Wait(); err != nil {
		return err
	}
	var rooms errgroup.Group
	rooms.SetLimit(atOnce)
	for room := range p.Rooms {
		rooms.Go(func() error {
			progress(fmt.Sprintf("made room %d of %d", room+1, p.Rooms))
			return t.makeRoom(ctx, p.member(room, 0), room)
		})
	}
	return rooms.Wait()
}

// register makes a user's account, which gives the token that the user connects with: a
// server takes some 30 ms of CPU to check a password, which others don't check either.
func (t *tinode) register(ctx context.Context, user int) error {
	s, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	answer, err := s.ask(ctx, "acc", map[string]any{
		"user": "new", "scheme": "basic", "secret": t.secret(user), "login": true,
		"desc": map[string]any{"public": map[string]string{"fn": t.login(user)}},
	})
	if err != nil {
		return fmt.Errorf("make account %d: %w", user, err)
	}
	if t.tokens[user] = answer.Ctrl.Params.Token; t.tokens[user] == "" {
		return fmt.Errorf("make account %d: the answer has no token", user)
	}
	return nil
}

func (t *tinode) makeRoom(ctx context.Context, owner, room int) error {
	s, err := t.signIn(ctx, owner)
	if err != nil {
		return err
	}
	defer s.close()
	answer, err := s.ask(ctx, "sub", map[string]any{
		"topic": "new" + strconv.Itoa(room),
		"set":   map[string]any{"desc": map[string]any{"public": map[string]string{"fn": fmt.Sprintf("load %d", room)}}},
	})
	if err != nil {
		return fmt.Errorf("make room %d: %w", room, err)
	}
	t.topics[room] = answer.Ctrl.Topic
	return nil
}

// open opens a connection of no user yet.
func (t *tinode) open(ctx context.Context) (*tinodeSession, error) {
	at := *t.socket
	query := at.Query()
	query.Set("apikey", t.key)
	at.RawQuery = query.Encode()
	conn, err := dial(ctx, at.String())
	if err != nil {
		return nil, err
	}
	s := &tinodeSession{conn: conn, peer: t}
	if _, err := s.ask(ctx, "hi", map[string]any{"ver": "0.22", "ua": "streamroom-load"}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (t *tinode) signIn(ctx context.Context, user int) (*tinodeSession, error) {
	s, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.ask(ctx, "login", map[string]any{"scheme": "token", "secret": t.tokens[user]}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (t *tinode) connect(ctx context.Context, user int) (session, error) {
	s, err := t.signIn(ctx, user)
	if err != nil {
		return nil, err
	}
	// Who is not attached to it is offline, and gets no notifications.
	topics := []string{"me"}
	for room := range t.rooms[user] {
		topics = append(topics, t.topics[room])
	}
	for _, topic := range topics {
		if err := s.subscribe(ctx, topic); err != nil {
			s.close()
			return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
		}
	}
	return s, nil
}

// subscribeAttempts is how often a subscription is tried, within some six seconds: the
// server answers 503 to all that ask for a topic while it loads it.
const subscribeAttempts = 8

func (s *tinodeSession) subscribe(ctx context.Context, topic string) error {
	for attempt := range subscribeAttempts {
		_, err := s.ask(ctx, "sub", map[string]any{"topic": topic})
		var refused *refusedError
		if !errors.As(err, &refused) || refused.code != http.StatusServiceUnavailable || attempt == subscribeAttempts-1 {
			return err
		}
		if err := backoff.Sleep(ctx, 50*time.Millisecond<<attempt); err != nil {
			return err
		}
	}
	return nil
}

// refusedError is an answer that is none of success.
type refusedError struct {
	kind string
	code int
	text string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is answered %d %s", e.kind, e.code, e.text)
}

type tinodeSession struct {
	conn  *websocket.Conn
	peer  *tinode
	asked int
}

// ask makes a request and waits for its answer. It is not for use beside receive.
func (s *tinodeSession) ask(ctx context.Context, kind string, body map[string]any) (tinodeFrame, error) {
	s.asked++
	id := "ask" + strconv.Itoa(s.asked)
	body["id"] = id
	if err := writeJSON(ctx, s.conn, map[string]any{kind: body}); err != nil {
		return tinodeFrame{}, err
	}
	for {
		frame, err := s.read(ctx)
		switch {
		case err != nil:
			return tinodeFrame{}, err
		case frame.Ctrl == nil || frame.Ctrl.ID != id:
		case frame.Ctrl.Code >= 300:
			return tinodeFrame{}, &refusedError{kind, frame.Ctrl.Code, frame.Ctrl.Text}
		default:
			return frame, nil
		}
	}
}

func (s *tinodeSession) read(ctx context.Context) (tinodeFrame, error) {
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		return tinodeFrame{}, err
	}
	var frame tinodeFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		return tinodeFrame{}, errors.New("a frame that is not JSON: " + string(data[:min(len(data), 200)]))
	}
	return frame, nil
}

func (s *tinodeSession) send(ctx context.Context, room, number int, content string) error {
	return writeJSON(ctx, s.conn, map[string]any{"pub": map[string]any{
		"id": s.peer.ledger.id(number), "topic": s.peer.topics[room], "content": content,
	}})
}

func (s *tinodeSession) receive(ctx context.Context) ([]event, error) {
	frame, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case frame.Data != nil:
		content, _ := frame.Data.Content.(string) // other messages are objects
		if number, ok := s.peer.ledger.number(content); ok {
			return []event{{kind: delivered, number: number}}, nil
		}
	case frame.Ctrl != nil && !strings.HasPrefix(frame.Ctrl.ID, "ask"):
		number, ok := s.peer.ledger.idNumber(frame.Ctrl.ID)
		switch {
		case ok && frame.Ctrl.Code < 300:
			return []event{{kind: acked, number: number}}, nil
		case ok:
			return []event{{kind: refused, number: number, code: strconv.Itoa(frame.Ctrl.Code)}}, nil
		}
	}
	return nil, nil
}

func (s *tinodeSession) close() { _ = s.conn.CloseNow() }
