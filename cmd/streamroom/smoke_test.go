package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSmokeSeesAllOfALocalStreamroom(t *testing.T) {
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
			var out bytes.Buffer
			if err := runSmoke(t.Context(), test.args, nil, &out, nil); err != nil {
				t.Fatalf("%v; it printed:\n%s", err, &out)
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
	ended, err := localToken(t.Context(), server.URL(), "alice", -time.Hour)
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
		"a token that has ended": {[]string{"--endpoint", ws, "--api", server.URL() + "/api", "--token", ended}, 1, "connect: the handshake was answered with 401"},
		"an API without a guard": {[]string{"--endpoint", ws, "--api", open.URL, "--token", "x"}, 1, "it answered 200, not 401: anybody gets in"},
		"no WebSocket API":       {[]string{"--endpoint", strings.Replace(open.URL, "http", "ws", 1), "--api", server.URL() + "/api", "--token", "x"}, 1, "it answered 200, not 401"},
		"too little time":        {[]string{"--addr", server.URL(), "--timeout", "1ns"}, 1, "it took more than 1ns"},
		"a flag too few":         {[]string{"--endpoint", ws}, 2, "takes --endpoint, --api and --token"},
		"no WebSocket URL":       {[]string{"--endpoint", "https://x.example", "--api", "https://x.example", "--token", "x"}, 2, "begins with wss://"},
		"no address":             {[]string{"--addr", "here"}, 2, "is no URL such as"},
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
