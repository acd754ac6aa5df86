package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/shared/wire"
)

// programEnv has this very binary be the command, whose code is in it anyway.
const programEnv = "STREAMROOM_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is the command as a process of its own.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	return cmd
}

// process is a `streamroom local` of its own.
type process struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	stdout *screen
	stderr *screen
}

// freePort finds a port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// spawn starts a process and waits until it serves.
func spawn(t *testing.T, addr string, args ...string) *process {
	t.Helper()
	p := &process{t: t, url: "http://" + addr, stdout: newScreen(), stderr: newScreen()}
	args = append([]string{"local", "--addr", addr, "--dynamodb-addr", "127.0.0.1:0"}, args...)
	p.cmd = program(context.WithoutCancel(t.Context()), args...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	if err := p.stdout.await("Ctrl-C stops it."); err != nil {
		t.Fatalf("%v\nit said: %s", err, p.stderr)
	}
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed; that is its error
}

func (p *process) token(user string) string {
	p.t.Helper()
	token, err := localToken(p.t.Context(), p.url, user, time.Hour)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// history returns the ids of all messages in the lobby.
func (p *process) history(user string) map[string]bool {
	p.t.Helper()
	ids := map[string]bool{}
	token, after := p.token(user), "00000000000000000000000000"
	for after != "" {
		request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/api/rooms/general/messages?limit=100&after="+after, nil)
		if err != nil {
			p.t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			p.t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			p.t.Fatal(err)
		}
		var page wire.History
		if err := json.Unmarshal(body, &page); err != nil || response.StatusCode != http.StatusOK {
			p.t.Fatalf("history: %s, %s", response.Status, body)
		}
		for _, m := range page.Messages {
			ids[m.MessageID] = true
		}
		after = page.Cursor
	}
	return ids
}

// chatter sends one message after another and collects the ids of its acks,
// until its socket breaks.
func (p *process) chatter(user string, acked chan<- string) {
	p.t.Helper()
	socket, _, err := websocket.Dial(p.t.Context(), strings.Replace(p.url, "http", "ws", 1)+"/local", &websocket.DialOptions{
		Subprotocols: []string{"streamroom", p.token(user)},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = socket.CloseNow() }()
	for i := 0; ; i++ {
		frame := fmt.Sprintf(`{"action":"sendMessage","chatRoomId":"general","content":"%s %d","clientMessageId":"%d"}`, user, i, i)
		if socket.Write(p.t.Context(), websocket.MessageText, []byte(frame)) != nil {
			return
		}
		for answered := false; !answered; {
			_, data, err := socket.Read(p.t.Context())
			if err != nil {
				return
			}
			var got wire.ServerFrame
			if err := json.Unmarshal(data, &got); err != nil {
				p.t.Errorf("no JSON: %s", data)
				return
			}
			switch {
			case got.Type == wire.TypeAck:
				acked <- got.MessageID
				answered = true
			case got.Type == wire.TypeError && got.Code == "rate_limited":
				<-time.After(20 * time.Millisecond)
				answered = true
			}
		}
	}
}

// TestLocal_KilledLosesNothingAcknowledged kills the process in the
// middle of writing, three times.
func TestLocal_KilledLosesNothingAcknowledged(t *testing.T) {
	data, addr := t.TempDir(), freePort(t)
	acked := make(chan string, 100_000)
	var all []string
	for round := range 3 {
		p := spawn(t, addr, "--data", data)
		var chatting sync.WaitGroup
		for n := range 4 {
			user := fmt.Sprintf("user-%d-%d", round, n)
			chatting.Go(func() { p.chatter(user, acked) })
		}
		for range 60 { // enough to be in full swing
			select {
			case id := <-acked:
				all = append(all, id)
			case <-time.After(time.Minute):
				t.Fatal("no acks")
			}
		}
		p.kill()
		chatting.Wait()
		for len(acked) > 0 {
			all = append(all, <-acked)
		}
	}

	stored := spawn(t, addr, "--data", data).history("user-0-0")
	for _, id := range all {
		if !stored[id] {
			t.Errorf("message %s was acknowledged and is lost", id)
		}
	}
	if len(all) < 180 {
		t.Errorf("only %d acks", len(all))
	}
}

func TestLocal_CtrlCStopsCleanly(t *testing.T) {
	p := spawn(t, freePort(t), "--memory")
	p.token("alice")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\nit said: %s", err, p.stderr)
	}
	if got := p.stderr.String(); got != "" {
		t.Errorf("it complained: %s", got)
	}
}

func TestRun_StartUpErrorIsOneLine(t *testing.T) {
	data, addr := t.TempDir(), freePort(t)
	spawn(t, addr, "--data", data)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"a busy port":            {[]string{"local", "--memory", "--addr", addr}, 1, "--addr"},
		"a busy data folder":     {[]string{"local", "--data", data, "--addr", "127.0.0.1:0", "--dynamodb-addr", "127.0.0.1:0"}, 1, "in use by another process"},
		"a file as the folder":   {[]string{"local", "--data", file, "--addr", "127.0.0.1:0", "--dynamodb-addr", "127.0.0.1:0"}, 1, "--data"},
		"an invalid address":     {[]string{"local", "--memory", "--addr", "nowhere"}, 1, "--addr"},
		"an invalid endpoint":    {[]string{"local", "--memory", "--addr", "127.0.0.1:0", "--dynamodb-endpoint", "127.0.0.1:8001"}, 2, "--dynamodb-endpoint"},
		"an unknown flag":        {[]string{"local", "--port", "80"}, 2, "streamroom local --help"},
		"an argument too many":   {[]string{"local", "now"}, 2, "now"},
		"no such command":        {[]string{"serve"}, 2, "serve"},
		"a token without a user": {[]string{"token"}, 2, "--user"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var stderr bytes.Buffer
			code := run(ctx, tt.args, strings.NewReader(""), io.Discard, &stderr)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			first, _, _ := strings.Cut(stderr.String(), "\n")
			if !strings.Contains(first, tt.want) || !strings.HasPrefix(first, "streamroom") {
				t.Errorf("it says %q; want one line with %q", stderr.String(), tt.want)
			}
		})
	}
}

func TestLocal_TermStopsCleanly(t *testing.T) {
	p := spawn(t, freePort(t), "--data", t.TempDir())
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
