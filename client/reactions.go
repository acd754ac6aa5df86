package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/streamroom/streamroom/shared/wire"
)

// Reactions are what members reacted to a message with:
//
//	Version int64          // how often they changed: of two the greater one is newer
//	Counts  map[string]int // how many members, by reaction
//	Mine    []string       // the user's own; nil: not known
type Reactions = wire.Reactions

// ReactionChange is a reaction that was added, or taken back:
//
//	UserID   string
//	Reaction string
//	Added    bool // false: it was taken back
type ReactionChange = wire.ReactionChange

// Reacted says what members have reacted to a message with. Each later event of a message
// is newer than the one before, or as new and tells more: the user's own, which may have
// come from another device while there was no connection, or changes that were not named
// yet. It may come before the message itself, or for one that is older than any that came.
type Reacted struct {
	ChatRoomID, MessageID string

	Version int64          // how often they changed
	Counts  map[string]int // how many members, by reaction
	Mine    []string       // the user's own; nil: not known, but for those in Changed

	// Changed are the newest changes, at most 20 and the user's own; none if the event
	// follows from messages that were fetched.
	Changed []ReactionChange
}

func (Reacted) event() {}

// React adds a reaction to a message: what is read as one character, such as an emoji, of
// at most 35 bytes, or a name such as ":tada:". One that is there already changes nothing.
// A message has at most 20 different ones. It returns the message's reactions as they are
// then.
//
// Errors: *Error; CodeNotFound for a message that was deleted, CodeRateLimited also where
// too many react to the message at once.
func (c *Client) React(ctx context.Context, roomID, messageID, reaction string) (Reactions, error) {
	var now Reactions
	err := c.call(ctx, http.MethodPut, reactionsPath(roomID, messageID), wire.ReactionRequest{Reaction: reaction}, &now)
	return now, err
}

// TakeBack removes a reaction of the user's. One that is not there changes nothing.
func (c *Client) TakeBack(ctx context.Context, roomID, messageID, reaction string) (Reactions, error) {
	var now Reactions
	path := reactionsPath(roomID, messageID) + "?reaction=" + url.QueryEscape(reaction)
	err := c.call(ctx, http.MethodDelete, path, nil, &now)
	return now, err
}

func reactionsPath(roomID, messageID string) string {
	return messagePath(roomID, messageID) + "/reactions"
}

// toldReactions is what the application has of the reactions to a message.
type toldReactions struct {
	version int64
	counts  map[string]int
	named   []ReactionChange // as of version
	own     int64            // as of which version it has all of the user's own; 0: it hasn't
	later   []ownChange      // the last one of each reaction that came after that
}

// ownChange is a change of the user's own that a frame told of.
type ownChange struct {
	ReactionChange
	version int64
}

// since returns the changes of the user's own after a version.
func (t toldReactions) since(version int64) (later []ownChange) {
	for _, c := range t.later {
		if c.version > version {
			later = append(later, c)
		}
	}
	return later
}

// mine returns the user's own by an answer that has all of them as of an older version.
func (t toldReactions) mine(answer *Reactions) []string {
	mine := slices.Clone(answer.Mine)
	for _, c := range t.since(answer.Version) {
		mine = slices.DeleteFunc(mine, func(r string) bool { return r == c.Reaction })
		if c.Added {
			mine = append(mine, c.Reaction)
		}
	}
	slices.Sort(mine)
	return mine
}

// maxReacted is of how many messages that is remembered.
const maxReacted = 8192

// news returns what the application does not have of a frame's changes. A frame has the
// counts as of when it was sent, so several of one version name different changes, and
// of the user's own those of an older one count, too.
func (t toldReactions) news(e Reacted, self string) (news []ReactionChange) {
	for _, c := range e.Changed {
		switch {
		case e.Version > t.version:
		case e.Version == t.version && slices.Contains(t.named, c):
			continue
		case e.Version < t.version && (c.UserID != self || e.Version <= t.own || t.toldSince(c.Reaction, e.Version)):
			continue
		}
		news = append(news, c)
	}
	return news
}

// toldSince reports whether a frame has told of one of the user's own at a version, or later.
func (t toldReactions) toldSince(reaction string, version int64) bool {
	return slices.ContainsFunc(t.later, func(c ownChange) bool { return c.Reaction == reaction && c.version >= version })
}

// reacted takes a frame of reactions. One that the application has no time for is fetched
// with the messages that it shows.
func (in *inbox) reacted(e Reacted) {
	in.mu.Lock()
	told, self := in.reactions[e.ChatRoomID+" "+e.MessageID], in.self
	in.mu.Unlock()
	version, newer := e.Version, e.Version > told.version
	if e.Changed = told.news(e, self); !newer {
		e.Version, e.Counts = told.version, told.counts
		if len(e.Changed) == 0 {
			return
		}
	}
	if !in.events.push(e) {
		in.gap(e.ChatRoomID)
		return
	}
	if newer {
		told.version, told.counts, told.named = e.Version, e.Counts, nil
	}
	told.named = append(slices.Clip(told.named), e.Changed...)
	for _, c := range e.Changed {
		if c.UserID == self {
			told.later = slices.DeleteFunc(slices.Clone(told.later), func(l ownChange) bool { return l.Reaction == c.Reaction })
			told.later = append(told.later, ownChange{c, version})
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.storeReactions(e.ChatRoomID, e.MessageID, told)
}

// learnReactions takes the reactions to the messages of an answer, with in.mu held. Those
// that come with their messages, which the answer is about to deliver, need no event; those
// of a page that only revises come again with what delivers their messages. A frame may have
// overtaken the answer: then the user's own are the answer's, and what frames told since.
func (in *inbox) learnReactions(q request, page []arrival, delivers bool) {
	for _, a := range page {
		m, r := a.message, a.message.Reactions
		if r == nil {
			continue
		}
		_, waits := q.of.find(a.id)
		held := waits || q.of.knows(a.id)
		if !held && !delivers {
			continue
		}
		told := in.reactions[m.ChatRoomID+" "+m.MessageID]
		ownIsNews := r.Mine != nil && r.Version > told.own
		if r.Version <= told.version && !ownIsNews {
			continue
		}
		e := Reacted{ChatRoomID: m.ChatRoomID, MessageID: m.MessageID, Version: r.Version, Counts: r.Counts, Mine: r.Mine}
		if r.Version < told.version {
			e.Version, e.Counts, e.Mine = told.version, told.counts, told.mine(r)
		}
		if held || r.Version < told.version {
			in.events.add(e)
		}
		if e.Version > told.version {
			told.version, told.counts, told.named = e.Version, e.Counts, nil
		}
		if ownIsNews {
			told.own, told.later = r.Version, told.since(r.Version)
		}
		in.storeReactions(m.ChatRoomID, m.MessageID, told)
	}
}

func (in *inbox) storeReactions(roomID, messageID string, told toldReactions) {
	if in.reactions == nil || len(in.reactions) >= maxReacted {
		in.reactions = map[string]toldReactions{} // an event that comes twice does no harm
	}
	in.reactions[roomID+" "+messageID] = told
}
