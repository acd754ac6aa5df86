package main

import (
	"maps"
	"reflect"
	"sync"

	"github.com/streamroom/streamroom/client"
)

// sharedMessages holds once what several devices show alike: on days more than ten show each
// message. What they show differently is held for each.
type sharedMessages struct {
	mu        sync.Mutex
	messages  map[string][]*client.HistoryMessage // by id
	reactions map[string][]map[string]int         // the same
}

// share gives a message, which must not be changed. Its reactions and readers are not part of
// it: what came later tells of them, too.
func (s *sharedMessages) share(m client.HistoryMessage) *client.HistoryMessage {
	m.Reactions, m.ReadBy = nil, nil
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, held := range s.messages[m.MessageID] {
		if reflect.DeepEqual(*held, m) {
			return held
		}
	}
	if s.messages == nil {
		s.messages = map[string][]*client.HistoryMessage{}
	}
	s.messages[m.MessageID] = append(s.messages[m.MessageID], &m)
	return &m
}

// counts gives how many reacted to a message, which must not be changed.
func (s *sharedMessages) counts(messageID string, counts map[string]int) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, held := range s.reactions[messageID] {
		if maps.Equal(held, counts) {
			return held
		}
	}
	if s.reactions == nil {
		s.reactions = map[string][]map[string]int{}
	}
	s.reactions[messageID] = append(s.reactions[messageID], counts)
	return counts
}

// forget lets go of what no device shows any more. What others go on to show is held once
// more from now on.
func (s *sharedMessages) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages, s.reactions = nil, nil
}
