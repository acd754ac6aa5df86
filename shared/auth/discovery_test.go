package auth_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/auth"
)

const descriptionPath = "/.well-known/openid-configuration"

// discovering is a setup whose issuer describes where its keys are.
func discovering(t *testing.T, issuer string) setup {
	t.Helper()
	s := newSetup(t, func(c *auth.Config) { c.Issuer, c.JWKSURL = issuer, "" })
	s.describes(map[string]any{"issuer": issuer, "jwks_uri": keysURL})
	return s
}

// describes lets the issuer publish a description, and its first key.
func (s setup) describes(description map[string]any) {
	text, err := json.Marshal(description)
	if err != nil {
		panic(err)
	}
	s.issuer.answers(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, descriptionPath) {
			return document(http.StatusOK, text)(r)
		}
		return document(http.StatusOK, keySetOf(jwk(firstKey, &signers[firstKey].PublicKey)))(r)
	})
}

// took returns the addresses that were fetched since the last call.
func (s setup) took() []string {
	s.issuer.mu.Lock()
	defer s.issuer.mu.Unlock()
	fetched := s.issuer.fetches
	s.issuer.fetches = nil
	return fetched
}

func TestDiscovery(t *testing.T) {
	for _, issuer := range []string{issuerURL, issuerURL + "/", "https://issuer.example"} {
		s := discovering(t, issuer)
		token := s.token(map[string]any{"iss": issuer})
		for range 3 {
			s.wantErr(t, token, nil)
		}
		want := []string{strings.TrimSuffix(issuer, "/") + descriptionPath, keysURL}
		if diff := cmp.Diff(want, s.took()); diff != "" {
			t.Errorf("%s (-want +fetched):\n%s", issuer, diff)
		}
	}
}

// A key that is not known costs one request, not two, until the description is as
// old as keys may be.
func TestDiscoveryIsCached(t *testing.T) {
	s := discovering(t, issuerURL)
	described := issuerURL + descriptionPath
	for _, step := range []struct {
		wait time.Duration
		kid  string
		want []string
	}{
		{0, firstKey, []string{described, keysURL}},
		{10 * time.Second, secondKey, []string{keysURL}},
		{59 * time.Minute, firstKey, nil},
		{time.Minute, firstKey, []string{described, keysURL}},
	} {
		s.clock.move(step.wait)
		_ = s.verify(s.tokenBy(step.kid, nil))
		if diff := cmp.Diff(step.want, s.took()); diff != "" {
			t.Errorf("after %v (-want +fetched):\n%s", step.wait, diff)
		}
	}
}

// Keys that are not where they were are looked for again, and what is known stays
// good while the description can't be had.
func TestDiscoveryAfterFailures(t *testing.T) {
	s := discovering(t, issuerURL)
	token := s.token(nil)
	s.wantErr(t, token, nil)
	publish := s.issuer.answer

	moved := "https://issuer.example/moved"
	s.issuer.answers(func(r *http.Request) (*http.Response, error) {
		if r.URL.String() == keysURL {
			return document(http.StatusNotFound, nil)(r)
		}
		return publish(r)
	})
	s.clock.move(10 * time.Second)
	s.wantErr(t, s.tokenBy(secondKey, nil), auth.ErrUnavailable)
	s.describes(map[string]any{"issuer": issuerURL, "jwks_uri": moved})
	s.took()
	s.clock.move(time.Second)
	s.wantErr(t, s.tokenBy(secondKey, nil), auth.ErrUnauthorized)
	if diff := cmp.Diff([]string{issuerURL + descriptionPath, moved}, s.took()); diff != "" {
		t.Errorf("(-want +fetched):\n%s", diff)
	}

	publish = s.issuer.answer
	s.issuer.answers(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, descriptionPath) {
			return nil, errDown
		}
		return publish(r)
	})
	s.clock.move(time.Hour)
	s.wantErr(t, s.token(nil), nil)
	if diff := cmp.Diff([]string{issuerURL + descriptionPath, moved}, s.took()); diff != "" {
		t.Errorf("(-want +fetched):\n%s", diff)
	}
}

func TestBadDescriptions(t *testing.T) {
	for name, test := range map[string]struct {
		description map[string]any
		want        string
	}{
		"of another":       {map[string]any{"issuer": "https://elsewhere.example", "jwks_uri": keysURL}, `want "` + issuerURL + `", got "https://elsewhere.example"`},
		"without issuer":   {map[string]any{"jwks_uri": keysURL}, "invalid issuer"},
		"without keys":     {map[string]any{"issuer": issuerURL}, "invalid jwks_uri"},
		"keys over http":   {map[string]any{"issuer": issuerURL, "jwks_uri": "http://issuer.example/keys"}, "want an https URL"},
		"keys in a file":   {map[string]any{"issuer": issuerURL, "jwks_uri": "file:///keys"}, "want an https URL"},
		"keys of no text":  {map[string]any{"issuer": issuerURL, "jwks_uri": 1}, "decode"},
		"keys of no place": {map[string]any{"issuer": issuerURL, "jwks_uri": "/keys"}, "want an https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := discovering(t, issuerURL)
			s.describes(test.description)
			err := s.verify(s.token(nil))
			s.wantErr(t, s.token(nil), auth.ErrUnavailable)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			s.wantFetches(t, 1)
		})
	}
}
