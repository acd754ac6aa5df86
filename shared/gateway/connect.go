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

// Connect handles $connect: it verifies the token and stores the connection.
type Connect struct {
	Verifier   *auth.Verifier
	Sessions   *chat.Sessions
	AllowQuery bool // accept ?token=
	Now        func() time.Time
	Log        zerolog.Logger
}

// Handle answers 200, and selects the subprotocol where one was offered. A
// missing or bad token is 401; the gateway drops every body.
func (c *Connect) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, c.Log, c.Now)
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
	text, subprotocol, err := auth.TokenFromHandshake(offered, r.QueryStringParameters, c.AllowQuery)
	if err != nil {
		return "", "", unauthorized(err)
	}
	token, err := c.Verifier.Verify(ctx, text)
	if err != nil {
		return "", "", unauthorized(err)
	}
	err = c.Sessions.Open(ctx, chat.Connection{
		ID:             r.RequestContext.ConnectionID,
		UserID:         token.UserID,
		ConnectedAt:    r.RequestContext.ConnectedAt,
		TokenExpiresAt: token.ExpiresAt.UnixMilli(),
	})
	return token.UserID, subprotocol, err
}

// unauthorized tells a bad token from keys that could not be fetched, which
// are our trouble and not the client's.
func unauthorized(err error) error {
	if errors.Is(err, auth.ErrUnauthorized) {
		return &chat.Error{Code: chat.CodeUnauthorized, Message: "the token is missing or not valid", Err: err}
	}
	return err
}

// Disconnect handles $disconnect: it removes the connection. The event is best
// effort; what it misses expires.
type Disconnect struct {
	Sessions *chat.Sessions
	Now      func() time.Time
	Log      zerolog.Logger
}

// Handle answers 200. A client that reaches the route by naming it in a frame
// removes nothing.
func (d *Disconnect) Handle(ctx context.Context, r Request) (Response, error) {
	inv := begin(ctx, r, d.Log, d.Now)
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
	return d.Sessions.Close(ctx, r.RequestContext.ConnectionID)
}

// headerValues returns the values of a header, whatever the case of its name:
// clients and proxies write it as they like.
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
