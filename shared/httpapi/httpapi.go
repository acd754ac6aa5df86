// Package httpapi serves the HTTP API: rooms, places, members, messages, /sync and
// profiles, to users who have been authenticated before. Bodies are those of
// shared/wire; errors are application/problem+json (RFC 9457) with a code of the
// domain. openapi.json describes it, asyncapi.json the frames of the WebSocket, and tests
// in local hold both to that.
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// maxBody bounds a request's body, in bytes: /sync with 100 of the longest
	// room ids needs some 17,000.
	maxBody = 64 << 10

	// Bounds of the query parameter limit.
	defaultLimit = 50
	maxLimit     = 100

	// maxSyncBody bounds the messages in an answer to /sync, in bytes. The first
	// messages of 100 rooms fit. A function's answer may have 6 MB, or 4.5 MB as
	// base 64; rooms whose messages do not fit have more set.
	maxSyncBody = 4 << 20
)

// Domain holds the parts of the domain that the API serves.
type Domain struct {
	Rooms     *chat.Rooms
	Histories *chat.Histories
	Editor    *chat.Editor
	Readers   *chat.Readers
	Reactors  *chat.Reactors
	Profiles  *chat.Profiles
	Blocks    *chat.Blocks
	Pushes    *chat.Pushes // nil: there is no Web Push
	Users     *chat.Users
	Sender    *chat.Sender
	Sessions  *chat.Sessions
	Presences *chat.Presences // nil: no one is told who is online

	Attachments *chat.Attachments

	UserIDs chat.UserIDs
	Limits  *chat.Limiter // nil for none
}

// API answers requests.
type API struct {
	domain Domain
	status func(chat.Code) int
	log    zerolog.Logger
	mux    *http.ServeMux
}

// New returns the API. status maps a code to an HTTP status.
func New(domain Domain, status func(chat.Code) int, log zerolog.Logger) *API {
	a := &API{domain: domain, status: status, log: log, mux: http.NewServeMux()}
	for pattern, serve := range a.handlers() {
		if pattern == "POST /rooms" || pattern == "PUT /me" {
			serve = a.noting(serve)
		}
		a.mux.Handle(pattern, a.route(admitting(pattern, serve)))
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.noRoute(w, r) })
	return a
}

// Routes lists the patterns of what the API serves, in order.
func Routes() []string { return slices.Sorted(maps.Keys((&API{}).handlers())) }

// handlers are what the API serves, by pattern.
func (a *API) handlers() map[string]handler {
	return map[string]handler{
		"POST /rooms":                                       a.limited(chat.Writing, a.createRoom),
		"GET /rooms":                                        a.limited(chat.Reading, a.listRooms),
		"GET /rooms/{room}":                                 a.limited(chat.Reading, a.getRoom),
		"PATCH /rooms/{room}":                               a.limited(chat.Writing, a.changeRoom),
		"GET /rooms/{room}/presence":                        a.limited(chat.Reading, a.presence),
		"GET /nearby":                                       a.limited(chat.Reading, a.nearby),
		"POST /rooms/{room}/join":                           a.telling(a.joinRoom),
		"PUT /rooms/{room}/place":                           a.limited(chat.Writing, a.placeRoom),
		"DELETE /rooms/{room}/place":                        a.limited(chat.Writing, a.unplaceRoom),
		"POST /rooms/{room}/members":                        a.telling(a.addMember),
		"DELETE /rooms/{room}/members":                      a.telling(a.removeMember),
		"GET /rooms/{room}/bans":                            a.limited(chat.Reading, a.bans),
		"PUT /rooms/{room}/bans":                            a.telling(a.ban),
		"DELETE /rooms/{room}/bans":                         a.limited(chat.Writing, a.unban),
		"PATCH /rooms/{room}/members":                       a.telling(a.changeMember),
		"DELETE /rooms/{room}/members/{user}":               a.telling(a.removeMember),
		"POST /rooms/{room}/read":                           a.limited(chat.Writing, a.readRoom),
		"PUT /rooms/{room}/notify":                          a.limited(chat.Writing, a.setNotify),
		"GET /rooms/{room}/messages":                        a.limited(chat.Reading, a.history),
		"POST /rooms/{room}/messages":                       a.sendMessage, // which has limits of its own
		"PATCH /rooms/{room}/messages/{message}":            a.limited(chat.Writing, a.editMessage),
		"DELETE /rooms/{room}/messages/{message}":           a.limited(chat.Writing, a.deleteMessage),
		"PUT /rooms/{room}/messages/{message}/reactions":    a.limited(chat.Writing, a.react),
		"DELETE /rooms/{room}/messages/{message}/reactions": a.limited(chat.Writing, a.takeBack),
		"POST /rooms/{room}/messages/{message}/report":      a.limited(chat.Reporting, a.report),
		"GET /rooms/{room}/reports":                         a.limited(chat.Reading, a.reports),
		"DELETE /rooms/{room}/reports/{message}":            a.limited(chat.Writing, a.dismissReports),
		"POST /rooms/{room}/attachments":                    a.limited(chat.Writing, a.announceAttachment),
		"GET /rooms/{room}/attachments/{file}":              a.limited(chat.Reading, a.downloadAttachment),
		"POST /sync":                                        a.limited(chat.Reading, a.sync),
		"GET /me":                                           a.limited(chat.Reading, a.me),
		"PUT /me":                                           a.limited(chat.Writing, a.changeMe),
		"GET /me/blocks":                                    a.limited(chat.Reading, a.blocks),
		"PUT /me/blocks":                                    a.limited(chat.Writing, a.block),
		"PUT /me/blocks/{user}":                             a.limited(chat.Writing, a.block),
		"DELETE /me/blocks":                                 a.limited(chat.Writing, a.unblock),
		"DELETE /me/blocks/{user}":                          a.limited(chat.Writing, a.unblock),
		"GET /me/push":                                      a.limited(chat.Reading, a.pushing(a.pushKey)),
		"PUT /me/push":                                      a.limited(chat.Writing, a.pushing(a.subscribe)),
		"DELETE /me/push":                                   a.limited(chat.Writing, a.pushing(a.unsubscribe)),
		"POST /profiles":                                    a.limited(chat.Reading, a.profiles),
		"POST /users/disconnect":                            a.limited(chat.Writing, a.disconnect),
		"POST /users/{user}/disconnect":                     a.limited(chat.Writing, a.disconnect),
		"GET /openapi.json":                                 a.limited(chat.Reading, a.description),
		"GET /asyncapi.json":                                a.limited(chat.Reading, a.frames),
	}
}

// userKey is the key of the user's id in a request's context.
type userKey struct{}

func withUser(ctx context.Context, userID string) context.Context {
	return context.WithValue(ctx, userKey{}, userID)
}

func userOf(ctx context.Context) string {
	userID, _ := ctx.Value(userKey{}).(string)
	return userID
}

// ServeUser serves a request of a user who has been authenticated.
func (a *API) ServeUser(w http.ResponseWriter, r *http.Request, userID string) {
	// The mux would redirect these to a path without the API's prefix.
	if path.Clean(r.URL.Path) != r.URL.Path {
		a.fail(w, errNoPath())
		return
	}
	a.mux.ServeHTTP(w, r.WithContext(withUser(r.Context(), userID)))
}

// handler serves one route: the status and the body to answer with, or an
// error of the domain.
type handler func(r *http.Request, userID string) (status int, body any, err error)

// limited counts a request in its user's limits before it is served.
func (a *API) limited(action chat.Action, serve handler) handler {
	return func(r *http.Request, userID string) (int, any, error) {
		if err := a.domain.Limits.Admit(r.Context(), userID, action); err != nil {
			return 0, nil, err
		}
		return serve(r, userID)
	}
}

// telling counts a request that changes who is a member of a room, or as what, in its user's
// limits before it is served: others are notified.
func (a *API) telling(serve handler) handler {
	return a.limited(chat.Writing, func(r *http.Request, userID string) (int, any, error) {
		a.domain.Limits.Weigh(userID, chat.Writing, chat.MemberWeight-1)
		return serve(r, userID)
	})
}

// noting has a handler note that its user has signed in, once it has succeeded. It is
// for requests that are rare, and come first from users who open no connection.
func (a *API) noting(serve handler) handler {
	return func(r *http.Request, userID string) (int, any, error) {
		status, body, err := serve(r, userID)
		if err != nil {
			return 0, nil, err // which leaves nothing in the table
		}
		if err := a.domain.Users.Note(r.Context(), userID); err != nil {
			a.log.Warn().Err(err).Msg("the user stays unknown")
		}
		return status, body, nil
	}
}

// location is the body of an answer that has none, and leads elsewhere.
type location string

func (a *API) route(serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body, err := serve(r, userOf(r.Context()))
		if err != nil {
			a.fail(w, err)
			return
		}
		if to, ok := body.(location); ok {
			w.Header().Set("Location", string(to))
			body = nil
		}
		size := a.answer(w, status, "application/json", body)
		a.domain.Limits.Weigh(userOf(r.Context()), chat.Reading, size/chat.AnswerWeight)
	})
}

// noRoute answers unknown paths (404), and methods that a path does not have (405).
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.fail(w, errNoPath())
		return
	}
	for _, method := range allowed {
		w.Header().Add("Allow", method)
	}
	a.problem(w, http.StatusMethodNotAllowed, chat.Errorf(chat.CodeInvalidRequest, "invalid method: want %s, got %s", strings.Join(allowed, " or "), r.Method))
}

func errNoPath() error {
	return chat.Errorf(chat.CodeNotFound, "no such path; see GET /openapi.json for the paths of this API")
}

func (a *API) fail(w http.ResponseWriter, err error) {
	reason := chat.Reason(err)
	if reason.Code == chat.CodeInternal {
		a.log.Error().Err(err).Str("outcome", string(reason.Code)).Msg("request failed")
	}
	a.problem(w, a.status(reason.Code), reason)
}

func (a *API) problem(w http.ResponseWriter, status int, reason *chat.Error) {
	if wait := reason.RetryAfter; wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	a.answer(w, status, "application/problem+json", wire.Problem{
		Title: http.StatusText(status), Status: status, Detail: reason.Message, Code: string(reason.Code),
		NeverSignedIn: reason.Users, RetryAfter: reason.RetryAfter.Milliseconds(), Until: reason.Until,
	})
}

// answer returns how many bytes the answer's body has.
func (a *API) answer(w http.ResponseWriter, status int, contentType string, body any) (size int) {
	w.Header().Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return 0
	}
	data, err := wire.Encode(body)
	if err != nil {
		a.log.Error().Err(err).Msg("encode an answer")
		w.WriteHeader(http.StatusInternalServerError)
		return 0
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if _, err := w.Write(data); err != nil {
		a.log.Warn().Err(err).Msg("write an answer")
	}
	return len(data)
}

// read decodes a request's body strictly: JSON, one object, no unknown field.
func read(r *http.Request, into any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return chat.Errorf(chat.CodeInvalidRequest, "invalid Content-Type: want application/json, got %q", r.Header.Get("Content-Type"))
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: "the body could not be read; send it again", Err: err}
	}
	if len(data) > maxBody {
		return chat.Errorf(chat.CodeTooLarge, "invalid body: want at most %d bytes, got more", maxBody)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) { // null would decode like {}
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: noObject}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: describe(err), Err: err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return chat.Errorf(chat.CodeInvalidRequest, "invalid body: want one JSON object, got more after it")
	}
	return checkNames(data, into)
}

// describe explains to the client why a body does not decode.
func describe(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Sprintf("invalid %s: want %s, got %s", wrongType.Field, jsonTypes[wrongType.Type.Kind()], wrongType.Value)
	}
	const unknown = "json: unknown field "
	if text := err.Error(); len(text) > len(unknown) && text[:len(unknown)] == unknown {
		return "unknown field " + text[len(unknown):] + "; leave it out"
	}
	return noObject
}

// jsonTypes names the JSON types that the fields of requests decode from.
var jsonTypes = map[reflect.Kind]string{
	reflect.Bool: "boolean", reflect.Float64: "number", reflect.Int: "integer", reflect.Int64: "integer", reflect.String: "string", reflect.Pointer: "string", reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
}

const noObject = "invalid body: want a JSON object as GET /openapi.json describes it"

// limit reads the query parameter limit: 1 to 100, 50 if absent.
func limit(r *http.Request) (int, error) {
	value := r.URL.Query().Get("limit")
	if value == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxLimit {
		return 0, chat.Errorf(chat.CodeInvalidRequest, "invalid limit: want a number from 1 to %d, got %q", maxLimit, value)
	}
	return n, nil
}
