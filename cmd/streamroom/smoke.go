package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/wire"
)

// smokePause is the time between two looks at what the stream's consumers write.
const smokePause = 500 * time.Millisecond

func newSmoke() *cobra.Command {
	s := smoke{timeout: 30 * time.Second}
	addr, user := "http://"+defaultAddr, "smoke"
	cmd := &cobra.Command{
		Use: "smoke", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Check that a Streamroom works, deployed or local",
		Long: `Use a Streamroom as one user would, step by step: it must refuse requests without a
token, store a message once, deliver it, and show it in the history and in the list
of rooms. It stops at the first step that fails. The room that it makes is left at
the end, and so deleted.

Without --endpoint, --api and --token it checks the ` + "`streamroom local`" + ` at --addr.`,
		Example: `  streamroom smoke
  streamroom smoke --endpoint wss://…/prod --api https://… --token "$TOKEN"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.out = cmd.OutOrStdout()
			return s.start(cmd.Context(), addr, user)
		},
	}
	flags := cmd.Flags()
	cli.URL(flags, &s.endpoint, "endpoint", exampleWebSocket, "`URL` of the WebSocket API, wss://…/stage")
	cli.URL(flags, &s.apiURL, "api", exampleAPI, "`URL` of the HTTP API, https://…")
	flags.StringVar(&s.token, "token", "", "a user's `JWT`")
	cli.URL(flags, &addr, "addr", "http://"+defaultAddr, "`URL` of the running streamroom local")
	flags.StringVar(&user, "user", user, "with --addr: user `name` to sign in with")
	cli.Positive(flags, &s.timeout, "timeout", "the longest `duration` of a step")
	return cmd
}

// smoke is one check of a Streamroom. The HTTP API is used by the client, but
// frames are written and read as they are: the client sends again and catches up
// from the history, which would hide that something is broken.
type smoke struct {
	endpoint, apiURL, token string
	timeout                 time.Duration
	out                     io.Writer

	api    *client.Client
	socket *smokeSocket // nil before it is connected
	userID string
	room   string
	sent   wire.ServerFrame // the ack of the message
}

// start checks the deployed Streamroom that is given, or else the local one.
func (s *smoke) start(ctx context.Context, addr, user string) error {
	switch local := s.endpoint == "" && s.apiURL == "" && s.token == ""; {
	case local:
		var err error
		if s.token, err = localToken(ctx, addr, user, time.Hour); err != nil {
			return err
		}
		s.apiURL, s.endpoint = localURLs(addr)
	case s.endpoint == "" || s.apiURL == "" || s.token == "":
		return cli.Usage(errors.New("a deployed Streamroom needs --endpoint, --api and --token"))
	}
	var err error
	s.api, err = client.New(client.Options{
		WebSocketURL: s.endpoint, APIURL: s.apiURL,
		Token: func(context.Context) (string, error) { return s.token, nil },
	})
	if err != nil {
		return cli.Usage(err)
	}
	return s.run(ctx)
}

// run takes the steps, prints what it saw at each, and ends at the first that
// fails.
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
		err = fmt.Errorf("not done in %s: %w", s.timeout, err)
	}
	return saw, time.Since(started), err
}

// apiRefuses makes its request by hand, as the client never makes one without a
// token.
func (s *smoke) apiRefuses(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.apiURL+"/rooms", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		return "", fmt.Errorf("want status 401, got %d: requests without a token are accepted", response.StatusCode)
	}
	return "refused with 401", nil
}

func (s *smoke) socketRefuses(ctx context.Context) (string, error) {
	socket, status, err := dialSmoke(ctx, s.endpoint, "")
	if err == nil {
		_ = socket.CloseNow()
		return "", errors.New("want status 401, got a connection: connections without a token are accepted")
	}
	if status == 0 {
		return "", err
	}
	if status != http.StatusUnauthorized {
		return "", fmt.Errorf("want status 401, got %d", status)
	}
	return "refused with 401", nil
}

func (s *smoke) connect(ctx context.Context) (string, error) {
	socket, status, err := dialSmoke(ctx, s.endpoint, s.token)
	if status != 0 && status != http.StatusSwitchingProtocols {
		return "", fmt.Errorf("the handshake was answered with %d: is the token valid, and of this user pool?", status)
	}
	if err != nil {
		return "", err
	}
	s.socket = socket
	if got := socket.Subprotocol(); got != auth.Subprotocol {
		return "", fmt.Errorf("invalid subprotocol: want %s, got %q, which browsers refuse", auth.Subprotocol, got)
	}
	if err := socket.write(ctx, wire.ClientFrame{Action: wire.ActionPing}); err != nil {
		return "", err
	}
	pong, err := socket.await(ctx, func(f wire.ServerFrame) bool { return f.Type == wire.TypePong })
	s.userID = pong.UserID
	return "connected as " + s.userID, err
}

func (s *smoke) createRoom(ctx context.Context) (string, error) {
	room, err := s.api.CreateRoom(ctx, client.RoomRequest{Name: "Smoke test", Type: "group"})
	s.room = room.ChatRoomID
	return "room " + s.room, err
}

func (s *smoke) send(ctx context.Context) (string, error) {
	ack, err := s.sendOnce(ctx, "smoke-"+ulid.Make().String())
	if err != nil {
		return "", err
	}
	if ack.Duplicate || ack.MessageID == "" {
		return "", fmt.Errorf("invalid ack: want a message id and no duplicate, got %+v", ack)
	}
	s.sent = ack
	return "acknowledged as " + ack.MessageID, nil
}

func (s *smoke) sendAgain(ctx context.Context) (string, error) {
	ack, err := s.sendOnce(ctx, s.sent.ClientMessageID)
	if err != nil {
		return "", err
	}
	if !ack.Duplicate || ack.MessageID != s.sent.MessageID {
		return "", fmt.Errorf("the message was stored twice: %+v", ack)
	}
	return "acknowledged as the same message", nil
}

func (s *smoke) sendOnce(ctx context.Context, clientMessageID string) (wire.ServerFrame, error) {
	err := s.socket.write(ctx, wire.ClientFrame{
		Action: wire.ActionSendMessage, ChatRoomID: s.room, Content: "Is this thing on?", ClientMessageID: clientMessageID,
	})
	if err != nil {
		return wire.ServerFrame{}, err
	}
	answer, err := s.socket.await(ctx, func(f wire.ServerFrame) bool {
		return (f.Type == wire.TypeAck || f.Type == wire.TypeError) && f.ClientMessageID == clientMessageID
	})
	if err == nil && answer.Type == wire.TypeError {
		err = fmt.Errorf("%s: %s", answer.Code, answer.Message)
	}
	return answer, err
}

func (s *smoke) receive(ctx context.Context) (string, error) {
	got, err := s.socket.await(ctx, func(f wire.ServerFrame) bool {
		return f.Type == wire.TypeMessage && f.MessageID == s.sent.MessageID
	})
	if err != nil {
		return "", fmt.Errorf("the message was stored, but not delivered: check the function fanout and its mapping: %w", err)
	}
	return "delivered, from " + got.SenderID, nil
}

func (s *smoke) history(ctx context.Context) (string, error) {
	history, err := s.api.History(ctx, s.room, client.Page{})
	if err != nil {
		return "", err
	}
	if len(history.Messages) != 1 || history.Messages[0].MessageID != s.sent.MessageID {
		return "", fmt.Errorf("want the sent message only, got %d messages", len(history.Messages))
	}
	return "the message, once", nil
}

// roomList waits for the preview, which lastmessage writes once in a window of
// seconds.
func (s *smoke) roomList(ctx context.Context) (string, error) {
	for {
		rooms, err := s.api.ListRooms(ctx, "")
		if err != nil {
			return "", err
		}
		for _, r := range rooms.Rooms {
			if r.ChatRoomID == s.room && r.LastMessage != nil && r.LastMessage.MessageID == s.sent.MessageID {
				return "with its preview", nil
			}
		}
		if err := backoff.Sleep(ctx, smokePause); err != nil {
			return "", fmt.Errorf("the message is not in it: check the function lastmessage and its mapping: %w", err)
		}
	}
}

func (s *smoke) leave(ctx context.Context) (string, error) {
	if err := s.api.RemoveMember(ctx, s.room, s.userID); err != nil {
		return "", err
	}
	if err := s.socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		return "", fmt.Errorf("close the connection: %w", err)
	}
	return "left, and disconnected", nil
}
