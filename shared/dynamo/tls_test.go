package dynamo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/http1"
	"github.com/streamroom/streamroom/shared/table"
)

// secured is a table behind TLS and HTTP/1.1, as DynamoDB's is.
type secured struct {
	http.Handler // the table

	t       *testing.T
	config  aws.Config
	opened  atomic.Int64 // connections
	chunked atomic.Bool  // answers have no length
	closing atomic.Bool  // answers end their connections
}

// ServeHTTP implements http.Handler.
func (s *secured) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.verify(r, body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.closing.Load() {
		w.Header().Set("Connection", "close")
	}
	if s.chunked.Load() {
		w = pieces{w}
	}
	s.Handler.ServeHTTP(w, r)
}

// verify signs the request as it arrived, and compares.
func (s *secured) verify(r *http.Request, body []byte) {
	sent := r.Header.Get("Authorization")
	_, names, _ := strings.Cut(sent, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	signed := r.Clone(r.Context())
	signed.URL = &url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}
	signed.Header = http.Header{}
	signed.ContentLength = 0
	for _, name := range strings.Split(names, ";") {
		if name == "content-length" {
			signed.ContentLength = r.ContentLength
		} else if name != "host" {
			signed.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		s.t.Error(err)
	}
	sum := sha256.Sum256(body)
	keys, err := s.config.Credentials.Retrieve(r.Context())
	if err != nil {
		s.t.Error(err)
	}
	if err := v4.NewSigner().SignHTTP(r.Context(), keys, signed, hex.EncodeToString(sum[:]), "dynamodb", s.config.Region, at); err != nil {
		s.t.Error(err)
	}
	if want := signed.Header.Get("Authorization"); r.TLS == nil || r.Proto != "HTTP/1.1" || sent != want {
		s.t.Errorf("got %s with %q, want %q", r.Proto, sent, want)
	}
}

// pieces sends an answer in pieces.
type pieces struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (p pieces) Write(b []byte) (int, error) {
	n := 0
	for len(b) > 0 {
		piece := b[:min(len(b), 10_000)]
		written, err := p.ResponseWriter.Write(piece)
		if n += written; err != nil {
			return n, err
		}
		if err := http.NewResponseController(p.ResponseWriter).Flush(); err != nil {
			return n, err
		}
		b = b[len(piece):]
	}
	return n, nil
}

// sender is a Transport as an aws.HTTPClient.
type sender struct{ *http1.Transport }

// Do implements aws.HTTPClient.
func (s sender) Do(r *http.Request) (*http.Response, error) { return s.RoundTrip(r) }

// newSecured returns the table, its server, and the Transport to it that functions use.
func newSecured(t *testing.T) (*secured, *httptest.Server, *http1.Transport) {
	t.Helper()
	s := &secured{t: t, config: tableConfig(t)}
	s.Handler = s.config.HTTPClient.(http.Handler) //nolint:forcetypeassert // the engine is one
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the client ends
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := http1.New(at, time.Minute)
	t.Cleanup(transport.CloseIdleConnections)
	transport.TLS.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // it is one
	s.config.BaseEndpoint, s.config.HTTPClient, s.config.RetryMaxAttempts = aws.String(server.URL), sender{transport}, 1
	return s, server, transport
}

func keyed(sort string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{table.PK: &types.AttributeValueMemberS{Value: "P"}, table.SK: &types.AttributeValueMemberS{Value: sort}}
}

// TestClient_OverTLS reaches the table over TLS, by one connection, and by others where the
// server ended it: between requests, with an answer, and with one of no stated length.
func TestClient_OverTLS(t *testing.T) {
	s, server, _ := newSecured(t)
	client := dynamo.NewClient(s.config)
	large := strings.Repeat("ü", 100_000)
	for _, sort := range []string{"a", "b", "c", "d"} {
		item := keyed(sort)
		item["text"] = &types.AttributeValueMemberS{Value: large}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("table"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() {
		t.Helper()
		out, err := client.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("table"), KeyConditionExpression: aws.String("PK = :p"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":p": &types.AttributeValueMemberS{Value: "P"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, it := range out.Items {
			got = append(got, it[table.SK].(*types.AttributeValueMemberS).Value+it["text"].(*types.AttributeValueMemberS).Value) //nolint:forcetypeassert // a panic says as much
		}
		if !cmp.Equal(got, []string{"a" + large, "b" + large, "c" + large, "d" + large}) {
			t.Errorf("got %d items, not those that were put", len(got))
		}
	}
	opened := func(what string, want int64) {
		t.Helper()
		if got := s.opened.Load(); got != want {
			t.Errorf("%s: %d connections were opened by then, want %d", what, got, want)
		}
	}
	read()
	opened("at first", 1)
	s.chunked.Store(true)
	read()
	read()
	opened("answers without a length", 1)
	server.CloseClientConnections()
	read()
	opened("ended between requests", 2)
	s.closing.Store(true)
	read()
	read()
	opened("ended with an answer", 3)
	_, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("other"), Key: keyed("a")})
	var notFound *types.ResourceNotFoundException
	if !errors.As(err, &notFound) {
		t.Errorf("got %v, want the table's refusal", err)
	}
}

// A certificate that is not the table's is an error that says so, and nothing is sent.
func TestClient_RefusesOtherCertificates(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *tls.Config)
		want   string
	}{
		"unknown authority": {func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }, "x509: certificate signed by unknown authority"},
		"another host":      {func(c *tls.Config) { c.ServerName = "elsewhere.test" }, "elsewhere.test"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, transport := newSecured(t)
			test.change(transport.TLS)
			s.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
			_, err := dynamo.NewClient(s.config).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("table"), Key: keyed("a")})
			var refused *tls.CertificateVerificationError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a certificate that is refused: %s", err, test.want)
			}
		})
	}
}

// impatient gives up its first request soon, and no other.
type impatient struct {
	*http1.Transport
	asked atomic.Int64
}

// Do implements aws.HTTPClient.
func (i *impatient) Do(r *http.Request) (*http.Response, error) {
	var deadline time.Time
	if i.asked.Add(1) == 1 {
		deadline = time.Now().Add(100 * time.Millisecond)
	}
	return i.RoundTripBy(r, deadline)
}

// A host that takes a connection and says nothing in the handshake of TLS costs one attempt:
// the connection is closed, and the next attempt opens another one.
func TestClient_GivesUpAHandshakeThatHangs(t *testing.T) {
	s, _, transport := newSecured(t)
	silent, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	var dialled atomic.Int64
	dial := transport.Dial
	transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled.Add(1) == 1 {
			// However busy the machine is, it is the handshake that takes the time.
			address, ctx = silent.Addr().String(), context.WithoutCancel(ctx)
		}
		return dial(ctx, network, address)
	}
	s.config.HTTPClient, s.config.RetryMaxAttempts = &impatient{Transport: transport}, 2
	if _, err := dynamo.NewClient(s.config).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("table"), Key: keyed("a")}); err != nil {
		t.Fatal(err)
	}
	if dials, opened := dialled.Load(), s.opened.Load(); dials != 2 || opened != 1 {
		t.Errorf("%d dials, and %d connections to the table; want 2 and 1", dials, opened)
	}
	hung, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hung.Close() }()
	if _, err := io.Copy(io.Discard, hung); err != nil { // until the client closes it
		t.Error(err)
	}
}
