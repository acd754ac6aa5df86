package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/streamroom/streamroom/shared/backoff"
)

const (
	// fetchTimeout bounds one fetch, from dialling to the last byte, with that of the
	// issuer's description if it needs one.
	fetchTimeout = 3 * time.Second
	// maxKeysBytes bounds a document; real ones have one to twenty KB.
	maxKeysBytes = 256 << 10
	// maxKeysAge is when keys are fetched again although none is missing, so
	// that a withdrawn key ends.
	maxKeysAge = time.Hour
	// minFetchInterval is the least time between a fetch and the next, however
	// many unknown key ids come in. A key published just after a fetch is
	// refused for as long.
	minFetchInterval = 10 * time.Second
	// minKeyBits is the least that RFC 7518, 3.3 allows for RS256.
	minKeyBits = 2048
)

// retries are the waits after failed fetches. Each set of keys fetches for itself, so
// there is no crowd to spread.
var retries = backoff.Policy{First: time.Second, Max: time.Minute}

// keySet caches the issuer's public keys. The HTTP storage of jwkset fetches
// when it is made, has a goroutine for refreshes, and no bound on size, so that
// it fits neither a function's cold start nor its freezing; here keys are
// fetched by the verifications that need them, and those share one fetch.
type keySet struct {
	address address
	client  *http.Client
	now     func() time.Time
	storage *jwkset.MemoryJWKSet // what the last successful fetch found

	mu        sync.Mutex
	running   *fetch    // nil if none is
	fetchedAt time.Time // when the last successful fetch ended; zero before
	notBefore time.Time // no fetch starts before
	failures  int       // since the last success
	lastErr   error     // of the last fetch
}

// fetch is one request for the keys. err is set before done is closed.
type fetch struct {
	done chan struct{}
	err  error
}

func newKeySet(at address, client *http.Client, now func() time.Time) *keySet {
	own := http.Client{}
	if client != nil {
		own = *client
	}
	// Keys come from the configured address, or from the one that the issuer's
	// description names, and from nowhere else.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &keySet{address: at, client: &own, now: now, storage: jwkset.NewMemoryStorage()}
}

// ensure fetches keys if keyID is not among them or they are old, unless that
// was tried too recently. With an error, which wraps ErrUnavailable, it is
// unknown whether the key exists; without one, the storage has it or it does not exist. A key that is
// there stays good as long as newer ones cannot be had.
func (k *keySet) ensure(ctx context.Context, keyID string) error {
	_, err := k.storage.KeyRead(ctx, keyID)
	known := err == nil
	if known && k.fresh() {
		return nil
	}
	if err := k.refresh(ctx); err != nil && !known {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (k *keySet) fresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now().Sub(k.fetchedAt) < maxKeysAge
}

// refresh waits for the fetch that is under way, or starts one. If it is too
// early for another, the last one's result stands.
func (k *keySet) refresh(ctx context.Context) error {
	f, err := k.join(ctx)
	if f == nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *keySet) join(ctx context.Context) (*fetch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running == nil {
		if k.now().Before(k.notBefore) {
			return nil, k.lastErr
		}
		k.running = &fetch{done: make(chan struct{})}
		// The result is for everyone who waits, so the end of the caller that
		// happened to be first must not cancel it. fetchTimeout does end it.
		go k.run(context.WithoutCancel(ctx), k.running)
	}
	return k.running, nil
}

func (k *keySet) run(ctx context.Context, f *fetch) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, err := k.download(ctx)
	if err == nil {
		err = k.storage.KeyReplaceAll(ctx, keys)
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if err == nil {
		k.fetchedAt = now
		k.notBefore = now.Add(minFetchInterval)
		k.failures = 0
	} else {
		k.failures++
		k.notBefore = now.Add(retries.Pause(k.failures))
	}
	k.lastErr, f.err = err, err
	k.running = nil
	close(f.done)
}

func (k *keySet) download(ctx context.Context) ([]jwkset.JWK, error) {
	at, err := k.address.url(ctx, k.client, k.now())
	if err != nil {
		return nil, err
	}
	keys, err := k.downloadFrom(ctx, at)
	if err != nil {
		k.address.forget() // the issuer may have moved its keys
	}
	return keys, err
}

func (k *keySet) downloadFrom(ctx context.Context, at string) ([]jwkset.JWK, error) {
	body, err := get(ctx, k.client, at)
	if err != nil {
		return nil, fmt.Errorf("request keys: %w", err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", at, err)
	}
	return keys, nil
}

// parseKeys returns the keys of a JSON Web Key Set that can verify a token
// here, and leaves out the others. A set without any is an error: it is more
// likely a mistake than the wish to end every token at once.
func parseKeys(document []byte) ([]jwkset.JWK, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("decode key set: %w", err)
	}
	var keys []jwkset.JWK
	for _, raw := range set.Keys {
		if key, ok := parseKey(raw); ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no RSA key for RS256 signatures")
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (jwkset.JWK, bool) {
	var fields jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &fields); err != nil {
		return jwkset.JWK{}, false
	}
	switch {
	case fields.KTY != jwkset.KtyRSA, fields.KID == "",
		fields.ALG != "" && fields.ALG != algorithm,
		fields.USE != "" && fields.USE != jwkset.UseSig:
		return jwkset.JWK{}, false
	}
	// The zero options read the public part only.
	key, err := jwkset.NewJWKFromMarshal(fields, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, false
	}
	public, ok := key.Key().(*rsa.PublicKey)
	return key, ok && public.N.BitLen() >= minKeyBits
}
