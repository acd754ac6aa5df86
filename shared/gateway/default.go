package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// Default handles $default: pings, that a user types, and frames that no other route
// takes.
type Default struct {
	sessions *chat.Sessions
	typists  *chat.Typists // nil: typing is switched off
	presence bool
	now      func() time.Time
	log      zerolog.Logger
}

// NewDefault returns the handler of $default. Without typists, typing is switched off, and
// without presence no one is notified of who is online.
func NewDefault(sessions *chat.Sessions, typists *chat.Typists, presence bool, now func() time.Time, log zerolog.Logger) *Default {
	return &Default{sessions: sessions, typists: typists, presence: presence, now: now, log: log}
}

// Handle answers a ping with a pong, what is refused with an error, and that a user types
// with nothing: API Gateway sends no frame for an answer without a body.
func (d *Default) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, d.log, d.now)
	fields, action, err := readAction(r)
	var answer Response
	var userID string
	if err == nil {
		answer, userID, err = d.serve(ctx, r.RequestContext.ConnectionID, action, fields)
	}
	inv.routine = err == nil
	inv.end(err, func(line *zerolog.Event) {
		if userID != "" {
			line.Str("user_id", userID)
		}
	})
	if err != nil {
		inv.refused(ctx, d.sessions, r, err)
		in, _ := decodeSend(r.Body) // it may be a send that the gateway could not route
		refusal := refusalOf(err, loggable(in.ClientMessageID))
		if action == wire.ActionTyping {
			refusal.Action = action
		}
		return frame(refusal), nil
	}
	return answer, nil
}

func (d *Default) serve(
	ctx context.Context, connectionID, action string, fields map[string]json.RawMessage,
) (answer Response, userID string, err error) {
	switch {
	case action == wire.ActionTyping && d.typists != nil:
		return Response{StatusCode: http.StatusOK}, "", d.typing(ctx, connectionID, fields)
	case action == wire.ActionPing:
		return d.ping(ctx, connectionID)
	}
	return Response{}, "", errUnknownAction(action)
}

// readAction reads the fields and the action of a frame that a client sent.
func readAction(r Request) (fields map[string]json.RawMessage, action string, err error) {
	if r.RequestContext.EventType != messageEvent {
		return nil, "", errUnknownAction(r.RequestContext.RouteKey)
	}
	if err := checkSize(r.Body); err != nil {
		return nil, "", err
	}
	if fields, err = object(r.Body); err != nil {
		return nil, "", err
	}
	if raw, ok := fields["action"]; ok && json.Unmarshal(raw, &action) != nil {
		return nil, "", chat.Errorf(chat.CodeInvalidRequest, "invalid action: want a string")
	}
	if strings.ContainsRune(r.Body, utf8.RuneError) {
		return nil, "", chat.Errorf(chat.CodeInvalidRequest, "invalid frame: want valid UTF-8 without U+FFFD")
	}
	return fields, action, nil
}

func (d *Default) ping(ctx context.Context, connectionID string) (pong Response, userID string, err error) {
	connection, err := d.sessions.Ping(ctx, connectionID)
	if err != nil {
		return Response{}, "", err
	}
	changedAt, err := d.sessions.ChangedAt(ctx, connection.UserID)
	if err != nil {
		return Response{}, connection.UserID, err
	}
	var off []string
	if d.typists == nil {
		off = append(off, wire.OffTyping)
	}
	if !d.presence {
		off = append(off, wire.OffPresence)
	}
	return frame(wire.Pong{
		Type: wire.TypePong, ConnectionID: connection.ID, UserID: connection.UserID, ChangedAt: changedAt, Off: off,
	}), connection.UserID, nil
}

func (d *Default) typing(ctx context.Context, connectionID string, fields map[string]json.RawMessage) error {
	var roomID string
	if raw, ok := fields["chatRoomId"]; ok && string(raw) != "null" && json.Unmarshal(raw, &roomID) != nil {
		return chat.Errorf(chat.CodeInvalidRequest, "invalid chatRoomId: want a string")
	}
	return d.typists.Type(ctx, connectionID, roomID)
}

// maxEchoedAction bounds how much of an unknown action an error repeats.
const maxEchoedAction = 64

func errUnknownAction(action string) error {
	if len(action) > maxEchoedAction {
		action = string(bytes.ToValidUTF8([]byte(action[:maxEchoedAction]), nil)) + "…"
	}
	return chat.Errorf(chat.CodeUnknownAction, "invalid action: want %s, %s or %s, got %q", wire.ActionSendMessage, wire.ActionPing, wire.ActionTyping, action)
}
