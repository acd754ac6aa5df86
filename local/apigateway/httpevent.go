package apigateway

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// httpEvent is the event of an HTTP API, payload format 2.0, field by field as
// AWS sends it for the route $default.
type httpEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        httpContext       `json:"requestContext"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID    string          `json:"accountId"`
	APIID        string          `json:"apiId"`
	Authorizer   *httpAuthorizer `json:"authorizer,omitempty"`
	DomainName   string          `json:"domainName"`
	DomainPrefix string          `json:"domainPrefix"`
	HTTP         httpDescription `json:"http"`
	RequestID    string          `json:"requestId"`
	RouteKey     string          `json:"routeKey"`
	Stage        string          `json:"stage"`
	Time         string          `json:"time"`
	TimeEpoch    int64           `json:"timeEpoch"` // ms since 1970
}

type httpAuthorizer struct {
	JWT jwtAuthorizer `json:"jwt"`
}

type jwtAuthorizer struct {
	Claims map[string]string `json:"claims"`
	Scopes []string          `json:"scopes"` // null for a route without scopes
}

type httpDescription struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// defaultStage is the stage of an HTTP API that adds nothing to the path.
const defaultStage = "$default"

// localAccount stands in for an AWS account's number.
const localAccount = "000000000000"

func (a *HTTPAPI) event(r *http.Request, path string, body []byte, authorizer *httpAuthorizer, requestID string) httpEvent {
	now := a.c.Clock.Now()
	prefix, _, _ := strings.Cut(r.Host, ".")
	event := httpEvent{
		Version:        "2.0",
		RouteKey:       defaultRoute,
		RawPath:        path,
		RawQueryString: r.URL.RawQuery,
		Cookies:        cookies(r.Header),
		Headers:        lowerHeaders(r, len(body)),
		RequestContext: httpContext{
			AccountID:    localAccount,
			APIID:        apiID,
			Authorizer:   authorizer,
			DomainName:   r.Host,
			DomainPrefix: prefix,
			HTTP: httpDescription{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: sourceIP(r), UserAgent: r.UserAgent(),
			},
			RequestID: requestID,
			RouteKey:  defaultRoute,
			Stage:     defaultStage,
			Time:      now.UTC().Format(requestTimeLayout),
			TimeEpoch: now.UnixMilli(),
		},
	}
	for name, value := range forwardingHeaders(r, now) {
		event.Headers[strings.ToLower(name)] = value
	}
	if query := r.URL.Query(); len(query) > 0 {
		event.QueryStringParameters = make(map[string]string, len(query))
		for name, values := range query {
			event.QueryStringParameters[name] = strings.Join(values, ",")
		}
	}
	event.Body = string(body)
	if len(body) > 0 && !isText(r.Header.Get("Content-Type"), body) {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return event
}

// hopHeaders are about the connection to the gateway and stay behind; cookies
// have a field of their own.
var hopHeaders = []string{"Connection", "Cookie", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// lowerHeaders returns the request's headers with lower-case names, repeated
// ones joined.
func lowerHeaders(r *http.Request, length int) map[string]string {
	headers := make(map[string]string, len(r.Header)+6)
	for name, values := range r.Header {
		if !slices.Contains(hopHeaders, name) {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	headers["host"] = r.Host
	headers["content-length"] = strconv.Itoa(length)
	return headers
}

func cookies(header http.Header) []string {
	var all []string
	for _, line := range header.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				all = append(all, cookie)
			}
		}
	}
	return all
}

// isText reports whether a body goes to the function as it is. An HTTP API
// does that for four kinds of content and nothing else, not for a form and not
// for a body without a type. Text that isn't UTF-8 has no form in JSON.
func isText(contentType string, body []byte) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !utf8.Valid(body) {
		return false
	}
	switch kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}
