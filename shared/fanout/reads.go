package fanout

import "github.com/streamroom/streamroom/shared/chat"

// wholePage is how many messages one read returns at least, if there are as many: a page of
// a query has 1 MB of items, as they are stored (DynamoDB API Reference, "Query"), and a
// message has its content and up to 12 KB besides: mentions, files, what it answers. A read
// that returned fewer has reached the room's first message.
const wholePage = 1 << 20 / (chat.MaxContent + 12<<10)

// reads is what must be read of the table before events can be sent.
type reads struct {
	// members is how many members one invocation serves at most. Whether there
	// are more is read, too.
	members int
	// first and last are the messages whose predecessors are read, "" for none,
	// and window is how many messages are read for them, up to the last.
	first, last string
	window      int
	// name says to read the room's name.
	name bool
}

// planReads returns what events need. Reads of others are shown in small rooms
// only, joins, leaves and roles in announced ones, and reactions in those that are not cut, so
// for those there is no need to read the members of larger ones.
func planReads(e *events) reads {
	plan := reads{members: chat.SmallRoom, name: e.renamedAt != 0}
	if len(e.joined) > 0 || len(e.left) > 0 || len(e.altered) > 0 {
		plan.members = announcedRoom
	}
	if len(e.reacted) > 0 {
		plan.members = reactedRoom
	}
	if e.general() {
		plan.members = SliceAbove
	}
	if n := len(e.messages); n > 0 {
		plan.first, plan.last = e.messages[0].ID, e.messages[n-1].ID
		plan.window = 2 // one message and its predecessor
		if n > 1 {
			plan.window = 2*n + 8 // leaves room for messages of other batches in between
		}
	}
	return plan
}
