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

// SendMessage handles the route sendMessage: it stores the message and answers
// with an ack or an error frame.
type SendMessage struct {
	Sender *chat.Sender
	Now    func() time.Time
	Log    zerolog.Logger
}

// Handle answers with one frame.
func (s *SendMessage) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, s.Log, s.Now)
	if r.RequestContext.EventType != messageEvent {
		err := errUnknownAction(r.RequestContext.RouteKey)
		inv.end(err, nil)
		return errorFrame(err, ""), nil
	}
	in, refused := readSend(r.Body)
	receipt, err := s.Sender.Send(ctx, chat.SendRequest{
		ConnectionID:    r.RequestContext.ConnectionID,
		RoomID:          in.ChatRoomID,
		Content:         in.Content,
		ClientMessageID: in.ClientMessageID,
		Refused:         refused,
	})
	inv.end(err, func(line *zerolog.Event) {
		line.Str("room_id", loggable(in.ChatRoomID)).Str("message_id", receipt.MessageID).
			Str("user_id", receipt.SenderID).Bool("duplicate", receipt.Duplicate)
	})
	if err != nil {
		return errorFrame(err, loggable(in.ClientMessageID)), nil
	}
	return frame(http.StatusOK, wire.Ack{
		Type: wire.TypeAck, ChatRoomID: receipt.RoomID, MessageID: receipt.MessageID, Timestamp: receipt.SentAt,
		ClientMessageID: receipt.ClientMessageID, Duplicate: receipt.Duplicate,
	}), nil
}

// loggable returns an id of our pattern, and nothing that a client might have
// put in its place.
func loggable(id string) string {
	if chat.ValidateRoomID(id) != nil {
		return ""
	}
	return id
}

// readSend reads a sendMessage frame. What it could read it returns even when
// it refuses the frame, so that the answer can name the client's message id.
func readSend(body string) (wire.ClientFrame, error) {
	if err := checkSize(body); err != nil {
		// The id is worth a look all the same: it tells the client which send failed.
		in, _ := decodeSend(body)
		return in, err
	}
	return decodeSend(body)
}

func decodeSend(body string) (wire.ClientFrame, error) {
	fields, err := object(body)
	if err != nil {
		return wire.ClientFrame{}, err
	}
	var in wire.ClientFrame
	var refused error
	for name, into := range map[string]*string{
		"clientMessageId": &in.ClientMessageID, "chatRoomId": &in.ChatRoomID, "content": &in.Content,
	} {
		if raw, ok := fields[name]; ok && string(raw) != "null" && json.Unmarshal(raw, into) != nil {
			refused = chat.Errorf(chat.CodeInvalidRequest, "%s must be a string", name)
		}
	}
	return in, refused
}

// Default handles $default: pings, and whatever names no route.
type Default struct {
	Sessions *chat.Sessions
	Now      func() time.Time
	Log      zerolog.Logger
}

// Handle answers with one frame.
func (d *Default) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, d.Log, d.Now)
	connection, err := d.ping(ctx, r)
	inv.end(err, func(line *zerolog.Event) { line.Str("user_id", connection.UserID) })
	if err != nil {
		in, _ := decodeSend(r.Body) // a send that the gateway could not route, perhaps
		return errorFrame(err, loggable(in.ClientMessageID)), nil
	}
	return frame(http.StatusOK, wire.Pong{Type: wire.TypePong, ConnectionID: connection.ID, UserID: connection.UserID}), nil
}

func (d *Default) ping(ctx context.Context, r Request) (chat.Connection, error) {
	if r.RequestContext.EventType != messageEvent {
		return chat.Connection{}, errUnknownAction(r.RequestContext.RouteKey)
	}
	if err := checkSize(r.Body); err != nil {
		return chat.Connection{}, err
	}
	fields, err := object(r.Body)
	if err != nil {
		return chat.Connection{}, err
	}
	var action string
	if raw, ok := fields["action"]; ok && json.Unmarshal(raw, &action) != nil {
		return chat.Connection{}, chat.Errorf(chat.CodeInvalidRequest, "action must be a string")
	}
	if strings.ContainsRune(r.Body, utf8.RuneError) {
		return chat.Connection{}, chat.Errorf(chat.CodeInvalidRequest, "the frame is not valid UTF-8")
	}
	if action != wire.ActionPing {
		return chat.Connection{}, errUnknownAction(action)
	}
	return d.Sessions.Ping(ctx, r.RequestContext.ConnectionID)
}

// object reads a frame as a JSON object.
func object(body string) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil || fields == nil {
		return nil, chat.Errorf(chat.CodeInvalidRequest, `a frame must be a JSON object such as {"action":"ping"}`)
	}
	return fields, nil
}

// checkSize refuses frames over our limit, which the gateway lets through when
// they come in fragments.
func checkSize(body string) error {
	if len(body) > wire.MaxFrame {
		return chat.Errorf(chat.CodeTooLarge, "the frame has %d bytes; at most %d are allowed", len(body), wire.MaxFrame)
	}
	return nil
}

// maxEchoedAction bounds how much of an unknown action an error repeats.
const maxEchoedAction = 64

func errUnknownAction(action string) error {
	if len(action) > maxEchoedAction {
		action = string(bytes.ToValidUTF8([]byte(action[:maxEchoedAction]), nil)) + "…"
	}
	return chat.Errorf(chat.CodeUnknownAction, "unknown action %q; use %s or %s", action, wire.ActionSendMessage, wire.ActionPing)
}
