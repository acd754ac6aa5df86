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

	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// signingName is the service in the signature's credential scope.
	signingName = "execute-api"

	userAgent = "streamroom-push"

	// emptyHash is the SHA-256 of nothing.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
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

// of returns the hash of data.
func (h *payloadHash) of(data []byte) string {
	if len(data) == 0 {
		return emptyHash
	}
	if len(data) != len(h.data) || &data[0] != &h.data[0] {
		sum := sha256.Sum256(data)
		h.data, h.hex = data, hex.EncodeToString(sum[:])
	}
	return h.hex
}

// request returns the request for a post, signed for a time: the SDK's serializer
// makes it, the SDK's signer signs it, and only the walk between them is ours.
func (b *batch) request(ctx context.Context, post Post, at time.Time, payloadHash string) (*http.Request, error) {
	input := apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &post.ConnectionID, Data: post.Data}
	draft := smithyhttp.Request{Request: &http.Request{
		URL:    &url.URL{Scheme: b.endpoint.Scheme, Host: b.endpoint.Host},
		Header: http.Header{},
	}}
	var err error
	if post.Close {
		err = protocol.SerializeRequest(ctx, closing, &apigatewaymanagementapi.DeleteConnectionInput{ConnectionId: &post.ConnectionID}, &draft)
	} else {
		err = protocol.SerializeRequest(ctx, operation, &input, &draft)
	}
	if err != nil {
		return nil, fmt.Errorf("serialize post: %w", err)
	}
	req := draft.WithContext(ctx)
	req.Host = b.endpoint.Host
	req.URL.Path = b.endpoint.Path + req.URL.Path
	req.URL.RawPath = b.endpoint.EscapedPath() + req.URL.RawPath
	req.Header["User-Agent"] = []string{userAgent}
	req.ContentLength = int64(len(post.Data))
	if post.Close {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.GetBody = body(post)
		req.Body, _ = req.GetBody()
	}
	if err := b.signer.SignHTTP(ctx, b.credentials, req, payloadHash, signingName, b.region, at); err != nil {
		return nil, fmt.Errorf("sign post: %w", err)
	}
	// Not sent, and so not signed: it tells the transport that it may repeat the
	// post at once if a kept-alive connection turns out to be dead, as they all
	// do after a function was frozen. Clients drop duplicates by id.
	req.Header["Idempotency-Key"] = nil
	return req, nil
}

// body returns the body of a post, of a type that the transport knows: it sends
// head and body in one write, which it doesn't with the body that the SDK's own
// client gives it.
func body(post Post) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(post.Data)), nil }
}
