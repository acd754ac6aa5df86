package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/auth"
)

// Both ways to check a token judge its claims alike, with the same reason.
func TestRule_VerifierAndCheckerAgree(t *testing.T) {
	ended := newClock().Now().Add(-time.Hour)
	type claims = map[string]any
	for name, test := range map[string]struct {
		claims claims
		texts  map[string]string // of claims that are no text, as a JWT authorizer passes them
		reason string            // "" if the token is good
	}{
		"access token":               {},
		"id token":                   {claims: claims{"token_use": "id", "client_id": nil, "aud": clientID}, reason: "token_use"},
		"no token_use":               {claims: claims{"token_use": nil}, reason: "token_use"},
		"issuer":                     {claims: claims{"iss": "https://elsewhere.example"}, reason: "issuer"},
		"no client":                  {claims: claims{"client_id": nil}, reason: "client"},
		"other client":               {claims: claims{"client_id": "foreign"}, reason: "client"},
		"aud wins, good":             {claims: claims{"client_id": "foreign", "aud": clientID}},
		"aud wins, foreign":          {claims: claims{"aud": "foreign"}, reason: "client"},
		"one of two in aud":          {claims: claims{"aud": []string{"x", clientID}}, texts: map[string]string{"aud": "[x " + clientID + "]"}},
		"one of two in aud, as JSON": {claims: claims{"aud": []string{"x", clientID}}, texts: map[string]string{"aud": `["x","` + clientID + `"]`}},
		"none of two in aud":         {claims: claims{"aud": []string{"x", "y"}}, texts: map[string]string{"aud": "[x y]"}, reason: "client"},
		"empty aud":                  {claims: claims{"aud": []string{}}, texts: map[string]string{"aud": "[]"}, reason: "client"},
		"expired":                    {claims: claims{"exp": ended.Unix()}, texts: map[string]string{"exp": strconv.FormatInt(ended.Unix(), 10)}, reason: "expired"},
		"expiry no number":           {claims: claims{"exp": "soon"}, reason: "malformed"},
		"no expiry":                  {claims: claims{"exp": nil}, reason: "malformed"},
		"user":                       {claims: claims{"username": "a#b"}, reason: "user"},
		"a user with a service's id": {claims: claims{"username": "service:bot"}, reason: "user"},
		"service":                    {claims: claims{"client_id": "machine", "username": nil, "scope": "x/y streamroom/service"}},
		"service without its scope":  {claims: claims{"client_id": "machine", "username": nil, "scope": "streamroom/servicex"}, reason: "scope"},
		"service without a scope":    {claims: claims{"client_id": "machine", "username": nil}, reason: "scope"},
		"service, its id token":      {claims: claims{"client_id": "machine", "token_use": "id", "scope": "streamroom/service"}, reason: "token_use"},
		"service, expired":           {claims: claims{"client_id": "machine", "scope": "streamroom/service", "exp": ended.Unix()}, texts: map[string]string{"exp": strconv.FormatInt(ended.Unix(), 10)}, reason: "expired"},
		"unknown service":            {claims: claims{"client_id": "machine-2", "username": nil, "scope": "streamroom/service"}, reason: "client"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t)
			checker, err := auth.NewChecker(s.config.Rule, s.clock.Now)
			if err != nil {
				t.Fatal(err)
			}
			_, byToken := s.Verify(t.Context(), s.token(test.claims))
			_, byClaims := checker.User(textsOf(s.claims(test.claims), test.texts))
			for way, err := range map[string]error{"token": byToken, "claims": byClaims} {
				if got := reasonOf(err); got != test.reason || errors.Is(err, auth.ErrUnauthorized) != (test.reason != "") {
					t.Errorf("by %s: got %q (%v), want %q", way, got, err, test.reason)
				}
			}
			if byToken != nil && byToken.Error() != byClaims.Error() {
				t.Errorf("%q and %q, want one text", byToken, byClaims)
			}
		})
	}
}

// Access tokens of other issuers, with the claims that these document. Both ways to check a
// token find the same user, and refuse what is for another API of the issuer.
func TestRule_TokensOfOtherIssuers(t *testing.T) {
	type claims = map[string]any
	const tenant, api = "9122040d-6c67-4c5b-b112-36a304b66dad", "6731de76-14a6-49ae-97bc-6eba6914391e"
	keycloak := auth.Rule{Issuer: "https://keycloak.example/realms/chat", Audience: []string{"streamroom"}, UserClaim: "sub"}
	okta := auth.Rule{Issuer: "https://example.okta.com/oauth2/default", Audience: []string{"api://default"}, UserClaim: "uid"}
	entra := auth.Rule{Issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0", Audience: []string{api}, UserClaim: "oid"}
	ofKeycloak := claims{"azp": "web", "typ": "Bearer", "sub": "0c6f38a6-6f2c", "preferred_username": "alice"}
	ofOkta := claims{"cid": "0oa1", "uid": "00u1", "sub": "alice@example.com"}
	ofEntra := claims{"azp": "11111111-2222", "sub": "AAAAAIkzqFVr", "oid": "690222be-ff1a", "tid": tenant, "ver": "2.0"}
	for name, test := range map[string]struct {
		rule         auth.Rule
		claims       claims
		aud          any
		texts        map[string]string
		user, reason string
	}{
		"Keycloak, a mapper for the audience": {keycloak, ofKeycloak, []string{"streamroom", "account"}, map[string]string{"aud": "[streamroom account]"}, "0c6f38a6-6f2c", ""},
		"Keycloak, the default":               {keycloak, ofKeycloak, "account", nil, "", "client"},
		"Keycloak, no audience":               {keycloak, ofKeycloak, nil, nil, "", "client"},
		"Okta":                                {okta, ofOkta, "api://default", nil, "00u1", ""},
		"Okta, the organization's":            {okta, ofOkta, "https://example.okta.com", nil, "", "client"},
		"Entra":                               {entra, ofEntra, api, nil, "690222be-ff1a", ""},
		"Entra, of Graph":                     {entra, ofEntra, "00000003-0000-0000-c000-000000000000", nil, "", "client"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, func(c *auth.Config) { c.Rule = test.rule })
			checker, err := auth.NewChecker(s.config.Rule, s.clock.Now)
			if err != nil {
				t.Fatal(err)
			}
			all := claims{"iss": test.rule.Issuer, "client_id": nil, "token_use": nil, "username": nil, "aud": test.aud}
			maps.Copy(all, test.claims)
			token, byToken := s.Verify(t.Context(), s.token(all))
			user, byClaims := checker.User(textsOf(s.claims(all), test.texts))
			if token.UserID != test.user || user != test.user {
				t.Errorf("the users are %q and %q, want %q", token.UserID, user, test.user)
			}
			if reasonOf(byToken) != test.reason || reasonOf(byClaims) != test.reason {
				t.Errorf("got %v and %v, want the reason %q", byToken, byClaims, test.reason)
			}
		})
	}
}

// textsOf renders claims as a JWT authorizer passes them.
func textsOf(claims map[string]any, texts map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			all[name] = v
		case int64:
			all[name] = strconv.FormatInt(v, 10)
		}
		if text, ok := texts[name]; ok {
			all[name] = text
		}
	}
	return all
}

func reasonOf(err error) string {
	var refusal *auth.RefusedError
	if errors.As(err, &refusal) {
		return refusal.Reason()
	}
	return ""
}

func TestVerify_ReasonsBeyondClaims(t *testing.T) {
	s := newSetup(t)
	good := s.token(nil)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ token, reason string }{
		"gibberish":       {"x", "malformed"},
		"too long":        {strings.Repeat("x", 17<<10), "malformed"},
		"no key id":       {sign(jwt.SigningMethodRS256, signers[firstKey], nil, s.claims(nil)), "malformed"},
		"unknown key":     {sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": "stranger"}, s.claims(nil)), "unknown_key"},
		"a stranger's":    {sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": firstKey}, s.claims(nil)), "signature"},
		"no signature":    {good[:strings.LastIndex(good, ".")+1], "signature"},
		"other algorithm": {sign(jwt.SigningMethodRS512, signers[firstKey], map[string]any{"kid": firstKey}, s.claims(nil)), "signature"},
		"not yet valid":   {s.token(map[string]any{"nbf": s.clock.Now().Add(time.Hour).Unix()}), "not_yet_valid"},
	} {
		if err := s.verify(test.token); reasonOf(err) != test.reason {
			t.Errorf("%s: got %q (%v), want %q", name, reasonOf(err), err, test.reason)
		}
	}
	_, _, err = auth.TokenFromHandshake(nil, nil, false)
	if reasonOf(err) != "missing" {
		t.Errorf("no token: got %v, want missing", err)
	}
	since := s.clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	if err := s.verify(s.token(map[string]any{"exp": s.clock.Now().Add(-time.Hour).Unix()})); !strings.HasSuffix(err.Error(), "expired since "+since) {
		t.Errorf("got %v, want since when", err)
	}
}
