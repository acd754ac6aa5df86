package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/chat"
)

// leeway allows for clocks that differ between issuer and verifier.
const leeway = 30 * time.Second

// maxExpiry is the last second of the year 9999: later times have no
// representation in JSON, and very late ones overflow.
const maxExpiry = 253402300799

// Rule decides which claims are accepted, for the WebSocket API and the HTTP API
// alike. It does not verify signatures: a Verifier does, or API Gateway's JWT
// authorizer did.
type Rule struct {
	// Issuer must equal the claim iss.
	Issuer string
	// Audience lists the accepted client ids, at least one. One of them must be
	// in the claim aud or, in a token without aud, be the claim client_id:
	// Cognito's id tokens have only the former, its access tokens only the
	// latter. A JWT authorizer reads them in the same way (API Gateway Developer
	// Guide, "Control access to HTTP APIs with JWT authorizers in API Gateway").
	Audience []string
	// TokenUse lists the accepted values of the claim token_use. Empty means
	// that it is not checked, for issuers that are not Cognito.
	TokenUse []string
	// UserClaim names the claim that is the user id; see UserID.
	UserClaim string
	// UserIDs gives the claim its normal form.
	UserIDs chat.UserIDs
	// Services are the accepted services by their client ids. The token of one comes from
	// the flow of client credentials: it names no user, and has chat.ServiceScope.
	Services map[string]string
}

func (r Rule) validate() error {
	if r.Issuer == "" {
		return errors.New("auth: invalid issuer: want a URL such as https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example, got none")
	}
	// An empty id would accept a token without any.
	if len(r.Audience) == 0 || slices.Contains(r.Audience, "") {
		return fmt.Errorf("auth: invalid audience: want client ids, none of them empty, got %q", r.Audience)
	}
	if slices.Contains(r.TokenUse, "") {
		return fmt.Errorf("auth: invalid token_use: want values that are not empty, got %q", r.TokenUse)
	}
	for clientID, name := range r.Services {
		if err := chat.ValidateServiceName(name); err != nil {
			return fmt.Errorf("auth: %w", err)
		}
		if clientID == "" || slices.Contains(r.Audience, clientID) {
			return fmt.Errorf("auth: invalid client id of the service %s: want one that is no audience of users, got %q", name, clientID)
		}
	}
	return nil
}

// Checker checks claims by a rule. It is safe for concurrent use.
type Checker struct {
	rule      Rule
	validator *jwt.Validator
}

// NewChecker returns a checker for a rule. Clock now is required.
func NewChecker(r Rule, now func() time.Time) (*Checker, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	if now == nil {
		return nil, errors.New("auth: invalid clock: want a function, got nil")
	}
	return &Checker{rule: r, validator: jwt.NewValidator(
		jwt.WithIssuer(r.Issuer),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(now),
	)}, nil
}

// User returns the user id among the claims of a JWT authorizer, which has
// verified the token's signature, if the rule accepts them. The claims are texts;
// see claimsOfTexts. The error is a *RefusedError.
func (c *Checker) User(texts map[string]string) (string, error) {
	claims := claimsOfTexts(texts)
	if err := c.check(claims); err != nil {
		return "", refuse(err, claims)
	}
	return c.rule.UserID(claims)
}

func (c *Checker) check(claims jwt.MapClaims) error {
	if err := c.validator.Validate(claims); err != nil {
		return err
	}
	if exp, _ := claims["exp"].(float64); exp > maxExpiry {
		return errExpiry
	}
	if !c.isForUs(claims) {
		return jwt.ErrTokenInvalidAudience
	}
	if len(c.rule.TokenUse) > 0 {
		use, _ := claims["token_use"].(string)
		if !slices.Contains(c.rule.TokenUse, use) {
			return errTokenUse
		}
	}
	return nil
}

func (c *Checker) isForUs(claims jwt.MapClaims) bool {
	if claims["aud"] == nil {
		clientID, _ := claims["client_id"].(string)
		_, service := c.rule.Services[clientID]
		return service || slices.Contains(c.rule.Audience, clientID)
	}
	audience, err := claims.GetAudience()
	return err == nil && slices.ContainsFunc(audience, func(a string) bool {
		return slices.Contains(c.rule.Audience, a)
	})
}

// claimsOfTexts gives the claims of a JWT authorizer the types that they have in
// a token: the authorizer passes each of them as text, a number in decimal, and a
// list of audiences in brackets, divided by spaces. A list in JSON is read, too.
// What can't be read stays text, which no check accepts.
func claimsOfTexts(texts map[string]string) jwt.MapClaims {
	claims := make(jwt.MapClaims, len(texts))
	for name, text := range texts {
		claims[name] = text
		switch name {
		case "exp", "iat", "nbf":
			if number, err := strconv.ParseFloat(text, 64); err == nil {
				claims[name] = number
			}
		case "aud":
			if list, ok := audiences(text); ok {
				claims[name] = list
			}
		}
	}
	return claims
}

func audiences(text string) ([]any, bool) {
	var list []any
	if json.Unmarshal([]byte(text), &list) == nil && list != nil {
		return list, true
	}
	inner, opened := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		return nil, false
	}
	for _, audience := range strings.Fields(inner) {
		list = append(list, audience)
	}
	return list, true
}

// UserID returns the user id among verified claims: that of a service by its client
// id, or the claim UserClaim, or if
// that is "", username or else cognito:username (where Cognito's access and id
// tokens have it), in the normal form of UserIDs. What is not a user id, or is not in
// Unicode's form C, is a *RefusedError: see chat.UserIDs.OfClaim. So is the token of a
// service without chat.ServiceScope, and that of a user with a service's id.
func (r Rule) UserID(claims map[string]any) (string, error) {
	clientID, _ := claims["client_id"].(string)
	if name, ok := r.Services[clientID]; ok {
		scopes, _ := claims["scope"].(string)
		if !slices.Contains(strings.Fields(scopes), chat.ServiceScope) {
			return "", &RefusedError{ReasonScope, errScope}
		}
		return chat.ServiceID(name), nil
	}
	userClaim := r.UserClaim
	if userClaim == "" {
		userClaim = "username"
		if _, ok := claims[userClaim]; !ok {
			userClaim = "cognito:username"
		}
	}
	id, ok := claims[userClaim].(string)
	if !ok {
		return "", refusedf(reasonUser, "token has no text in claim %q", userClaim)
	}
	userID, err := r.UserIDs.OfClaim(id)
	if err != nil {
		return "", refusedf(reasonUser, "claim %q must be 1 to %d bytes of UTF-8 in normal form C, without control and invisible characters, #, and white space around it", userClaim, chat.MaxUserID)
	}
	if chat.IsService(userID) {
		return "", refusedf(reasonUser, "claim %q has the id of a service, which no user may have", userClaim)
	}
	return userID, nil
}
