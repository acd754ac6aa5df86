package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jonboulle/clockwork"
)

// tokenMargin is how long before its end a token is no longer used for a
// request.
const tokenMargin = 30 * time.Second

// tokenChars is what a token may have as a subprotocol.
var tokenChars = regexp.MustCompile(`^[A-Za-z0-9._~+-]+$`)

// tokens gets tokens from the application and remembers the last one, for HTTP
// requests.
type tokens struct {
	get   func(context.Context) (string, error)
	clock clockwork.Clock

	mu      sync.Mutex
	current string
	expires time.Time // zero: unknown
}

// fresh returns a new token and when it ends, zero if it doesn't say.
func (t *tokens) fresh(ctx context.Context) (token string, expires time.Time, err error) {
	token, err = t.get(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("get a token: %w", err)
	}
	if !tokenChars.MatchString(token) {
		return "", time.Time{}, errors.New("get a token: what the Token function returned is no JWT")
	}
	expires = expiry(token)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current, t.expires = token, expires
	return token, expires, nil
}

// recent returns the last token, or a new one if that has ended.
func (t *tokens) recent(ctx context.Context) (string, error) {
	t.mu.Lock()
	token, expires := t.current, t.expires
	t.mu.Unlock()
	if token != "" && (expires.IsZero() || t.clock.Until(expires) > tokenMargin) {
		return token, nil
	}
	token, _, err := t.fresh(ctx)
	return token, err
}

// reject forgets a token that the server refused.
func (t *tokens) reject(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == token {
		t.current = ""
	}
}

// expiry reads when a token ends, zero if it doesn't say. The token is not
// verified: that is up to the server, this is for planning only.
func expiry(token string) time.Time {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil || claims.ExpiresAt == nil {
		return time.Time{}
	}
	return claims.ExpiresAt.Time
}
