package local_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
)

// A page elsewhere on the web reaches this machine by a name of its own that
// resolves to it, and then is of the same origin to the browser.
func TestReboundNamesGetNothing(t *testing.T) {
	s := start(t, local.Config{})
	for _, test := range []struct {
		name, url, host, origin string
		want                    int
	}{
		{"a token, by address", s.URL() + "/token", "127.0.0.1:80", "", http.StatusOK},
		{"a token, by localhost", s.URL() + "/token", "localhost:80", "http://localhost:80", http.StatusOK},
		{"a token, by another name", s.URL() + "/token", "evil.example:80", "", http.StatusForbidden},
		{"the table, by address", s.TableURL(), "127.0.0.1:80", "http://127.0.0.1:80", http.StatusOK},
		{"the table, by localhost", s.TableURL(), "localhost", "http://localhost", http.StatusOK},
		{"the table, by a program and another name", s.TableURL(), "table:8000", "", http.StatusOK},
		{"the table, by a page and another name", s.TableURL(), "evil.example:80", "http://evil.example:80", http.StatusForbidden},
		{"the table, by a page without origin and another name", s.TableURL(), "evil.example", "null", http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := `{"user":"eve"}`
			if strings.HasPrefix(test.url, s.TableURL()) {
				body = `{}`
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, test.url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = test.host
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != test.want {
				t.Errorf("status %d, want %d", answer.StatusCode, test.want)
			}
		})
	}
}

// A stop that waited for such a client would fail when its context ends.
func TestStoppingWaitsForNoSlowRequest(t *testing.T) {
	s := start(t, local.Config{})
	for url, head := range map[string]string{
		s.URL():      "POST /api/rooms HTTP/1.1\r\nAuthorization: Bearer " + s.Token("alice", 0) + "\r\nContent-Type: application/json",
		s.TableURL(): "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.ListTables",
	} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		// The server asks for the body when it waits for it.
		fmt.Fprintf(conn, "%s\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", head)
		answer := make([]byte, len("HTTP/1.1 100"))
		if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 100" {
			t.Fatalf("%q, error %v; want 100", answer, err)
		}
	}
	s.Stop()
}
