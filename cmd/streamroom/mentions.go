package main

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/streamroom/streamroom/client"
)

// mentioned returns whom a line mentions: members whose name or id follows an @, of the
// first page of the room's. Where they can't be read, no one is.
func (s *chatScreen) mentioned(ctx context.Context, c *client.Client, line string) []string {
	if !strings.Contains(line, "@") {
		return nil
	}
	room, err := c.Room(ctx, s.room, "")
	if err != nil {
		s.note("no one is mentioned: %v", err)
		return nil
	}
	return mentionedIn(line, room.Members)
}

// mentionedIn returns the ids of the members whom a text mentions, each once, as many as
// a message may.
func mentionedIn(text string, members []client.RoomMember) []string {
	var ids []string
	for at, r := range text {
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		if r != '@' || at > 0 && (inName(before) || strings.ContainsRune(".@-", before)) {
			continue // an address of mail
		}
		id, longest := "", 0
		for _, m := range members {
			for _, name := range []string{m.DisplayName, m.UserID} {
				if n := nameAt(text[at+1:], name); n > longest {
					id, longest = m.UserID, n
				}
			}
		}
		if id != "" && !slices.Contains(ids, id) && len(ids) < client.MaxMentions {
			ids = append(ids, id)
		}
	}
	return ids
}

// nameAt returns how many bytes of a text are a name, in any case, with which it begins;
// 0 if it begins with another word.
func nameAt(text, name string) int {
	n := 0
	for range name {
		_, size := utf8.DecodeRuneInString(text[n:])
		n += size
	}
	next, _ := utf8.DecodeRuneInString(text[n:])
	if name == "" || !strings.EqualFold(text[:n], name) || n < len(text) && inName(next) {
		return 0
	}
	return n
}

// inName reports whether a character goes on with a name.
func inName(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.M) || r == '_'
}
