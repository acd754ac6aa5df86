package client

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	// maxKnown is how many ids a room remembers to drop duplicates by: 128 KB,
	// and more than the overlap of two syncs holds at a hundred messages a second.
	maxKnown = 8192

	// maxHeld bounds the messages that wait for an earlier one. What comes beyond
	// it is fetched by the sync that they all wait for.
	maxHeld = 256

	// overlap is how far before what it has a sync begins: writers' clocks differ,
	// so a message may be stored behind a later one.
	overlap = 60 * time.Second
)

// room puts one room's messages into order. Messages come live, in any order,
// and from syncs, in theirs; each goes out once. It is not safe for concurrent
// use, and knows neither time nor network.
//
// The one rule: an id is remembered when its message was handed out, and not
// before. Whatever else happens to a message, it will be asked for again.
type room struct {
	id  string
	out func(Event) bool // hands out a message or a change; false if there's no space for it

	known []ulid.ULID // handed out, ascending
	floor ulid.ULID   // everything up to here counts as handed out
	sure  ulid.ULID   // nothing up to here is missing, as far as messages tell; zero: nothing is known of the room
	swept ulid.ULID   // syncs have been over everything up to here
	held  []held      // waiting for an earlier message, ascending

	versions map[ulid.ULID]int64 // of messages that changed: the state that was handed out
	opened   bool                // the application wants to keep up with what it shows
	reread   bool                // changes may have been missed: the newest page is to be read again

	looked bool      // the backlog was read
	due    bool      // a sync is wanted
	sweep  bool      // the next sync begins at swept, not at sure
	behind bool      // something is missing: live messages wait for the sync
	direct bool      // the last sync failed: messages go out as they come
	next   ulid.ULID // where a sync of several pages goes on

	awaited ulid.ULID // an acked message that hasn't come yet
	hole    ulid.ULID // what is waited for since holeAt was set
	holeAt  time.Time // when to stop waiting for it; zero: nothing is waited for
}

// held is a message on its way through a room.
type held struct {
	Message
	id       ulid.ULID
	previous ulid.ULID // zero: none, or none before id
	asked    bool      // it came before the sync that is under way was asked for
}

func newRoom(id string, out func(Event) bool) *room {
	r := &room{id: id, out: out}
	r.miss()
	return r
}

// offer takes a live message.
func (r *room) offer(h held) {
	if r.has(h.id) {
		return
	}
	if r.outdated(h) {
		r.recheck()
		return
	}
	if len(r.held) >= maxHeld {
		r.miss()
		return
	}
	r.hold(h)
	r.release()
}

// miss notes that messages are missing and only a sync can tell which.
func (r *room) miss() { r.behind, r.due = true, true }

// recheck wants a sync of all that came since the last one. Messages that follow
// each other without a hole don't tell of one that was stored late, behind them,
// and was lost.
func (r *room) recheck() { r.due, r.sweep = true, true }

// reconnected notes that anything may have happened meanwhile.
func (r *room) reconnected() {
	r.miss()
	r.recheck()
	r.direct = false
	r.reread = r.opened
	r.next = ulid.ULID{}
}

// await notes that the server has stored a message that should come soon.
func (r *room) await(id ulid.ULID) {
	if !r.has(id) {
		r.awaited = id
	}
}

// watch decides, after each change, when to stop waiting for a message that
// should have come: after patience, counted from when it was first missed. It
// reports whether holeAt was set anew.
func (r *room) watch(now time.Time, patience func() time.Duration) bool {
	var hole ulid.ULID
	switch {
	case r.behind: // a sync is on its way anyhow
	case len(r.held) > 0:
		hole = r.held[0].previous
	default:
		hole = r.awaited
	}
	if hole == r.hole {
		return false
	}
	r.hole, r.holeAt = hole, time.Time{}
	if hole.IsZero() {
		return false
	}
	r.holeAt = now.Add(patience())
	return true
}

// begin starts a sync and returns the id to ask from.
func (r *room) begin() (from ulid.ULID) {
	r.due = false
	for i := range r.held {
		r.held[i].asked = true
	}
	if !r.next.IsZero() {
		return r.next
	}
	from = before(r.sure, overlap)
	if r.sweep {
		r.sweep = false
		from = before(r.swept, overlap)
	}
	if from.Compare(r.floor) < 0 {
		from = r.floor
	}
	return from
}

// apply takes one page of a sync: the room's messages after from, oldest first,
// and whether there are more behind the last of them.
func (r *room) apply(from ulid.ULID, page []held, more bool) {
	last := from
	for _, h := range page {
		h.asked = true
		if h.id.Compare(last) > 0 {
			last = h.id
		}
		i, held := r.search(h.id)
		switch {
		case held:
			r.held[i].asked = true
			r.renew(i, h)
		case r.knows(h.id):
			r.tell(h.HistoryMessage, h.id)
		case r.outdated(h):
			delete(r.versions, h.id) // another page is taken as it comes: a restored table must not make us ask for ever
			r.recheck()
		default:
			r.hold(h)
		}
	}
	for len(r.held) > 0 {
		h := r.held[0]
		if h.id.Compare(last) > 0 && (more || !h.asked) {
			break
		}
		if !r.handOut(true) {
			r.miss()
			r.next = last // the page is held until there's space
			return
		}
	}
	r.advance(last)
	if from.Compare(r.swept) <= 0 && last.Compare(r.swept) > 0 {
		r.swept = last
	}
	if more {
		r.due, r.next = true, last
		return
	}
	r.next, r.awaited = ulid.ULID{}, ulid.ULID{}
	r.behind, r.direct = r.due, false // due again: something went missing meanwhile
	r.release()
}

// look takes the newest messages of a room of which the client had nothing,
// oldest first, and whether there are older ones.
func (r *room) look(page []held, older bool) {
	r.looked = true
	for i := range page {
		page[i].Backlog = true
	}
	if !older || len(page) == 0 {
		r.apply(r.floor, page, false)
		return
	}
	first := page[0].id
	if len(r.held) > 0 && r.held[0].id.Compare(first) < 0 && r.held[0].id.Compare(before(first, overlap)) > 0 {
		// The room was so busy that the page begins behind the frame that made the
		// client look. Nothing must be missing between them.
		r.floor = predecessor(r.held[0].id)
		r.sure, r.swept = r.floor, r.floor
		r.miss()
		return
	}
	r.floor = predecessor(first)
	r.swept = r.floor
	r.apply(r.floor, page, false)
}

// fail notes that a sync was not answered. What is held goes out: late
// messages beat none.
func (r *room) fail() {
	r.miss()
	r.recheck()
	r.direct = true
	r.release()
}

// release hands out what waits for nothing any more.
func (r *room) release() {
	for len(r.held) > 0 && (r.direct || !r.behind && !r.lacks(r.held[0].previous)) {
		if !r.handOut(!r.behind) {
			r.miss()
			return
		}
	}
}

// handOut hands out the first held message.
func (r *room) handOut(contiguous bool) bool {
	h := r.held[0]
	h.Late = len(r.known) > 0 && h.id.Compare(r.known[len(r.known)-1]) < 0
	if !r.out(h.Message) {
		return false
	}
	r.held = slices.Delete(r.held, 0, 1)
	r.remember(h.id)
	r.note(h.id, version(h.HistoryMessage))
	if contiguous {
		r.advance(h.id)
	}
	if h.id == r.awaited {
		r.awaited = ulid.ULID{}
	}
	return true
}

func (r *room) advance(id ulid.ULID) {
	if id.Compare(r.sure) > 0 {
		r.sure = id
	}
}

// remember adds an id to the known ones, and forgets an eighth of them when
// there are too many.
func (r *room) remember(id ulid.ULID) {
	i, _ := slices.BinarySearchFunc(r.known, id, ulid.ULID.Compare)
	r.known = slices.Insert(r.known, i, id)
	if len(r.known) > maxKnown {
		r.floor = r.known[maxKnown/8-1]
		r.known = slices.Delete(r.known, 0, maxKnown/8)
	}
}

func (r *room) hold(h held) {
	if i, ok := r.search(h.id); !ok {
		r.held = slices.Insert(r.held, i, h)
	}
}

func (r *room) search(id ulid.ULID) (int, bool) {
	return slices.BinarySearchFunc(r.held, id, func(h held, id ulid.ULID) int { return h.id.Compare(id) })
}

// knows tells whether a message was handed out.
func (r *room) knows(id ulid.ULID) bool {
	if id.Compare(r.floor) <= 0 {
		return true
	}
	_, ok := slices.BinarySearchFunc(r.known, id, ulid.ULID.Compare)
	return ok
}

// has tells whether a message was handed out or is held.
func (r *room) has(id ulid.ULID) bool {
	_, ok := r.search(id)
	return ok || r.knows(id)
}

// lacks tells whether a predecessor has not come yet.
func (r *room) lacks(previous ulid.ULID) bool {
	return !previous.IsZero() && !r.knows(previous)
}

// before is the least id of the moment d before an id.
func before(id ulid.ULID, d time.Duration) ulid.ULID {
	var b ulid.ULID
	if ms := uint64(d.Milliseconds()); id.Time() > ms { //nolint:gosec // d is not negative
		_ = b.SetTime(id.Time() - ms) // fails beyond the year 10889 only, and id has come that far
	}
	return b
}

// predecessor is the greatest id below an id, which is not zero.
func predecessor(id ulid.ULID) ulid.ULID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			break
		}
	}
	return id
}
