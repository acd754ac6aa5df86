package local_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/local/identity"
)

// Both APIs take the same tokens, and log why they refuse one.
func TestTokens_OneRuleForBothAPIs(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{DataDir: dir, LogLevel: "warn"})
	now := time.Now()
	for _, test := range []struct {
		name    string
		changes map[string]any
		reason  string // "" if the token is good
	}{
		{"access token", nil, ""},
		{"id token", map[string]any{"token_use": "id", "client_id": nil, "aud": identity.ClientID}, "token_use"},
		{"no token_use", map[string]any{"token_use": nil}, "token_use"},
		{"aud beside client_id", map[string]any{"client_id": "other", "aud": identity.ClientID}, ""},
		{"aud of another beside client_id", map[string]any{"aud": "other"}, "client"},
		{"two audiences", map[string]any{"aud": []string{"other", identity.ClientID}}, ""},
		{"another client", map[string]any{"client_id": "other"}, "client"},
		{"another issuer", map[string]any{"iss": "https://issuer.example"}, "issuer"},
		{"expired", map[string]any{"exp": now.Add(-time.Hour).Unix()}, "expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.Logs.String()
			token := resign(t, dir, s.Token("alice", 0), test.changes)
			want := map[bool]int{true: http.StatusOK, false: http.StatusUnauthorized}[test.reason == ""]
			if got := s.Request(http.MethodGet, "/api/me", token, nil, nil); got != want {
				t.Errorf("the HTTP API answers %d, want %d", got, want)
			}
			socket, _, err := websocket.Dial(t.Context(), s.WebSocketURL(), &websocket.DialOptions{Subprotocols: []string{"streamroom", token}})
			if err == nil {
				_ = socket.CloseNow()
			}
			if (err == nil) != (test.reason == "") {
				t.Errorf("the socket: %v; want refused: %t", err, test.reason != "")
			}
			if test.reason != "" {
				wantReasons(t, strings.TrimPrefix(s.Logs.String(), before), test.reason)
			}
		})
	}
}

// wantReasons wants a reason in two lines at level warn, one of each API.
func wantReasons(t *testing.T, logged, reason string) {
	t.Helper()
	found := 0
	for lines := bufio.NewScanner(strings.NewReader(logged)); lines.Scan(); {
		var line struct{ Level, Reason string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Level == "warn" && line.Reason == reason {
			found++
		}
	}
	if found != 2 {
		t.Errorf("the reason %q is logged %d times, want 2:\n%s", reason, found, logged)
	}
}

// resign changes a token's claims and signs it with the pool's own key; nil removes
// a claim.
func resign(t *testing.T, dir, token string, changes map[string]any) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "identity-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(token, claims)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	changed := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	changed.Header["kid"] = parsed.Header["kid"]
	signed, err := changed.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
