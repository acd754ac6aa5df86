package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/coder/websocket"
)

// peer is a chat server, as its clients see it. One value serves a whole run.
type peer interface {
	// prepare makes the accounts of all users, and the rooms with their members,
	// which is not measured.
	prepare(ctx context.Context, p Plan, progress func(string)) error
	// connect opens a user's connection, and returns when the user's messages can
	// be sent and those of the user's rooms come.
	connect(ctx context.Context, user int) (session, error)
}

// session is one open connection of a user. send is called by one goroutine and
// receive by another.
type session interface {
	// send writes a message to the connection. What the server says to it comes
	// from receive.
	send(ctx context.Context, room, number int, content string) error
	// receive waits for the next frame. Frames that say nothing of messages have no
	// events.
	receive(ctx context.Context) ([]event, error)
	close()
}

type eventKind int

const (
	acked     eventKind = iota // the server has the message
	delivered                  // the user has got the message
	refused                    // the server does not take it
)

// event is what a frame says of one message of this run.
type event struct {
	kind   eventKind
	number int
	code   string // why it was refused
}

// peers are the servers that are known, by the value of --peer.
var peers = map[string]func(target, *ledger) (peer, error){
	"streamroom": newStreamroom,
	"tinode":     newTinode,
	"centrifugo": newCentrifugo,
}

// target is where the peer is.
type target struct {
	socket *url.URL // of its WebSocket
	api    *url.URL // of its HTTP API, where it has one
	tokens string   // file with a line "user token" for each user; "" asks the server for them
	key    string   // API key
}

// maxFrame is more than any of the peers sends in one frame.
const maxFrame = 4 << 20

// dial opens a WebSocket without compression, which none of the peers has on by
// default.
func dial(ctx context.Context, address string, subprotocols ...string) (*websocket.Conn, error) {
	conn, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{ //nolint:bodyclose // Dial: "You never need to close resp.Body"
		Subprotocols: subprotocols, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, handshakeError(response, err)
	}
	conn.SetReadLimit(maxFrame)
	return conn, nil
}

// writeJSON sends a value as one text frame.
func writeJSON(ctx context.Context, conn *websocket.Conn, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, encoded)
}

// handshakeError adds what a server says that refuses a handshake.
func handshakeError(response *http.Response, err error) error {
	if response == nil || response.Body == nil {
		return err
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what there is
	return fmt.Errorf("%w: %s %s", err, response.Status, text)
}
