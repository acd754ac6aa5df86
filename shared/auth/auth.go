// Package auth turns a token into a user. It verifies JSON Web Tokens signed
// with RS256 by one issuer, whose public keys it fetches and caches, and finds
// the token in a WebSocket handshake.
//
// Every refusal is ErrUnauthorized, whatever was wrong with the token; only a
// token that could not be judged, because its issuer's keys cannot be had, is
// ErrUnavailable. No error's text holds any part of a token.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/chat"
)

const (
	// algorithm is the only accepted one. With a choice, a forger could sign
	// with the public key as an HMAC secret.
	algorithm = "RS256"
	// leeway allows for clocks that differ between issuer and verifier.
	leeway = 30 * time.Second
	// maxTokenBytes is well over what API Gateway lets through in headers
	// (10,240 bytes), and bounds the work for a token that is refused.
	maxTokenBytes = 16 << 10
	// maxExpiry is the last second of the year 9999: later times have no
	// representation in JSON, and very late ones overflow.
	maxExpiry = 253402300799
)

var (
	// ErrUnauthorized is wrapped by every error about a token that is missing,
	// malformed, forged, foreign or not valid at this time. Trying again with
	// the same token is of no use.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnavailable is wrapped by errors about a token that could not be
	// judged because the issuer's keys cannot be fetched. Trying again later
	// may help.
	ErrUnavailable = errors.New("token keys cannot be fetched")
)

// Reasons of this package for ErrUnauthorized, beside those of the JWT library.
var (
	errCritical   = errors.New("token has critical header parameters, which are not supported")
	errNoKeyID    = errors.New("token has no kid header")
	errExpiry     = errors.New("token expires beyond the year 9999")
	errTokenUse   = errors.New("token_use is not accepted")
	errUnknownKey = errors.New("token is signed with a key that its issuer does not publish")
)

// Config says which tokens are accepted.
type Config struct {
	// Issuer must equal the claim iss.
	Issuer string
	// JWKSURL is where the issuer publishes its keys; "" means
	// Issuer + "/.well-known/jwks.json".
	JWKSURL string
	// Audience lists the accepted client ids, at least one. One of them must be
	// in the claim aud or be the claim client_id: Cognito's id tokens have only
	// the former, its access tokens only the latter.
	Audience []string
	// TokenUse lists the accepted values of the claim token_use. Empty means
	// that it is not checked, for issuers that are not Cognito.
	TokenUse []string
	// UserClaim names the claim that is the user id; see UserID.
	UserClaim string
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
	config    Config
	parser    *jwt.Parser
	validator *jwt.Validator
	keys      *keySet
	keyfunc   keyfunc.Keyfunc
}

// New returns a verifier of the tokens that c describes. It touches no network:
// the keys are fetched with the client when the first token needs them. A nil
// client is a plain one. Clock now is required.
func New(c Config, client *http.Client, now func() time.Time) (*Verifier, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if now == nil {
		return nil, errors.New("auth: a clock is required")
	}
	keys := newKeySet(c.keysURL(), client, now)
	lookup, err := keyfunc.New(keyfunc.Options{Storage: keys.storage})
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return &Verifier{
		config: c,
		// The claims are checked by the validator below, before the signature.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithoutClaimsValidation()),
		validator: jwt.NewValidator(
			jwt.WithIssuer(c.Issuer),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(now),
		),
		keys:    keys,
		keyfunc: lookup,
	}, nil
}

func (c Config) keysURL() string {
	if c.JWKSURL != "" {
		return c.JWKSURL
	}
	return strings.TrimRight(c.Issuer, "/") + "/.well-known/jwks.json"
}

func (c Config) validate() error {
	if c.Issuer == "" {
		return errors.New("auth: an issuer is required, such as https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example")
	}
	u, err := url.Parse(c.keysURL())
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("auth: invalid keys URL: want http:// or https:// and a host, got %q", c.keysURL())
	}
	// An empty id would accept a token without any.
	if len(c.Audience) == 0 || slices.Contains(c.Audience, "") {
		return errors.New("auth: at least one audience (client id) is required, and none may be empty")
	}
	if slices.Contains(c.TokenUse, "") {
		return errors.New("auth: an accepted token_use may not be empty")
	}
	return nil
}

// Verify verifies a token and returns its claims. Its errors wrap
// ErrUnauthorized (and the reason, such as jwt.ErrTokenExpired), or
// ErrUnavailable if the keys could not be fetched or ctx ended before they were.
// A token of a known key needs no network.
func (v *Verifier) Verify(ctx context.Context, token string) (Token, error) {
	if len(token) > maxTokenBytes {
		return Token{}, fmt.Errorf("%w: token is longer than %d bytes", ErrUnauthorized, maxTokenBytes)
	}
	claims := jwt.MapClaims{}
	var keysErr error
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		// Claims first: a foreign or expired token must not cost a fetch.
		if err := v.check(claims); err != nil {
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
		return Token{}, keysErr
	case err != nil:
		return Token{}, refusal(err)
	}
	userID, err := UserID(claims, v.config.UserClaim)
	if err != nil {
		return Token{}, err
	}
	expiresAt, err := claims.GetExpirationTime()
	if err != nil {
		return Token{}, refusal(err)
	}
	return Token{UserID: userID, ExpiresAt: expiresAt.Time, Claims: claims}, nil
}

func (v *Verifier) check(claims jwt.MapClaims) error {
	if err := v.validator.Validate(claims); err != nil {
		return err
	}
	if exp, _ := claims["exp"].(float64); exp > maxExpiry {
		return errExpiry
	}
	if !v.isForUs(claims) {
		return jwt.ErrTokenInvalidAudience
	}
	if len(v.config.TokenUse) > 0 {
		use, _ := claims["token_use"].(string)
		if !slices.Contains(v.config.TokenUse, use) {
			return errTokenUse
		}
	}
	return nil
}

func (v *Verifier) isForUs(claims jwt.MapClaims) bool {
	clientID, _ := claims["client_id"].(string)
	if slices.Contains(v.config.Audience, clientID) {
		return true
	}
	audience, err := claims.GetAudience()
	return err == nil && slices.ContainsFunc(audience, func(a string) bool {
		return slices.Contains(v.config.Audience, a)
	})
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

// reasons are the causes that a refusal may name, most telling first. Only
// these constant texts get out, because the libraries' messages quote tokens.
var reasons = []error{
	errCritical,
	errNoKeyID,
	errExpiry,
	errTokenUse,
	jwt.ErrTokenRequiredClaimMissing,
	jwt.ErrTokenInvalidIssuer,
	jwt.ErrTokenInvalidAudience,
	jwt.ErrTokenExpired,
	jwt.ErrTokenNotValidYet,
	jwt.ErrTokenUsedBeforeIssued,
	jwt.ErrInvalidType,
	jwt.ErrTokenMalformed,
	jwt.ErrTokenSignatureInvalid,
}

func refusal(err error) error {
	if errors.Is(err, jwkset.ErrKeyNotFound) {
		return fmt.Errorf("%w: %w", ErrUnauthorized, errUnknownKey)
	}
	for _, reason := range reasons {
		if errors.Is(err, reason) {
			return fmt.Errorf("%w: %w", ErrUnauthorized, reason)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnauthorized, jwt.ErrTokenUnverifiable)
}

// UserID returns the user id among verified claims: the claim userClaim, or if
// that is "", username or else cognito:username (where Cognito's access and id
// tokens have it). A user id is 1 to 128 bytes of UTF-8 without control
// characters or "#"; anything else is an error that wraps ErrUnauthorized.
func UserID(claims map[string]any, userClaim string) (string, error) {
	if userClaim == "" {
		userClaim = "username"
		if _, ok := claims[userClaim]; !ok {
			userClaim = "cognito:username"
		}
	}
	id, ok := claims[userClaim].(string)
	if !ok {
		return "", fmt.Errorf("%w: token has no text in claim %q", ErrUnauthorized, userClaim)
	}
	if chat.ValidateUserID(id) != nil {
		return "", fmt.Errorf("%w: claim %q must be 1 to %d bytes of UTF-8 without control characters or #", ErrUnauthorized, userClaim, chat.MaxUserID)
	}
	return id, nil
}
