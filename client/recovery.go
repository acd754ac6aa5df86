package client

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// The bounds of docs/protocol.md, "Catching up".
const (
	// maxKnown is how many ids a room remembers to drop duplicates by: 128 KB,
	// and more than the overlap of two syncs holds at a hundred messages a second.
	maxKnown = 8192

	// maxWaiting bounds the messages that wait for an earlier one. Any more are
	// fetched by the sync that they all wait for.
	maxWaiting = 256
	fewWaiting = 8 // for which a room keeps an array

	// overlap is how far before a position a sync begins: writers' clocks differ,
	// so a message may be stored behind a later one.
	overlap = 60 * time.Second

	// maxReread bounds the pages of shown messages that are read again.
	maxReread = 10
)

// phase is the state of a room's recovery.
type phase int

const (
	phaseNew      phase = iota // its history was never read
	phaseLive                  // complete up to position, as far as messages tell
	phaseBehind                // messages are missing: a sync is wanted or under way
	phaseDegraded              // the last sync failed: messages go out as they come
)

// want is the sync that a room wants. A greater one includes the smaller ones.
type want int

const (
	wantNothing want = iota
	wantGap          // what came after position
	wantAll          // what came after confirmed
)

// recovery is the state machine of docs/protocol.md, "Catching up", for one room.
// Inputs are its methods, called by step; it knows neither time nor network, and
// is not safe for concurrent use. web/lib/recovery.js is the same machine, and
// docs/vectors/recovery.json is run against both.
//
// An id is known once its message was delivered, not before: anything else is
// asked for again.
type recovery struct {
	ordered  bool          // deliver in the order of ids, where possible
	patience time.Duration // how long a missing message may be late

	phase     phase
	start     ulid.ULID   // everything before this id counts as known
	position  ulid.ULID   // contiguous up to here, as far as messages tell
	confirmed ulid.ULID   // a server's answers cover everything up to here
	known     []ulid.ULID // delivered, ascending
	versions  versions
	waiting   []arrival // beyond position, ascending
	expected  []expected

	want     want
	cursor   ulid.ULID // where a sync of several pages goes on; zero: none is under way
	asking   time.Time // when the first page of the sync under way was asked for
	confirms bool      // the sync under way began at confirmed, or before it

	shown  ulid.ULID // the application shows messages from this id on; zero: none
	reread ulid.ULID // once messages are shown, those before this id have to be read again; zero: none
	pages  int       // read again so far
	asked  bool      // the page before reread was asked for since it became due

	gap      ulid.ULID // what is waited for until deadline; zero: nothing
	deadline time.Time

	now     time.Time // of the step
	effects []Event
}

// arrival is a message on its way through a room.
type arrival struct {
	message   Message
	id        ulid.ULID
	previous  ulid.ULID // zero: none, or none before id
	chained   bool      // previous is known; an edit and an ack don't tell it
	covered   bool      // it came before the sync under way was asked for
	delivered bool
}

// expected is a message that was stored, by an ack or as another one's predecessor, and
// has not arrived yet.
type expected struct {
	id      ulid.ULID
	covered bool // it was expected before the sync under way was asked for
}

func newRecovery(ordered bool, patience time.Duration) *recovery {
	return &recovery{ordered: ordered, patience: patience, want: wantAll, versions: versions{}}
}

// step takes one input and returns its effects: what to deliver, in this order.
// deadline, due and ask say what else is to be done. A nil input lets time pass.
func (r *recovery) step(now time.Time, input func(*recovery)) []Event {
	r.now = now
	if input != nil {
		input(r)
	}
	r.release()
	r.watch()
	effects := r.effects
	r.effects = nil
	return effects
}

// message takes a live message.
func (r *recovery) message(m arrival) {
	i, ok := r.find(m.id)
	switch {
	case ok:
		r.chain(i, m)
	case r.knows(m.id):
		if !m.previous.IsZero() { // another one than its ack, or an earlier frame, named
			r.ack(m.previous)
		}
	case r.versions.outdated(m):
		r.refresh()
	default:
		r.hold(m)
	}
}

// change takes a message that was edited or deleted.
func (r *recovery) change(m arrival) {
	m.chained = false
	if i, ok := r.find(m.id); ok {
		r.update(i, m)
	} else if r.phase != phaseNew && !r.knows(m.id) && m.id.Compare(r.position) > 0 {
		r.message(m)
	} else {
		r.revise(m)
	}
}

// chain takes what a frame, or an ack, says of a waiting message's predecessor. Of
// several the greatest is right: the others are from before it was stored.
func (r *recovery) chain(i int, m arrival) {
	if m.chained && m.previous.Compare(r.waiting[i].previous) >= 0 {
		r.waiting[i].previous, r.waiting[i].chained = m.previous, true
	}
}

// ack takes the id of a message that was stored and should come soon.
func (r *recovery) ack(id ulid.ULID) {
	_, waits := r.find(id)
	if waits || r.knows(id) || slices.ContainsFunc(r.expected, func(e expected) bool { return e.id == id }) {
		return
	}
	if len(r.expected) >= maxWaiting {
		r.miss(wantGap)
		return
	}
	r.expected = append(r.expected, expected{id: id})
}

// leftOut notes that the server, or a slow application, left messages out.
func (r *recovery) leftOut() {
	r.miss(wantGap)
	r.readAgain()
}

// reconnected notes that anything may have happened since the last connection.
func (r *recovery) reconnected() {
	r.cursor = ulid.ULID{}
	if r.phase == phaseDegraded {
		r.phase = phaseBehind
	}
	r.miss(wantAll)
	r.readAgain()
}

// refresh wants a sync from confirmed. Messages that follow each other without a
// gap don't tell of one that was stored late, behind them, and was lost.
func (r *recovery) refresh() { r.want = wantAll }

// show notes that the application shows messages from an id on. lastID stands for
// the newest page, whatever is in it.
func (r *recovery) show(from ulid.ULID) {
	r.shown = from
	if from.Compare(r.start) < 0 {
		r.start = from
	}
}

// miss notes that messages are missing.
func (r *recovery) miss(w want) {
	r.want = max(r.want, w)
	if r.phase == phaseLive {
		r.phase = phaseBehind
	}
}

// readAgain wants the shown messages to be read again: at once, or as soon as there are any.
func (r *recovery) readAgain() { r.reread, r.pages, r.asked = lastID, 0, false }

// rereads tells whether shown messages have to be read again.
func (r *recovery) rereads() bool { return !r.shown.IsZero() && !r.reread.IsZero() }

// hold takes a message that is not known.
func (r *recovery) hold(m arrival) {
	now := !r.ordered || r.phase == phaseDegraded
	if len(r.waiting) >= maxWaiting {
		r.miss(wantGap)
		if !now {
			return
		}
		r.deliver(&m)
		return
	}
	if now {
		r.deliver(&m)
	}
	r.insert(m)
}

// release lets pass what waits for nothing any more.
func (r *recovery) release() {
	for r.phase == phaseLive && len(r.waiting) > 0 && !r.lacks(r.waiting[0]) {
		r.pass()
	}
}

// pass takes the first message out of the waiting ones.
func (r *recovery) pass() {
	m := r.waiting[0]
	if r.waiting = slices.Delete(r.waiting, 0, 1); len(r.waiting) == 0 && cap(r.waiting) > fewWaiting {
		r.waiting = nil // after a page of history its array takes 35 KB, and most rooms are quiet
	}
	r.deliver(&m)
	r.advance(m.id)
}

// deliver delivers a message once.
func (r *recovery) deliver(m *arrival) {
	if m.delivered {
		return
	}
	m.delivered = true
	m.message.Late = len(r.known) > 0 && m.id.Compare(r.known[len(r.known)-1]) < 0
	r.effects = append(r.effects, m.message)
	r.remember(m.id)
	r.versions.note(*m)
	r.expected = slices.DeleteFunc(r.expected, func(e expected) bool { return e.id == m.id })
}

// update takes a newer version of a waiting message.
func (r *recovery) update(i int, m arrival) {
	if r.waiting[i].delivered {
		r.revise(m)
	} else if m.version() > r.waiting[i].version() {
		r.waiting[i].message.HistoryMessage = m.message.HistoryMessage
	}
}

// revise delivers a change of a message, unless that or a newer one was.
func (r *recovery) revise(m arrival) {
	if !r.versions.newer(m) {
		return
	}
	r.versions.note(m)
	now := m.message.HistoryMessage
	var e Event = Edited{HistoryMessage: now}
	if now.DeletedAt != 0 {
		e = Deleted{
			ChatRoomID: now.ChatRoomID, MessageID: now.MessageID, SenderID: now.SenderID,
			Timestamp: now.Timestamp, DeletedAt: now.DeletedAt, DeletedBy: now.DeletedBy,
		}
	}
	r.effects = append(r.effects, e)
}

// watch decides, after each input, until when to wait for a missing message:
// patience, from when it was first missed. A clock that is set back in the meantime
// doesn't make it wait for longer.
func (r *recovery) watch() {
	gap := r.missing()
	if latest := r.now.Add(r.patience); r.deadline.After(latest) {
		r.deadline = latest
	}
	switch {
	case gap != r.gap:
		r.gap, r.deadline = gap, time.Time{}
		if !gap.IsZero() {
			r.deadline = r.now.Add(r.patience)
		}
	case !gap.IsZero() && !r.now.Before(r.deadline):
		r.gap, r.deadline = ulid.ULID{}, time.Time{}
		r.miss(wantGap)
	}
}

// missing is the id of a message that should have come, zero for none. A message
// without a predecessor's id is missing itself, as a frame of its own.
func (r *recovery) missing() ulid.ULID {
	switch {
	case r.phase != phaseLive: // a sync is on its way
		return ulid.ULID{}
	case len(r.waiting) == 0 && len(r.expected) == 0:
		return ulid.ULID{}
	case len(r.waiting) == 0:
		return r.expected[0].id
	case r.waiting[0].chained:
		return r.waiting[0].previous
	}
	return r.waiting[0].id
}

func (r *recovery) advance(id ulid.ULID) {
	if id.Compare(r.position) > 0 {
		r.position = id
	}
}

// remember adds an id to the known ones, and forgets an eighth of them when
// there are too many.
func (r *recovery) remember(id ulid.ULID) {
	i, _ := slices.BinarySearchFunc(r.known, id, ulid.ULID.Compare)
	r.known = slices.Insert(r.known, i, id)
	if len(r.known) > maxKnown {
		r.known = slices.Delete(r.known, 0, maxKnown/8)
		r.start = r.known[0]
	}
}

func (r *recovery) insert(m arrival) {
	i, _ := r.find(m.id)
	r.waiting = slices.Insert(r.waiting, i, m)
}

func (r *recovery) find(id ulid.ULID) (int, bool) {
	return slices.BinarySearchFunc(r.waiting, id, func(m arrival, id ulid.ULID) int { return m.id.Compare(id) })
}

// knows tells whether a message was delivered.
func (r *recovery) knows(id ulid.ULID) bool {
	if id.Compare(r.start) < 0 {
		return true
	}
	_, ok := slices.BinarySearchFunc(r.known, id, ulid.ULID.Compare)
	return ok
}

// lacks tells whether a waiting message can't be shown to follow position.
func (r *recovery) lacks(m arrival) bool {
	return !m.chained || !m.previous.IsZero() && !r.knows(m.previous)
}
