package httpapi

import (
	"net/http"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// usersOnly lists what is about a caller's own rooms, cursors, reactions and files, of
// which a service has none.
var usersOnly = []string{
	"GET /rooms", "POST /rooms/{room}/join", "POST /rooms/{room}/read", "PUT /rooms/{room}/notify", "POST /sync",
	"PUT /rooms/{room}/messages/{message}/reactions", "DELETE /rooms/{room}/messages/{message}/reactions",
	"POST /rooms/{room}/attachments", "GET /rooms/{room}/attachments/{file}",
	"GET /me/blocks", "PUT /me/blocks", "PUT /me/blocks/{user}", "DELETE /me/blocks", "DELETE /me/blocks/{user}",
	"GET /me/push", "PUT /me/push", "DELETE /me/push",
}

// servicesOnly lists what no user may do.
var servicesOnly = []string{"POST /users/disconnect", "POST /users/{user}/disconnect"}

// admitting refuses callers whom a path is not for. What a caller may do in a room is
// said by package chat.
func admitting(pattern string, serve handler) handler {
	forUsers, forServices := slices.Contains(usersOnly, pattern), slices.Contains(servicesOnly, pattern)
	if !forUsers && !forServices {
		return serve
	}
	return func(r *http.Request, userID string) (int, any, error) {
		switch service := chat.IsService(userID); {
		case forUsers && service:
			return 0, nil, chat.Errorf(chat.CodeForbidden, "a service has no rooms, cursors, reactions and files of its own; this is for users")
		case forServices && !service:
			return 0, nil, chat.Errorf(chat.CodeForbidden, "this is for services; use a token of the client credentials flow")
		}
		return serve(r, userID)
	}
}

func (a *API) sendMessage(r *http.Request, userID string) (int, any, error) {
	var in wire.SendRequest
	refused := read(r, &in)
	var mentions []string
	if refused == nil {
		mentions, refused = a.domain.UserIDs.NormalizeAll(in.Mentions)
	}
	receipt, err := a.domain.Sender.SendAs(r.Context(), userID, chat.SendRequest{
		RoomID: r.PathValue("room"), Content: in.Content, Attachments: in.Attachments, ReplyTo: in.ReplyTo,
		Mentions: mentions, ClientMessageID: in.ClientMessageID, Refused: refused,
	})
	if err != nil {
		return 0, nil, err
	}
	status := http.StatusCreated
	if receipt.Duplicate {
		status = http.StatusOK
	}
	return status, wire.Sent{
		ChatRoomID: receipt.RoomID, MessageID: receipt.MessageID, SenderID: receipt.SenderID, Timestamp: receipt.SentAt,
		ClientMessageID: receipt.ClientMessageID, Duplicate: receipt.Duplicate, Content: receipt.Replaced,
	}, nil
}

func (a *API) disconnect(r *http.Request, _ string) (int, any, error) {
	userID, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	n, err := a.domain.Sessions.Disconnect(r.Context(), userID)
	return http.StatusOK, wire.Disconnected{Connections: n}, err
}
