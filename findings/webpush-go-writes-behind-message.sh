#!/usr/bin/env bash
# webpush-go v1.4.0.
#
# SendNotification takes the message as []byte and sends it encrypted. It pads the
# message first, by append: where the caller's slice has room left, the delimiter and
# the zeros of the padding are written into it. What lies behind the message is
# overwritten; two pushes at a time of one such slice are a data race, of which one
# encrypts the other's padding. A slice without room (slices.Clip) is left alone.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"

	webpush "github.com/SherClockHolmes/webpush-go"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	defer server.Close()
	browser, err := ecdh.P256().GenerateKey(rand.Reader)
	check(err)
	private, public, err := webpush.GenerateVAPIDKeys()
	check(err)
	encode := base64.RawURLEncoding.EncodeToString
	to := &webpush.Subscription{Endpoint: server.URL, Keys: webpush.Keys{P256dh: encode(browser.PublicKey().Bytes()), Auth: encode(make([]byte, 16))}}
	options := &webpush.Options{Subscriber: "ops@example.com", VAPIDPublicKey: public, VAPIDPrivateKey: private, HTTPClient: server.Client()}

	for _, clip := range []bool{false, true} {
		buffer := append(make([]byte, 0, 8192), "hello, and what follows"...)
		message := buffer[:len("hello")]
		if clip {
			message = slices.Clip(message)
		}
		answer, err := webpush.SendNotification(message, to, options)
		check(err)
		_ = answer.Body.Close()
		fmt.Printf("clipped: %t, answer %d, the buffer then: %q\n", clip, answer.StatusCode, buffer)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/SherClockHolmes/webpush-go@v1.4.0 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
clipped: false, answer 201, the buffer then: "hello\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
clipped: true, answer 201, the buffer then: "hello, and what follows"
SEEN
