#!/usr/bin/env bash
# coder/websocket v1.8.15, gorilla/websocket v1.5.3, ws 8.23.0, faye-websocket 0.11.4,
# websocket 1.0.35 (all but the first as clients).
#
# IANA registers the close codes 1012 (service restart), 1013 (try again later) and 1014 (bad
# gateway), and a server may close without a code (1005 below). What a client's program sees
# depends on its library: faye-websocket turns 1012 to 1014 into a protocol error, 1002, and
# no code into a normal end, 1000; npm's websocket takes no code for a lost connection, 1006;
# gorilla refuses 1014 (0 below). A client should answer with the code that it got (-1 below);
# npm's websocket answers 1000, which the server's Close returns as an error. All report 1011
# and 4000 as they were sent. The columns: gorilla, ws, faye-websocket, websocket.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

const script = `const all = [require("ws"), require("faye-websocket").Client, require("websocket").w3cwebsocket];
const next = (codes) => codes.length === all.length ? console.log(...codes)
	: new all[codes.length](process.argv[1]).onclose = (e) => next([...codes, e.code]);
next([]);`

func main() {
	answered := make(chan websocket.StatusCode, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		check(err)
		code, _ := strconv.Atoi(r.URL.Path[1:])
		answered <- websocket.CloseStatus(c.Close(websocket.StatusCode(code), "")) // sends none for 1005
	}))
	for _, code := range []int{1005, 1011, 1012, 1013, 1014, 4000} {
		url := fmt.Sprintf("ws%s/%d", strings.TrimPrefix(server.URL, "http"), code)
		g, _, err := gorilla.DefaultDialer.Dial(url, nil)
		check(err)
		_, _, err = g.ReadMessage()
		var refused gorilla.CloseError
		if got, ok := err.(*gorilla.CloseError); ok {
			refused = *got
		}
		others, err := exec.Command("node", "-e", script, url).Output()
		check(err)
		answers := make([]int, 4)
		for i := range answers {
			answers[i] = int(<-answered)
		}
		fmt.Printf("%d: clients see %d %s, the server %v\n", code, refused.Code, strings.TrimSpace(string(others)), answers)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
GO
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.23.0 faye-websocket@0.11.4 websocket@1.0.35 >/dev/null
go mod init finding >/dev/null 2>&1
go get github.com/coder/websocket@v1.8.15 github.com/gorilla/websocket@v1.5.3 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
1005: clients see 1005 1005 1000 1006, the server [-1 -1 1000 1000]
1011: clients see 1011 1011 1011 1011, the server [-1 -1 -1 1000]
1012: clients see 1012 1012 1002 1012, the server [-1 -1 1002 1000]
1013: clients see 1013 1013 1002 1013, the server [-1 -1 1002 1000]
1014: clients see 0 1014 1002 1014, the server [1002 -1 1002 1000]
4000: clients see 4000 4000 4000 4000, the server [-1 -1 -1 1000]
SEEN
