package client

import (
	"context"
	"net/http"
	"net/url"

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
// is newer than the one before, or as new and knows the user's own, which may have come
// from another device while there was no connection. It may come before the message itself, or for one that is
// older than any that came.
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

// toldReactions is what the application has of the reactions to a message: as of
// which version, and whether with all of the user's own. Frames that are lost leave them
// unknown.
type toldReactions struct {
	version int64
	own     bool
}

// maxReacted is of how many messages that is remembered.
const maxReacted = 8192

// reacted takes a frame of reactions. One that the application has no time for is fetched
// with the messages that it shows.
func (in *inbox) reacted(e Reacted) {
	if !in.newReactions(e.ChatRoomID, e.MessageID, e.Version) {
		return
	}
	if in.events.push(e) {
		in.noteReactions(e.ChatRoomID, e.MessageID, toldReactions{version: e.Version})
	} else {
		in.gap(e.ChatRoomID)
	}
}

// fetched takes the reactions to the messages of an answer. Those that come with their
// messages, which the answer is about to deliver, need no event.
func (in *inbox) fetched(q request, page []arrival) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.rooms[q.room] != q.of {
		return
	}
	for _, m := range page {
		r := m.Reactions
		if r == nil {
			continue
		}
		told, now := in.reactions[m.ChatRoomID+" "+m.MessageID], toldReactions{r.Version, r.Mine != nil}
		if now.version < told.version || now.version == told.version && (told.own || !now.own) {
			continue
		}
		if _, waits := q.of.find(m.id); waits || q.of.knows(m.id) {
			in.events.add(Reacted{ChatRoomID: m.ChatRoomID, MessageID: m.MessageID, Version: r.Version, Counts: r.Counts, Mine: r.Mine})
		}
		in.storeReactions(m.ChatRoomID, m.MessageID, now)
	}
}

func (in *inbox) newReactions(roomID, messageID string, version int64) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return version > in.reactions[roomID+" "+messageID].version
}

func (in *inbox) noteReactions(roomID, messageID string, told toldReactions) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.storeReactions(roomID, messageID, told)
}

func (in *inbox) storeReactions(roomID, messageID string, told toldReactions) {
	if in.reactions == nil || len(in.reactions) >= maxReacted {
		in.reactions = map[string]toldReactions{} // an event that comes twice does no harm
	}
	in.reactions[roomID+" "+messageID] = told
}
