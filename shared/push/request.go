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
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/shared/http1"
	"github.com/streamroom/streamroom/shared/sigv4"
)

const (
	// signingName is the service in the signature's credential scope.
	signingName = "execute-api"

	userAgent   = "streamroom-push"
	contentType = "application/octet-stream"

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

const (
	// maxIdle is how many connections are kept: a few batches at once, when functions
	// share a process.
	maxIdle = 4 * Workers

	// idleTime is how long one is kept.
	idleTime = time.Minute
)

// defaultTransport is the lean one, unless the environment names a proxy.
func defaultTransport(endpoint *url.URL) http.RoundTripper {
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: endpoint}); proxy != nil || err != nil {
		return newProxied()
	}
	direct := http1.New(endpoint, PostTimeout)
	direct.MaxIdle, direct.Idle = maxIdle, idleTime
	return direct
}

// newProxied returns a transport for many small posts to one host.
func newProxied() *http.Transport {
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
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleTime,
		DisableCompression:  true, // answers are empty or tiny
	}
}

// payloadHash is the hex SHA-256 of the frame hashed last. The posts of a batch
// mostly share one frame.
type payloadHash struct {
	data        []byte
	hex, digits string // the hash; how long the frame is
}

// of returns the hash of data.
func (h *payloadHash) of(data []byte) string {
	if len(data) == 0 {
		return emptyHash
	}
	if len(data) != len(h.data) || &data[0] != &h.data[0] {
		sum := sha256.Sum256(data)
		h.data, h.hex, h.digits = data, hex.EncodeToString(sum[:]), strconv.Itoa(len(data))
	}
	return h.hex
}

// length returns the header Content-Length of data.
func (h *payloadHash) length(data []byte) string {
	h.of(data)
	return h.digits
}

// endpoint is what all requests have in common.
type endpoint struct {
	scheme, host string
	path         string // of a connection's resource, up to its id
	sent, signed string // path as it is sent, and as it is signed: escaped once more
}

func newEndpoint(u *url.URL) endpoint {
	e := endpoint{scheme: u.Scheme, host: u.Host, path: u.Path + connectionsPath, sent: u.EscapedPath() + connectionsPath}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		e.host = strings.TrimSuffix(u.Host, ":"+port) // as the SDK signs and sends it
	}
	e.signed = string(sigv4.AppendEscaped(nil, e.sent, true))
	return e
}

// connectionsPath is between the stage and a connection's id.
const connectionsPath = "/@connections/"

// stamp is what the requests of a worker share: what they are signed with, and the
// second that they are signed for.
type stamp struct {
	credentials aws.Credentials
	hash        payloadHash
	second      int64
	date        string
}

// at returns the header for a time.
func (s *stamp) at(t time.Time) string {
	if second := t.Unix(); second != s.second || s.date == "" {
		s.second, s.date = second, sigv4.Date(t)
	}
	return s.date
}

// request returns the request for a post, signed for a time. The contract tests say what
// it looks like.
func (p *Pusher) request(ctx context.Context, post Post, at time.Time, stamp *stamp) *http.Request {
	e := &p.endpoint
	var space [256]byte
	id := sigv4.AppendEscaped(space[:0], post.ConnectionID, false)
	paths := e.path + post.ConnectionID + e.sent + string(id) // in one allocation
	path, sent := paths[:len(e.path)+len(post.ConnectionID)], paths[len(e.path)+len(post.ConnectionID):]
	req := (&http.Request{
		Method: http.MethodPost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: e.host,
		URL:  &url.URL{Scheme: e.scheme, Host: e.host, Path: path, RawPath: sent},
		Body: http.NoBody,
	}).WithContext(ctx)
	if post.Close {
		req.Method = http.MethodDelete
	} else {
		req.ContentLength = int64(len(post.Data))
		req.GetBody = body(post, p.direct != nil)
		req.Body, _ = req.GetBody()
	}
	if p.signer == nil {
		req.Header = http.Header{"Content-Type": {contentType}, "User-Agent": {userAgent}}
		return req
	}
	p.sign(req, sigv4.AppendEscaped(append(space[len(id):len(id)], e.signed...), string(id), false), stamp.at(at), post, stamp)
	return req
}

// sign sets a request's headers. path is as it is signed.
func (p *Pusher) sign(req *http.Request, path []byte, date string, post Post, stamp *stamp) {
	values := &[5]string{contentType, userAgent, date, stamp.credentials.SessionToken}
	header := make(http.Header, 6)
	var space [5]sigv4.Header
	signed := space[:0]
	if !post.Close {
		header["Content-Type"] = values[0:1:1]
		signed = append(signed, sigv4.Header{Name: "content-length", Value: stamp.hash.length(post.Data)}, sigv4.Header{Name: "content-type", Value: values[0]})
	}
	signed = append(signed, sigv4.Header{Name: "host", Value: p.endpoint.host}, sigv4.Header{Name: "x-amz-date", Value: date})
	header["User-Agent"], header["X-Amz-Date"] = values[1:2:2], values[2:3:3]
	if token := stamp.credentials.SessionToken; token != "" {
		header["X-Amz-Security-Token"] = values[3:4:4]
		signed = append(signed, sigv4.Header{Name: "x-amz-security-token", Value: token})
	}
	values[4] = p.signer.Authorization(stamp.credentials, date, sigv4.Request{
		Method: req.Method, Path: path, Headers: signed, SHA256: stamp.hash.of(post.sent()),
	})
	header["Authorization"] = values[4:5:5]
	// Not sent, and so not signed: it tells the transport that it may repeat the
	// post at once if a kept-alive connection turns out to be dead, as they all
	// do after a function was frozen. Clients drop duplicates by id.
	header["Idempotency-Key"] = nil
	req.Header = header
}

// body returns the body of a post. net/http's transport knows its type: it sends head and
// body in one write, which it doesn't with the body that the SDK's own client gives it.
// Ours takes any.
func body(post Post, ours bool) func() (io.ReadCloser, error) {
	if ours {
		return func() (io.ReadCloser, error) {
			f := &frame{}
			f.Reset(post.Data)
			return f, nil
		}
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(post.Data)), nil }
}

// frame is io.NopCloser of a reader, in one allocation.
type frame struct{ bytes.Reader }

// Close implements io.Closer.
func (*frame) Close() error { return nil }
