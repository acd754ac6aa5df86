// Package awsjson calls operations of AWS services whose protocol is JSON, such as
// DynamoDB and DynamoDB Streams, without the middlewares of the SDK's clients.
//
// A client of the SDK builds a stack of some thirty middlewares for each call, which takes
// more allocations than the call itself. Here the SDK's protocol writes a request and reads
// its answer, package sigv4 signs, and nothing stands between: no retries, which are the
// caller's, and no correction of a clock. Errors are of the SDK's types and texts.
package awsjson

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/streamroom/streamroom/shared/sigv4"
)

const userAgent = "streamroom"

// Config says which service a Client calls, and how it is reached.
type Config struct {
	ServiceID   string // as the SDK's errors have it, such as DynamoDB
	SigningName string // in the signatures' scope, such as dynamodb
	Region      string
	Endpoint    string // URL

	// Credentials sign the requests; aws.AnonymousCredentials leave that out, for a
	// service in this process.
	Credentials aws.CredentialsProvider
	HTTPClient  aws.HTTPClient

	Target   string                    // of operations, before their names, such as DynamoDB_20120810
	Protocol smithyhttp.ClientProtocol // reads errors; of AWS JSON 1.0
	Types    *smithy.TypeRegistry      // of the service's errors
}

// Client calls one service. It is safe for concurrent use.
type Client struct {
	c      Config
	url    *url.URL
	path   []byte        // of the endpoint, as signatures have it
	signer *sigv4.Signer // nil: requests are not signed
}

// New returns a Client, or an error if the endpoint is no URL.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint of %s: %w", c.ServiceID, err)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	client := &Client{c: c, url: u, path: sigv4.AppendEscaped(nil, u.EscapedPath(), true)}
	if c.Credentials != nil && !sigv4.IsAnonymous(c.Credentials) {
		client.signer = sigv4.New(c.SigningName, c.Region)
	}
	return client, nil
}

// Call makes one request. Its error is a *smithy.OperationError: around a
// *smithy.CanceledError if ctx has ended, or an *awshttp.ResponseError around a
// *smithyhttp.RequestSendError, if no whole answer came, or the service's error.
func (c *Client) Call(ctx context.Context, operation *smithy.OperationSchema, in smithy.Serializable, out smithy.Deserializable) error {
	if err := c.call(ctx, operation, in, out); err != nil {
		return &smithy.OperationError{ServiceID: c.c.ServiceID, OperationName: operation.ID().Name, Err: err}
	}
	return nil
}

func (c *Client) call(ctx context.Context, operation *smithy.OperationSchema, in smithy.Serializable, out smithy.Deserializable) error {
	req, err := c.request(ctx, operation, in)
	if err != nil {
		return err
	}
	resp, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	body := &summed{ReadCloser: resp.Body}
	defer body.Close()
	resp.Request, resp.Body = nil, body // what keeps an error keeps no request
	err = c.read(ctx, operation, &smithyhttp.Response{Response: resp}, out)
	broken := body.check(resp.Header.Get("X-Amz-Crc32"))
	resp.Body = http.NoBody
	switch {
	case err == nil && broken == nil:
		return nil
	case ctx.Err() != nil:
		return &smithy.CanceledError{Err: ctx.Err()}
	case broken != nil:
		return failed(resp, &smithyhttp.RequestSendError{Err: broken})
	}
	return failed(resp, err)
}

// send sends a request. Its errors are those of Call for a request that got no answer.
func (c *Client) send(ctx context.Context, req *http.Request) (*http.Response, error) {
	resp, err := c.c.HTTPClient.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	case err != nil:
		return nil, failed(&http.Response{}, &smithyhttp.RequestSendError{Err: err})
	}
	return resp, nil
}

// read reads an answer. What the decoder does not take the SDK's protocol reads, and
// errors.
func (c *Client) read(ctx context.Context, operation *smithy.OperationSchema, answer *smithyhttp.Response, out smithy.Deserializable) error {
	if answer.StatusCode == http.StatusOK {
		buffer, _ := buffers.Get().(*bytes.Buffer)
		buffer.Reset()
		defer func() {
			if buffer.Cap() <= maxKept {
				buffers.Put(buffer)
			}
		}()
		if _, err := buffer.ReadFrom(answer.Body); err != nil {
			return &smithy.DeserializationError{Err: err}
		}
		if decode(buffer.Bytes(), out) == nil {
			return nil
		}
		answer.Body = io.NopCloser(bytes.NewReader(buffer.Bytes()))
	}
	return c.c.Protocol.DeserializeResponse(ctx, operation, c.c.Types, answer, out)
}

// failed returns an error with the answer that it came with, which is empty if none came.
func failed(resp *http.Response, err error) error {
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: resp}, Err: err},
		RequestID:     resp.Header.Get("X-Amzn-Requestid"),
	}
}

// request returns the request of a call.
func (c *Client) request(ctx context.Context, operation *smithy.OperationSchema, in smithy.Serializable) (*http.Request, error) {
	body, err := encode(in)
	if err != nil {
		return nil, &smithy.SerializationError{Err: err}
	}
	return c.build(ctx, "application/x-amz-json-1.0", c.c.Target+"."+operation.ID().Name, body)
}

// sent is a request's body.
type sent struct{ bytes.Reader }

// Close implements io.Closer.
func (*sent) Close() error { return nil }

// build returns a request that is signed.
func (c *Client) build(ctx context.Context, contentType, target string, body []byte) (*http.Request, error) {
	req := (&http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) {
			s := &sent{}
			s.Reset(body)
			return s, nil
		},
	}).WithContext(ctx)
	req.Body, _ = req.GetBody()
	req.Header = make(http.Header, 8)
	values := make([]string, 0, 7)
	set := func(name, value string) {
		values = append(values, value)
		req.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Content-Type", contentType)
	set("X-Amz-Target", target)
	set("User-Agent", userAgent)
	set("Accept-Encoding", "identity") // the checksum is of what is sent
	if c.signer == nil {
		return req, nil
	}
	credentials, err := c.c.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get identity: %w", err)
	}
	date, sum := sigv4.Date(time.Now()), sha256.Sum256(body) // by the real clock, as the SDK's clients do
	headers := append(make([]sigv4.Header, 0, 6), sigv4.Header{Name: "content-length", Value: strconv.Itoa(len(body))},
		sigv4.Header{Name: "content-type", Value: contentType},
		sigv4.Header{Name: "host", Value: req.Host}, sigv4.Header{Name: "x-amz-date", Value: date})
	if token := credentials.SessionToken; token != "" {
		set("X-Amz-Security-Token", token)
		headers = append(headers, sigv4.Header{Name: "x-amz-security-token", Value: token})
	}
	headers = append(headers, sigv4.Header{Name: "x-amz-target", Value: target})
	set("X-Amz-Date", date)
	set("Authorization", c.signer.Authorization(credentials, date, sigv4.Request{
		Method: req.Method, Path: c.path, Headers: headers, SHA256: hex.EncodeToString(sum[:]),
	}))
	return req, nil
}

// summed is a body, with the checksum of what was read of it.
type summed struct {
	io.ReadCloser
	crc uint32
	err error
}

// Read implements io.Reader.
func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, p[:n])
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// check compares the checksum with a header, and returns why a body could not be read.
func (s *summed) check(header string) error {
	if s.err != nil || header == "" {
		return s.err
	}
	if want, err := strconv.ParseUint(header, 10, 32); err != nil || uint32(want) != s.crc {
		return fmt.Errorf("the answer's checksum is %d, want %q", s.crc, header)
	}
	return nil
}
