package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/shared/auth"
)

const (
	issuerURL = "https://issuer.example/pool"
	keysURL   = "https://issuer.example/keys"
	clientID  = "client-1"
	firstKey  = "key-1"
	secondKey = "key-2"
)

// Two keys are enough for every test; making one takes a while.
var signers = map[string]*rsa.PrivateKey{}

func TestMain(m *testing.M) {
	for _, kid := range []string{firstKey, secondKey} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		signers[kid] = key
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// issuer is the endpoint that publishes keys, reached without a network.
type issuer struct {
	mu      sync.Mutex
	fetches []string // the addresses that were fetched
	answer  answer
}

// answer is what the endpoint does with a request.
type answer func(*http.Request) (*http.Response, error)

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches = append(i.fetches, r.URL.String())
	answer := i.answer
	i.mu.Unlock()
	return answer(r)
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetches)
}

func (i *issuer) answers(a answer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = a
}

func (i *issuer) publishes(kids ...string) {
	keys := make([]map[string]any, 0, len(kids))
	for _, kid := range kids {
		keys = append(keys, jwk(kid, &signers[kid].PublicKey))
	}
	i.answers(document(http.StatusOK, keySetOf(keys...)))
}

func document(status int, body []byte) answer {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{}, Request: r,
			Body: io.NopCloser(bytes.NewReader(body)),
		}, nil
	}
}

func jwk(kid string, key *rsa.PublicKey) map[string]any {
	number := base64.RawURLEncoding.EncodeToString
	return map[string]any{
		"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
		"n": number(key.N.Bytes()), "e": number(big.NewInt(int64(key.E)).Bytes()),
	}
}

func keySetOf(keys ...map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return body
}

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_709_136_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// setup is a verifier with its issuer, which publishes firstKey.
type setup struct {
	*auth.Verifier
	config auth.Config
	issuer *issuer
	clock  *clock
}

func newSetup(tb testing.TB, change ...func(*auth.Config)) setup {
	tb.Helper()
	config := auth.Config{
		Rule: auth.Rule{
			Issuer: issuerURL, Audience: []string{"other", clientID}, TokenUse: []string{"access"},
			Services: map[string]string{"machine": "bot"},
		},
		JWKSURL: keysURL,
	}
	for _, f := range change {
		f(&config)
	}
	s := setup{issuer: &issuer{}, clock: newClock()}
	s.issuer.publishes(firstKey)
	v, err := auth.New(config, &http.Client{Transport: s.issuer}, s.clock.Now)
	if err != nil {
		tb.Fatal(err)
	}
	s.Verifier, s.config = v, config
	return s
}

// claims are those of a good access token; the changes replace or (nil) remove.
func (s setup) claims(changes map[string]any) jwt.MapClaims {
	now := s.clock.Now().Unix()
	claims := jwt.MapClaims{
		"iss": issuerURL, "client_id": clientID, "token_use": "access", "sub": "s-1",
		"username": "alice", "iat": now, "exp": now + 3600,
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

func (s setup) token(changes map[string]any) string { return s.tokenBy(firstKey, changes) }

func (s setup) tokenBy(kid string, changes map[string]any) string {
	return sign(jwt.SigningMethodRS256, signers[kid], map[string]any{"kid": kid}, s.claims(changes))
}

func sign(method jwt.SigningMethod, key any, header map[string]any, claims jwt.Claims) string {
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return signed
}

func (s setup) verify(token string) error {
	_, err := s.Verify(context.Background(), token)
	return err
}
