package fanout

import (
	"cmp"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// staleAfter is the age from which a message's record is not broadcast any more
// but announced by a gap: a mapping that is created again starts at the beginning
// of the stream and would send a day of chat again.
const staleAfter = 5 * time.Minute

// events are what happened in one room. They do not change once grouped.
type events struct {
	roomID    string
	messages  []chat.Message                   // that were sent, in order, each once
	changed   map[string]int64                 // messages that were edited or deleted: the newest version of each
	reads     map[string]changes.ReadMoved     // by user who has read
	typing    map[string]int64                 // by user who types: since when, ms
	reacted   map[string][]wire.ReactionChange // by message that was reacted to: the changes, in order
	renamedAt int64                            // ms; 0: the room was not renamed
	gap       bool                             // there are messages too old to be broadcast
	stale     []string                         // their ids
	joined    []chat.Member
	left      []string
	altered   map[string]changes.MemberChanged // by member whose role or muting changed: the newest
	notify    map[string]changes.NotifyChanged // by member who is notified of something else: the newest
	replay    string                           // the replay that this comes from
	run       string                           // the run of slices that this comes from
}

// general reports whether there is anything for all members of the room,
// whatever its size.
func (e *events) general() bool {
	return len(e.messages) > 0 || len(e.changed) > 0 || e.renamedAt != 0 || e.gap
}

// fleeting reports whether nothing in the room is worth a second try.
func (e *events) fleeting() bool {
	return len(e.typing) > 0 && len(e.notify) == 0 && !e.more()
}

// personal reports whether all there is concerns single members alone.
func (e *events) personal() bool {
	return len(e.notify) > 0 && len(e.typing) == 0 && !e.more()
}

// more reports whether there is anything but who types and what members are notified of.
func (e *events) more() bool {
	return e.everyone() || len(e.reads)+len(e.joined)+len(e.left)+len(e.altered) > 0
}

// everyone reports whether there is anything for all members of the room, if it is not a
// large one.
func (e *events) everyone() bool { return e.general() || len(e.reacted) > 0 }

// batch is what an invocation's records ask for.
type batch struct {
	rooms    []room
	people   []string // users who have come or gone, each once
	slices   []storedSlice
	replaced []changes.ConnectionReplaced
}

// room is a room in a batch.
type room struct {
	events    events
	sequences []string // the records that it comes from
}

// group sorts changes into the rooms, people, slices and connections that they concern,
// rooms and people in the order of their first records.
func group(records []changes.Record, now time.Time) batch {
	var b batch
	var g grouping
	for _, r := range records {
		age := now.Sub(r.At)
		stale := r.Replay == "" && age > staleAfter
		switch c := r.Change.(type) {
		case changes.SliceStored:
			if age < sliceLife {
				b.slices = append(b.slices, storedSlice{sliceOf(c, stale), c.RunID, r.Sequence})
			}
		case changes.ConnectionReplaced:
			b.replaced = append(b.replaced, c)
		case changes.TypingNoted:
			if now.UnixMilli()-c.At <= chat.TypingLife.Milliseconds() {
				g.of(r, c.RoomID).addTyping(c)
			}
		case changes.PresenceTold:
			if !stale && !slices.Contains(b.people, c.UserID) {
				b.people = append(b.people, c.UserID)
			}
		default:
			g.add(r, stale)
		}
	}
	b.rooms = g.rooms
	for i := range b.rooms {
		b.rooms[i].events.messages = sorted(b.rooms[i].events.messages)
	}
	return b
}

// sorted puts messages in order, each once.
func sorted(messages []chat.Message) []chat.Message {
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(messages, func(a, b chat.Message) bool { return a.ID == b.ID })
}

// grouping collects the events of rooms.
type grouping struct {
	rooms  []room
	byRoom map[string]int
}

// add adds a change to its room's events. A stale one is left out, or counts for
// the room's gap if it is a message's.
func (g *grouping) add(r changes.Record, stale bool) {
	switch c := r.Change.(type) {
	case changes.MessageSent:
		if version := c.Message.Version(); version != 0 { // replayed after it was edited or deleted
			g.of(r, c.Message.RoomID).addChanged(c.Message.ID, version, stale)
		} else {
			g.of(r, c.Message.RoomID).addMessage(c.Message, stale)
		}
	case changes.MessageEdited:
		g.of(r, c.Message.RoomID).addChanged(c.Message.ID, c.Message.Version(), stale)
	case changes.MessageDeleted:
		g.of(r, c.Message.RoomID).addChanged(c.Message.ID, c.Message.Version(), stale)
	default:
		if !stale {
			g.addRecent(r)
		}
	}
}

// addRecent adds what is of interest only while it is recent.
func (g *grouping) addRecent(r changes.Record) {
	switch c := r.Change.(type) {
	case changes.RoomRenamed:
		g.of(r, c.RoomID).renamedAt = c.RenamedAt
	case changes.ReadMoved:
		g.of(r, c.RoomID).addRead(c)
	case changes.Reacted:
		g.of(r, c.RoomID).addReacted(c)
	case changes.MemberJoined:
		e := g.of(r, c.RoomID)
		e.joined = append(e.joined, c.Member)
	case changes.MemberChanged:
		g.of(r, c.RoomID).addAltered(c)
	case changes.NotifyChanged:
		g.of(r, c.RoomID).addNotify(c)
	case changes.MemberLeft:
		e := g.of(r, c.RoomID)
		e.left = append(e.left, c.UserID)
	}
}

// of returns a room's events so far, and notes the record that adds to them.
func (g *grouping) of(r changes.Record, roomID string) *events {
	i, ok := g.byRoom[roomID]
	if !ok {
		if g.byRoom == nil {
			g.byRoom = map[string]int{}
		}
		i = len(g.rooms)
		g.byRoom[roomID] = i
		g.rooms = append(g.rooms, room{events: events{roomID: roomID}})
	}
	g.rooms[i].sequences = append(g.rooms[i].sequences, r.Sequence)
	if r.Replay != "" {
		g.rooms[i].events.replay = r.Replay
	}
	return &g.rooms[i].events
}

func (e *events) addMessage(m chat.Message, stale bool) {
	if stale {
		e.gap, e.stale = true, append(e.stale, m.ID)
		return
	}
	e.messages = append(e.messages, m)
}

// addChanged notes that a message was edited or deleted.
func (e *events) addChanged(messageID string, version int64, stale bool) {
	if stale {
		e.gap, e.stale = true, append(e.stale, messageID)
		return
	}
	if e.changed == nil {
		e.changed = map[string]int64{}
	}
	e.changed[messageID] = max(e.changed[messageID], version)
}

// addTyping notes that a user types.
func (e *events) addTyping(c changes.TypingNoted) {
	if e.typing == nil {
		e.typing = map[string]int64{}
	}
	e.typing[c.UserID] = max(e.typing[c.UserID], c.At)
}

// addAltered notes what a member is now.
func (e *events) addAltered(c changes.MemberChanged) {
	if e.altered == nil {
		e.altered = map[string]changes.MemberChanged{}
	}
	if c.At >= e.altered[c.UserID].At {
		e.altered[c.UserID] = c
	}
}

// addNotify notes what a member is notified of now.
func (e *events) addNotify(c changes.NotifyChanged) {
	if e.notify == nil {
		e.notify = map[string]changes.NotifyChanged{}
	}
	if c.At >= e.notify[c.UserID].At {
		e.notify[c.UserID] = c
	}
}

// addRead notes how far a user has read.
func (e *events) addRead(c changes.ReadMoved) {
	if e.reads == nil {
		e.reads = map[string]changes.ReadMoved{}
	}
	if c.UpTo >= e.reads[c.UserID].UpTo {
		e.reads[c.UserID] = c
	}
}
