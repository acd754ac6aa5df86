#!/usr/bin/env bash
# github.com/coder/websocket v1.8.15, github.com/gorilla/websocket v1.5.3, ws 8.18.3.
#
# A client offers subprotocols and the server selects none. Browsers and npm's
# ws fail the connection. Both Go clients accept it, so a gateway that forgets to
# answer Sec-WebSocket-Protocol passes every test with a Go client and breaks in
# each browser.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"

	"github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			<-c.CloseRead(r.Context()).Done()
		}
	}))
	offer := []string{"chat", "superchat"}
	c, _, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{Subprotocols: offer})
	fmt.Printf("coder/websocket: error %v, subprotocol %q\n", err, c.Subprotocol())
	url := "ws" + strings.TrimPrefix(server.URL, "http")
	g, _, err := (&gorilla.Dialer{Subprotocols: offer}).Dial(url, nil)
	fmt.Printf("gorilla/websocket: error %v, subprotocol %q\n", err, g.Subprotocol())
	node := exec.Command("node", "-e", `
		const w = new (require("ws"))(process.argv[1], ["chat", "superchat"]);
		w.onopen = () => { console.log("ws: open"); process.exit(); };
		w.onerror = (e) => { console.log("ws: error", e.message); process.exit(); };`, url)
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	if err := node.Run(); err != nil {
		fmt.Println(err)
	}
}
GO
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ws@8.18.3 >/dev/null
go mod init finding >/dev/null 2>&1
go get github.com/coder/websocket@v1.8.15 github.com/gorilla/websocket@v1.5.3 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
coder/websocket: error <nil>, subprotocol ""
gorilla/websocket: error <nil>, subprotocol ""
ws: error Server sent no subprotocol
SEEN
