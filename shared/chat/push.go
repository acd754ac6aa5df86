package chat

import (
	"cmp"
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// MaxSubscriptions is how many browsers of a user are notified: another one replaces
	// the oldest.
	MaxSubscriptions = 10
	// MaxEndpoint bounds the endpoint of a subscription, in bytes. Those of the large push
	// services have 150 to 800.
	MaxEndpoint = 2048

	pushAuthSize = 16 // bytes (RFC 8291, 3.2)
)

// Subscription is a browser that takes Web Push for a user.
type Subscription struct {
	// Endpoint is a URL of the browser's push service. It is a secret: who has it can reach
	// the browser.
	Endpoint string
	Key      string // the browser's public key on P-256, base64url without padding
	Auth     string // the secret that it shares with those who send, base64url without padding
	At       int64  // since when, ms
}

// SubscriptionID names an endpoint among those of a user: 22 characters.
func SubscriptionID(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// PushStore stores subscriptions.
type PushStore interface {
	// PutSubscription stores a subscription, or replaces the one with its endpoint, and
	// removes the others that are Surplus.
	PutSubscription(ctx context.Context, userID string, s Subscription, most int) error
	// RemoveSubscription removes that with an endpoint, if there is one.
	RemoveSubscription(ctx context.Context, userID, endpoint string) error
	// Subscriptions reads those of a user, the oldest first. They may be a moment old.
	Subscriptions(ctx context.Context, userID string) ([]Subscription, error)
}

// Pushes keeps the browsers that take Web Push.
type Pushes struct {
	store PushStore
	key   string
	now   func() time.Time
}

// NewPushes returns Pushes on a store and a clock, for browsers that subscribe with the
// public key of a deployment, base64url.
func NewPushes(store PushStore, publicKey string, now func() time.Time) *Pushes {
	return &Pushes{store: store, key: publicKey, now: now}
}

// PublicKey returns the key that browsers subscribe with.
func (p *Pushes) PublicKey() string { return p.key }

// Subscribe has a browser take Web Push for a user. It replaces an earlier subscription with
// the same endpoint, and the oldest one if there are more than MaxSubscriptions.
//
// Errors: CodeInvalidRequest.
func (p *Pushes) Subscribe(ctx context.Context, userID string, s Subscription) error {
	if err := ValidateEndpoint(s.Endpoint); err != nil {
		return err
	}
	key, err := fromBase64(s.Key)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	if err != nil {
		return Errorf(CodeInvalidRequest, "invalid keys.p256dh: want a public key on P-256, as base64url of 65 bytes")
	}
	auth, err := fromBase64(s.Auth)
	if err != nil || len(auth) != pushAuthSize {
		return Errorf(CodeInvalidRequest, "invalid keys.auth: want base64url of %d bytes", pushAuthSize)
	}
	s.Key, s.Auth = base64.RawURLEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(auth)
	s.At = p.now().UnixMilli()
	if err := p.store.PutSubscription(ctx, userID, s, MaxSubscriptions); err != nil {
		return fmt.Errorf("store a push subscription: %w", err)
	}
	return nil
}

// Unsubscribe ends that; it is no error if there is no such subscription.
//
// Errors: CodeInvalidRequest.
func (p *Pushes) Unsubscribe(ctx context.Context, userID, endpoint string) error {
	if err := ValidateEndpoint(endpoint); err != nil {
		return err
	}
	if err := p.store.RemoveSubscription(ctx, userID, endpoint); err != nil {
		return fmt.Errorf("remove a push subscription: %w", err)
	}
	return nil
}

// fromBase64 decodes either alphabet, with padding or without: browsers differ.
func fromBase64(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

// OldestFirst orders subscriptions.
func OldestFirst(a, b Subscription) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Endpoint, b.Endpoint))
}

// Surplus returns those of a user's subscriptions, the oldest first, that end once the one
// with an endpoint is stored: the oldest above most (1 or more), but never that one. Others
// may be of the same millisecond, or of a later one by the clock of another function.
func Surplus(all []Subscription, stored string, most int) []Subscription {
	others := slices.DeleteFunc(slices.Clone(all), func(s Subscription) bool { return s.Endpoint == stored })
	return others[:max(0, len(all)-most)]
}

// ValidateEndpoint checks that an endpoint may be one of a push service: an https URL that
// names no address within a network. What the name leads to is checked when it is dialled.
//
// Errors: CodeInvalidRequest.
func ValidateEndpoint(endpoint string) error {
	if len(endpoint) > MaxEndpoint {
		return Errorf(CodeInvalidRequest, "invalid endpoint: want at most %d bytes, got %d", MaxEndpoint, len(endpoint))
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" ||
		strings.ContainsFunc(endpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Errorf(CodeInvalidRequest, "invalid endpoint: want an https URL in ASCII, without a user and a fragment")
	}
	if !publicHost(u.Hostname()) {
		return Errorf(CodeInvalidRequest, "invalid endpoint: want a host on the internet")
	}
	return nil
}

// innerNames are top-level names that lead nowhere on the internet (RFC 6761, RFC 6762, and
// ICANN's reservation of internal).
var innerNames = []string{"localhost", "local", "internal", "test", "invalid", "onion", "arpa"}

func publicHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return PublicAddress(address)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	dot := strings.LastIndexByte(host, '.')
	last := host[dot+1:]
	// No top-level name begins with a digit: 127.1 and 0x7f000001 are addresses to some
	// resolvers.
	return dot > 0 && last != "" && (last[0] < '0' || last[0] > '9') && !slices.Contains(innerNames, last)
}

// inner are the networks that are not on the internet, or lead to others that may not be,
// beside those that netip knows (IANA's special-purpose address registries).
var inner = func() (networks []netip.Prefix) {
	for _, network := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"3fff::/20", "5f00::/16", "fec0::/10",
	} {
		networks = append(networks, netip.MustParsePrefix(network))
	}
	return networks
}()

// PublicAddress reports whether an address is one on the internet: neither of this machine,
// nor of a private network or a link, nor one that stands for such a one.
func PublicAddress(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(inner, func(network netip.Prefix) bool { return network.Contains(a) })
}
