package main

import (
	"testing"

	"github.com/streamroom/streamroom/client"
)

// What two devices show alike is held once, what differs for each.
func TestSharedMessages(t *testing.T) {
	t.Parallel()
	message := func(change func(*client.HistoryMessage)) client.HistoryMessage {
		m := client.HistoryMessage{MessageID: "1", Content: "tea", Mentions: []string{"bob"}, ReplyTo: &client.Quote{MessageID: "0"}}
		change(&m)
		return m
	}
	for name, tt := range map[string]struct {
		change func(*client.HistoryMessage)
		alike  bool
	}{
		"the same":          {func(*client.HistoryMessage) {}, true},
		"edited":            {func(m *client.HistoryMessage) { m.EditedAt = 1 }, false},
		"another text":      {func(m *client.HistoryMessage) { m.Content = "coffee" }, false},
		"another mention":   {func(m *client.HistoryMessage) { m.Mentions = []string{"carol"} }, false},
		"without its quote": {func(m *client.HistoryMessage) { m.ReplyTo = nil }, false},
		"read by more":      {func(m *client.HistoryMessage) { m.ReadBy = []string{"bob"} }, true},
	} {
		var s sharedMessages
		first := s.share(message(func(*client.HistoryMessage) {}))
		if second := s.share(message(tt.change)); (first == second) != tt.alike {
			t.Errorf("%s: held once: %t, want %t", name, first == second, tt.alike)
		}
		s.forget()
		if again := s.share(*first); again == first {
			t.Errorf("%s: it is not forgotten", name)
		}
	}
}
