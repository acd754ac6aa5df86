// Package docs_test runs what the pages of this folder show.
package docs_test

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

//go:embed protocol.md
var protocol string

// sends is how many messages a sample sends: more than the rate limit's burst, so
// that some are refused, and sent again.
const sends = 25

// The samples of "Sends in order", with programs around them that send the numbers
// from 0 in a row.
var programs = map[string]struct {
	name    string   // of the file
	command []string // before the file
	program string   // %s is the sample
	env     []string
}{
	"js": {
		name: "sample.mjs", command: []string{"node", "--experimental-websocket"},
		program: `%s
const { URL, TOKEN, ROOM, SENDS } = process.env;
const socket = new WebSocket(URL, ["streamroom", TOKEN]);
socket.addEventListener("open", async () => {
  const send = inOrder(socket);
  await Promise.all(Array.from({ length: Number(SENDS) }, (_, n) => send(ROOM, String(n))));
  socket.close();
});
`,
	},
	"python": {
		name: "sample.py", command: []string{"python3"},
		// The websockets package if it is installed, else a small stand-in for it.
		env: []string{"PYTHONPATH=testdata"},
		program: `%s

import os
from websockets.sync.client import connect

with connect(os.environ["URL"], subprotocols=["streamroom", os.environ["TOKEN"]]) as socket:
    for n in range(int(os.environ["SENDS"])):
        send(socket, os.environ["ROOM"], str(n), handle=lambda frame: None)
`,
	},
	"go": {
		name: "sample.go", command: []string{"go", "run"},
		program: `package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

%s

func main() {
	ctx, env := context.Background(), os.Getenv
	socket, _, err := websocket.Dial(ctx, env("URL"), &websocket.DialOptions{Subprotocols: []string{"streamroom", env("TOKEN")}})
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(env("SENDS"))
	for i := range n {
		if err := send(ctx, socket, env("ROOM"), strconv.Itoa(i), func(frame) {}); err != nil {
			panic(err)
		}
	}
	_ = socket.Close(websocket.StatusNormalClosure, "")
}
`,
	},
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

func TestProtocol_SamplesSendInOrder(t *testing.T) {
	_, section, _ := strings.Cut(protocol, "\n### Sends in order\n")
	section, _, _ = strings.Cut(section, "\n### ")
	blocks := fenced.FindAllStringSubmatch(section, -1)
	if len(blocks) != len(programs) {
		t.Fatalf("%d samples in docs/protocol.md, want %d", len(blocks), len(programs))
	}
	server := rig.Start(t, local.Config{LogLevel: "error"})
	for _, block := range blocks {
		t.Run(block[1], func(t *testing.T) {
			p, ok := programs[block[1]]
			if !ok {
				t.Fatalf("no program for a sample in %s", block[1])
			}
			if !strings.Contains(strings.ToLower(block[2]), "retryafter") {
				t.Errorf("the sample doesn't wait as long as a refusal asks") // here that is a moment
			}
			if _, err := exec.LookPath(p.command[0]); err != nil {
				if os.Getenv("STREAMROOM_REQUIRE_NODE") != "" && p.command[0] == "node" {
					t.Fatal(err)
				}
				t.Skipf("%s is not installed: %v", p.command[0], err)
			}
			user := "user-of-" + block[1]
			room := server.Room(user)
			file := filepath.Join(t.TempDir(), p.name)
			if err := os.WriteFile(file, fmt.Appendf(nil, p.program, block[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, append(p.command, file), append(p.env,
				"URL="+server.WebSocketURL(), "TOKEN="+server.Token(user, 0), "ROOM="+room, "SENDS="+strconv.Itoa(sends)))
			var got, want []string
			for n, m := range slices.Backward(server.History(user, room)) {
				got, want = append(got, m.Content), append(want, strconv.Itoa(sends-1-n))
			}
			if !slices.Equal(got, want) || len(got) != sends {
				t.Errorf("the room has %v, want %d messages in the order of sending", got, sends)
			}
		})
	}
}

func run(t *testing.T, command, env []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out.String())
	}
}
