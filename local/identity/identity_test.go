package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Unix(1_709_136_000, 0)

func now() time.Time { return start }

// server is a pool behind a loopback address, and a verifier of its tokens.
type server struct {
	*identity.Pool
	*auth.Verifier
	http *httptest.Server
}

func serve(t *testing.T, dir string) server {
	t.Helper()
	mux := http.NewServeMux()
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	pool := open(t, dir, h.URL)
	mux.HandleFunc("/token", pool.ServeToken)
	mux.HandleFunc(identity.DescriptionPath, pool.ServeDescription)
	mux.HandleFunc(identity.KeysPath, pool.ServeJWKS)
	verifier, err := auth.New(auth.Config{Rule: auth.Rule{
		Issuer: h.URL, Audience: []string{identity.ClientID}, TokenUse: []string{"access"},
	}}, h.Client(), now)
	if err != nil {
		t.Fatal(err)
	}
	return server{pool, verifier, h}
}

func open(t *testing.T, dir, issuer string) *identity.Pool {
	t.Helper()
	pool, err := identity.Open(dir, issuer, now)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func mint(t *testing.T, pool *identity.Pool, user string, expiresIn time.Duration) string {
	t.Helper()
	token, err := pool.Token(user, expiresIn)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensOfAnyUserVerify(t *testing.T) {
	s := serve(t, "")
	for user, spelled := range map[string]string{
		"alice": "alice", "ü": "ü", `<"\&>`: `<"\&>`, strings.Repeat("あ", 42) + "ab": strings.Repeat("あ", 42) + "ab", "\U0001F600": "\U0001F600",
		"Google_1 / +:@%": "google_1 / +:@%", "JOSE\u0301": "jos\u00e9",
	} {
		got, err := s.Verify(t.Context(), mint(t, s.Pool, user, 0))
		if err != nil || got.UserID != spelled || !got.ExpiresAt.Equal(start.Add(time.Hour)) {
			t.Errorf("%q: got %q until %v, error %v; want an hour", user, got.UserID, got.ExpiresAt, err)
		}
	}
}

func TestTokenHasTheShapeOfAnAccessToken(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	claims := jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(mint(t, pool, "alice", time.Minute), claims)
	if err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, claim := range []string{"sub", "jti"} {
		if text, _ := claims[claim].(string); !uuid.MatchString(text) {
			t.Errorf("%s is %v, want a UUID", claim, claims[claim])
		}
	}
	first := claims["jti"]
	subject := claims["sub"]
	delete(claims, "jti")
	delete(claims, "sub")
	want := jwt.MapClaims{
		"iss": "http://127.0.0.1:8080", "client_id": identity.ClientID, "token_use": "access", "username": "alice",
		"iat": float64(start.Unix()), "exp": float64(start.Unix() + 60),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if kid, _ := token.Header["kid"].(string); kid == "" || token.Header["alg"] != "RS256" || len(token.Header) != 2 {
		t.Errorf("header is %v, want kid and alg RS256", token.Header)
	}

	again := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(mint(t, pool, "alice", time.Minute), again); err != nil {
		t.Fatal(err)
	}
	if again["sub"] != subject || again["jti"] == first {
		t.Errorf("the next token has sub %v and jti %v, want the same sub and another jti", again["sub"], again["jti"])
	}
}

func TestTokenLives(t *testing.T) {
	s := serve(t, "")
	for _, test := range []struct {
		expiresIn time.Duration
		want      error
	}{
		{time.Second, nil},
		{24 * time.Hour, nil},
		{-time.Minute, jwt.ErrTokenExpired},
		{-24 * time.Hour, jwt.ErrTokenExpired},
	} {
		if _, err := s.Verify(t.Context(), mint(t, s.Pool, "alice", test.expiresIn)); !errors.Is(err, test.want) {
			t.Errorf("%v: got %v, want %v", test.expiresIn, err, test.want)
		}
	}
	for _, expiresIn := range []time.Duration{24*time.Hour + 1, -24*time.Hour - 1} {
		wantInvalid(t, s.Pool, "alice", expiresIn)
	}
}

func TestAnEndedTokenWasIssuedBeforeItEnded(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	claims := jwt.RegisteredClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(mint(t, pool, "alice", -time.Minute), &claims); err != nil {
		t.Fatal(err)
	}
	if !claims.IssuedAt.Before(claims.ExpiresAt.Time) {
		t.Errorf("issued at %v, ended at %v", claims.IssuedAt, claims.ExpiresAt)
	}
}

func TestTokenRefusesBadUsers(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	for _, user := range []string{"", "a#b", "a\nb", "a\x00", "\u0085", "a\xff", strings.Repeat("a", 129)} {
		wantInvalid(t, pool, user, 0)
	}
}

func wantInvalid(t *testing.T, pool *identity.Pool, user string, expiresIn time.Duration) {
	t.Helper()
	var refused *chat.Error
	if token, err := pool.Token(user, expiresIn); token != "" || !errors.As(err, &refused) || refused.Code != chat.CodeInvalidRequest {
		t.Errorf("%q, %v: got %q, %v, want invalid_request", user, expiresIn, token, err)
	}
}

func TestTheKeyOutlivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data") // not there yet
	s := serve(t, dir)
	next := open(t, dir, s.http.URL)
	if _, err := s.Verify(t.Context(), mint(t, next, "alice", 0)); err != nil {
		t.Errorf("a token of the reopened pool: %v", err)
	}
	stranger := open(t, "", s.http.URL)
	if _, err := s.Verify(t.Context(), mint(t, stranger, "alice", 0)); !errors.Is(err, auth.ErrUnauthorized) {
		t.Errorf("a token of a pool without folder: got %v, want ErrUnauthorized", err)
	}

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the folder has %v (%v), want the key alone", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the key has mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestProcessesThatStartTogetherShareOneKey(t *testing.T) {
	dir := t.TempDir()
	keySets := make([]string, 4)
	var all sync.WaitGroup
	for i := range keySets {
		all.Go(func() {
			pool, err := identity.Open(dir, "http://127.0.0.1:8080", now)
			if err != nil {
				t.Error(err)
				return
			}
			keySets[i] = request(t, pool.ServeJWKS, http.MethodGet).Body.String()
		})
	}
	all.Wait()
	for _, keySet := range keySets[1:] {
		if keySet != keySets[0] {
			t.Errorf("two keys: %s and %s", keySets[0], keySet)
		}
	}
}

func TestABadKeyFileIsNamed(t *testing.T) {
	const name = "identity-key.pem"
	good := t.TempDir()
	open(t, good, "http://127.0.0.1:8080")
	key, err := fs.ReadFile(os.DirFS(good), name)
	if err != nil {
		t.Fatal(err)
	}
	for label, content := range map[string]string{
		"empty":     "",
		"no PEM":    "hello",
		"cut off":   string(key[:len(key)/2]),
		"two keys":  string(key) + string(key),
		"other PEM": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"no key":    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"weak key":  weakKey(t),
		"no RSA key": "-----BEGIN PRIVATE KEY-----\n" +
			"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" + // Ed25519, RFC 8032, 7.1
			"-----END PRIVATE KEY-----\n",
	} {
		t.Run(label, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantOneLineAbout(t, dir, path)
			if after, err := fs.ReadFile(os.DirFS(dir), name); err != nil || string(after) != content {
				t.Errorf("the file was changed to %q (%v)", after, err)
			}
		})
	}
	t.Run("unreadable", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil { // even root cannot read it as a file
			t.Fatal(err)
		}
		wantOneLineAbout(t, dir, path)
	})
	t.Run("folder is a file", func(t *testing.T) {
		wantOneLineAbout(t, filepath.Join(good, name), filepath.Join(good, name))
	})
}

func weakKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024) // weak on purpose
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func wantOneLineAbout(t *testing.T, dir, path string) {
	t.Helper()
	_, err := identity.Open(dir, "http://127.0.0.1:8080", now)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line that names %s", err, path)
	}
}

func TestOpenNeedsIssuerAndClock(t *testing.T) {
	if _, err := identity.Open("", "", now); err == nil {
		t.Error("opened without issuer")
	}
	if _, err := identity.Open("", "http://127.0.0.1:8080", nil); err == nil {
		t.Error("opened without clock")
	}
}

func TestKeySetIsPublic(t *testing.T) {
	pool := open(t, "", "http://127.0.0.1:8080")
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(request(t, pool.ServeJWKS, http.MethodGet).Body.Bytes(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("got %v, %v, want one key", set, err)
	}
	key := set.Keys[0]
	if len(key["n"]) != 342 || len(key["kid"]) != 43 {
		t.Errorf("n is %q and kid %q, want 2048 and 256 bits", key["n"], key["kid"])
	}
	delete(key, "n")
	delete(key, "kid")
	if diff := cmp.Diff(map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "e": "AQAB"}, key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

func BenchmarkOpenAgain(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := identity.Open(dir, "http://127.0.0.1:8080", now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenFirstTime(b *testing.B) {
	for b.Loop() {
		if _, err := identity.Open("", "http://127.0.0.1:8080", now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	pool, err := identity.Open("", "http://127.0.0.1:8080", now)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := pool.Token("alice", 0); err != nil {
			b.Fatal(err)
		}
	}
}
