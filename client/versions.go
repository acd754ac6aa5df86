package client

import "github.com/oklog/ulid/v2"

// versions remembers the version of each message that was delivered: when it
// changed last, in ms; 0 for never. What is delivered of one message never goes
// back. web/lib/versions.js is the same.
type versions map[ulid.ULID]int64

func (m arrival) version() int64 { return max(m.message.EditedAt, m.message.DeletedAt) }

// newer tells whether a message changed after what was delivered of it.
func (v versions) newer(m arrival) bool { return m.version() > v[m.id] }

// outdated tells whether a message comes as it was before a change that was
// delivered already: another sync has it as it is now.
func (v versions) outdated(m arrival) bool { return m.version() < v[m.id] }

// note remembers what was delivered.
func (v versions) note(m arrival) {
	if m.version() == 0 {
		return
	}
	if len(v) >= maxKnown {
		clear(v) // a change that is delivered twice does no harm
	}
	v[m.id] = m.version()
}

// forget accepts the next version of a message as it is.
func (v versions) forget(id ulid.ULID) { delete(v, id) }
