package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// discoveryPath is where an OIDC issuer describes itself, below its own URL
// ("OpenID Connect Discovery 1.0", section 4). Where its keys are is up to the
// issuer: Keycloak, Okta, Entra and Google each have another path.
const discoveryPath = "/.well-known/openid-configuration"

// address is where an issuer publishes its keys. Only one fetch at a time may use
// it.
type address struct {
	issuer string
	fixed  string // the configured URL; "" reads the issuer's description

	found   string // by the description; "" if it has to be read
	foundAt time.Time
}

// url returns the URL of the keys. It reads the issuer's description if that is
// older than keys may be, and keeps what it found as long as no newer one can be
// had.
func (a *address) url(ctx context.Context, client *http.Client, now time.Time) (string, error) {
	if a.fixed != "" {
		return a.fixed, nil
	}
	if a.found != "" && now.Sub(a.foundAt) < maxKeysAge {
		return a.found, nil
	}
	found, err := a.discover(ctx, client)
	switch {
	case err == nil:
		a.found, a.foundAt = found, now
	case a.found == "":
		return "", err
	}
	return a.found, nil
}

// forget makes the next fetch read the description again.
func (a *address) forget() { a.foundAt = time.Time{} }

// discover reads the description. Its issuer has to be the configured one, letter
// for letter (section 4.3), and its keys have to come by https if the description
// does.
func (a *address) discover(ctx context.Context, client *http.Client) (string, error) {
	at := strings.TrimRight(a.issuer, "/") + discoveryPath
	body, err := get(ctx, client, at)
	if err != nil {
		return "", fmt.Errorf("find the issuer's keys: %w", err)
	}
	var description struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &description); err != nil {
		return "", fmt.Errorf("find the issuer's keys: decode %s: %w", at, err)
	}
	if description.Issuer != a.issuer {
		return "", fmt.Errorf("find the issuer's keys: invalid issuer in %s: want %q, got %q", at, a.issuer, description.Issuer)
	}
	keys, err := url.Parse(description.JWKSURI)
	if err != nil || !fetchable(keys) || (keys.Scheme == "http" && strings.HasPrefix(at, "https:")) {
		return "", fmt.Errorf("find the issuer's keys: invalid jwks_uri in %s: want an https URL, got %q", at, description.JWKSURI)
	}
	return description.JWKSURI, nil
}

func fetchable(u *url.URL) bool { return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") }

// get returns a document of at most maxKeysBytes.
func get(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", at, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeysBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", at, err)
	}
	if len(body) > maxKeysBytes {
		return nil, fmt.Errorf("%s answered more than %d bytes", at, maxKeysBytes)
	}
	return body, nil
}
