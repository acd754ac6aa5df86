package apigateway_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// raw is a client that speaks frames.
type raw struct {
	g    *gateway
	conn net.Conn
	in   *bufio.Reader
}

// rawDial sends a handshake and reads the 101.
func (g *gateway) rawDial(handshake string) *raw {
	g.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(g.t.Context(), "tcp", g.server.Listener.Addr().String())
	if err != nil {
		g.t.Fatal(err)
	}
	r := &raw{g, conn, bufio.NewReader(conn)}
	g.t.Cleanup(r.close)
	r.write([]byte(handshake))
	response, err := http.ReadResponse(r.in, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		g.t.Fatalf("handshake answered %d", response.StatusCode)
	}
	if err := response.Body.Close(); err != nil {
		g.t.Fatal(err)
	}
	return r
}

const rawHandshake = "GET /local HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

func (r *raw) close() { _ = r.conn.Close() }

func (r *raw) write(data []byte) {
	r.g.t.Helper()
	if _, err := r.conn.Write(data); err != nil {
		r.g.t.Fatalf("write: %v", err)
	}
}

const (
	fin          = 0x80
	continuation = 0
	text         = 1
	binaryFrame  = 2
	closeFrame   = 8
	ping         = 9
	pong         = 10
)

// header encodes a masked frame's header; the mask is zero.
func header(first byte, length int) []byte {
	h := []byte{first}
	switch {
	case length < 126:
		h = append(h, 0x80|byte(length))
	case length < 1<<16:
		h = binary.BigEndian.AppendUint16(append(h, 0x80|126), uint16(length))
	default:
		h = binary.BigEndian.AppendUint64(append(h, 0x80|127), uint64(length))
	}
	return append(h, 0, 0, 0, 0)
}

func frame(first byte, payload string) []byte {
	return append(header(first, len(payload)), payload...)
}

// read returns the next frame, which the gateway doesn't mask.
func (r *raw) read() (first byte, payload []byte, err error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	var h [2]byte
	if _, err := io.ReadFull(r.in, h[:]); err != nil {
		return 0, nil, err
	}
	length := uint64(h[1])
	switch length {
	case 126:
		var ext [2]byte
		_, err = io.ReadFull(r.in, ext[:])
		length = uint64(binary.BigEndian.Uint16(ext[:]))
	case 127:
		var ext [8]byte
		_, err = io.ReadFull(r.in, ext[:])
		length = binary.BigEndian.Uint64(ext[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(r.in, payload)
	return h[0], payload, err
}

func (r *raw) expect(first byte, payload string) {
	r.g.t.Helper()
	gotFirst, got, err := r.read()
	if err != nil || gotFirst != first || string(got) != payload {
		r.g.t.Fatalf("read %#x %q, %v; want %#x %q", gotFirst, got, err, first, payload)
	}
}

// expectClose reads a close frame, answers it, stops sending (the answer may be
// lost in a frame that never ends) and sees the connection end.
func (r *raw) expectClose(code int) {
	r.g.t.Helper()
	first, payload, err := r.read()
	if err != nil || first != fin|closeFrame || len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code {
		r.g.t.Fatalf("read %#x %q, %v; want close code %d", first, payload, err, code)
	}
	r.write(frame(fin|closeFrame, string(payload[:2])))
	if err := r.conn.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		r.g.t.Error(err)
	}
	if _, _, err := r.read(); err == nil {
		r.g.t.Error("a frame followed the close frame")
	}
}

func TestFrameAndMessageLimits(t *testing.T) {
	const kb = 1 << 10
	big := func(n int) string { return strings.Repeat("x", n) }
	frames := func(parts ...[]byte) (all []byte) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	quarters := frames(frame(text, big(32*kb)), frame(continuation, big(32*kb)), frame(continuation, big(32*kb)))
	for name, test := range map[string]struct {
		sent     []byte
		messages int // how many arrive
		size     int // of each
		code     int // of the close frame, 0 for none
	}{
		"largest frame":                  {frame(fin|text, big(32*kb)), 1, 32 * kb, 0},
		"frame one byte over":            {frame(fin|text, big(32*kb+1)), 0, 0, 1009},
		"frame of 200 KB":                {frame(fin|text, big(200*kb)), 0, 0, 1009},
		"only the header of a huge one":  {header(fin|text, 1<<62), 0, 0, 1009},
		"largest message":                {frames(quarters, frame(fin|continuation, big(32*kb))), 1, 128 * kb, 0},
		"largest message and a ping":     {frames(quarters, frame(fin|ping, ""), frame(fin|continuation, big(32*kb))), 1, 128 * kb, 0},
		"message one byte over":          {frames(quarters, frame(continuation, big(32*kb)), frame(fin|continuation, "x")), 0, 0, 1009},
		"message of many small frames":   {frames(quarters, frame(continuation, big(32*kb-1)), frame(continuation, ""), frame(fin|continuation, "xx")), 0, 0, 1009},
		"one long frame in a message":    {frames(frame(text, "x"), frame(fin|continuation, big(32*kb+1))), 0, 0, 1009},
		"two messages have two counts":   {frames(quarters, frame(fin|continuation, big(32*kb)), quarters, frame(fin|continuation, big(32*kb))), 2, 128 * kb, 0},
		"binary frame":                   {frame(fin|binaryFrame, "x"), 0, 0, 1003},
		"empty binary frame":             {frame(fin|binaryFrame, ""), 0, 0, 1003},
		"long binary frame":              {frame(fin|binaryFrame, big(40*kb)), 0, 0, 1003},
		"binary frame, then much more":   {frames(frame(binaryFrame, "x"), frame(fin|continuation, big(300*kb)), frame(fin|text, "x")), 0, 0, 1003},
		"reserved bit":                   {frame(fin|0x40|text, "x"), 0, 0, 1002},
		"unknown opcode":                 {frame(fin|3, "x"), 0, 0, 1002},
		"continuation of nothing":        {frame(fin|continuation, "x"), 0, 0, 1002},
		"message inside another":         {frames(frame(text, "x"), frame(fin|text, "x")), 0, 0, 1002},
		"no mask":                        {[]byte{fin | text, 1, 'x'}, 0, 0, 1002},
		"close code that is not allowed": {frame(fin|closeFrame, "\x03\xed"), 0, 0, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil)
			r := g.rawDial(rawHandshake)
			r.write(test.sent)
			for range test.messages {
				call := g.nextCall()
				if len(call.event.Body) != test.size {
					t.Errorf("a message of %d bytes arrived", len(call.event.Body))
				}
				call.respond(ok)
			}
			if test.code > 0 {
				r.expectClose(test.code)
				e := within(t, "$disconnect", g.gone)
				if e.RequestContext.DisconnectStatusCode != test.code {
					t.Errorf("$disconnect has %s", e.raw)
				}
				if len(g.calls) > 0 {
					t.Error("a message arrived")
				}
			}
		})
	}
}

func TestFramesSentAlongWithTheHandshake(t *testing.T) {
	g := start(t, nil)
	r := g.rawDial(rawHandshake + string(frame(fin|text, `{"action":"twoWay"}`)) + string(frame(fin|ping, "p")))
	g.nextCall().respond(`{"statusCode":200,"body":"early"}`)
	seen := map[string]bool{}
	for range 2 { // in any order
		first, payload, err := r.read()
		if err != nil {
			t.Fatal(err)
		}
		seen[string(rune('a'+first&0xf))+string(payload)] = true
	}
	if !seen[string(rune('a'+text))+"early"] || !seen[string(rune('a'+pong))+"p"] {
		t.Errorf("read %v", seen)
	}
}

func TestServerFrameLengths(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	for _, length := range []int{0, 1, 125, 126, 65535, 65536, 128 << 10} {
		body := strings.Repeat("y", length)
		if status := c.post(body); status != http.StatusOK {
			t.Fatalf("post of %d bytes: %d", length, status)
		}
		c.expect(body)
	}
}

func TestClientCloses(t *testing.T) {
	for name, test := range map[string]struct {
		frame  []byte
		code   int
		reason string
	}{
		"with a code":     {frame(fin|closeFrame, "\x03\xe9"), 1001, ""},
		"with a reason":   {frame(fin|closeFrame, "\x0f\xa1done"), 4001, "done"},
		"without a code":  {frame(fin|closeFrame, ""), 1005, "Client-side close frame status not set"},
		"without a frame": {nil, 1006, ""},
		"in a frame":      {frame(fin|text, "xx")[:7], 1006, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, nil)
			r := g.rawDial(rawHandshake)
			r.write(test.frame)
			if len(test.frame) > 0 && test.frame[0] == fin|closeFrame {
				r.expect(test.frame[0], string(test.frame[6:])) // the echo
			}
			r.close()
			g.expectDisconnect(test.code, test.reason)
		})
	}
}

func TestIdleConnectionsGoAway(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	const short = 10*time.Minute - time.Second
	g.clock.Advance(short) // messages count
	c.send(`{"action":"twoWay"}`)
	g.nextCall().respond(`{"statusCode":200,"body":"done"}`)
	c.expect("done")
	for range 2 { // and so do posts
		g.clock.Advance(short)
		if status := c.post("hi"); status != http.StatusOK {
			t.Fatalf("post: %d", status)
		}
		c.expect("hi")
	}
	g.clock.Advance(10 * time.Minute)
	c.expectClose(websocket.StatusGoingAway)
	g.expectDisconnect(1001, "Going away")
}

func TestPingsAreAnsweredButDoNotKeepAlive(t *testing.T) {
	g := start(t, nil)
	r := g.rawDial(rawHandshake)
	g.clock.Advance(9 * time.Minute)
	r.write(frame(fin|ping, "p"))
	r.expect(fin|pong, "p")
	g.clock.Advance(time.Minute)
	r.expectClose(1001)
	g.expectDisconnect(1001, "Going away")
}

func TestConnectionsEndAfterTwoHours(t *testing.T) {
	g := start(t, nil)
	c := g.dial()
	for range 15 {
		g.clock.Advance(8 * time.Minute)
		if status := c.post("x"); status != http.StatusOK {
			break
		}
		c.expect("x")
	}
	if now := g.clock.Now(); now.Sub(g.started) != 2*time.Hour {
		t.Errorf("ended after %v", now.Sub(g.started))
	}
	c.expectClose(websocket.StatusGoingAway)
	g.expectDisconnect(1001, "Going away")
}

func TestClientThatIgnoresTheCloseFrameIsCutOff(t *testing.T) {
	g := start(t, nil)
	r := g.rawDial(rawHandshake)
	r.write(header(fin|text, 100)) // and nothing of it
	g.clock.Advance(10 * time.Minute)
	if first, _, err := r.read(); err != nil || first != fin|closeFrame {
		t.Fatalf("read %#x, %v", first, err)
	}
	g.clock.Advance(10 * time.Second)
	g.expectDisconnect(1001, "Going away")
}
