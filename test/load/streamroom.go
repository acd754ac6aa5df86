package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/wire"
)

// streamroom is Streamroom, local or deployed.
type streamroom struct {
	target
	ledger *ledger
	client *http.Client
	users  []string // their names
	tokens []string
	rooms  []string // their ids
}

// atOnce bounds the requests that prepare makes at a time. More would measure how
// a server behaves under a storm of them, which is not asked for.
const atOnce = 8

// createdMembers is how many members a room can have when it is made, besides its
// creator; others are added one by one.
const createdMembers = 48

// pingEvery is more often than the ten minutes after which API Gateway closes an
// idle connection.
const pingEvery = 8 * time.Minute

func newStreamroom(t target, l *ledger) (peer, error) {
	if t.api == nil {
		return nil, errors.New("--api is missing: the URL of the HTTP API, such as http://127.0.0.1:8080/api")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = atOnce
	return &streamroom{target: t, ledger: l, client: &http.Client{Transport: transport, Timeout: time.Minute}}, nil
}

func (s *streamroom) prepare(ctx context.Context, p Plan, progress func(string)) error {
	if err := s.signIn(ctx, p, progress); err != nil {
		return err
	}
	s.rooms = make([]string, p.Rooms)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for room := range p.Rooms {
		group.Go(func() (err error) {
			s.rooms[room], err = s.makeRoom(ctx, p, room)
			if err != nil {
				err = fmt.Errorf("make room %d: %w", room, err)
			}
			progress(fmt.Sprintf("made room %d of %d", room+1, p.Rooms))
			return err
		})
	}
	return group.Wait()
}

// signIn gets a token for each user: from the file, or from the local user pool,
// which asks for no password.
func (s *streamroom) signIn(ctx context.Context, p Plan, progress func(string)) error {
	if s.target.tokens != "" {
		return s.readTokens(p)
	}
	s.users, s.tokens = make([]string, p.Users), make([]string, p.Users)
	at := *s.api
	at.Path = "/token"
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range p.Users {
		s.users[i] = "load-" + strconv.Itoa(i)
		group.Go(func() error {
			var answer struct{ Token string }
			if err := s.call(ctx, "POST", at.String(), "", map[string]string{"user": s.users[i]}, &answer); err != nil {
				return fmt.Errorf("sign in: %w (a deployed Streamroom wants --tokens)", err)
			}
			s.tokens[i] = answer.Token
			progress(fmt.Sprintf("signed in user %d of %d", i+1, p.Users))
			return nil
		})
	}
	return group.Wait()
}

func (s *streamroom) readTokens(p Plan) error {
	file, err := os.Open(s.target.tokens)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() && len(s.users) < p.Users {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			return fmt.Errorf("invalid line %d of %s: want a user and a token", len(s.users)+1, s.target.tokens)
		}
		s.users, s.tokens = append(s.users, fields[0]), append(s.tokens, fields[1])
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if len(s.users) < p.Users {
		return fmt.Errorf("%s has %d users, want the %d of --users", s.target.tokens, len(s.users), p.Users)
	}
	return nil
}

func (s *streamroom) makeRoom(ctx context.Context, p Plan, room int) (string, error) {
	var names []string
	for n := 1; n < p.Members; n++ {
		names = append(names, s.users[p.member(room, n)])
	}
	first := names[:min(len(names), createdMembers)]
	owner := s.tokens[p.member(room, 0)]
	var made struct{ ChatRoomID string }
	body := map[string]any{"name": fmt.Sprintf("load %d", room), "type": "group", "members": first}
	if err := s.call(ctx, "POST", s.path("rooms"), owner, body, &made); err != nil {
		return "", err
	}
	for _, name := range names[len(first):] {
		if err := s.call(ctx, "POST", s.path("rooms", made.ChatRoomID, "members"), owner, map[string]string{"userId": name}, nil); err != nil {
			return "", err
		}
	}
	return made.ChatRoomID, nil
}

func (s *streamroom) path(parts ...string) string { return s.api.JoinPath(parts...).String() }

// call makes one request of JSON, and waits where the server limits requests.
func (s *streamroom) call(ctx context.Context, method, address, token string, body, answer any) error {
	encoded, err := json.Marshal(body)
	for err == nil {
		var wait time.Duration
		if wait, err = s.try(ctx, method, address, token, encoded, answer); err != nil || wait == 0 {
			break
		}
		err = backoff.Sleep(ctx, wait)
	}
	return err
}

// try makes the request once. A wait that is not 0 asks for another try after it.
func (s *streamroom) try(ctx context.Context, method, address, token string, body []byte, answer any) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxFrame))
	switch {
	case err != nil:
		return 0, err
	case response.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 where it is not said
		return time.Duration(max(seconds, 1)) * time.Second, nil
	case response.StatusCode >= 300:
		return 0, fmt.Errorf("%s %s answers %s: %.200s", method, request.URL.Path, response.Status, text)
	case answer == nil:
		return 0, nil
	}
	return 0, json.Unmarshal(text, answer)
}

func (s *streamroom) connect(ctx context.Context, user int) (session, error) {
	conn, err := dial(ctx, s.socket.String(), "streamroom", s.tokens[user])
	if err != nil {
		return nil, err
	}
	alive, stop := context.WithCancel(context.WithoutCancel(ctx))
	session := &streamroomSession{conn: conn, peer: s, rooms: s.rooms, stop: stop}
	go session.ping(alive)
	return session, nil
}

type streamroomSession struct {
	conn  *websocket.Conn
	peer  *streamroom
	rooms []string
	stop  context.CancelFunc
}

// ping keeps the connection from being closed as idle.
func (s *streamroomSession) ping(ctx context.Context) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// An error is that of a lost connection, which receive notices, too.
			_ = s.conn.Write(ctx, websocket.MessageText, []byte(`{"action":"ping"}`))
		}
	}
}

func (s *streamroomSession) send(ctx context.Context, room, number int, content string) error {
	frame, err := wire.Encode(wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: s.rooms[room], Content: content, ClientMessageID: s.peer.ledger.id(number),
	})
	if err != nil {
		return err
	}
	return s.conn.Write(ctx, websocket.MessageText, frame)
}

func (s *streamroomSession) receive(ctx context.Context) ([]event, error) {
	_, data, err := s.conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	return s.events(data, nil)
}

func (s *streamroomSession) events(data []byte, found []event) ([]event, error) {
	var frame struct {
		Type, Content, ClientMessageID, Code string
		Frames                               []json.RawMessage
	}
	if err := json.Unmarshal(data, &frame); err != nil {
		return nil, fmt.Errorf("a frame that is not JSON: %.200s", data)
	}
	switch frame.Type {
	case wire.TypeBatch:
		for _, part := range frame.Frames {
			var err error
			if found, err = s.events(part, found); err != nil {
				return nil, err
			}
		}
	case wire.TypeMessage:
		if number, ok := s.peer.ledger.number(frame.Content); ok {
			found = append(found, event{kind: delivered, number: number})
		}
	case wire.TypeAck:
		if number, ok := s.peer.ledger.idNumber(frame.ClientMessageID); ok {
			found = append(found, event{kind: acked, number: number})
		}
	case wire.TypeError:
		if number, ok := s.peer.ledger.idNumber(frame.ClientMessageID); ok {
			found = append(found, event{kind: refused, number: number, code: frame.Code})
		}
	}
	return found, nil
}

func (s *streamroomSession) close() {
	s.stop()
	_ = s.conn.CloseNow()
}
