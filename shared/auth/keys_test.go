package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/shared/auth"
)

var errDown = errors.New("connection refused")

func down(*http.Request) (*http.Response, error) { return nil, errDown }

// stuck never answers, as an endpoint behind a black hole.
func stuck(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (s setup) wantFetches(t *testing.T, want int) {
	t.Helper()
	if got := s.issuer.count(); got != want {
		t.Errorf("%d fetches, want %d", got, want)
	}
}

func (s setup) wantErr(t *testing.T, token string, want error) {
	t.Helper()
	if err := s.verify(token); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestKeysAreFetchedAtTheFirstToken(t *testing.T) {
	s := newSetup(t)
	s.wantFetches(t, 0)
	for range 3 {
		s.wantErr(t, s.token(nil), nil)
	}
	s.wantFetches(t, 1)
	if got := s.issuer.fetches[0]; got != keysURL {
		t.Errorf("fetched %s, want %s", got, keysURL)
	}
}

func TestForeignAndExpiredTokensCostNoFetch(t *testing.T) {
	s := newSetup(t)
	s.wantErr(t, s.token(map[string]any{"iss": "https://elsewhere.example"}), auth.ErrUnauthorized)
	s.wantErr(t, s.token(map[string]any{"exp": 1}), auth.ErrUnauthorized)
	s.wantErr(t, "a.b.c", auth.ErrUnauthorized)
	s.wantFetches(t, 0)
}

func TestRotation(t *testing.T) {
	s := newSetup(t)
	old, next := s.token(nil), s.tokenBy(secondKey, nil)
	s.wantErr(t, old, nil)

	s.issuer.publishes(firstKey, secondKey)
	s.wantErr(t, next, auth.ErrUnauthorized) // too soon after the last fetch
	s.clock.move(10 * time.Second)
	s.wantErr(t, next, nil)
	s.wantErr(t, old, nil)
	s.wantFetches(t, 2)

	// A withdrawn key ends when the keys are fetched for their age.
	s.issuer.publishes(secondKey)
	s.clock.move(59 * time.Minute)
	s.wantErr(t, s.token(nil), nil)
	s.clock.move(time.Minute)
	s.wantErr(t, s.token(nil), auth.ErrUnauthorized)
	s.wantErr(t, s.tokenBy(secondKey, nil), nil)
	s.wantFetches(t, 3)
}

func TestUnknownKeysDoNotHammer(t *testing.T) {
	s := newSetup(t)
	s.wantErr(t, s.token(nil), nil)
	const floods = 3
	for range floods {
		s.clock.move(10 * time.Second)
		var all sync.WaitGroup
		for i := range 100 {
			token := sign(jwt.SigningMethodRS256, signers[secondKey], map[string]any{"kid": fmt.Sprint("made-up-", i)}, s.claims(nil))
			all.Go(func() { s.wantErr(t, token, auth.ErrUnauthorized) })
		}
		all.Wait()
	}
	s.wantFetches(t, 1+floods)
}

func TestConcurrentVerificationsShareOneFetch(t *testing.T) {
	s := newSetup(t)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		publish := s.issuer.answer
		s.issuer.answers(func(r *http.Request) (*http.Response, error) {
			<-release
			return publish(r)
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { s.wantErr(t, s.token(nil), nil) })
		}
		synctest.Wait() // everyone waits for the one answer
		s.wantFetches(t, 1)
		close(release)
		all.Wait()
		s.wantFetches(t, 1)
	})
}

func TestEndpointDown(t *testing.T) {
	s := newSetup(t)
	s.issuer.answers(down)
	// Each wait ends just before the next attempt may be made.
	for attempt, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		for range 3 {
			s.wantErr(t, s.token(nil), auth.ErrUnavailable)
			s.wantErr(t, s.token(nil), errDown)
		}
		s.wantFetches(t, attempt+1)
		s.clock.move(time.Duration(seconds)*time.Second - time.Millisecond)
		s.wantErr(t, s.token(nil), auth.ErrUnavailable)
		s.wantFetches(t, attempt+1)
		s.clock.move(time.Millisecond)
	}
	s.issuer.publishes(firstKey)
	s.wantErr(t, s.token(nil), nil)

	// The next time begins with the shortest wait again.
	s.issuer.answers(down)
	s.clock.move(time.Hour)
	before := s.issuer.count()
	for range 2 {
		s.wantErr(t, s.token(nil), nil)
		s.clock.move(time.Second)
	}
	s.wantFetches(t, before+2)
}

func TestKnownKeysOutliveTheEndpoint(t *testing.T) {
	s := newSetup(t)
	s.wantErr(t, s.token(nil), nil)
	s.issuer.answers(down)
	s.clock.move(24 * time.Hour)
	for range 5 {
		s.wantErr(t, s.token(nil), nil)
	}
	s.wantFetches(t, 2)
	// Whether this key exists is unknown now.
	s.wantErr(t, s.tokenBy(secondKey, nil), auth.ErrUnavailable)
	s.wantFetches(t, 2)
	// Nor do the keys vanish when the endpoint answers nonsense.
	s.issuer.answers(document(http.StatusOK, []byte(`{"keys":[]}`)))
	s.clock.move(time.Hour)
	s.wantErr(t, s.token(nil), nil)
	s.wantFetches(t, 3)
}

func TestSlowEndpoint(t *testing.T) {
	s := newSetup(t)
	synctest.Test(t, func(t *testing.T) {
		s.issuer.answers(stuck)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Verify(ctx, s.token(nil))
		if !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
			t.Errorf("got %v, want ErrUnavailable when ctx ends", err)
		}
		// Without a deadline of the caller's, the fetch has its own.
		_, err = s.Verify(t.Context(), s.token(nil))
		if !errors.Is(err, auth.ErrUnavailable) || t.Context().Err() != nil {
			t.Errorf("got %v, want ErrUnavailable when the fetch ends", err)
		}
		s.wantFetches(t, 1)
	})
}

func TestACallerWhoLeavesDoesNotCancelTheOthers(t *testing.T) {
	s := newSetup(t)
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		publish := s.issuer.answer
		s.issuer.answers(func(r *http.Request) (*http.Response, error) {
			select {
			case <-release:
				return publish(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := s.Verify(ctx, s.token(nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("who left got %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		all.Go(func() { s.wantErr(t, s.token(nil), nil) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		all.Wait()
	})
}

func TestBadKeyDocuments(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024) // weak on purpose
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]any { return jwk(firstKey, &signers[firstKey].PublicKey) }
	changed := func(field string, value any) []byte {
		key := good()
		key[field] = value
		return keySetOf(key)
	}
	for name, answer := range map[string]answer{
		"status 500":        document(http.StatusInternalServerError, keySetOf(good())),
		"status 404":        document(http.StatusNotFound, nil),
		"empty":             document(http.StatusOK, nil),
		"no JSON":           document(http.StatusOK, []byte("<html>")),
		"a list":            document(http.StatusOK, []byte("[]")),
		"null":              document(http.StatusOK, []byte("null")),
		"no keys":           document(http.StatusOK, keySetOf()),
		"keys no objects":   document(http.StatusOK, []byte(`{"keys":[1,"a",null,[]]}`)),
		"key without id":    document(http.StatusOK, changed("kid", "")),
		"key of another":    document(http.StatusOK, changed("kty", "EC")),
		"symmetric key":     document(http.StatusOK, keySetOf(map[string]any{"kty": "oct", "kid": firstKey, "k": "c2VjcmV0"})),
		"encryption key":    document(http.StatusOK, changed("use", "enc")),
		"other algorithm":   document(http.StatusOK, changed("alg", "RS512")),
		"no modulus":        document(http.StatusOK, changed("n", "")),
		"modulus no base64": document(http.StatusOK, changed("n", "!")),
		"no exponent":       document(http.StatusOK, changed("e", "")),
		"weak key":          document(http.StatusOK, keySetOf(jwk(firstKey, &weak.PublicKey))),
		"endless":           document(http.StatusOK, append(keySetOf(good()), bytes.Repeat([]byte(" "), 1<<20)...)),
		"broken off": func(r *http.Request) (*http.Response, error) {
			response, err := document(http.StatusOK, nil)(r)
			response.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
			return response, err
		},
		"redirect": func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "elsewhere.example" {
				return document(http.StatusOK, keySetOf(good()))(r)
			}
			response, err := document(http.StatusFound, nil)(r)
			response.Header.Set("Location", "https://elsewhere.example/keys")
			return response, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t)
			s.issuer.answers(answer)
			s.wantErr(t, s.token(nil), auth.ErrUnavailable)
			s.wantFetches(t, 1)
		})
	}
}

func TestOtherKeysInTheSetDoNoHarm(t *testing.T) {
	s := newSetup(t)
	plain := jwk(firstKey, &signers[firstKey].PublicKey)
	delete(plain, "use") // both are optional
	delete(plain, "alg")
	ownUse, ownOperation := jwk("use", &signers[firstKey].PublicKey), jwk("operation", &signers[firstKey].PublicKey)
	ownUse["use"] = "tls"
	delete(ownOperation, "use")
	ownOperation["key_ops"] = []string{"verify", "attest"}
	s.issuer.answers(document(http.StatusOK, keySetOf(
		map[string]any{"kty": "EC", "kid": "e", "crv": "P-256", "x": "AA", "y": "AA"},
		map[string]any{"kty": "OKP", "kid": []int{1}},
		map[string]any{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
		ownUse, // RFC 7517 lets an issuer have its own uses and operations
		ownOperation,
		plain,
	)))
	s.wantErr(t, s.token(nil), nil)
}
