package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

// tinodeServer answers requests with what a test says of their kinds. Accounts have a token
// each, and logins by anything else fail.
func tinodeServer(t *testing.T, answer func(kind, topic string) (code int, text string)) *tinode {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for {
			_, data, err := conn.Read(context.Background()) // until the client closes
			if err != nil {
				return
			}
			var request map[string]struct {
				ID, Topic, Scheme, Secret string
				Login                     bool
			}
			if err := json.Unmarshal(data, &request); err != nil {
				t.Error(err)
				return
			}
			for kind, body := range request {
				code, text := answer(kind, body.Topic)
				params := map[string]any{"user": "usrA"}
				switch {
				case kind == "acc" && body.Login:
					params["token"] = "token of " + body.Secret
				case kind == "login" && (body.Scheme != "token" || !strings.HasPrefix(body.Secret, "token of ")):
					code, text = http.StatusUnauthorized, "authentication failed"
				}
				frame := map[string]any{"ctrl": map[string]any{"id": body.ID, "code": code, "text": text, "params": params}}
				if err := writeJSON(context.Background(), conn, frame); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	socket, err := url.Parse("ws" + strings.TrimPrefix(server.URL, "http"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := newTinode(target{socket: socket}, &ledger{run: newRun(), members: 1})
	if err != nil {
		t.Fatal(err)
	}
	peer, _ := p.(*tinode)
	peer.rooms, peer.topics, peer.tokens = []map[int]int{{0: 0}}, []string{"grpA"}, make([]string, 1)
	if err := peer.register(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	return peer
}

// TestTinode_WaitsForATopic: a topic that is being loaded is asked for again; what else is
// refused is not.
func TestTinode_WaitsForATopic(t *testing.T) {
	for text, test := range map[string]struct {
		refusals, asked int64
		code            int
		fails           bool
	}{
		"locked":            {refusals: 3, code: http.StatusServiceUnavailable, asked: 4},
		"permission denied": {refusals: 1, code: http.StatusForbidden, asked: 1, fails: true},
	} {
		t.Run(text, func(t *testing.T) {
			var asked atomic.Int64
			peer := tinodeServer(t, func(kind, topic string) (int, string) {
				if kind == "sub" && topic == "grpA" {
					if asked.Add(1) <= test.refusals {
						return test.code, text
					}
				}
				return http.StatusOK, "ok"
			})
			s, err := peer.connect(t.Context(), 0)
			if test.fails != (err != nil) || err != nil && !strings.Contains(err.Error(), "sub is answered 403 permission denied") {
				t.Errorf("got %v", err)
			}
			if err == nil {
				s.close()
			}
			if got := asked.Load(); got != test.asked {
				t.Errorf("asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// TestTinode_IsOnline: a session that is only logged in is offline for others, and is not
// notified of what happens in the user's rooms.
func TestTinode_IsOnline(t *testing.T) {
	asked := make(chan string, 10) // has room for what comes
	peer := tinodeServer(t, func(kind, topic string) (int, string) {
		asked <- strings.TrimSpace(kind + " " + topic)
		return http.StatusOK, "ok"
	})
	s, err := peer.connect(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var all []string
	for range len(asked) {
		all = append(all, <-asked)
	}
	if want := []string{"hi", "acc", "hi", "login", "sub me", "sub grpA"}; !slices.Equal(all, want) {
		t.Errorf("asked %q, want %q", all, want)
	}
}
