// Package webpushtest has a push service on loopback, over TLS, and browsers that subscribe
// at it. They check and decrypt what they get by the RFCs, with none of the code that
// sends.
package webpushtest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Origin is where endpoints are: it leads to the service by its Transport only.
const Origin = "https://push.example.com"

// Service is a push service.
type Service struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	browsers map[string]*Browser // by path
}

// Browser is one that has subscribed.
type Browser struct {
	Endpoint string
	Key      string // base64url, as a page gets them
	Auth     string

	private *ecdh.PrivateKey
	secret  []byte

	mu       sync.Mutex
	answer   func(http.ResponseWriter)
	asked    int
	received []Push
}

// Push is what came, checked and decrypted.
type Push struct {
	TTL, Topic, Urgency string
	Key                 string // of the sender, who signed with it
	Contact             string
	Body                string
}

// New starts a service that ends with the test.
func New(t testing.TB) *Service {
	t.Helper()
	s := &Service{t: t, browsers: map[string]*Browser{}}
	s.server = httptest.NewTLSServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// Transport returns a way to the service, whatever host is asked for.
func (s *Service) Transport() *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(s.server.Certificate())
	address := s.server.Listener.Addr().String()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Addr returns where it listens.
func (s *Service) Addr() string { return s.server.Listener.Addr().String() }

// Subscribe makes a browser with a subscription.
func (s *Service) Subscribe() *Browser {
	s.t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	path := fmt.Sprintf("/send/%d", len(s.browsers))
	b := &Browser{
		Endpoint: Origin + path, Key: base64.RawURLEncoding.EncodeToString(private.PublicKey().Bytes()),
		Auth: base64.RawURLEncoding.EncodeToString(secret), private: private, secret: secret,
	}
	s.browsers[path] = b
	return b
}

// Answer has pushes to a browser answered otherwise than with 201, without a look at them.
func (b *Browser) Answer(answer func(http.ResponseWriter)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// Status is an answer with a status.
func Status(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(status) }
}

// Received returns what came, in order.
func (b *Browser) Received() []Push {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Push(nil), b.received...)
}

// Asked returns how many requests came, of whatever answer.
func (b *Browser) Asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// ServeHTTP takes a push.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	b := s.browsers[r.URL.Path]
	s.mu.Unlock()
	if b == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked++; b.answer != nil {
		b.answer(w)
		return
	}
	push, err := b.read(r)
	if err != nil {
		s.t.Errorf("a push is not as the RFCs have it: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.received = append(b.received, push)
	w.WriteHeader(http.StatusCreated)
}

func (b *Browser) read(r *http.Request) (Push, error) {
	p := Push{TTL: r.Header.Get("TTL"), Topic: r.Header.Get("Topic"), Urgency: r.Header.Get("Urgency")}
	body, err := io.ReadAll(io.LimitReader(r.Body, 5000))
	switch {
	case err != nil:
		return p, err
	case r.Method != http.MethodPost || p.TTL == "" || len(body) > 4096 || len(p.Topic) > 32:
		return p, fmt.Errorf("%s with the TTL %q, the topic %q and %d bytes", r.Method, p.TTL, p.Topic, len(body))
	case r.Header.Get("Content-Encoding") != "aes128gcm":
		return p, fmt.Errorf("the encoding %q", r.Header.Get("Content-Encoding"))
	}
	if p.Key, p.Contact, err = signed(r.Header.Get("Authorization")); err != nil {
		return p, err
	}
	p.Body, err = b.decrypt(body)
	return p, err
}

// signed checks the signature of a push (RFC 8292, 2 and 3).
func signed(authorization string) (key, contact string, err error) {
	fields, ok := strings.CutPrefix(authorization, "vapid ")
	token, key, found := strings.Cut(strings.TrimPrefix(fields, "t="), ", k=")
	point, err := base64.RawURLEncoding.DecodeString(key)
	if !ok || !found || err != nil || len(point) != 65 {
		return "", "", fmt.Errorf("the authorization %q", authorization)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return "", "", err
	}
	var claims jwt.RegisteredClaims
	_, err = jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return public, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(Origin), jwt.WithExpirationRequired())
	if err != nil {
		return "", "", err
	}
	if claims.ExpiresAt.After(time.Now().Add(24 * time.Hour)) {
		return "", "", errors.New("the signature is for longer than a day")
	}
	return key, claims.Subject, nil
}

// decrypt decrypts a body (RFC 8291, 3.4, and RFC 8188, 2).
func (b *Browser) decrypt(body []byte) (string, error) {
	const header = 16 + 4 + 1 + 65
	if len(body) < header || body[20] != 65 {
		return "", errors.New("the body has no header")
	}
	salt, size, senders, sealed := body[:16], binary.BigEndian.Uint32(body[16:20]), body[21:header], body[header:]
	if int(size) < len(sealed) {
		return "", fmt.Errorf("a record of %d bytes has %d", size, len(sealed))
	}
	sender, err := ecdh.P256().NewPublicKey(senders)
	if err != nil {
		return "", err
	}
	shared, err := b.private.ECDH(sender)
	if err != nil {
		return "", err
	}
	ikm, err := hkdf.Key(sha256.New, shared, b.secret, "WebPush: info\x00"+string(b.private.PublicKey().Bytes())+string(senders), 32)
	if err != nil {
		return "", err
	}
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return "", err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	plain, err := gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return "", err
	}
	text, padded := strings.CutSuffix(strings.TrimRight(string(plain), "\x00"), "\x02")
	if !padded {
		return "", errors.New("the last record has no delimiter")
	}
	return text, nil
}
