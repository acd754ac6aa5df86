//go:build unix

package functions_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
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

	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/shared/config"
)

const (
	tableHost = "dynamodb.us-east-1.amazonaws.com"
	realmHost = "keycloak.example"
	realm     = "https://" + realmHost + "/realms/chat"
	realmKeys = "/realms/chat/protocol/openid-connect/certs"
)

// internet is what a deployed function reaches, by TLS and by name: the table, and
// an issuer whose keys are where Keycloak has them.
type internet struct {
	*world
	proxy string // leads to both
	cert  string // the file of the certificate that functions have to trust

	// hangs is how many of the next connections to the table get no answer.
	hangs atomic.Int32
}

func newInternet(t *testing.T) *internet {
	t.Helper()
	engine := newEngine(t)
	plain := httptest.NewServer(engine)
	t.Cleanup(plain.Close)
	i := &internet{world: newWorld(t, plain.URL, "https://gateway.example/dev", nil, nil), cert: filepath.Join(t.TempDir(), "ca.pem")}
	var err error
	if i.pool, err = identity.Open("", realm, time.Now); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(tableHost+"/", engine)
	mux.HandleFunc(realmHost+"/realms/chat"+identity.DescriptionPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(object{"issuer": realm, "jwks_uri": "https://" + realmHost + realmKeys})
	})
	mux.HandleFunc(realmHost+realmKeys, i.pool.ServeJWKS)
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{i.certificate()}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(i.connectTo(server.Listener.Addr().String()))
	t.Cleanup(proxy.Close)
	i.proxy = proxy.URL
	return i
}

// certificate makes one for all hosts, and writes it to the file.
func (i *internet) certificate() tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	i.must(err)
	about := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{tableHost, realmHost}, IsCA: true, BasicConstraintsValid: true,
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

// run builds a function as infra does, but for this machine, and starts it.
func (i *internet) run(function string) *program {
	i.t.Helper()
	bootstrap := filepath.Join(i.t.TempDir(), "bootstrap")
	build := exec.CommandContext(i.t.Context(), "go", append(append([]string{"build", "-o", bootstrap}, buildFlags...), "./"+function)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		i.t.Fatalf("go build: %v\n%s", err, out)
	}
	p := &program{world: i.world, url: "http://" + i.free()}
	emulator := exec.CommandContext(i.t.Context(), os.Getenv(emulatorEnv),
		"--runtime-interface-emulator-address", strings.TrimPrefix(p.url, "http://"), "--runtime-api-address", i.free(), bootstrap)
	emulator.Env = []string{
		"AWS_LAMBDA_FUNCTION_NAME=" + function, "AWS_LAMBDA_FUNCTION_TIMEOUT=10", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"HTTPS_PROXY=" + i.proxy, "SSL_CERT_FILE=" + i.cert,
		config.TableName + "=" + tableName, config.Issuer + "=" + realm, config.Audience + "=" + identity.ClientID,
	}
	emulator.Stdout, emulator.Stderr = &p.log, &p.log
	emulator.Cancel = func() error { return emulator.Process.Signal(os.Interrupt) }
	emulator.WaitDelay = 5 * time.Second
	i.must(emulator.Start())
	i.t.Cleanup(func() { _ = emulator.Wait() }) // it ends with the test's context
	return p
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
