package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/client"
)

// maxRecent is how many messages can be answered: no screen shows more.
const maxRecent = 200

// shownMessage is a message on the screen.
type shownMessage struct {
	id, sender string
	at         int64
}

// remember notes a message that is on the screen, or about to be. s.mu is held.
func (s *chatScreen) remember(id, sender string, at int64) {
	i, known := s.find(id)
	if !known {
		s.recent = slices.Insert(s.recent, i, shownMessage{id, sender, at})
	}
	if len(s.recent) > maxRecent {
		s.recent = slices.Delete(s.recent, 0, 1)
	}
}

func (s *chatScreen) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.recent, id, func(m shownMessage, id string) int { return cmp.Compare(m.id, id) })
}

// nthNewest is the id of the message that comes n before the newest; "" for none. s.mu is
// held.
func (s *chatScreen) nthNewest(n int) string {
	if n >= len(s.recent) {
		return ""
	}
	return s.recent[len(s.recent)-1-n].id
}

// reacted notes who reacts to a message that is on the screen.
func (s *chatScreen) reacted(e client.Reacted) {
	s.mu.Lock()
	i, known := s.find(e.MessageID)
	var m shownMessage
	if known {
		m = s.recent[i]
	}
	s.mu.Unlock()
	if !known {
		return
	}
	of := fmt.Sprintf("%s's message of %s", m.sender, time.UnixMilli(m.at).Format("15:04:05"))
	sum := inSum(e.Counts)
	if sum == "" {
		sum = "none"
	}
	changes := make([]string, 0, len(e.Changed))
	for _, c := range e.Changed {
		if c.Added {
			changes = append(changes, c.UserID+" reacts "+c.Reaction)
		} else {
			changes = append(changes, c.UserID+" takes "+c.Reaction+" back")
		}
	}
	if len(changes) > 0 {
		s.note("%s: %s now has %s", strings.Join(changes, ", "), of, sum)
	} else {
		s.note("%s has the reactions %s", of, sum)
	}
}

// inSum lists reactions with their counts, most frequent first.
func inSum(counts map[string]int) string {
	reactions := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, reaction := range reactions {
		reactions[i] = fmt.Sprintf("%s %d", neutralise(reaction), counts[reaction])
	}
	return strings.Join(reactions, ", ")
}

// types notes that someone types, once until they stop or have sent it.
func (s *chatScreen) types(e client.Typing) {
	now := time.Now()
	s.mu.Lock()
	known := s.typing[e.UserID].After(now)
	if s.typing == nil {
		s.typing = map[string]time.Time{}
	}
	s.typing[e.UserID] = now.Add(client.TypingLife)
	s.mu.Unlock()
	if !known {
		s.note("%s is typing", e.UserID)
	}
}

// who notes who is online in the room, and when others were.
func (s *chatScreen) who(ctx context.Context, c *client.Client) {
	asking, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	seen, err := c.Presence(asking, s.room)
	if err != nil {
		if ctx.Err() == nil {
			s.note("not known: %v", err)
		}
		return
	}
	online, others := []string{}, []string{}
	for _, u := range seen.Users {
		if u.Online {
			online = append(online, u.UserID)
		} else if u.LastSeenAt > 0 {
			others = append(others, u.UserID+" was online "+time.UnixMilli(u.LastSeenAt).Format("2 January 15:04"))
		}
	}
	text := "no one is online"
	if len(online) > 0 {
		text = "online: " + strings.Join(online, ", ")
	}
	if seen.Online > len(online) {
		text += fmt.Sprintf(" and %d more", seen.Online-len(online))
	}
	if len(others) > 0 {
		text += "; " + strings.Join(others, ", ")
	}
	if seen.Limited {
		text += "; the room has more members than were looked up"
	}
	s.note("%s", text)
}
