package local_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

// A program is asked about what comes by a socket, by a request and as an edit.
func TestReview_AnswersWhatIsSent(t *testing.T) {
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Content string }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		answer := map[string]string{"action": "allow"}
		switch {
		case asked.Content == "fail":
			w.WriteHeader(http.StatusInternalServerError)
		case strings.Contains(asked.Content, "spam"):
			answer = map[string]string{"action": "deny", "reason": "no spam"}
		case strings.Contains(asked.Content, "darn"):
			answer = map[string]string{"action": "replace", "content": "****"}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer program.Close()
	s := start(t, local.Config{LogLevel: "fatal", Review: program.URL})
	room := s.Room("alice", "bob")
	alice, path := s.Connect("alice"), "/rooms/"+room+"/messages"
	sent, message := alice.Deliver(room, "darn", "")
	if message.Content != "****" {
		t.Errorf("stored %q", message.Content)
	}
	for range 2 { // the second is a resend
		alice.Write(`{"action":"sendMessage","chatRoomId":"` + room + `","content":"darn","clientMessageId":"silent","echo":false}`)
		if ack := alice.Expect(wire.TypeAck); ack.Content != "****" {
			t.Errorf("the ack %+v does not tell what is stored", ack)
		}
	}
	var answer wire.Sent
	if s.API("alice", "POST", path, wire.SendRequest{Content: "darn"}, &answer); answer.Content == nil || *answer.Content != "****" {
		t.Errorf("the answer %+v does not tell what is stored", answer)
	}
	for content, code := range map[string]string{"spam": "denied", "fail": "internal"} {
		alice.Send(room, content, "")
		if got := alice.Expect(wire.TypeError); got.Code != code {
			t.Errorf("%s is answered with %+v", content, got)
		}
	}
	for content, want := range map[string]int{"hello": 201, "spam": 403, "fail": 500} {
		if got := s.API("alice", "POST", path, wire.SendRequest{Content: content}, nil); got != want {
			t.Errorf("%s by HTTP is answered with %d, want %d", content, got, want)
		}
	}
	if got := s.API("alice", "PATCH", messagePath(room, sent.MessageID), wire.EditRequest{Content: "spam"}, nil); got != 403 {
		t.Errorf("an edit is answered with %d", got)
	}
}
