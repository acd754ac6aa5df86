package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
)

// replacesParameter is the query parameter with which a client names the connection
// that it replaces, before that ends. It is no secret, and only counts among the user's
// own.
const replacesParameter = "replaces"

// Connect handles $connect: it verifies the token and stores the connection.
type Connect struct {
	verifier   *auth.Verifier
	sessions   *chat.Sessions
	allowQuery bool
	now        func() time.Time
	log        zerolog.Logger
}

// NewConnect returns the handler of $connect. allowQuery accepts the query
// parameter token, see auth.TokenFromHandshake.
func NewConnect(verifier *auth.Verifier, sessions *chat.Sessions, allowQuery bool, now func() time.Time, log zerolog.Logger) *Connect {
	return &Connect{verifier: verifier, sessions: sessions, allowQuery: allowQuery, now: now, log: log}
}

// Handle answers 200 and selects the subprotocol, if it was offered, or answers
// 401 to a missing or invalid token. API Gateway drops the body of the answer.
func (c *Connect) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, c.log, c.now)
	userID, subprotocol, err := c.open(ctx, r)
	inv.end(err, func(line *zerolog.Event) { line.Str("user_id", userID) })
	if err != nil {
		return Response{StatusCode: Status(chat.Reason(err).Code)}, nil
	}
	response := Response{StatusCode: http.StatusOK}
	if subprotocol != "" {
		response.Headers = map[string]string{"Sec-WebSocket-Protocol": subprotocol}
	}
	return response, nil
}

func (c *Connect) open(ctx context.Context, r Request) (userID, subprotocol string, err error) {
	if r.RequestContext.EventType != connectEvent {
		return "", "", errUnknownAction(r.RequestContext.RouteKey)
	}
	offered := headerValues(r, "Sec-WebSocket-Protocol")
	text, subprotocol, err := auth.TokenFromHandshake(offered, r.QueryStringParameters, c.allowQuery)
	if err != nil {
		return "", "", unauthorized(err)
	}
	token, err := c.verifier.Verify(ctx, text)
	if err != nil {
		return "", "", unauthorized(err)
	}
	err = c.sessions.Open(ctx, chat.Connection{
		ID:             r.RequestContext.ConnectionID,
		UserID:         token.UserID,
		ConnectedAt:    r.RequestContext.ConnectedAt,
		TokenExpiresAt: token.ExpiresAt.UnixMilli(),
		Replaces:       r.QueryStringParameters[replacesParameter],
	})
	return token.UserID, subprotocol, err
}

// unauthorized maps an invalid token to CodeUnauthorized. Keys that could not be
// fetched stay an internal error.
func unauthorized(err error) error {
	if errors.Is(err, auth.ErrUnauthorized) {
		return &chat.Error{Code: chat.CodeUnauthorized, Message: "the token is missing or invalid; sign in again", Err: err}
	}
	return err
}

// Disconnect handles $disconnect: it removes the connection. API Gateway sends
// the event at best effort; connections that it misses expire.
type Disconnect struct {
	sessions *chat.Sessions
	now      func() time.Time
	log      zerolog.Logger
}

// NewDisconnect returns the handler of $disconnect.
func NewDisconnect(sessions *chat.Sessions, now func() time.Time, log zerolog.Logger) *Disconnect {
	return &Disconnect{sessions: sessions, now: now, log: log}
}

// Handle answers 200. A client that reaches the route through a frame's action is
// refused with an error frame.
func (d *Disconnect) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, d.log, d.now)
	err := d.close(ctx, r)
	inv.end(err, nil)
	if err != nil {
		return errorFrame(err, ""), nil
	}
	return Response{StatusCode: http.StatusOK}, nil
}

func (d *Disconnect) close(ctx context.Context, r Request) error {
	if r.RequestContext.EventType != disconnectEvent {
		return errUnknownAction(r.RequestContext.RouteKey)
	}
	return d.sessions.Close(ctx, r.RequestContext.ConnectionID, int(r.RequestContext.DisconnectStatusCode))
}

// headerValues returns the values of a header. The case of its name does not
// matter, as in HTTP.
func headerValues(r Request, name string) []string {
	for k, values := range r.MultiValueHeaders {
		if strings.EqualFold(k, name) {
			return values
		}
	}
	for k, value := range r.Headers {
		if strings.EqualFold(k, name) {
			return []string{value}
		}
	}
	return nil
}
