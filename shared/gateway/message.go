package gateway

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// SendMessage handles the route sendMessage: it stores the message and answers
// with an ack or an error frame.
type SendMessage struct {
	sender   *chat.Sender
	sessions *chat.Sessions
	users    chat.UserIDs
	now      func() time.Time
	log      zerolog.Logger
}

// NewSendMessage returns the handler of the route sendMessage. sessions counts the
// frames that it refuses, and users gives ids of mentions their normal form.
func NewSendMessage(sender *chat.Sender, sessions *chat.Sessions, users chat.UserIDs, now func() time.Time, log zerolog.Logger) *SendMessage {
	return &SendMessage{sender: sender, sessions: sessions, users: users, now: now, log: log}
}

// Handle answers with one frame.
func (s *SendMessage) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, s.log, s.now)
	if r.RequestContext.EventType != messageEvent {
		err := errUnknownAction(r.RequestContext.RouteKey)
		inv.end(err, nil)
		return errorFrame(err, ""), nil
	}
	in, refused := readSend(r.Body)
	var mentions []string
	if refused == nil {
		mentions, refused = s.users.NormalizeAll(in.Mentions)
	}
	receipt, err := s.sender.Send(ctx, chat.SendRequest{
		ConnectionID:    r.RequestContext.ConnectionID,
		RoomID:          in.ChatRoomID,
		Content:         in.Content,
		Attachments:     in.Attachments,
		ReplyTo:         in.ReplyTo,
		Mentions:        mentions,
		ClientMessageID: in.ClientMessageID,
		NoEcho:          in.Echo != nil && !*in.Echo,
		Refused:         refused,
	})
	inv.end(err, func(line *zerolog.Event) {
		line.Str("room_id", loggable(in.ChatRoomID)).Str("message_id", receipt.MessageID).
			Str("user_id", receipt.SenderID)
		if receipt.Duplicate {
			line.Bool("duplicate", true)
		}
	})
	if err != nil {
		inv.refused(ctx, s.sessions, r, err)
		return errorFrame(err, loggable(in.ClientMessageID)), nil
	}
	var previous *string
	if receipt.Previous != "" {
		id := strings.TrimPrefix(receipt.Previous, chat.NoneBefore)
		previous = &id
	}
	return frame(wire.Ack{
		Type: wire.TypeAck, ChatRoomID: receipt.RoomID, MessageID: receipt.MessageID, Timestamp: receipt.SentAt,
		ClientMessageID: receipt.ClientMessageID, Duplicate: receipt.Duplicate, PreviousMessageID: previous, Content: receipt.Replaced,
		ReplyTo: (*wire.Quote)(receipt.ReplyTo.Shown()), ExpiresAt: receipt.ExpiresAt,
	}), nil
}

// loggable returns id if it is a valid id, else "": a client may have put
// anything in its place.
func loggable(id string) string {
	if chat.ValidateRoomID(id) != nil {
		return ""
	}
	return id
}

// readSend reads a sendMessage frame. With an error it returns the fields that it
// could read, so that the answer can name the client's message id.
func readSend(body string) (wire.ClientFrame, error) {
	if err := checkSize(body); err != nil {
		// The error frame names the client message id, so that the client knows which
		// send failed.
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
		"replyTo": &in.ReplyTo,
	} {
		if raw, ok := fields[name]; ok && string(raw) != "null" && json.Unmarshal(raw, into) != nil {
			refused = chat.Errorf(chat.CodeInvalidRequest, "invalid %s: want a string", name)
		}
	}
	for name, into := range map[string]*[]string{"attachments": &in.Attachments, "mentions": &in.Mentions} {
		if raw, ok := fields[name]; ok && string(raw) != "null" && json.Unmarshal(raw, into) != nil {
			refused = chat.Errorf(chat.CodeInvalidRequest, "invalid %s: want an array of strings", name)
		}
	}
	if raw, ok := fields["echo"]; ok && json.Unmarshal(raw, &in.Echo) != nil {
		refused = chat.Errorf(chat.CodeInvalidRequest, "invalid echo: want true or false")
	}
	return in, refused
}

// object reads a frame as a JSON object.
func object(body string) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil || fields == nil {
		return nil, chat.Errorf(chat.CodeInvalidRequest, `invalid frame: want a JSON object such as {"action":"ping"}`)
	}
	return fields, nil
}

// checkSize refuses frames over wire.MaxFrame. API Gateway limits each WebSocket
// frame to 32 KB, but a message of several frames to 128 KB (API Gateway
// Developer Guide, "Quotas for configuring and running a WebSocket in API Gateway").
func checkSize(body string) error {
	if len(body) > wire.MaxFrame {
		return chat.Errorf(chat.CodeTooLarge, "invalid frame: want at most %d bytes, got %d", wire.MaxFrame, len(body))
	}
	return nil
}
