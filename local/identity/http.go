package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// maxRequestBytes is ample for a name of 128 bytes with every byte escaped.
const maxRequestBytes = 4096

// NoticeHeader is on every answer of ServeToken.
const NoticeHeader = "Streamroom-Notice"

const notice = "development only: hands out tokens for any name, without a password"

// ServeToken answers POST {"user":"alice","expiresIn":60}, or {"service":"bot"} with an
// optional "scope", with {"token":"…"}. The time is in seconds as for Token, and optional. Errors are
// application/problem+json. Requests that a browser makes for a page of another
// origin are refused unless AllowOrigin allows it: any page on the web could
// otherwise be any user here.
func (p *Pool) ServeToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(NoticeHeader, notice)
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeProblem(w, http.StatusMethodNotAllowed, chat.CodeInvalidRequest, `use POST with {"user":"alice"}`)
		return
	}
	if !p.allows(r) {
		writeProblem(w, http.StatusForbidden, chat.CodeForbidden, "tokens are not handed to pages of another origin")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			writeProblem(w, http.StatusRequestEntityTooLarge, chat.CodeTooLarge, fmt.Sprintf("the body may have %d bytes", maxRequestBytes))
			return
		}
		writeProblem(w, http.StatusBadRequest, chat.CodeInvalidRequest, "the body could not be read to its end")
		return
	}
	token, err := p.signIn(r.Context(), body)
	var refused *chat.Error
	switch {
	case errors.As(err, &refused):
		writeProblem(w, http.StatusBadRequest, refused.Code, refused.Message)
	case err != nil:
		writeProblem(w, http.StatusInternalServerError, chat.CodeInternal, err.Error())
	default:
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"token": token})
	}
}

// allows reports whether a request is not that of a page which may have no tokens.
func (p *Pool) allows(r *http.Request) bool {
	var own http.CrossOriginProtection
	origin := r.Header.Get("Origin")
	return own.Check(r) == nil || origin != "" && p.AllowOrigin != nil && p.AllowOrigin(origin)
}

func (p *Pool) signIn(ctx context.Context, body []byte) (string, error) {
	var request struct {
		User      string  `json:"user"`
		Service   string  `json:"service"`
		Scope     *string `json:"scope"` // of a service; nil: the one that it needs
		ExpiresIn int64   `json:"expiresIn"`
	}
	if !utf8.Valid(body) {
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid body: want valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&request)
	if err == nil && len(bytes.TrimSpace(body[decoder.InputOffset():])) > 0 {
		err = errors.New("more follows the object")
	}
	if err != nil {
		return "", chat.Errorf(chat.CodeInvalidRequest, `invalid body: want {"user":"alice","expiresIn":60}: %v`, err)
	}
	// Clamped, a number of seconds beyond what a Duration holds is still refused.
	const bound = int64(2 * maxLife / time.Second)
	seconds := min(max(request.ExpiresIn, -bound), bound)
	if request.Service != "" {
		return p.serviceSignIn(request.User, request.Service, request.Scope, time.Duration(seconds)*time.Second)
	}
	if request.Scope != nil {
		return "", chat.Errorf(chat.CodeInvalidRequest, "scope is for services; leave it out")
	}
	user, err := spelled(request.User)
	if err != nil {
		return "", err
	}
	token, err := p.Token(user, time.Duration(seconds)*time.Second)
	if err != nil || p.SignedIn == nil {
		return token, err
	}
	if err := p.SignedIn(ctx, user); err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	return token, nil
}

func (p *Pool) serviceSignIn(user, service string, scope *string, expiresIn time.Duration) (string, error) {
	if user != "" {
		return "", chat.Errorf(chat.CodeInvalidRequest, "a token is for a user or for a service; leave one of them out")
	}
	asked := chat.ServiceScope
	if scope != nil {
		asked = *scope
	}
	return p.ServiceToken(service, asked, expiresIn)
}

// ServeDescription answers GET and HEAD with the issuer's description, which says
// where its keys are ("OpenID Connect Discovery 1.0", section 4).
func (p *Pool) ServeDescription(w http.ResponseWriter, r *http.Request) {
	serveDocument(w, r, p.description)
}

// ServeJWKS answers GET and HEAD with the pool's JSON Web Key Set.
func (p *Pool) ServeJWKS(w http.ResponseWriter, r *http.Request) {
	serveDocument(w, r, p.keySet)
}

func serveDocument(w http.ResponseWriter, r *http.Request, document []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed, chat.CodeInvalidRequest, "use GET")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache") // the key may be another after a restart
	_, _ = w.Write(document)
}

func writeProblem(w http.ResponseWriter, status int, code chat.Code, detail string) {
	writeJSON(w, status, "application/problem+json", wire.Problem{
		Title: http.StatusText(status), Status: status, Detail: detail, Code: string(code),
	})
}

// writeJSON ignores that the client may be gone: there is no one left to notify.
func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
