package functions_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/config"
)

const tableHost = "dynamodb.us-east-1.amazonaws.com"

// realm is an issuer of access tokens, as its maker describes it.
type realm struct {
	url, keys string // the claim iss, and where its keys are
	audience  string // the setting
	userClaim string // the setting
	claims    object // of a token, beside iss, iat and exp
}

// realms are Keycloak with a mapper for the audience ("Server Administration Guide", Audience
// support), the authorization server "default" of Okta ("Validate Access Tokens"), and
// Microsoft Entra's tokens of version 2.0 ("Access token claims reference").
var realms = map[string]realm{
	"Keycloak": {
		"https://keycloak.example/realms/chat", "https://keycloak.example/realms/chat/protocol/openid-connect/certs",
		"streamroom", "sub",
		object{
			"aud": []string{"streamroom", "account"}, "azp": "web", "typ": "Bearer", "sub": "0c6f38a6-6f2c-4b63-a0a8-7a2f6f3a3f6e",
			"preferred_username": "alice", "scope": "openid profile",
		},
	},
	"Okta": {
		"https://okta.example/oauth2/default", "https://okta.example/oauth2/default/v1/keys",
		"api://default", "uid",
		object{"aud": "api://default", "cid": "0oa1", "uid": "00u1a2b3", "sub": "alice@example.com", "scp": []string{"openid"}, "ver": 1},
	},
	"Entra": {
		"https://entra.example/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0", "https://entra.example/9122040d-6c67-4c5b-b112-36a304b66dad/discovery/v2.0/keys",
		"6731de76-14a6-49ae-97bc-6eba6914391e", "oid",
		object{
			"aud": "6731de76-14a6-49ae-97bc-6eba6914391e", "azp": "11111111-2222-3333-4444-555555555555", "ver": "2.0", "scp": "chat",
			"sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
		},
	},
}

// internet is what a deployed function reaches, by TLS and by name: the table, and the
// issuers.
type internet struct {
	*world
	proxy string          // leads to all of them
	cert  string          // the file of the certificate that functions have to trust
	key   *rsa.PrivateKey // of the issuers

	built map[string]string // programs by the names of functions

	// hangs is how many of the next connections to the table get no answer.
	hangs atomic.Int32
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	engine := newEngine(t)
	plain := httptest.NewServer(engine)
	t.Cleanup(plain.Close)
	i := &internet{world: newWorld(t, plain.URL, "https://gateway.example/dev", nil, nil), cert: filepath.Join(t.TempDir(), "ca.pem"), built: map[string]string{}}
	var err error
	i.key, err = rsa.GenerateKey(rand.Reader, 2048)
	i.must(err)
	mux := http.NewServeMux()
	mux.Handle(tableHost+"/", engine)
	for _, issuer := range realms {
		mux.HandleFunc(strings.TrimPrefix(issuer.url, "https://")+identity.DescriptionPath, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(object{"issuer": issuer.url, "jwks_uri": issuer.keys})
		})
		mux.HandleFunc(strings.TrimPrefix(issuer.keys, "https://"), func(w http.ResponseWriter, _ *http.Request) {
			number := base64.RawURLEncoding.EncodeToString
			_ = json.NewEncoder(w).Encode(object{"keys": []object{{
				"kty": "RSA", "kid": "first", "use": "sig", "alg": "RS256",
				"n": number(i.key.N.Bytes()), "e": number(big.NewInt(int64(i.key.E)).Bytes()),
			}}})
		})
	}
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{i.certificate()}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(i.connectTo(server.Listener.Addr().String()))
	t.Cleanup(proxy.Close)
	i.proxy = proxy.URL
	return i
}

// token signs a token of an issuer, with other claims in place of its own.
func (i *internet) token(issuer realm, other object) string {
	i.t.Helper()
	now := time.Now().Unix()
	claims := jwt.MapClaims{"iss": issuer.url, "iat": now, "exp": now + 300}
	maps.Copy(claims, issuer.claims)
	maps.Copy(claims, other)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = "first"
	signed, err := token.SignedString(i.key)
	i.must(err)
	return signed
}

// certificate makes one for all hosts, and writes it to the file.
func (i *internet) certificate() tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	i.must(err)
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{tableHost, "keycloak.example", "okta.example", "entra.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &about, &about, &key.PublicKey, key)
	i.must(err)
	i.must(os.WriteFile(i.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// connectTo is a proxy (RFC 9110, 9.3.6) that leads every name to one address.
func (i *internet) connectTo(address string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "want CONNECT", http.StatusMethodNotAllowed)
			return
		}
		if strings.HasPrefix(r.Host, tableHost) && i.hangs.Add(-1) >= 0 {
			<-r.Context().Done()
			return
		}
		upstream, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = upstream.Close()
			return
		}
		var both sync.WaitGroup
		copyAll := func(to net.Conn, from io.Reader) {
			_, _ = io.Copy(to, from)
			_ = client.Close()
			_ = upstream.Close()
		}
		both.Go(func() { copyAll(upstream, buffered) })
		both.Go(func() { copyAll(client, upstream) })
		both.Wait()
	}
}

// program is a deployed function that runs under AWS's emulator.
type program struct {
	*world
	url string
	log output
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run builds a function as infra does, but for this machine, and starts it, for tokens of an
// issuer.
func (i *internet) run(function string, issuer realm) *program {
	i.t.Helper()
	bootstrap := i.build(function)
	p := &program{world: i.world, url: "http://" + i.free()}
	emulator := exec.CommandContext(i.t.Context(), os.Getenv(emulatorEnv),
		"--runtime-interface-emulator-address", strings.TrimPrefix(p.url, "http://"), "--runtime-api-address", i.free(), bootstrap)
	emulator.Env = []string{
		"AWS_LAMBDA_FUNCTION_NAME=" + function, "AWS_LAMBDA_FUNCTION_TIMEOUT=10", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"HTTPS_PROXY=" + i.proxy, "SSL_CERT_FILE=" + i.cert,
		config.TableName + "=" + tableName, config.Issuer + "=" + issuer.url, config.Audience + "=" + issuer.audience,
		config.UserClaim + "=" + issuer.userClaim,
	}
	emulator.Stdout, emulator.Stderr = &p.log, &p.log
	emulator.Cancel = func() error { return emulator.Process.Signal(os.Interrupt) }
	emulator.WaitDelay = 5 * time.Second
	i.must(emulator.Start())
	i.t.Cleanup(func() { _ = emulator.Wait() }) // it ends with the test's context
	return p
}

// build builds a function, once, and returns its program.
func (i *internet) build(function string) string {
	i.t.Helper()
	if i.built[function] == "" {
		bootstrap := filepath.Join(i.t.TempDir(), "bootstrap")
		build := exec.CommandContext(i.t.Context(), "go", append(append([]string{"build", "-o", bootstrap}, buildFlags...), "./"+function)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			i.t.Fatalf("go build: %v\n%s", err, out)
		}
		i.built[function] = bootstrap
	}
	return i.built[function]
}

// free returns an address of this machine that nothing listens at.
func (i *internet) free() string {
	i.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	i.must(err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// invoke returns the function's answer. It waits until the emulator listens.
func (p *program) invoke(event []byte) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/2015-03-31/functions/function/invocations", bytes.NewReader(event))
		p.must(err)
		response, err := client.Do(request)
		if err == nil {
			defer func() { _ = response.Body.Close() }()
			answer, err := io.ReadAll(response.Body)
			p.must(err)
			return string(answer)
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			p.t.Fatalf("no answer: %v\n%s", err, p.log.String())
		}
	}
}
