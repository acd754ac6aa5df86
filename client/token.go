package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/jonboulle/clockwork"
)

// tokenMargin is how long before its end a token is no longer used for a
// request.
const tokenMargin = 30 * time.Second

// tokenSkew is how far a clock may be behind the one that issued a token, without
// being called wrong.
const tokenSkew = time.Minute

// tokenChars is what a token may have as a subprotocol.
var tokenChars = regexp.MustCompile(`^[A-Za-z0-9._~+-]+$`)

// accessToken is a JWT and when it was issued, when it ends (zero: it doesn't say), by
// the server's clock, and when it was fetched, by the device's.
type accessToken struct {
	raw             string
	issued, expires time.Time
	fetched         time.Time
}

// tokens gets tokens from the application and remembers the last one, for HTTP
// requests. It knows the server's time, as far as answers have told it.
type tokens struct {
	get   func(context.Context) (string, error)
	clock clockwork.Clock

	mu      sync.Mutex
	current accessToken
	synced  bool
	ahead   time.Duration // of the server's clock before the device's, once synced
}

// fresh returns a new token.
func (t *tokens) fresh(ctx context.Context) (accessToken, error) {
	raw, err := t.get(ctx)
	if err != nil {
		return accessToken{}, fmt.Errorf("get a token: %w", err)
	}
	if !tokenChars.MatchString(raw) {
		return accessToken{}, errors.New("get a token: what the Token function returned is not a JWT")
	}
	fetched := accessToken{raw: raw, fetched: t.clock.Now()}
	fetched.issued, fetched.expires = times(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current = fetched
	return fetched, nil
}

// recent returns the last token, or a new one if that has ended.
func (t *tokens) recent(ctx context.Context) (string, error) {
	t.mu.Lock()
	last := t.current
	t.mu.Unlock()
	if last.raw != "" {
		if left, known := t.remaining(last); !known || left > tokenMargin {
			return last.raw, nil
		}
	}
	next, err := t.fresh(ctx)
	return next.raw, err
}

// answered notes the server's time, which an answer has in its Date header.
func (t *tokens) answered(h http.Header) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.synced, t.ahead = true, date.Sub(t.clock.Now())
}

// remaining is how long a token will last, if that is known. Where the server's
// time is not, the device's will do, unless it lies outside the token's life: then
// that clock is wrong, and the token counts as issued when it was fetched.
func (t *tokens) remaining(of accessToken) (left time.Duration, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case of.expires.IsZero():
		return 0, false
	case t.synced:
		return t.clock.Until(of.expires) - t.ahead, true
	case of.fetched.Before(of.expires) && !of.fetched.Before(of.issued.Add(-tokenSkew)):
		return t.clock.Until(of.expires), true
	case of.issued.IsZero():
		return 0, false
	}
	return of.expires.Sub(of.issued) - t.clock.Since(of.fetched), true
}

// reject forgets a token that the server refused.
func (t *tokens) reject(raw string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.raw == raw {
		t.current = accessToken{}
	}
}

// times reads when a token was issued and when it ends, zero if it doesn't say. The
// token is not verified: that is up to the server, this is for planning only.
func times(raw string) (issued, expires time.Time) {
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(raw, &claims); err != nil {
		return time.Time{}, time.Time{}
	}
	if claims.IssuedAt != nil {
		issued = claims.IssuedAt.Time
	}
	if claims.ExpiresAt != nil {
		expires = claims.ExpiresAt.Time
	}
	return issued, expires
}
