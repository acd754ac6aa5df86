package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/web"
)

//go:embed browser.js
var browserProgram []byte

// errNoNode is the error of a run that has no Node.js to run the browser library in.
var errNoNode = errors.New("no Node.js is installed, which runs the browser library: install version 20.10 or newer, or judge the Go client alone with --browsers 0")

// maxLine bounds a line of browser.js: all that a device shows.
const maxLine = 64 << 20

// browsers is the Node.js process that runs the browser library, for all devices
// that are browsers.
type browsers struct {
	run     *run
	command *exec.Cmd
	dir     string
	ended   chan struct{} // closed when the process has

	mu      sync.Mutex
	in      io.WriteCloser
	next    int
	calls   map[int]chan reply
	devices map[string]*device
	closing bool
}

// reply is the answer to a call: its value, or a failure's code.
type reply struct {
	Reply   int
	Value   json.RawMessage
	Code    string
	Message string

	// An event has these instead.
	Device       string
	Event        string
	Room         string
	MessageID    string
	ConnectionID string
	From, To     int64 // ms since 1970
	Messages     []client.HistoryMessage
}

// startBrowsers starts the process.
func (r *run) startBrowsers() (*browsers, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errNoNode
	}
	b := &browsers{run: r, ended: make(chan struct{}), calls: map[int]chan reply{}, devices: map[string]*device{}}
	if b.dir, err = os.MkdirTemp("", "streamroom-soak-web-"); err != nil {
		return nil, fmt.Errorf("make a folder for the browser library: %w", err)
	}
	if err := b.start(node); err != nil {
		return nil, errors.Join(fmt.Errorf("run the browser library in Node.js: %w", err), os.RemoveAll(b.dir))
	}
	return b, nil
}

func (b *browsers) start(node string) error {
	if err := b.writeLibrary(); err != nil {
		return err
	}
	// Node.js 20 has WebSocket behind a flag, which later ones take, too.
	b.command = exec.Command(node, "--experimental-websocket", "--no-warnings", filepath.Join(b.dir, "browser.js")) //nolint:gosec,noctx // close ends it
	b.command.Stderr = b.run.config.BrowserLog
	in, err := b.command.StdinPipe()
	if err != nil {
		return err
	}
	out, err := b.command.StdoutPipe()
	if err != nil {
		return err
	}
	b.in = in
	if err := b.command.Start(); err != nil {
		return err
	}
	go b.read(out)
	return nil
}

// writeLibrary writes what Node.js runs: the library and browser.js.
func (b *browsers) writeLibrary() error {
	files := map[string][]byte{"browser.js": browserProgram, "package.json": []byte(`{"type":"module"}`)}
	names, err := fs.Glob(web.Sources(), "lib/*.js")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(web.Sources(), name)
		if err != nil {
			return err
		}
		if b.run.config.Library != nil {
			text = b.run.config.Library(name, text)
		}
		files[name] = text
	}
	if err := os.Mkdir(filepath.Join(b.dir, "lib"), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(b.dir, filepath.FromSlash(name)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// read takes what the process writes, until it ends.
func (b *browsers) read(out io.Reader) {
	defer close(b.ended)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var got reply
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			b.run.ledger.violate(Violation{Promise: ClientRuns, Detail: "browser.js wrote what is no JSON: " + err.Error()})
			continue
		}
		b.mu.Lock()
		answered, d := b.calls[got.Reply], b.devices[got.Device]
		delete(b.calls, got.Reply)
		b.mu.Unlock()
		switch {
		case got.Event != "" && d != nil:
			d.happened(got)
		case answered != nil:
			answered <- got
		}
	}
	err := errors.Join(lines.Err(), b.command.Wait())
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closing {
		b.run.ledger.violate(Violation{Promise: ClientRuns, Detail: fmt.Sprintf("Node.js ended by itself: %v", err)})
	}
}

// close ends the process.
func (b *browsers) close() error {
	b.mu.Lock()
	b.closing = true
	err := b.in.Close()
	b.mu.Unlock()
	select {
	case <-b.ended:
	case <-time.After(callTimeout):
		err = errors.Join(err, b.command.Process.Kill())
		<-b.ended
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// call has a device do something, with arguments by name, and decodes the answer
// into out unless that is nil. What the server refused is a *client.Error.
func (b *browsers) call(ctx context.Context, d *device, do string, arguments map[string]any, out any) error {
	line := map[string]any{"device": d.name, "do": do}
	for name, value := range arguments {
		line[name] = value
	}
	answered := make(chan reply, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	line["call"] = id
	b.calls[id], b.devices[d.name] = answered, d
	text, err := json.Marshal(line)
	if err == nil {
		_, err = b.in.Write(append(text, '\n'))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("ask the browser to %s: %w", do, err)
	}
	select {
	case got := <-answered:
		if got.Code != "" {
			return failure(got)
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(got.Value, out)
	case <-b.ended:
		return errors.New("the process of Node.js has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failure is what the library reports: a refusal by the server, or something of
// its own, after which the outcome is unknown.
func failure(got reply) error {
	switch got.Code {
	case "network", "timeout", "unavailable", "unexpected", "internal":
		return fmt.Errorf("%s: %s", got.Code, got.Message)
	}
	return &client.Error{Code: got.Code, Message: got.Message}
}

// openBrowser opens the device's page.
func (d *device) openBrowser(ctx context.Context) error {
	if d.relay == "" {
		var err error
		server := strings.TrimPrefix(d.run.host.URL(), "http://")
		if d.relay, err = d.network.listen(ctx, server); err != nil {
			return err
		}
	}
	relayed := func(url string) string {
		return strings.Replace(url, strings.TrimPrefix(d.run.host.URL(), "http://"), d.relay, 1)
	}
	return d.run.browsers.call(ctx, d, "open", map[string]any{
		"user": d.user, "expiresIn": int(d.tokens.Seconds()), "clockOffset": d.clockOffset.Milliseconds(),
		"webSocketURL": relayed(d.run.host.WebSocketURL()), "apiURL": relayed(d.run.host.APIURL()), "tokenURL": relayed(d.run.host.URL() + "/token"),
	}, nil)
}

// happened takes what the page saw.
func (d *device) happened(e reply) {
	switch e.Event {
	case "message":
		for _, m := range e.Messages {
			d.take(client.Message{HistoryMessage: m})
		}
	case "held":
		d.hold(e.Messages)
	case "left":
		d.leave(e.Room)
	case "deleted":
		d.deleted(e.Room, e.MessageID)
	case "leftOut":
		d.leftOut(e.Room)
	case "pong":
		d.connected(e.ConnectionID)
	case "offline":
		d.disconnected(nil)
	case "forgotten":
		d.disconnected(&client.Error{Code: client.CodeReconnect})
	case "call":
		d.mu.Lock()
		defer d.mu.Unlock()
		// A ms is the least that the page can tell apart.
		d.calls = append(d.calls, call{d.run.at(time.UnixMilli(e.From)), d.run.at(time.UnixMilli(e.To + 1))})
	}
}

// closeBrowser leaves the device's page.
func (d *device) closeBrowser(ctx context.Context) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	_ = d.run.browsers.call(ctx, d, "close", nil, nil) // fails if Node.js has ended, which is reported
}
