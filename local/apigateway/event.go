package apigateway

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The event types of a WebSocket API.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"
)

// requestTimeLayout is how AWS writes a request's time, in UTC.
const requestTimeLayout = "02/Jan/2006:15:04:05 -0700"

// webSocketEvent is the event of a WebSocket API, field by field as AWS sends
// it: which fields are there depends on the event's type.
type webSocketEvent struct {
	Headers                         map[string]string   `json:"headers,omitempty"`
	MultiValueHeaders               map[string][]string `json:"multiValueHeaders,omitempty"`
	QueryStringParameters           map[string]string   `json:"queryStringParameters,omitempty"`
	MultiValueQueryStringParameters map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	RequestContext                  webSocketContext    `json:"requestContext"`
	Body                            *string             `json:"body,omitempty"`
	IsBase64Encoded                 bool                `json:"isBase64Encoded"`
}

type webSocketContext struct {
	RouteKey             string   `json:"routeKey"`
	DisconnectStatusCode *int     `json:"disconnectStatusCode,omitempty"`
	MessageID            string   `json:"messageId,omitempty"`
	EventType            string   `json:"eventType"`
	ExtendedRequestID    string   `json:"extendedRequestId"`
	RequestTime          string   `json:"requestTime"`
	MessageDirection     string   `json:"messageDirection"`
	DisconnectReason     *string  `json:"disconnectReason,omitempty"`
	Stage                string   `json:"stage"`
	ConnectedAt          int64    `json:"connectedAt"`      // ms since 1970
	RequestTimeEpoch     int64    `json:"requestTimeEpoch"` // ms since 1970
	Identity             identity `json:"identity"`
	RequestID            string   `json:"requestId"`
	DomainName           string   `json:"domainName"`
	ConnectionID         string   `json:"connectionId"`
	APIID                string   `json:"apiId"`
}

// identity is what is known of a client.
type identity struct {
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent,omitempty"`
}

// context fills in what the events of a connection have in common.
func (c *connection) context(eventType, routeKey string) webSocketContext {
	now, id := c.api.c.Clock.Now(), newID()
	return webSocketContext{
		RouteKey:          routeKey,
		EventType:         eventType,
		ExtendedRequestID: id,
		RequestTime:       now.UTC().Format(requestTimeLayout),
		MessageDirection:  "IN",
		Stage:             c.api.c.Stage,
		ConnectedAt:       c.connectedAt.UnixMilli(),
		RequestTimeEpoch:  now.UnixMilli(),
		Identity:          c.identity,
		RequestID:         id,
		DomainName:        c.domain,
		ConnectionID:      c.id,
		APIID:             apiID,
	}
}

func (c *connection) connectEvent(r *http.Request) webSocketEvent {
	headers := gatewayHeaders(r, c.api.c.Clock.Now())
	event := webSocketEvent{
		Headers:           lastValues(headers),
		MultiValueHeaders: headers,
		RequestContext:    c.context(eventConnect, connectRoute),
	}
	if query := r.URL.Query(); len(query) > 0 {
		event.QueryStringParameters, event.MultiValueQueryStringParameters = lastValues(query), query
	}
	return event
}

func (c *connection) messageEvent(routeKey, body string) webSocketEvent {
	event := webSocketEvent{RequestContext: c.context(eventMessage, routeKey), Body: &body}
	event.RequestContext.MessageID = newID()
	return event
}

func (c *connection) disconnectEvent(status closeStatus) webSocketEvent {
	headers := map[string]string{"Host": c.domain, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
	multi := make(map[string][]string, len(headers))
	for name, value := range headers {
		multi[name] = []string{value}
	}
	event := webSocketEvent{Headers: headers, MultiValueHeaders: multi, RequestContext: c.context(eventDisconnect, disconnectRoute)}
	event.RequestContext.DisconnectStatusCode = &status.code
	event.RequestContext.DisconnectReason = &status.reason
	return event
}

// gatewayHeaders returns a handshake's headers with AWS's casing: without those
// that are about the hop to the gateway, with those that the gateway adds.
func gatewayHeaders(r *http.Request, now time.Time) map[string][]string {
	headers := make(map[string][]string, len(r.Header)+5)
	for name, values := range r.Header {
		if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
			name = "Sec-WebSocket-" + rest
		}
		headers[name] = values
	}
	delete(headers, "Connection")
	delete(headers, "Upgrade")
	headers["Host"] = []string{r.Host}
	for name, value := range forwardingHeaders(r, now) {
		headers[name] = []string{value}
	}
	return headers
}

// forwardingHeaders returns the headers that a gateway adds to every request.
func forwardingHeaders(r *http.Request, now time.Time) map[string]string {
	scheme, port := "http", "80"
	if r.TLS != nil {
		scheme, port = "https", "443"
	}
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		port = p
	}
	client := sourceIP(r)
	if already := r.Header.Get("X-Forwarded-For"); already != "" {
		client = already + ", " + client
	}
	trace := r.Header.Get("X-Amzn-Trace-Id")
	if trace == "" {
		trace = fmt.Sprintf("Root=1-%08x-%s", now.Unix(), hex.EncodeToString(randomBytes(12)))
	}
	return map[string]string{
		"X-Amzn-Trace-Id":   trace,
		"X-Forwarded-For":   client,
		"X-Forwarded-Port":  port,
		"X-Forwarded-Proto": scheme,
	}
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// lastValues keeps the last of each name's values, as AWS does where it has
// room for one.
func lastValues[M ~map[string][]string](multi M) map[string]string {
	single := make(map[string]string, len(multi))
	for name, values := range multi {
		if len(values) > 0 {
			single[name] = values[len(values)-1]
		}
	}
	return single
}

// idBytes is the size of an id before it is encoded.
const idBytes = 11

// newID makes an id of the shape that AWS gives connections, messages and
// requests: 16 characters of URL-safe base64, the last of them padding.
func newID() string {
	return base64.URLEncoding.EncodeToString(randomBytes(idBytes))
}

// isID reports whether id could be a connection's. AWS's ids are URL-safe
// base64; its SDKs also escape the other alphabet, so that passes too.
func isID(id string) bool {
	if len(id) != 16 || id[15] != '=' {
		return false
	}
	return strings.IndexFunc(id[:15], func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-_+/", r)
	}) < 0
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: it crashes the program instead
	return b
}

// pathSegments splits a request's path before decoding it: a segment may hold
// an escaped slash.
func pathSegments(u *url.URL) ([]string, error) {
	segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, escaped := range segments {
		segment, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, fmt.Errorf("path segment %d: %w", i+1, err)
		}
		segments[i] = segment
	}
	return segments, nil
}
