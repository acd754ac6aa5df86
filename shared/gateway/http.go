package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// UserHandler serves an HTTP request of a user whose token the gateway's
// authorizer has verified.
type UserHandler interface {
	ServeUser(w http.ResponseWriter, r *http.Request, userID string)
}

// HTTP adapts a handler to the events of an HTTP API (payload format 2.0) with
// a JWT authorizer.
type HTTP struct {
	handler UserHandler
	tokens  *auth.Checker
	now     func() time.Time
	log     zerolog.Logger
}

// NewHTTP returns the adapter of a handler. tokens checks the claims of the
// authorizer once more: an authorizer can't be told to look at token_use.
func NewHTTP(handler UserHandler, tokens *auth.Checker, now func() time.Time, log zerolog.Logger) *HTTP {
	return &HTTP{handler: handler, tokens: tokens, now: now, log: log}
}

// Handle serves one request. An event without an authorizer's claims is an error
// of the deployment, and is not served.
func (h *HTTP) Handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	started := h.now()
	if e.RequestContext.Authorizer == nil || e.RequestContext.Authorizer.JWT == nil {
		return events.APIGatewayV2HTTPResponse{}, fmt.Errorf("route %s has no JWT authorizer: want the claims of a verified token in every event", e.RouteKey)
	}
	userID, err := h.tokens.User(e.RequestContext.Authorizer.JWT.Claims)
	if err != nil {
		return h.unaccepted(e, err)
	}
	request, err := httpRequest(ctx, e)
	if err != nil {
		return h.refuse(e, http.StatusBadRequest, err), nil
	}
	recorder := &recorder{status: http.StatusOK, header: http.Header{}}
	h.handler.ServeUser(recorder, request, userID)
	h.log.Info().
		Str("request_id", e.RequestContext.RequestID).
		Str("user_id", userID).
		Str("method", request.Method).
		Str("path", request.URL.Path).
		Int("status", recorder.status).
		Dur("duration_ms", h.now().Sub(started)).
		Str("outcome", http.StatusText(recorder.status)).
		Msg("handled")
	return httpResponse(recorder), nil
}

// unaccepted answers a request whose token is valid, but not accepted: 401 as API Gateway
// does, or that of a service without its scope with 403 and what it lacks, which no other
// token of the same client would have (RFC 6750, 3.1).
func (h *HTTP) unaccepted(e events.APIGatewayV2HTTPRequest, err error) (events.APIGatewayV2HTTPResponse, error) {
	var refusal *auth.RefusedError
	if !errors.As(err, &refusal) || refusal.Reason() != auth.ReasonScope {
		return h.refuse(e, http.StatusUnauthorized, err), nil
	}
	answer := h.refuse(e, http.StatusForbidden, err)
	body, err := wire.Encode(wire.Problem{
		Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden, Code: string(chat.CodeForbidden),
		Detail: "the token of this service has no scope " + chat.ServiceScope,
	})
	answer.Headers["Content-Type"], answer.Body = "application/problem+json", string(body)
	return answer, err
}

// refuse answers a request that does not reach the handler, as API Gateway
// answers those that do not reach the function.
func (h *HTTP) refuse(e events.APIGatewayV2HTTPRequest, status int, err error) events.APIGatewayV2HTTPResponse {
	line := h.log.Info()
	var refusal *auth.RefusedError
	if errors.As(err, &refusal) {
		line = h.log.Warn().Str("reason", refusal.Reason())
	}
	line.Err(err).Str("request_id", e.RequestContext.RequestID).Int("status", status).
		Str("outcome", http.StatusText(status)).Msg("handled")
	return plainAnswer(status)
}

// plainAnswer is an answer as API Gateway itself gives it.
func plainAnswer(status int) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"Content-Type": "application/json"},
		Body:       `{"message":"` + http.StatusText(status) + `"}`,
	}
}

func httpRequest(ctx context.Context, e events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("decode the body: %w", err)
		}
	}
	path := e.RawPath
	// A named stage is part of the raw path, but not of the route.
	if stage := e.RequestContext.Stage; stage != "" && stage != "$default" {
		path = strings.TrimPrefix(path, "/"+stage)
	}
	r, err := http.NewRequestWithContext(ctx, e.RequestContext.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	// An HTTP API has decoded the path: reading it as a URL would decode it again.
	r.URL = &url.URL{Path: path, RawQuery: e.RawQueryString}
	for name, value := range e.Headers {
		r.Header.Set(name, value)
	}
	r.Host = e.RequestContext.DomainName
	return r, nil
}

// recorder keeps a handler's answer.
type recorder struct {
	status  int
	written bool
	header  http.Header
	body    bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter: the first status counts.
func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.written = true
	return r.body.Write(p)
}

// maxText is the longest body that is answered as text, in bytes. A function's
// answer is JSON of at most 6 MB (Lambda Developer Guide, "Lambda quotas"). Text of
// quotes and backslashes doubles in JSON, so it may have half of that; in base 64,
// 4.5 MB of any content fit.
const maxText = 3_000_000

func httpResponse(recorder *recorder) events.APIGatewayV2HTTPResponse {
	response := events.APIGatewayV2HTTPResponse{StatusCode: recorder.status, Headers: map[string]string{}}
	for name, values := range recorder.header {
		response.Headers[name] = strings.Join(values, ",")
	}
	body := recorder.body.Bytes()
	if utf8.Valid(body) && len(body) <= maxText {
		response.Body = string(body)
	} else {
		response.Body = base64.StdEncoding.EncodeToString(body)
		response.IsBase64Encoded = true
	}
	return response
}
