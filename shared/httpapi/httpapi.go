// Package httpapi is the HTTP API: rooms, their members, their history, /sync,
// and what users are called. It serves requests of users who have been authenticated before. Bodies
// are those of shared/wire; errors are application/problem+json (RFC 9457) with
// a code of the domain.
package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"

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

	// maxSyncBody bounds the messages in an answer to /sync, in bytes: the first
	// of each of 100 rooms always fit. A function's answer may have 6 MB, and 4.5
	// as base 64; what does not fit is announced by more.
	maxSyncBody = 4 << 20
)

// Domain is what the API answers from.
type Domain struct {
	Rooms     *chat.Rooms
	Histories *chat.Histories
	Editor    *chat.Editor
	Readers   *chat.Readers
	Profiles  *chat.Profiles
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
	for pattern, serve := range map[string]handler{
		"POST /rooms":                             a.createRoom,
		"GET /rooms":                              a.listRooms,
		"GET /rooms/{room}":                       a.getRoom,
		"PATCH /rooms/{room}":                     a.renameRoom,
		"POST /rooms/{room}/members":              a.addMember,
		"DELETE /rooms/{room}/members":            a.removeMember,
		"DELETE /rooms/{room}/members/{user}":     a.removeMember,
		"POST /rooms/{room}/read":                 a.readRoom,
		"GET /rooms/{room}/messages":              a.history,
		"PATCH /rooms/{room}/messages/{message}":  a.editMessage,
		"DELETE /rooms/{room}/messages/{message}": a.deleteMessage,
		"POST /sync":                              a.sync,
		"GET /me":                                 a.me,
		"PUT /me":                                 a.changeMe,
		"POST /profiles":                          a.profiles,
		"GET /openapi.json":                       a.description,
	} {
		a.mux.Handle(pattern, a.route(serve))
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.noRoute(w, r) })
	return a
}

// userKey is the key of the user's id in a request's context.
type userKey struct{}

// ServeUser serves a request of a user who has been authenticated.
func (a *API) ServeUser(w http.ResponseWriter, r *http.Request, userID string) {
	// The mux would redirect these, to a path that lacks what comes before ours.
	if path.Clean(r.URL.Path) != r.URL.Path {
		a.fail(w, errNoPath())
		return
	}
	a.mux.ServeHTTP(w, r.WithContext(withUser(r.Context(), userID)))
}

// handler serves one route: the status and the body to answer with, or an
// error of the domain.
type handler func(r *http.Request, userID string) (status int, body any, err error)

func (a *API) route(serve handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, body, err := serve(r, userOf(r.Context()))
		if err != nil {
			a.fail(w, err)
			return
		}
		a.answer(w, status, "application/json", body)
	})
}

// noRoute answers paths that are none, and methods that a path does not have.
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
	a.problem(w, http.StatusMethodNotAllowed, chat.Errorf(chat.CodeInvalidRequest, "this path has no method %s", r.Method))
}

func errNoPath() error {
	return chat.Errorf(chat.CodeNotFound, "no such path; see docs/protocol.md for those there are")
}

func (a *API) fail(w http.ResponseWriter, err error) {
	reason := chat.Reason(err)
	if reason.Code == chat.CodeInternal {
		a.log.Error().Err(err).Str("outcome", string(reason.Code)).Msg("request failed")
	}
	a.problem(w, a.status(reason.Code), reason)
}

func (a *API) problem(w http.ResponseWriter, status int, reason *chat.Error) {
	a.answer(w, status, "application/problem+json", wire.Problem{
		Title: http.StatusText(status), Status: status, Detail: reason.Message, Code: string(reason.Code),
	})
}

func (a *API) answer(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := wire.Encode(body)
	if err != nil {
		a.log.Error().Err(err).Msg("encode an answer")
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if _, err := w.Write(data); err != nil {
		a.log.Warn().Err(err).Msg("write an answer")
	}
}

// read decodes a request's body strictly: JSON, one object, no field that we
// would ignore.
func read(r *http.Request, into any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return chat.Errorf(chat.CodeInvalidRequest, "send the body with Content-Type: application/json")
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: "the body could not be read", Err: err}
	}
	if len(data) > maxBody {
		return chat.Errorf(chat.CodeTooLarge, "the body has more than %d bytes", maxBody)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) { // null would pass for an empty one
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: noObject}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &chat.Error{Code: chat.CodeInvalidRequest, Message: describe(err), Err: err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return chat.Errorf(chat.CodeInvalidRequest, "the body has more than one JSON value")
	}
	return nil
}

// describe says what was wrong with a body in words for its author.
func describe(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return wrongType.Field + " has the wrong type"
	}
	const unknown = "json: unknown field "
	if text := err.Error(); len(text) > len(unknown) && text[:len(unknown)] == unknown {
		return "unknown field " + text[len(unknown):]
	}
	return noObject
}

const noObject = "the body is no JSON object of this request's form"

// limit reads the query parameter limit: 1 to 100, 50 if absent.
func limit(r *http.Request) (int, error) {
	value := r.URL.Query().Get("limit")
	if value == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxLimit {
		return 0, chat.Errorf(chat.CodeInvalidRequest, "limit must be a number from 1 to %d", maxLimit)
	}
	return n, nil
}
