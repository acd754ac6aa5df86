// Package auth turns a token into a user. It verifies JSON Web Tokens signed
// with RS256 by one issuer, whose public keys it fetches and caches, and finds
// the token in a WebSocket handshake.
//
// One Rule decides which claims are accepted: a Verifier applies it to tokens, a
// Checker to the claims that API Gateway's JWT authorizer has verified.
//
// Every refused token is a RefusedError, which wraps ErrUnauthorized and has a reason
// for logs; only a token that could not be judged, because its issuer's keys cannot
// be had, is ErrUnavailable. No error's text holds any part of a token but the time
// at which it expired.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// algorithm is the only accepted one. With a choice, a forger could sign
	// with the public key as an HMAC secret.
	algorithm = "RS256"
	// maxTokenBytes is well over what API Gateway lets through in headers
	// (10,240 bytes), and bounds the work for a token that is refused.
	maxTokenBytes = 16 << 10
)

// ErrUnavailable is wrapped by errors about a token that could not be judged
// because the issuer's keys cannot be fetched. Trying again later may help.
var ErrUnavailable = errors.New("token keys cannot be fetched")

// Config says which tokens are accepted.
type Config struct {
	Rule
	// JWKSURL is where the issuer publishes its keys; "" means what its description
	// says, at Issuer + "/.well-known/openid-configuration".
	JWKSURL string
}

// Token holds the claims of a verified token.
type Token struct {
	UserID    string
	ExpiresAt time.Time      // exactly as in the token: without leeway
	Claims    map[string]any // as encoding/json decodes them
}

// Verifier verifies tokens. It is safe for concurrent use and meant to be kept
// for the life of the process, because it caches the issuer's keys.
type Verifier struct {
	checker *Checker
	parser  *jwt.Parser
	keys    *keySet
	keyfunc keyfunc.Keyfunc
}

// New returns a verifier of the tokens that c describes. It touches no network:
// the keys are fetched with the client when the first token needs them. A nil
// client is a plain one. Clock now is required.
func New(c Config, client *http.Client, now func() time.Time) (*Verifier, error) {
	checker, err := NewChecker(c.Rule, now)
	if err != nil {
		return nil, err
	}
	if err := c.validateURL(); err != nil {
		return nil, err
	}
	keys := newKeySet(address{issuer: c.Issuer, fixed: c.JWKSURL}, client, now)
	lookup, err := keyfunc.New(keyfunc.Options{Storage: keys.storage})
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return &Verifier{
		checker: checker,
		// The checker checks the claims, before the signature.
		parser:  jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithoutClaimsValidation()),
		keys:    keys,
		keyfunc: lookup,
	}, nil
}

// validateURL checks where the keys are to be found.
func (c Config) validateURL() error {
	name, at := "keys URL", c.JWKSURL
	if at == "" {
		name, at = "issuer", c.Issuer
	}
	if u, err := url.Parse(at); err != nil || !fetchable(u) {
		return fmt.Errorf("auth: invalid %s: want http:// or https:// and a host, got %q", name, at)
	}
	return nil
}

// Verify verifies a token and returns its claims. Its error is a *RefusedError (and
// wraps the cause, such as jwt.ErrTokenExpired), or wraps ErrUnavailable if the
// keys could not be fetched or ctx ended before they were.
// A token of a known key needs no network.
func (v *Verifier) Verify(ctx context.Context, token string) (Token, error) {
	claims, err := v.Claims(ctx, token)
	if err != nil {
		return Token{}, err
	}
	userID, err := v.checker.rule.UserID(claims)
	if err != nil {
		return Token{}, err
	}
	expiresAt, err := jwt.MapClaims(claims).GetExpirationTime()
	if err != nil {
		return Token{}, refuse(err, claims)
	}
	return Token{UserID: userID, ExpiresAt: expiresAt.Time, Claims: claims}, nil
}

// Claims verifies a token without asking whose it is, as a JWT authorizer of API Gateway
// does. Errors are those of Verify.
func (v *Verifier) Claims(ctx context.Context, token string) (map[string]any, error) {
	if len(token) > maxTokenBytes {
		return nil, refusedf(reasonMalformed, "token is longer than %d bytes", maxTokenBytes)
	}
	claims := jwt.MapClaims{}
	var keysErr error
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		// Claims first: a foreign or expired token must not cost a fetch.
		if err := v.checker.check(claims); err != nil {
			return nil, err
		}
		keyID, err := keyIDOf(t.Header)
		if err != nil {
			return nil, err
		}
		keysErr = v.keys.ensure(ctx, keyID)
		if keysErr != nil {
			return nil, keysErr
		}
		return v.keyfunc.KeyfuncCtx(ctx)(t)
	})
	switch {
	case keysErr != nil:
		return nil, keysErr
	case err != nil:
		return nil, refuse(err, claims)
	}
	return claims, nil
}

// keyIDOf returns the id of the key that signed the token. It refuses the
// critical extensions of RFC 7515, 4.1.11, none of which are known here.
func keyIDOf(header map[string]any) (string, error) {
	if _, ok := header["crit"]; ok {
		return "", errCritical
	}
	keyID, _ := header[jwkset.HeaderKID].(string)
	if keyID == "" {
		return "", errNoKeyID
	}
	return keyID, nil
}
