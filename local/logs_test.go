package local_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

// TestLogsTellWhatHappenedAndNoSecrets reads the logs of a whole run, at their
// most talkative.
func TestLogsTellWhatHappenedAndNoSecrets(t *testing.T) {
	s := start(t, local.Config{LogLevel: "trace"})
	const content, name = "a-secret-thing-to-say", "a-secret-room-name"
	token := s.Token("alice", 0)
	expired := s.Token("alice", -3600*time.Second)

	var room wire.Room
	s.Request(http.MethodPost, "/api/rooms", token, wire.RoomRequest{Name: name, Type: "group", Members: []string{"bob"}}, &room)
	alice, bob := s.ConnectWith("alice", token), s.Connect("bob")
	ack, _ := alice.Deliver(room.ChatRoomID, content, "c-1")
	bob.Expect(wire.TypeMessage)
	alice.Write(`{"action":"` + content + `"}`)
	alice.Write(content)
	alice.Send("nowhere", content, "c-2")
	for range 3 {
		alice.Expect(wire.TypeError)
	}
	for _, url := range []string{s.WebSocketURL() + "?token=" + expired, s.WebSocketURL() + "?token=" + token + "x"} {
		if socket, _, err := websocket.Dial(t.Context(), url, nil); err == nil {
			_ = socket.CloseNow()
			t.Error("a bad token was let in")
		}
	}
	s.Request(http.MethodGet, "/api/rooms/"+room.ChatRoomID+"/messages", token, nil, nil)
	_ = bob.Conn.CloseNow()
	rig.Eventually(t, "the logs have the disconnect and the broadcast", func() bool { // which is logged after its posts
		logged := s.Logs.String()
		return strings.Contains(logged, `"event":"DISCONNECT"`) && strings.Contains(logged, `"message_ids":["`+ack.MessageID+`"]`)
	})

	logged := s.Logs.String()
	for what, secret := range map[string]string{
		"content": content, "a room's name": name, "a token": token, "an expired token": expired,
		"a token's signature": token[strings.LastIndex(token, ".")+1:],
	} {
		if strings.Contains(logged, secret) {
			t.Errorf("the logs have %s", what)
		}
	}

	// One line for each invocation says who asked for what and what came of it.
	found := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(logged))
	for lines.Scan() {
		var line struct {
			Function     string   `json:"function"`
			RequestID    string   `json:"request_id"`
			ConnectionID string   `json:"connection_id"`
			RoomID       string   `json:"room_id"`
			MessageID    string   `json:"message_id"`
			MessageIDs   []string `json:"message_ids"`
			Outcome      string   `json:"outcome"`
			Duration     *float64 `json:"duration_ms"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("a line that is no JSON: %s", lines.Text())
		}
		if line.RequestID == "" {
			continue
		}
		if line.Function == "sendmessage" && line.ConnectionID != "" && line.RoomID == room.ChatRoomID &&
			line.MessageID == ack.MessageID && line.Outcome == "ok" && line.Duration != nil {
			found["the send"] = true
		}
		if line.Function == "sendmessage" && line.Outcome == "not_a_member" {
			found["the refused send"] = true
		}
		if line.Function == "connect" && line.Outcome == "unauthorized" && line.ConnectionID != "" {
			found["the refused handshake"] = true
		}
		if line.Function == "fanout" && line.RoomID == room.ChatRoomID && len(line.MessageIDs) == 1 && line.MessageIDs[0] == ack.MessageID {
			found["the broadcast"] = true
		}
		if line.Function == "api" && line.Outcome != "" && line.Duration != nil {
			found["the HTTP request"] = true
		}
	}
	for _, what := range []string{"the send", "the refused send", "the refused handshake", "the broadcast", "the HTTP request"} {
		if !found[what] {
			t.Errorf("the logs do not tell of %s:\n%s", what, logged)
		}
	}
}
