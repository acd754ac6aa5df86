#!/usr/bin/env bash
# github.com/MicahParks/keyfunc/v3 v3.8.0, jwkset v0.11.0, github.com/golang-jwt/jwt/v5 v5.3.1.
#
# RFC 7517 registers values of a key's "use" and "key_ops" and lets issuers add others
# (4.2, 4.3). jwkset leaves out a key whose type or curve it doesn't know. But for one key
# with a use or an operation that it doesn't know, it gives up the whole set. keyfunc's
# constructor returns no error: it has no keys, and each token is refused, also those
# of the keys beside it. A set read before stays as it was, so new keys never arrive.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	slog.SetLogLoggerLevel(slog.LevelError + 1) // the reason is in the log only
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	rsaKey := func(id string) map[string]any {
		n := base64.RawURLEncoding.EncodeToString(private.N.Bytes())
		return map[string]any{"kty": "RSA", "kid": id, "n": n, "e": "AQAB"}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"sub": "alice"})
	token.Header["kid"] = "signing"
	signed, err := token.SignedString(private)
	check(err)

	try := func(name string, other map[string]any) {
		document, err := json.Marshal(map[string]any{"keys": []any{rsaKey("signing"), other}})
		check(err)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }))
		defer server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		keys, failed := keyfunc.NewDefaultCtx(ctx, []string{server.URL})
		check(failed)
		held, _ := keys.Storage().KeyReadAll(ctx)
		_, err = jwt.Parse(signed, keys.Keyfunc)
		fmt.Printf("beside %s: constructor's error %v, keys %d, token accepted %t\n", name, failed, len(held), err == nil)
	}
	other := rsaKey("other")
	try("a plain key", other)
	try("a key of unknown type", map[string]any{"kty": "AKP", "kid": "other", "alg": "ML-DSA-44", "pub": "AAAA"})
	other["use"] = "tls"
	try(`a key for the use "tls"`, other)
	other = rsaKey("other")
	other["key_ops"] = []string{"verify", "attest"}
	try(`a key for the operation "attest"`, other)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/MicahParks/keyfunc/v3@v3.8.0 github.com/MicahParks/jwkset@v0.11.0 github.com/golang-jwt/jwt/v5@v5.3.1 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
beside a plain key: constructor's error <nil>, keys 2, token accepted true
beside a key of unknown type: constructor's error <nil>, keys 1, token accepted true
beside a key for the use "tls": constructor's error <nil>, keys 0, token accepted false
beside a key for the operation "attest": constructor's error <nil>, keys 0, token accepted false
SEEN
