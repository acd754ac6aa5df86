package push

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"
)

const (
	// signingName is the service in the signature's credential scope.
	signingName = "execute-api"

	userAgent = "streamroom-push"

	// connectionsPath is literal in the URL: the @ isn't escaped.
	connectionsPath = "/@connections/"
)

// parseEndpoint checks what is easily got wrong: the WebSocket URL in place of
// the management API's, or a missing stage, which AWS answers with 403.
func parseEndpoint(endpoint string) (*url.URL, error) {
	const want = "want https://{domain}/{stage}, or http://127.0.0.1:8080/local locally"
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("push: endpoint: %w; %s", err, want)
	}
	path := strings.TrimRight(u.Path, "/")
	var wrong string
	switch {
	case u.Scheme == "ws" || u.Scheme == "wss":
		wrong = "is the WebSocket URL; the management API has the same host and path over http or https"
	case u.Scheme != "http" && u.Scheme != "https":
		wrong = "has no http or https scheme"
	case u.Hostname() == "":
		wrong = "has no host"
	case path == "":
		wrong = "has no stage"
	case strings.Contains(path, "@connections"):
		wrong = "ends with the stage; leave out @connections"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		wrong = "has a user, a query or a fragment"
	default:
		return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: path}, nil
	}
	return nil, fmt.Errorf("push: endpoint %q %s; %s", u.Redacted(), wrong, want)
}

// newTransport returns a transport for many small posts to one host.
func newTransport() *http.Transport {
	// One connection per post in flight: no HTTP/2, over which one slow answer
	// and its flow control could hold up the others.
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Protocols:           &http1,
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: PostTimeout}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: PostTimeout,
		MaxIdleConnsPerHost: 4 * Workers, // a few batches at once, when functions share a process
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // answers are empty or tiny
	}
}

// payloadHash is the hex SHA-256 of the frame hashed last. The posts of a batch
// mostly share one frame.
type payloadHash struct {
	data []byte
	hex  string
}

// of returns the hash of data, which isn't empty.
func (h *payloadHash) of(data []byte) string {
	if len(data) != len(h.data) || &data[0] != &h.data[0] {
		sum := sha256.Sum256(data)
		h.data, h.hex = data, hex.EncodeToString(sum[:])
	}
	return h.hex
}

// request returns the signed request for a post.
func (b *batch) request(ctx context.Context, post Post, payloadHash string) (*http.Request, error) {
	body := func() (io.ReadCloser, error) {
		// The transport knows this type, and sends head and body in one write.
		return io.NopCloser(bytes.NewReader(post.Data)), nil
	}
	req := (&http.Request{
		Method: http.MethodPost,
		URL: &url.URL{
			Scheme:  b.endpoint.Scheme,
			Host:    b.endpoint.Host,
			Path:    b.endpoint.Path + connectionsPath + post.ConnectionID,
			RawPath: b.endpoint.EscapedPath() + connectionsPath + httpbinding.EscapePath(post.ConnectionID, true),
		},
		Host: b.endpoint.Host,
		Header: http.Header{
			"Content-Type": {"application/octet-stream"},
			"User-Agent":   {userAgent},
		},
		ContentLength: int64(len(post.Data)),
		GetBody:       body,
	}).WithContext(ctx)
	req.Body, _ = body()
	err := b.signer.SignHTTP(ctx, b.credentials, req, payloadHash, signingName, b.region, b.now())
	if err != nil {
		return nil, fmt.Errorf("sign post: %w", err)
	}
	// Not sent, and so not signed: it tells the transport that it may repeat the
	// post at once if a kept-alive connection turns out to be dead, as they all
	// do after a function was frozen. Clients drop duplicates by id.
	req.Header["Idempotency-Key"] = nil
	return req, nil
}
