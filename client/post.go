package client

import (
	"context"
	"net/http"

	"github.com/streamroom/streamroom/shared/wire"
)

// Sent is the server's answer to a message that it has stored by a request:
//
//	ChatRoomID      string
//	MessageID       string
//	SenderID        string // the user or service whose token it was
//	Timestamp       int64  // when, in ms since 1970
//	ClientMessageID string
//	Duplicate       bool // an earlier request had stored it
//
//	Content *string // what a review had stored instead of what was sent; nil: none
type Sent = wire.Sent

// PostOnce stores a message in a room by a request, without Run: it is for services, which
// have no connection, and works for users, too. Of all messages with the same key, 1 to 128 of the
// characters A-Z a-z 0-9 _ . @ -, one is stored within a day: so a call that failed may be
// repeated. Calls at the same time are stored in any order; [Client.Send] has an order, and
// repeats by itself.
func (c *Client) PostOnce(ctx context.Context, key, roomID, content string, options ...SendOption) (Sent, error) {
	frame := wire.ClientFrame{Action: wire.ActionSendMessage, ChatRoomID: roomID, Content: content, ClientMessageID: key}
	for _, option := range options {
		option(&frame)
	}
	if _, err := encodeSend(frame); err != nil {
		return Sent{}, err
	}
	in := wire.SendRequest{
		Content: frame.Content, ClientMessageID: key, Attachments: frame.Attachments, ReplyTo: frame.ReplyTo, Mentions: frame.Mentions,
	}
	var sent Sent
	err := c.call(ctx, http.MethodPost, roomPath(roomID)+"/messages", in, &sent)
	return sent, err
}
