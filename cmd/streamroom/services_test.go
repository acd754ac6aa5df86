package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// A token of --service sends as that service, and one that local was not given gets none.
func TestToken_OfAService(t *testing.T) {
	s := rig.Start(t, local.Config{Services: []string{"news"}})
	room := s.Room("alice")
	ask := func(name string) (token, failed string, code int) {
		var out, errors strings.Builder
		code = run(t.Context(), []string{"token", "--service", name, "--addr", s.URL()}, strings.NewReader(""), &out, &errors)
		return strings.TrimSpace(out.String()), errors.String(), code
	}
	token, failed, code := ask("news")
	var sent wire.Sent
	status := s.Request(http.MethodPost, "/api/rooms/"+room+"/messages", token, wire.SendRequest{Content: "news"}, &sent)
	if code != exitDone || status != http.StatusCreated || sent.SenderID != "service:news" {
		t.Errorf("token: %d %s; the send is answered %d, %+v", code, failed, status, sent)
	}
	if token, failed, code = ask("bot"); code == exitDone || token != "" || !strings.Contains(failed, "bot") || strings.Count(failed, "\n") != 1 {
		t.Errorf("of a service that is unknown: %d %q %q", code, token, failed)
	}
}

// local appends events to the file of --events, to what an earlier run left there.
func TestLocal_EventsToAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	const earlier = `{"id":"of an earlier run"}`
	if err := os.WriteFile(path, []byte(earlier+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := spawn(t, freePort(t), "--memory", "--events", path, "--event-content")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/api/rooms/general/messages", strings.NewReader(`{"content":"hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token("alice"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var sent wire.Sent
	if err := json.NewDecoder(response.Body).Decode(&sent); err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("a send is answered %s, %v", response.Status, err)
	}
	var lines []string
	rig.Eventually(t, "the event of the message is in the file", func() bool {
		text, err := os.ReadFile(path)
		lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		return err == nil && strings.Contains(string(text), `"message.sent:`+sent.MessageID+`"`) && strings.HasSuffix(string(text), "\n")
	})
	if lines[0] != earlier {
		t.Errorf("the file begins with %q", lines[0])
	}
	for _, line := range lines[1:] {
		var event struct {
			Type string
			Data struct{ MessageID, Content string }
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if event.Type == "message.sent" && event.Data.MessageID == sent.MessageID && event.Data.Content != "hello" {
			t.Errorf("with --event-content came %s", line)
		}
	}
}
