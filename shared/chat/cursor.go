package chat

import (
	"strings"
	"time"
)

// StoreWithin is how long after the time in its id a message may still be stored,
// behind others: the id is minted before the message is written, by a function that
// may take as long as its time limit, on a clock that may differ from others.
// Clients sync with an overlap of as much.
const StoreWithin = 60 * time.Second

// MaxKnown is how many messages a read cursor knows at most. In a room that has more
// of them within StoreWithin, the cursor's Since is later.
const MaxKnown = 100

// endOfID is how many characters of a message's id a cursor keeps: 30 random bits, so
// that one of 10 million messages that are stored late is taken for a known one.
const endOfID = 6

// ReadCursor is how far a user has read a room. A message is read if it is after
// From, up to and including UpTo, and was stored before the user read.
type ReadCursor struct {
	UpTo string // message id

	// From is the room's newest message when the user joined, "" for a room
	// without messages or a member since its creation. Messages up to it are
	// neither unread nor read.
	From string

	// Since and Known tell of the messages up to UpTo which of them were stored after
	// the user had read: those after Since that are not Known. Of a message that is not
	// after Since, none can have been: it is older than StoreWithin. "": there is none.
	Since string // message id, whether or not that message exists
	Known string // the ends of the ids of the known messages, one after the other
}

// HasRead reports whether the user has read a message.
func (c ReadCursor) HasRead(messageID string) bool {
	return c.From < messageID && messageID <= c.UpTo && !c.missed(messageID)
}

// IsUnread reports whether a message that another user sent is unread.
func (c ReadCursor) IsUnread(messageID string) bool {
	return messageID > c.UpTo || (messageID > c.From && c.missed(messageID))
}

// Settled is the message id after which messages may be unread.
func (c ReadCursor) Settled() string {
	if c.Since == "" {
		return c.UpTo
	}
	return min(c.UpTo, max(c.From, c.Since))
}

// Seen is the message up to which the user has read, "" if none since they joined.
func (c ReadCursor) Seen() string {
	if c.UpTo == c.From {
		return ""
	}
	return c.UpTo
}

// CountKnown is how many messages after Settled the user has read.
func (c ReadCursor) CountKnown() int { return len(c.Known) / endOfID }

// missed reports whether a message was stored behind the cursor after the user had
// read.
func (c ReadCursor) missed(messageID string) bool {
	return c.Since != "" && c.Since < messageID && messageID <= c.UpTo && !c.knows(messageID)
}

// limit lets the cursor begin where stored does, newest first, if that isn't all.
func (c *ReadCursor) limit(stored []string, all bool) {
	if !all && len(stored) > 0 {
		c.Since = stored[len(stored)-1]
	}
}

func (c ReadCursor) knows(messageID string) bool {
	end := messageID[max(0, len(messageID)-endOfID):]
	for rest := c.Known; len(rest) >= endOfID; rest = rest[endOfID:] {
		if strings.HasPrefix(rest, end) {
			return true
		}
	}
	return false
}

// know makes messages known that were stored before the user read.
func (c *ReadCursor) know(messageIDs []string) {
	known := strings.Builder{}
	known.WriteString(c.Known)
	for _, id := range messageIDs {
		if !c.knows(id) {
			known.WriteString(id[len(id)-endOfID:])
		}
	}
	c.Known = known.String()
}
