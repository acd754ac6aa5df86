package client

import (
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// query is what a room asks the server for: newest alone, or page, sync or both, in
// this order.
type query struct {
	newest bool      // the newest messages, of a room of which nothing was read
	page   bool      // the newest messages before an id, for changes of them
	before ulid.ULID // that id; lastID: the newest page
	sync   bool      // the messages after an id, oldest first
	after  ulid.ULID // that id
}

// lastID is the greatest id.
var lastID = ulid.ULID{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// due tells whether there is something to ask for.
func (r *recovery) due() bool {
	return r.want != wantNothing || !r.cursor.IsZero() || r.phase != phaseNew && r.rereads()
}

// ask begins what is due and returns it. The answers go to newest, rereadPage and
// synced; failed says that there is none.
func (r *recovery) ask(now time.Time) query {
	for i := range r.waiting {
		r.waiting[i].covered = true
	}
	for i := range r.expected {
		r.expected[i].covered = true
	}
	if r.cursor.IsZero() {
		r.asking = now
	}
	if r.phase == phaseNew {
		r.want = wantNothing
		return query{newest: true}
	}
	q := query{page: r.rereads(), before: r.reread}
	r.asked = q.page
	if !r.cursor.IsZero() {
		q.sync, q.after = true, r.cursor
	} else if r.want != wantNothing {
		q.sync, q.after = true, r.from()
		r.want = wantNothing
	}
	return q
}

// from is the id after which a sync begins.
func (r *recovery) from() ulid.ULID {
	from := before(r.position, overlap)
	if r.want == wantAll {
		from = before(r.confirmed, overlap)
	}
	if from.Compare(r.start) < 0 {
		return r.start
	}
	return from
}

// newest takes the newest messages of a room of which nothing was read, oldest
// first, and whether there are older ones.
func (r *recovery) newest(page []arrival, older bool) {
	for i := range page {
		page[i].message.Backlog = true
	}
	r.phase, r.reread, r.asked = phaseBehind, ulid.ULID{}, false
	if older && len(page) > 0 {
		r.start = page[0].id
		if len(r.waiting) > 0 && r.begunBefore(page[0].id) {
			// The room was so busy that the page begins behind the message by which
			// the client learned of it. Nothing must be missing between them.
			r.start = r.waiting[0].id
			r.position, r.confirmed = r.start, r.start
			r.miss(wantGap)
			return
		}
		r.position, r.confirmed = r.start, r.start
	}
	r.synced(r.position, page, false)
}

func (r *recovery) begunBefore(first ulid.ULID) bool {
	id := r.waiting[0].id
	return id.Compare(first) < 0 && id.Compare(before(first, overlap)) > 0
}

// synced takes one page of a sync: the messages after an id, oldest first, and
// whether there are more behind them.
func (r *recovery) synced(after ulid.ULID, page []arrival, more bool) {
	last := after
	for _, m := range page {
		if m.id.Compare(last) > 0 {
			last = m.id
		}
		m.covered, m.chained = true, true
		r.found(m)
	}
	for len(r.waiting) > 0 {
		if m := r.waiting[0]; m.id.Compare(last) > 0 && (more || !m.covered) {
			break
		}
		r.pass()
	}
	r.advance(last)
	r.confirm(after, last)
	if more {
		r.cursor = last
		return
	}
	r.cursor = ulid.ULID{}
	r.expected = slices.DeleteFunc(r.expected, func(e expected) bool { return e.covered })
	r.phase = phaseLive
	if r.want != wantNothing { // something went missing after the sync was asked for
		r.phase = phaseBehind
	}
}

// confirm takes what a page of a sync covers. While the pages are read, messages may be
// stored behind those that were read already, as late as any, so the next sync begins
// before the last page by the time that this one took.
func (r *recovery) confirm(after, last ulid.ULID) {
	if r.cursor.IsZero() {
		r.confirms = after.Compare(r.confirmed) <= 0
	}
	if covered := before(last, max(0, r.now.Sub(r.asking))); r.confirms && covered.Compare(r.confirmed) > 0 {
		r.confirmed = covered
	}
}

// found takes a message of a server's answer.
func (r *recovery) found(m arrival) {
	if i, ok := r.find(m.id); ok {
		r.waiting[i].covered = true
		r.update(i, m)
		return
	}
	switch {
	case r.knows(m.id):
		r.revise(m)
	case r.versions.outdated(m):
		r.versions.forget(m.id) // accept the next page as it is, or a restored table would loop
		r.refresh()
	default:
		r.insert(m)
	}
}

// rereadPage takes a page of the messages before an id, oldest first, and whether
// there are older ones: for changes of those that were delivered. Missing messages
// are left to syncs.
func (r *recovery) rereadPage(page []arrival, older bool) {
	for _, m := range page {
		if i, ok := r.find(m.id); ok {
			r.update(i, m)
		} else if r.knows(m.id) {
			r.revise(m)
		}
	}
	if !r.asked {
		return // the answer is from before all was to be read once more
	}
	r.pages++
	r.reread = ulid.ULID{}
	if older && len(page) > 0 && page[0].id.Compare(r.shown) > 0 && r.pages < maxReread {
		r.reread = page[0].id
	}
}

// failed notes that there was no answer. What waits is delivered: late messages
// beat none.
func (r *recovery) failed() {
	r.want = wantAll
	if r.phase != phaseNew {
		r.phase = phaseDegraded
	}
	for i := range r.waiting {
		r.deliver(&r.waiting[i])
	}
}

// before is the least id of the moment d before an id.
func before(id ulid.ULID, d time.Duration) ulid.ULID {
	var b ulid.ULID
	if ms := uint64(d.Milliseconds()); id.Time() > ms { //nolint:gosec // d is not negative
		_ = b.SetTime(id.Time() - ms) // fails beyond the year 10889 only, and id has come that far
	}
	return b
}
