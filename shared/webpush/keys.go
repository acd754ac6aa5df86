package webpush

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// NewKey makes a private key for a deployment (RFC 8292), base64url.
func NewKey() (string, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generate a key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(key.Bytes()), nil
}

// PublicKey returns the public key of a private one, base64url: what browsers subscribe
// with.
func PublicKey(private string) (string, error) {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(private))
	if err != nil {
		return "", errors.New("invalid private key: want base64url of 32 bytes") // never what it is
	}
	key, err := ecdh.P256().NewPrivateKey(data)
	if err != nil {
		return "", fmt.Errorf("invalid private key: want 32 bytes of a P-256 key in base64url: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), nil
}
