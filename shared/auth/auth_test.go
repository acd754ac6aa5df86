package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
)

func TestVerifyReadsAGoodToken(t *testing.T) {
	s := newSetup(t)
	got, err := s.Verify(t.Context(), s.token(map[string]any{"scope": "chat"}))
	if err != nil {
		t.Fatal(err)
	}
	if want := s.clock.Now().Add(time.Hour); got.UserID != "alice" || !got.ExpiresAt.Equal(want) || got.Claims["scope"] != "chat" {
		t.Errorf("got %+v, want alice, until %v, scope chat", got, want)
	}
}

func TestVerifyClaims(t *testing.T) {
	at := func(d time.Duration) int64 { return newClock().Now().Add(d).Unix() }
	type claims = map[string]any
	for name, test := range map[string]struct {
		claims claims
		config func(*auth.Config)
		reason string // "" if the token is good
	}{
		"issuer: other":                  {claims: claims{"iss": issuerURL + "/"}, reason: "issuer"},
		"issuer: missing":                {claims: claims{"iss": nil}, reason: "missing required claim"},
		"issuer: no text":                {claims: claims{"iss": 7}, reason: "invalid type"},
		"client: other":                  {claims: claims{"client_id": "foreign"}, reason: "audience"},
		"client: missing":                {claims: claims{"client_id": nil}, reason: "audience"},
		"client: empty":                  {claims: claims{"client_id": ""}, reason: "audience"},
		"client: no text":                {claims: claims{"client_id": []string{clientID}}, reason: "audience"},
		"audience: text":                 {claims: claims{"client_id": nil, "aud": clientID}},
		"audience: list":                 {claims: claims{"client_id": nil, "aud": []string{"x", clientID}}},
		"audience: other":                {claims: claims{"client_id": nil, "aud": []string{"x"}}, reason: "audience"},
		"audience: empty list":           {claims: claims{"client_id": nil, "aud": []string{}}, reason: "audience"},
		"audience: no text":              {claims: claims{"client_id": nil, "aud": claims{}}, reason: "audience"},
		"token_use: other":               {claims: claims{"token_use": "id"}, reason: "token_use"},
		"token_use: missing":             {claims: claims{"token_use": nil}, reason: "token_use"},
		"token_use: no text":             {claims: claims{"token_use": true}, reason: "token_use"},
		"token_use: one of two":          {claims: claims{"token_use": "id"}, config: func(c *auth.Config) { c.TokenUse = []string{"access", "id"} }},
		"token_use: not checked":         {claims: claims{"token_use": nil}, config: func(c *auth.Config) { c.TokenUse = nil }},
		"expired within leeway":          {claims: claims{"exp": at(-29 * time.Second)}},
		"expired at the end of leeway":   {claims: claims{"exp": at(-30 * time.Second)}, reason: "expired"},
		"expired long ago":               {claims: claims{"exp": at(-time.Hour)}, reason: "expired"},
		"expiry missing":                 {claims: claims{"exp": nil}, reason: "missing required claim"},
		"expiry zero":                    {claims: claims{"exp": 0}, reason: "missing required claim"},
		"expiry is text":                 {claims: claims{"exp": "9999999999"}, reason: "invalid type"},
		"expiry beyond all calendars":    {claims: claims{"exp": 1e15}, reason: "9999"},
		"not before, within leeway":      {claims: claims{"nbf": at(30 * time.Second)}},
		"not before, beyond leeway":      {claims: claims{"nbf": at(31 * time.Second)}, reason: "not valid yet"},
		"not before is text":             {claims: claims{"nbf": "now"}, reason: "invalid type"},
		"issued in the future, leeway":   {claims: claims{"iat": at(30 * time.Second)}},
		"issued in the future":           {claims: claims{"iat": at(31 * time.Second)}, reason: "before issued"},
		"issued at is text":              {claims: claims{"iat": "now"}, reason: "invalid type"},
		"no issue time":                  {claims: claims{"iat": nil}},
		"user missing":                   {claims: claims{"username": nil}, reason: "cognito:username"},
		"user of an id token":            {claims: claims{"username": nil, "cognito:username": "alice"}},
		"user would forge a key":         {claims: claims{"username": "alice#METADATA"}, reason: "without control"},
		"user by configured claim":       {claims: claims{"username": nil, "email": "alice"}, config: func(c *auth.Config) { c.UserClaim = "email" }},
		"user by configured claim, none": {config: func(c *auth.Config) { c.UserClaim = "email" }, reason: "email"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t)
			if test.config != nil {
				s = newSetup(t, test.config)
			}
			got, err := s.Verify(t.Context(), s.token(test.claims))
			if test.reason == "" {
				if err != nil || got.UserID != "alice" {
					t.Fatalf("got user %q, error %v, want alice", got.UserID, err)
				}
				return
			}
			if !errors.Is(err, auth.ErrUnauthorized) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want ErrUnauthorized because of %q", err, test.reason)
			}
		})
	}
}

func TestVerifyRefusesForgedTokens(t *testing.T) {
	s := newSetup(t)
	// A key that does not say what it is for leaves it to the verifier.
	anyUse := jwk(firstKey, &signers[firstKey].PublicKey)
	delete(anyUse, "alg")
	delete(anyUse, "use")
	s.issuer.answers(document(http.StatusOK, keySetOf(anyUse)))
	good := s.token(nil)
	parts := strings.Split(good, ".")
	kid := map[string]any{"kid": firstKey}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&signers[firstKey].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	segment := base64.RawURLEncoding.EncodeToString

	for name, token := range map[string]string{
		"empty":                          "",
		"no token":                       "hello",
		"two segments":                   parts[0] + "." + parts[1],
		"four segments":                  good + "." + parts[2],
		"no base64":                      "!.!.!",
		"header no JSON":                 segment([]byte("alice")) + "." + parts[1] + "." + parts[2],
		"header null":                    segment([]byte("null")) + "." + parts[1] + "." + parts[2],
		"claims null":                    parts[0] + "." + segment([]byte("null")) + "." + parts[2],
		"claims a list":                  parts[0] + "." + segment([]byte("[]")) + "." + parts[2],
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"claims of another token":        parts[0] + "." + strings.Split(s.token(map[string]any{"username": "bob"}), ".")[1] + "." + parts[2],
		"alg none":                       sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, s.claims(nil)),
		"alg None":                       segment([]byte(`{"alg":"None","kid":"key-1"}`)) + "." + parts[1] + ".",
		"alg no text":                    segment([]byte(`{"alg":["RS256"],"kid":"key-1"}`)) + "." + parts[1] + "." + parts[2],
		"HS256 by the public key, PEM":   sign(jwt.SigningMethodHS256, publicPEM, kid, s.claims(nil)),
		"HS256 by the public key, DER":   sign(jwt.SigningMethodHS256, public, kid, s.claims(nil)),
		"HS256 by the modulus":           sign(jwt.SigningMethodHS256, signers[firstKey].N.Bytes(), kid, s.claims(nil)),
		"RS512 by the right key":         sign(jwt.SigningMethodRS512, signers[firstKey], kid, s.claims(nil)),
		"PS256 by the right key":         sign(jwt.SigningMethodPS256, signers[firstKey], kid, s.claims(nil)),
		"another key under a known id":   sign(jwt.SigningMethodRS256, stranger, kid, s.claims(nil)),
		"another key under its own id":   sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": "stranger"}, s.claims(nil)),
		"a key in the header":            sign(jwt.SigningMethodRS256, stranger, map[string]any{"kid": "stranger", "jwk": jwk("stranger", &stranger.PublicKey)}, s.claims(nil)),
		"no key id":                      sign(jwt.SigningMethodRS256, signers[firstKey], nil, s.claims(nil)),
		"empty key id":                   sign(jwt.SigningMethodRS256, signers[firstKey], map[string]any{"kid": ""}, s.claims(nil)),
		"key id no text":                 sign(jwt.SigningMethodRS256, signers[firstKey], map[string]any{"kid": 1}, s.claims(nil)),
		"unknown critical header":        sign(jwt.SigningMethodRS256, signers[firstKey], map[string]any{"kid": firstKey, "crit": []string{"x"}}, s.claims(nil)),
		"huge":                           s.token(map[string]any{"padding": strings.Repeat("x", 16<<10)}),
		"huge and nothing but separator": strings.Repeat(".", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.verify(token); !errors.Is(err, auth.ErrUnauthorized) || errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("got %v, want ErrUnauthorized", err)
			}
		})
	}
	if err := s.verify(good); err != nil {
		t.Errorf("the token that the forgeries were made of: %v", err)
	}
}

func TestErrorsQuoteNoToken(t *testing.T) {
	const secret = "s3cret"
	s := newSetup(t)
	segment := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"malformed":      secret + "." + secret + "." + secret,
		"bad JSON":       segment([]byte(secret)) + "." + segment([]byte(secret)) + ".x",
		"algorithm":      segment([]byte(`{"alg":"`+secret+`"}`)) + ".e30.x",
		"unknown key id": sign(jwt.SigningMethodRS256, signers[firstKey], map[string]any{"kid": secret}, s.claims(nil)),
		"issuer":         s.token(map[string]any{"iss": secret}),
		"audience":       s.token(map[string]any{"client_id": secret}),
		"token_use":      s.token(map[string]any{"token_use": secret}),
		"expiry":         s.token(map[string]any{"exp": secret}),
		"user":           s.token(map[string]any{"username": secret + "#"}),
	} {
		t.Run(name, func(t *testing.T) {
			err := s.verify(token)
			if err == nil {
				t.Fatal("verified")
			}
			if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, segment([]byte(secret))) || strings.Contains(text, "\n") {
				t.Errorf("the error quotes the token, or has two lines: %q", text)
			}
		})
	}
}

func TestErrorsSayWhy(t *testing.T) {
	s := newSetup(t)
	if err := s.verify(s.token(map[string]any{"exp": 1})); !errors.Is(err, jwt.ErrTokenExpired) {
		t.Errorf("got %v, want jwt.ErrTokenExpired", err)
	}
}

func TestUserID(t *testing.T) {
	type claims = map[string]any
	for name, test := range map[string]struct {
		claims claims
		claim  string
		fold   bool
		want   string // "" for an error
	}{
		"username":                  {claims: claims{"username": "alice"}, want: "alice"},
		"cognito:username":          {claims: claims{"cognito:username": "alice"}, want: "alice"},
		"username comes first":      {claims: claims{"username": "alice", "cognito:username": "bob"}, want: "alice"},
		"a bad username stays bad":  {claims: claims{"username": "", "cognito:username": "bob"}},
		"configured":                {claims: claims{"sub": "s-1", "username": "alice"}, claim: "sub", want: "s-1"},
		"configured, no other will": {claims: claims{"username": "alice"}, claim: "sub"},
		"no claims":                 {},
		"no text":                   {claims: claims{"username": 12.0}},
		"empty":                     {claims: claims{"username": ""}},
		"1 byte":                    {claims: claims{"username": "a"}, want: "a"},
		"128 bytes":                 {claims: claims{"username": strings.Repeat("あ", 42) + "ab"}, want: strings.Repeat("あ", 42) + "ab"},
		"129 bytes":                 {claims: claims{"username": strings.Repeat("あ", 43)}},
		"spaces and signs":          {claims: claims{"username": "Google_1 / ü+/:@"}, want: "Google_1 / ü+/:@"},
		"hash":                      {claims: claims{"username": "a#b"}},
		"line feed":                 {claims: claims{"username": "a\nb"}},
		"NUL":                       {claims: claims{"username": "a\x00b"}},
		"DEL":                       {claims: claims{"username": "a\x7f"}},
		"C1 control":                {claims: claims{"username": "a\u0085"}},
		"invalid UTF-8":             {claims: claims{"username": "a\xff"}},
		"capitals":                  {claims: claims{"username": "Jos\u00c9"}, want: "Jos\u00c9"},
		"capitals, folded":          {claims: claims{"username": "Jos\u00c9"}, fold: true, want: "jos\u00e9"},
		"decomposed":                {claims: claims{"username": "jose\u0301"}, fold: true},
		"surrounded":                {claims: claims{"username": " bob"}, fold: true},
		"invisible":                 {claims: claims{"username": "bo\u200bb"}, fold: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := auth.Rule{UserClaim: test.claim, UserIDs: chat.UserIDs{FoldCase: test.fold}}.UserID(test.claims)
			if test.want == "" {
				if got != "" || !errors.Is(err, auth.ErrUnauthorized) {
					t.Errorf("got %q, %v, want ErrUnauthorized", got, err)
				}
				return
			}
			if got != test.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestNewRefusesAConfigurationThatCannotVerify(t *testing.T) {
	good := auth.Config{Rule: auth.Rule{Issuer: issuerURL, Audience: []string{clientID}}}
	for name, change := range map[string]func(*auth.Config){
		"no issuer":           func(c *auth.Config) { c.Issuer = "" },
		"issuer without host": func(c *auth.Config) { c.Issuer = "pool" },
		"keys in a file":      func(c *auth.Config) { c.JWKSURL = "file:///keys.json" },
		"keys nowhere":        func(c *auth.Config) { c.JWKSURL = "https://" },
		"no audience":         func(c *auth.Config) { c.Audience = nil },
		"an empty audience":   func(c *auth.Config) { c.Audience = []string{clientID, ""} },
		"an empty token_use":  func(c *auth.Config) { c.TokenUse = []string{""} },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			change(&config)
			if _, err := auth.New(config, nil, newClock().Now); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := auth.New(good, nil, nil); err == nil {
		t.Error("accepted without a clock")
	}
	if _, err := auth.New(good, nil, newClock().Now); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	s := newSetup(f)
	good := s.token(nil)
	for _, seed := range []string{
		good, "", "..", "a.b.c", good + ".", "." + good, "bnVsbA.bnVsbA.", strings.ToUpper(good),
		"eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleS0xIn0.eyJleHAiOjFlMzA5fQ.AA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := s.Verify(t.Context(), token)
		switch {
		case err == nil && got.UserID != "alice":
			t.Errorf("verified as %q", got.UserID)
		case err != nil && !errors.Is(err, auth.ErrUnauthorized):
			t.Errorf("got %v, want ErrUnauthorized", err)
		}
	})
}

func BenchmarkVerifyWarm(b *testing.B) {
	s := newSetup(b)
	token := s.token(nil)
	ctx := context.Background()
	if _, err := s.Verify(ctx, token); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(s.issuer.count()), "fetches")
}

// BenchmarkNew is what a cold start pays before lambda.Start.
func BenchmarkNew(b *testing.B) {
	config := auth.Config{Rule: auth.Rule{Issuer: issuerURL, Audience: []string{clientID}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := auth.New(config, nil, time.Now); err != nil {
			b.Fatal(err)
		}
	}
}
