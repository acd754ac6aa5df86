package apigateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
)

// maxHTTPBody is the longest request body that an HTTP API takes, in bytes.
const maxHTTPBody = 10 << 20

// httpTimeout is the quota of an HTTP API's integration.
const httpTimeout = 30 * time.Second

// HTTPConfig describes an HTTP API with one route, $default, on the stage
// $default.
type HTTPConfig struct {
	Function string
	Invoke   Invoke

	// Authorize is the JWT authorizer: it verifies a bearer token and returns
	// its claims, each as a string. An error may have a method Reason() string: one
	// word for the log. Without Authorize anyone gets through.
	Authorize func(ctx context.Context, token string) (claims map[string]string, err error)

	CORS CORS

	Clock clockwork.Clock // the real one if nil
	Log   zerolog.Logger  // gets ids, statuses and function errors; never a URL, a header or a body

	BasePath string // where the API is mounted, such as "/api"; rawPath is what follows
}

// HTTPAPI is an API Gateway HTTP API (payload format 2.0) in front of one
// function. It is an http.Handler for everything below its base path.
type HTTPAPI struct {
	c         HTTPConfig
	functions *integration
}

// NewHTTP makes an HTTP API. Shutdown ends it.
func NewHTTP(c HTTPConfig) *HTTPAPI {
	if c.Clock == nil {
		c.Clock = clockwork.NewRealClock()
	}
	return &HTTPAPI{c: c, functions: newIntegration(c.Invoke, c.Clock, httpTimeout)}
}

// Shutdown refuses requests and waits for running functions, those included
// whose client has its 503. It returns ctx's error when that ends first.
func (a *HTTPAPI) Shutdown(ctx context.Context) error {
	a.functions.stop()
	return a.functions.drain(ctx)
}

// ServeHTTP invokes the function with the request as an event and answers with
// its response. Refusals are API Gateway's: 401, 404 and 413 without an
// invocation, 500 when the function fails, 503 when it takes too long.
func (a *HTTPAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := newID()
	w.Header().Set("Apigw-Requestid", requestID)

	if a.c.CORS.Apply(w, r) {
		return
	}
	path, ok := a.path(r)
	if !ok {
		writeMessage(w, http.StatusNotFound, "Not Found")
		return
	}
	authorizer, err := a.authorize(r)
	if err != nil {
		a.c.Log.Warn().Err(err).Str("reason", reasonOf(err)).Str("requestId", requestID).Msg("request unauthorized")
		w.Header().Set("Www-Authenticate", "Bearer")
		writeMessage(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxHTTPBody+1))
	switch {
	case err != nil:
		writeMessage(w, http.StatusBadRequest, "Bad Request")
		return
	case len(body) > maxHTTPBody:
		writeMessage(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	a.forward(w, a.event(r, path, body, authorizer, requestID))
}

// path is the request's path below the base path, decoded: an HTTP API shows
// functions no encoded one, and cuts it at a question mark that was encoded.
func (a *HTTPAPI) path(r *http.Request) (string, bool) {
	path, ok := strings.CutPrefix(r.URL.Path, a.c.BasePath)
	if !ok || path != "" && path[0] != '/' {
		return "", false
	}
	if path == "" {
		path = "/"
	}
	path, _, _ = strings.Cut(path, "?")
	return path, true
}

// forward invokes the function and converts its response.
func (a *HTTPAPI) forward(w http.ResponseWriter, event httpEvent) {
	log := a.c.Log.With().Str("requestId", event.RequestContext.RequestID).Str("function", a.c.Function).Logger()
	payload, err := json.Marshal(event)
	if err != nil {
		log.Error().Err(err).Msg("encode event")
		writeMessage(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	// Entered for the function alone: a shutdown waits for no client that is slow
	// to send or to read.
	if !a.functions.enter() {
		writeMessage(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	answer, err := a.functions.wait(a.c.Function, payload)
	a.functions.running.Done()
	if errors.Is(err, errIntegrationTimeout) {
		log.Warn().Msg("invocation timed out")
		writeMessage(w, http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	var response proxyResponse
	if err == nil {
		response, err = parseHTTPResponse(answer)
	}
	if err == nil {
		err = a.c.CORS.withoutCORS(response).write(w)
	}
	if err != nil {
		log.Warn().Err(err).Msg("invocation failed")
		writeMessage(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

// parseHTTPResponse reads a function's response. Format 2.0 takes JSON without
// a statusCode for the body of a 200.
func parseHTTPResponse(answer []byte) (proxyResponse, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) == nil && fields["statusCode"] != nil {
		return parseProxyResponse(answer)
	}
	var text string
	if json.Unmarshal(answer, &text) != nil {
		if !json.Valid(answer) {
			return proxyResponse{}, errors.New("the response is not JSON")
		}
		text = string(answer)
	}
	status := http.StatusOK
	return proxyResponse{StatusCode: &status, Headers: map[string]string{"content-type": "application/json"}, Body: text}, nil
}

// write sends the response. After an error nothing has been sent.
func (r proxyResponse) write(w http.ResponseWriter) error {
	body := []byte(r.Body)
	if r.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
			return fmt.Errorf("decode body: %w", err)
		}
	}
	header := w.Header()
	for name, value := range r.Headers {
		header.Set(name, value)
	}
	for name, values := range r.MultiValueHeaders {
		header[http.CanonicalHeaderKey(name)] = values
	}
	for _, cookie := range r.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	header.Del("Content-Length") // the gateway's to say, as are these
	header.Del("Transfer-Encoding")
	header.Del("Connection")
	w.WriteHeader(*r.StatusCode)
	_, _ = io.Copy(w, bytes.NewReader(body)) // the client may be gone
	return nil
}

var errNoToken = errors.New("no bearer token")

// reasonOf returns one word for why a token was refused, "unavailable" if it could
// not be judged.
func reasonOf(err error) string {
	var refusal interface{ Reason() string }
	switch {
	case errors.As(err, &refusal):
		return refusal.Reason()
	case errors.Is(err, errNoToken):
		return "missing"
	}
	return "unavailable"
}

// authorize is the JWT authorizer. It returns nil without an error when the
// API has none.
func (a *HTTPAPI) authorize(r *http.Request) (*httpAuthorizer, error) {
	if a.c.Authorize == nil {
		return nil, nil //nolint:nilnil // an event without an authorizer
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errNoToken
	}
	claims, err := a.c.Authorize(r.Context(), strings.TrimSpace(token))
	if err != nil {
		return nil, fmt.Errorf("verify token: %w", err)
	}
	return &httpAuthorizer{JWT: jwtAuthorizer{Claims: claims}}, nil
}
