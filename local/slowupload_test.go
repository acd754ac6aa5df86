package local

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes are connections that a test makes, to be accepted.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, ok := <-p; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// An upload may take as long as it goes on; one that stops ends.
func TestASlowUpload(t *testing.T) {
	for name, pause := range map[string]time.Duration{"goes on": requestTimeout * 3 / 4, "stops": 2 * requestTimeout} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p ports
				listener := make(pipes)
				p.serve(listener, unhurried(func(w http.ResponseWriter, r *http.Request) {
					n, err := io.Copy(io.Discard, r.Body)
					fmt.Fprint(w, n, err == nil)
				}), make(chan error, 1))
				client, server := net.Pipe()
				listener <- server
				var writing sync.WaitGroup
				writing.Go(func() {
					for _, part := range []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n", "a", "b", "c", "d"} {
						if _, err := io.WriteString(client, part); err != nil {
							return
						}
						<-time.After(pause)
					}
				})
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if want := map[string]string{"goes on": "4 true", "stops": "0 false"}[name]; err != nil || string(body) != want {
					t.Errorf("answered %q, %v; want %q", body, err, want)
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
				writing.Wait()
				if err := p.stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
