// Package gateway handles API Gateway's events: it has one handler for each
// WebSocket route, one adapter for the HTTP API, and the one map from the domain's
// error codes to statuses and frames.
//
// A handler trusts the event's eventType and not its route: a client may name any
// route, $disconnect too, in its frame's action.
package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/wire"
)

// Request is a WebSocket route's event.
type Request = events.APIGatewayWebsocketProxyRequest

// Response is a WebSocket route's answer.
type Response = events.APIGatewayProxyResponse

// Values of a request's eventType.
const (
	connectEvent    = "CONNECT"
	messageEvent    = "MESSAGE"
	disconnectEvent = "DISCONNECT"
)

// Status returns the HTTP status of an error code, 500 for an unknown one. The HTTP
// API and $connect answer with it.
func Status(code chat.Code) int {
	switch code {
	case chat.CodeInvalidRequest, chat.CodeUnknownAction:
		return http.StatusBadRequest
	case chat.CodeUnauthorized, chat.CodeTokenExpired:
		return http.StatusUnauthorized
	case chat.CodeNotAMember, chat.CodeForbidden, chat.CodeDenied, chat.CodeMuted, chat.CodeBanned:
		return http.StatusForbidden
	case chat.CodeNotFound:
		return http.StatusNotFound
	case chat.CodeReconnect, chat.CodeDisconnected:
		return http.StatusGone
	case chat.CodeReplaced, chat.CodeNeverSignedIn:
		return http.StatusConflict
	case chat.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case chat.CodeRateLimited:
		return http.StatusTooManyRequests
	case chat.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// errorFrame answers a refused frame; its code says why, not the answer's status.
func errorFrame(err error, clientMessageID string) Response {
	return frame(refusalOf(err, clientMessageID))
}

func refusalOf(err error, clientMessageID string) wire.Error {
	reason := chat.Reason(err)
	return wire.Error{
		Type: wire.TypeError, Code: string(reason.Code), Message: reason.Message, ClientMessageID: clientMessageID,
		RetryAfter: reason.RetryAfter.Milliseconds(), Until: reason.Until,
	}
}

// frame answers with a frame of strings and numbers, whose encoding never fails. The
// status is always 200: whether API Gateway sends the body of another one to the
// client is not documented, and it counts an answer of 4xx or 5xx as an
// IntegrationError ("Monitor WebSocket API execution with CloudWatch metrics", API
// Gateway Developer Guide).
func frame(v any) Response {
	body, err := wire.Encode(v)
	if err != nil {
		panic("gateway: " + err.Error())
	}
	return Response{StatusCode: http.StatusOK, Body: string(body)}
}

// invocation logs the outcome of one event: never a token, never content.
type invocation struct {
	log     zerolog.Logger
	now     func() time.Time
	started time.Time
	routine bool // worth a line at level debug only: nothing but a ping, which went well
}

func begin(ctx context.Context, r Request, log zerolog.Logger, now func() time.Time) invocation {
	fields := log.With().Str("connection_id", r.RequestContext.ConnectionID)
	if r.RequestContext.EventType != messageEvent { // which most are
		fields = fields.Str("event", r.RequestContext.EventType)
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		fields = fields.Str("request_id", lc.AwsRequestID)
	}
	return invocation{log: fields.Logger(), now: now, started: now()}
}

// end writes the invocation's log line. Only internal errors have the level error:
// refusals are caused by clients. That of a token says why, at level warn, since a
// deployment that expects other tokens refuses every one.
func (i invocation) end(err error, add func(*zerolog.Event)) {
	line, outcome := i.log.Info(), "ok"
	if i.routine {
		line = i.log.Debug()
	}
	if err != nil {
		reason := chat.Reason(err)
		outcome = string(reason.Code)
		var refusal *auth.RefusedError
		switch {
		case reason.Code == chat.CodeInternal:
			line = metrics.Failed(i.log.Error().Err(err), i.started)
		case errors.As(err, &refusal): // err's own text is the same for every token
			line = i.log.Warn().AnErr("error", refusal).Str("reason", refusal.Reason())
		}
	}
	line.Str("outcome", outcome).Dur("duration_ms", i.now().Sub(i.started))
	if add != nil {
		add(line)
	}
	line.Msg("handled")
}

// refused counts a frame that is answered with an error, if a client sent it.
func (i invocation) refused(ctx context.Context, sessions *chat.Sessions, r Request, reason error) {
	if r.RequestContext.EventType != messageEvent {
		return
	}
	if err := sessions.Refused(ctx, r.RequestContext.ConnectionID, reason); err != nil {
		i.log.Warn().Err(err).Msg("a refused frame stays uncounted")
	}
}
