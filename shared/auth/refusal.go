package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/chat"
)

// ErrUnauthorized is wrapped by every error about a token that is missing,
// malformed, forged, foreign or not valid at this time. Trying again with the same
// token is of no use.
var ErrUnauthorized = errors.New("unauthorized")

// RefusedError is the error about a token that is refused. It wraps ErrUnauthorized.
// Its text holds no part of the token but the time at which it expired.
type RefusedError struct {
	reason string
	cause  error
}

// Error implements error.
func (r *RefusedError) Error() string { return ErrUnauthorized.Error() + ": " + r.cause.Error() }

// Unwrap implements the interface of errors.Is.
func (r *RefusedError) Unwrap() []error { return []error{ErrUnauthorized, r.cause} }

// Reason returns one word for logs to filter by: missing, malformed, issuer,
// client, token_use, expired, not_yet_valid, unknown_key, signature, user or scope.
func (r *RefusedError) Reason() string { return r.reason }

// The words of RefusedError.Reason. A claim that is missing or of the wrong type makes
// a token malformed.
const (
	reasonMissing     = "missing"
	reasonMalformed   = "malformed"
	reasonIssuer      = "issuer"
	reasonClient      = "client"
	reasonTokenUse    = "token_use"
	reasonExpired     = "expired"
	reasonNotYetValid = "not_yet_valid"
	reasonUnknownKey  = "unknown_key"
	reasonSignature   = "signature"
	reasonUser        = "user"
)

// ReasonScope is the reason why the token of a service is refused that is valid, but has
// no chat.ServiceScope.
const ReasonScope = "scope"

// Causes of this package, beside those of the JWT library.
var (
	errCritical   = errors.New("token has critical header parameters, which are not supported")
	errNoKeyID    = errors.New("token has no kid header")
	errExpiry     = errors.New("token expires beyond the year 9999")
	errTokenUse   = errors.New("token_use is not accepted")
	errScope      = errors.New("the token of a service has no scope " + chat.ServiceScope)
	errUnknownKey = errors.New("token is signed with a key that its issuer does not publish")
)

// causes are those that a refusal may name, most telling first. Only these
// constant texts get out, because the libraries' messages quote tokens.
var causes = []struct {
	cause  error
	reason string
}{
	{errCritical, reasonMalformed},
	{errNoKeyID, reasonMalformed},
	{errExpiry, reasonMalformed},
	{errTokenUse, reasonTokenUse},
	{jwt.ErrTokenRequiredClaimMissing, reasonMalformed},
	{jwt.ErrTokenInvalidIssuer, reasonIssuer},
	{jwt.ErrTokenInvalidAudience, reasonClient},
	{jwt.ErrTokenExpired, reasonExpired},
	{jwt.ErrTokenNotValidYet, reasonNotYetValid},
	{jwt.ErrTokenUsedBeforeIssued, reasonNotYetValid},
	{jwt.ErrInvalidType, reasonMalformed},
	{jwt.ErrTokenMalformed, reasonMalformed},
	{jwt.ErrTokenSignatureInvalid, reasonSignature},
}

// refuse returns the refusal for an error of a check or of the JWT library.
func refuse(err error, claims jwt.MapClaims) *RefusedError {
	if errors.Is(err, jwkset.ErrKeyNotFound) {
		return &RefusedError{reasonUnknownKey, errUnknownKey}
	}
	for _, c := range causes {
		if !errors.Is(err, c.cause) {
			continue
		}
		if c.reason == reasonExpired {
			if at, err := claims.GetExpirationTime(); err == nil && at != nil {
				return refusedf(reasonExpired, "%w since %s", c.cause, at.UTC().Format(time.RFC3339))
			}
		}
		return &RefusedError{c.reason, c.cause}
	}
	return &RefusedError{reasonMalformed, jwt.ErrTokenUnverifiable}
}

func refusedf(reason, format string, args ...any) *RefusedError {
	return &RefusedError{reason, fmt.Errorf(format, args...)}
}
