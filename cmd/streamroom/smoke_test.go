package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSmokePassesOnLocal(t *testing.T) {
	server := startLocal(t)
	token, err := localToken(t.Context(), server.URL(), "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		user string
	}{
		"signing in":   {[]string{"--addr", server.URL()}, "smoke"},
		"with a token": {[]string{"--endpoint", server.WebSocketURL(), "--api", server.URL() + "/api/", "--token", token}, "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for a window of lastmessage
			var out, stderr bytes.Buffer
			if code := run(t.Context(), append([]string{"smoke"}, test.args...), nil, &out, &stderr); code != exitDone {
				t.Fatalf("exit code %d; it printed:\n%s%s", code, &out, &stderr)
			}
			if n := strings.Count(out.String(), "ok  "); n != 10 || !strings.Contains(out.String(), "connected as "+test.user) {
				t.Errorf("%d steps are well:\n%s", n, &out)
			}
			if strings.Contains(out.String(), token) {
				t.Error("the token was printed")
			}
		})
	}
}

func TestSmokeFails(t *testing.T) {
	server := startLocal(t)
	expired, err := localToken(t.Context(), server.URL(), "alice", -time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	defer open.Close()
	ws := server.WebSocketURL()
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"an expired token":       {[]string{"--endpoint", ws, "--api", server.URL() + "/api", "--token", expired}, 1, "connect: the handshake was answered with 401"},
		"an API without a guard": {[]string{"--endpoint", ws, "--api", open.URL, "--token", "x"}, 1, "want status 401, got 200: requests without a token are accepted"},
		"no WebSocket API":       {[]string{"--endpoint", strings.Replace(open.URL, "http", "ws", 1), "--api", server.URL() + "/api", "--token", "x"}, 1, "want status 401, got 200"},
		"too little time":        {[]string{"--addr", server.URL(), "--timeout", "1ns"}, 1, "not done in 1ns"},
		"a flag too few":         {[]string{"--endpoint", ws}, 2, "needs --endpoint, --api and --token"},
		"no WebSocket URL":       {[]string{"--endpoint", "https://x.example", "--api", "https://x.example", "--token", "x"}, 2, "invalid --endpoint \"https://x.example\": want a URL such as wss://"},
		"no address":             {[]string{"--addr", "here"}, 2, "invalid --addr \"here\": want a URL such as http://127.0.0.1:8080"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			if code := run(t.Context(), append([]string{"smoke"}, test.args...), nil, &out, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(stderr.String(), test.want) {
				t.Errorf("it says %q, want %q", &stderr, test.want)
			}
		})
	}
}
