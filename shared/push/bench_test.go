package push

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/streamroom/streamroom/shared/http1"
	"github.com/streamroom/streamroom/test/cputime"
)

// BenchmarkCPUPerPost prints the CPU time, user and system, that our process
// spends on a post over kept-alive loopback HTTP, in batches to 100
// connections: as a plain request, as a signed one, by the SDK's client, by the
// same with all middlewares removed that can be, and by Push. "x-signed" is the ratio to the
// plain signed request, which our budget is given in. The server is another
// process. For comparable figures run it on one core:
//
//	go test -run '^$' -bench CPUPerPost -cpu 1 -benchtime 500x ./shared/push
func BenchmarkCPUPerPost(b *testing.B) {
	const connections = 100
	for _, shape := range []struct {
		scheme string
		size   int
	}{{"http", 300}, {"http", 8000}, {"https", 300}} {
		posts := make([]Post, connections)
		frame := bytes.Repeat([]byte("x"), shape.size)
		for i := range posts {
			posts[i] = Post{ConnectionID: fmt.Sprintf("R1kmxc2VN%05d=", i), Data: frame}
		}
		var signed float64
		for _, way := range []struct {
			name  string
			start func(b *testing.B, endpoint string, transport *http.Transport) (pushAll func() error)
		}{
			{"plain", startPlain(posts, false)},
			{"signed", startPlain(posts, true)},
			{"sdk", startSDK(posts)},
			{"sdk-trimmed", startSDK(posts, trim)},
			{"push-by-net-http", startPush(posts, false)},
			{"push", startPush(posts, true)},
		} {
			b.Run(fmt.Sprintf("%s/%s/%dB", way.name, shape.scheme, shape.size), func(b *testing.B) {
				transport := newProxied()
				transport.TLSClientConfig.InsecureSkipVerify = true
				defer transport.CloseIdleConnections()
				pushAll := way.start(b, startServer(b, shape.scheme), transport)
				if err := pushAll(); err != nil { // opens the connections
					b.Fatal(err)
				}
				b.ReportAllocs()
				before := cputime.Used(b)
				for b.Loop() {
					if err := pushAll(); err != nil {
						b.Fatal(err)
					}
				}
				cost := float64(cputime.Used(b)-before) / float64(b.N*connections)
				b.ReportMetric(cost/1e3, "cpu-µs/post")
				b.ReportMetric(1e9/cost, "posts/cpu-s")
				if way.name == "signed" {
					signed = cost
				}
				if signed > 0 {
					b.ReportMetric(cost/signed, "x-signed")
				}
			})
		}
	}
}

// inParallel calls post for every post, with as many workers as Push has.
func inParallel(posts []Post, post func(Post) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range Workers {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(posts)); i = next.Add(1) - 1 {
				if err := post(posts[i]); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// startPlain posts as one would by hand: http.NewRequest, the SDK's signer if
// signed, and http.Client.
func startPlain(posts []Post, signed bool) func(*testing.B, string, *http.Transport) func() error {
	return func(b *testing.B, endpoint string, transport *http.Transport) func() error {
		b.Helper()
		ctx := b.Context()
		client := &http.Client{Transport: transport}
		signer := v4.NewSigner()
		return func() error {
			return inParallel(posts, func(p Post) error {
				url := endpoint + connectionsPath + httpbinding.EscapePath(p.ConnectionID, true)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(p.Data))
				if err != nil {
					return err
				}
				req.Header.Set("Content-Type", "application/octet-stream")
				if signed {
					if err := signByHand(ctx, signer, req, p.Data); err != nil {
						return err
					}
				}
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					return err
				}
				return resp.Body.Close()
			})
		}
	}
}

func signByHand(ctx context.Context, signer *v4.Signer, req *http.Request, data []byte) error {
	hash := sha256.Sum256(data)
	credentials, err := testCredentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	return signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(hash[:]), signingName, "us-east-1", time.Now())
}

// startPush posts by Push, with its own transport or with the one of the others.
func startPush(posts []Post, own bool) func(*testing.B, string, *http.Transport) func() error {
	return func(b *testing.B, endpoint string, transport *http.Transport) func() error {
		b.Helper()
		ctx, cancel := context.WithTimeout(b.Context(), time.Hour) // a deadline, as the fan-out has one
		b.Cleanup(cancel)
		c := Config{Endpoint: endpoint, Region: "us-east-1", Credentials: testCredentials, Transport: transport}
		if own {
			c.Transport = nil
		}
		pusher, err := New(c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(pusher.CloseIdleConnections)
		if direct, ok := pusher.transport.(*http1.Transport); ok && direct.TLS != nil {
			direct.TLS.InsecureSkipVerify = true
		}
		return func() error {
			for _, r := range pusher.Push(ctx, posts) {
				if r.Outcome != Delivered {
					return r.Err
				}
			}
			return nil
		}
	}
}
