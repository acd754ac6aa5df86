package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	smokeAnswer = 1 << 20 // of an answer, in bytes, is read
	// smokePause is how long to wait before looking again for what the stream's
	// readers write.
	smokePause = 500 * time.Millisecond
)

func runSmoke(ctx context.Context, args []string, _ io.Reader, stdout, _ io.Writer) error {
	var s smoke
	var addr, user string
	flags := flag.NewFlagSet("smoke", flag.ContinueOnError)
	flags.StringVar(&s.endpoint, "endpoint", "", "`URL` of the WebSocket API, wss://…/stage")
	flags.StringVar(&s.api, "api", "", "`URL` of the HTTP API, https://…")
	flags.StringVar(&s.token, "token", "", "a user's `JWT`")
	flags.StringVar(&addr, "addr", "http://"+defaultAddr, "without --endpoint, --api and --token: `URL` of the running `streamroom local`")
	flags.StringVar(&user, "user", "smoke", "with --addr: user `name` to sign in with")
	flags.DurationVar(&s.timeout, "timeout", 30*time.Second, "how long each step may take")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	given := 0
	for _, value := range []string{s.endpoint, s.api, s.token} {
		if value != "" {
			given++
		}
	}
	switch given {
	case 3:
	case 0:
		addr = strings.TrimRight(addr, "/")
		u, err := url.Parse(addr)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return usageError{fmt.Errorf("--addr %q is no URL such as http://%s", addr, defaultAddr)}
		}
		if s.token, err = localToken(ctx, addr, user, time.Hour); err != nil {
			return err
		}
		s.api = addr + "/api"
		s.endpoint = strings.Replace(addr, "http", "ws", 1) + "/" + local.Stage
	default:
		return usageError{errors.New("a deployed Streamroom takes --endpoint, --api and --token")}
	}
	if err := s.check(); err != nil {
		return usageError{err}
	}
	s.out = stdout
	return s.run(ctx)
}

// smoke uses a Streamroom as one user does, step by step.
type smoke struct {
	endpoint, api, token string
	timeout              time.Duration
	out                  io.Writer

	socket    *websocket.Conn
	frames    []wire.ServerFrame // that came and were not asked for yet
	userID    string
	room      string
	messageID string
	clientID  string
}

func (s *smoke) check() error {
	for _, u := range []struct{ flag, value, schemes string }{{"--endpoint", s.endpoint, "ws wss"}, {"--api", s.api, "http https"}} {
		parsed, err := url.Parse(u.value)
		if err != nil || parsed.Host == "" || !slices.Contains(strings.Fields(u.schemes), parsed.Scheme) {
			return fmt.Errorf("%s %q is no URL that begins with %s://", u.flag, u.value, strings.Fields(u.schemes)[1])
		}
	}
	if s.timeout <= 0 {
		return errors.New("--timeout must be more than nothing")
	}
	s.api = strings.TrimRight(s.api, "/")
	return nil
}

// run takes the steps in turn, says what it saw at each, and ends at the first
// that fails.
func (s *smoke) run(ctx context.Context) error {
	defer func() {
		if s.socket != nil {
			_ = s.socket.CloseNow()
		}
	}()
	steps := []struct {
		what string
		step func(context.Context) (saw string, err error)
	}{
		{"the HTTP API without a token", s.apiRefuses},
		{"the WebSocket API without a token", s.socketRefuses},
		{"connect", s.connect},
		{"create a room", s.createRoom},
		{"send", s.send},
		{"send the same again", s.sendAgain},
		{"receive by the stream", s.receive},
		{"read the history", s.history},
		{"find the message in the room list", s.roomList},
		{"leave the room", s.leave},
	}
	for i, step := range steps {
		saw, took, err := s.take(ctx, step.step)
		if err != nil {
			fmt.Fprintf(s.out, "FAIL %2d/%d %s\n", i+1, len(steps), step.what)
			return fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Fprintf(s.out, "ok   %2d/%d %-34s %6d ms  %s\n", i+1, len(steps), step.what, took.Milliseconds(), saw)
	}
	return nil
}

func (s *smoke) take(ctx context.Context, step func(context.Context) (string, error)) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	started := time.Now()
	saw, err := step(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it took more than %s: %w", s.timeout, err)
	}
	return saw, time.Since(started), err
}

func (s *smoke) apiRefuses(ctx context.Context) (string, error) {
	status, _, err := s.request(ctx, http.MethodGet, "/rooms", "", nil)
	if err == nil && status != http.StatusUnauthorized {
		err = fmt.Errorf("it answered %d, not 401: anybody gets in", status)
	}
	return "refused with 401", err
}

func (s *smoke) socketRefuses(ctx context.Context) (string, error) {
	socket, response, err := websocket.Dial(ctx, s.endpoint, &websocket.DialOptions{Subprotocols: []string{"streamroom"}}) //nolint:bodyclose // Dial has read and closed it
	if err == nil {
		_ = socket.CloseNow()
		return "", errors.New("it connected: anybody gets in")
	}
	if response == nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	if response.StatusCode != http.StatusUnauthorized {
		return "", fmt.Errorf("it answered %d, not 401", response.StatusCode)
	}
	return "refused with 401", nil
}

func (s *smoke) connect(ctx context.Context) (string, error) {
	socket, response, err := websocket.Dial(ctx, s.endpoint, &websocket.DialOptions{Subprotocols: []string{"streamroom", s.token}}) //nolint:bodyclose // Dial has read and closed it
	if err != nil {
		if response != nil {
			return "", fmt.Errorf("the handshake was answered with %d; is the token still good, and of this user pool?", response.StatusCode)
		}
		return "", fmt.Errorf("no answer to the handshake: %w", err)
	}
	s.socket = socket
	socket.SetReadLimit(wire.MaxFrame)
	if got := socket.Subprotocol(); got != "streamroom" {
		return "", fmt.Errorf("the subprotocol is %q, not streamroom: browsers would refuse it", got)
	}
	if err := s.write(ctx, wire.ClientFrame{Action: "ping"}); err != nil {
		return "", err
	}
	pong, err := s.await(ctx, func(f wire.ServerFrame) bool { return f.Type == wire.TypePong })
	s.userID = pong.UserID
	return "connected as " + s.userID, err
}

func (s *smoke) createRoom(ctx context.Context) (string, error) {
	var room wire.Room
	err := s.call(ctx, http.MethodPost, "/rooms", wire.RoomRequest{Name: "Smoke test", Type: "group"}, http.StatusCreated, &room)
	s.room = room.ChatRoomID
	return "room " + s.room, err
}

func (s *smoke) send(ctx context.Context) (string, error) {
	s.clientID = "smoke-" + ulid.Make().String()
	ack, err := s.sendOnce(ctx)
	if err != nil {
		return "", err
	}
	if ack.Duplicate || ack.MessageID == "" {
		return "", fmt.Errorf("the ack is %+v", ack)
	}
	s.messageID = ack.MessageID
	return "acknowledged as " + ack.MessageID, nil
}

func (s *smoke) sendAgain(ctx context.Context) (string, error) {
	ack, err := s.sendOnce(ctx)
	if err != nil {
		return "", err
	}
	if !ack.Duplicate || ack.MessageID != s.messageID {
		return "", fmt.Errorf("it was stored twice: %+v", ack)
	}
	return "acknowledged as the same message", nil
}

func (s *smoke) sendOnce(ctx context.Context) (wire.ServerFrame, error) {
	err := s.write(ctx, wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: s.room, Content: "Is this thing on?", ClientMessageID: s.clientID,
	})
	if err != nil {
		return wire.ServerFrame{}, err
	}
	answer, err := s.await(ctx, func(f wire.ServerFrame) bool {
		return (f.Type == wire.TypeAck || f.Type == wire.TypeError) && f.ClientMessageID == s.clientID
	})
	if err == nil && answer.Type == wire.TypeError {
		err = fmt.Errorf("%s: %s", answer.Code, answer.Message)
	}
	return answer, err
}

func (s *smoke) receive(ctx context.Context) (string, error) {
	got, err := s.await(ctx, func(f wire.ServerFrame) bool { return f.Type == wire.TypeMessage && f.MessageID == s.messageID })
	if err != nil {
		return "", fmt.Errorf("the message was stored and not delivered; look at the function fanout and its mapping: %w", err)
	}
	return "delivered, from " + got.SenderID, nil
}

func (s *smoke) history(ctx context.Context) (string, error) {
	var history wire.History
	if err := s.call(ctx, http.MethodGet, "/rooms/"+s.room+"/messages", nil, http.StatusOK, &history); err != nil {
		return "", err
	}
	if len(history.Messages) != 1 || history.Messages[0].MessageID != s.messageID {
		return "", fmt.Errorf("it has %d messages, or not the one that was sent", len(history.Messages))
	}
	return "the message, once", nil
}

// roomList waits for the projection, which the stream's other reader writes in
// windows of seconds.
func (s *smoke) roomList(ctx context.Context) (string, error) {
	for {
		var rooms wire.RoomList
		if err := s.call(ctx, http.MethodGet, "/rooms", nil, http.StatusOK, &rooms); err != nil {
			return "", err
		}
		for _, r := range rooms.Rooms {
			if r.ChatRoomID == s.room && r.LastMessage != nil && r.LastMessage.MessageID == s.messageID {
				return "with its preview", nil
			}
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("it did not get there; look at the function lastmessage and its mapping: %w", ctx.Err())
		case <-time.After(smokePause):
		}
	}
}

func (s *smoke) leave(ctx context.Context) (string, error) {
	err := s.call(ctx, http.MethodDelete, "/rooms/"+s.room+"/members/"+url.PathEscape(s.userID), nil, http.StatusNoContent, nil)
	if err != nil {
		return "", err
	}
	if err := s.socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		return "", fmt.Errorf("close: %w", err)
	}
	return "left, and disconnected", nil
}

func (s *smoke) write(ctx context.Context, frame wire.ClientFrame) error {
	data, err := wire.Encode(frame)
	if err != nil {
		return err
	}
	if err := s.socket.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("send a frame: %w", err)
	}
	return nil
}

// await returns the first frame that is wanted and keeps the others.
func (s *smoke) await(ctx context.Context, wanted func(wire.ServerFrame) bool) (wire.ServerFrame, error) {
	for {
		if i := slices.IndexFunc(s.frames, wanted); i >= 0 {
			frame := s.frames[i]
			s.frames = slices.Delete(s.frames, i, i+1)
			return frame, nil
		}
		_, data, err := s.socket.Read(ctx)
		if err != nil {
			return wire.ServerFrame{}, fmt.Errorf("wait for a frame: %w", err)
		}
		if err := s.keep(data); err != nil {
			return wire.ServerFrame{}, err
		}
	}
}

func (s *smoke) keep(data []byte) error {
	var frame wire.ServerFrame
	if err := json.Unmarshal(data, &frame); err != nil {
		return fmt.Errorf("a frame is no JSON: %w", err)
	}
	if frame.Type == "" { // the gateway's own
		return errors.New("the gateway answered with an error of its own: the route's function failed, or there is no route")
	}
	if frame.Type != wire.TypeBatch {
		s.frames = append(s.frames, frame)
		return nil
	}
	for _, part := range frame.Frames {
		if err := s.keep(part); err != nil {
			return err
		}
	}
	return nil
}

func (s *smoke) call(ctx context.Context, method, path string, in any, want int, out any) error {
	status, answer, err := s.request(ctx, method, path, s.token, in)
	if err != nil {
		return err
	}
	if status != want {
		var problem wire.Problem
		_ = json.Unmarshal(answer, &problem) // whatever it is, the status says it
		return fmt.Errorf("it answered %d, not %d: %s", status, want, problem.Detail)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
	return nil
}

func (s *smoke) request(ctx context.Context, method, path, token string, in any) (int, []byte, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.api+path, body)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, smokeAnswer))
	return response.StatusCode, answer, err
}
