package functions

import (
	"crypto/rand"

	"github.com/oklog/ulid/v2"
)

// Tests count what a message asks of the table, so no id that a function mints has members
// put into an index: that is up to its last five bits.
func init() {
	entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(odd{}, 0)}
}

// odd is an entropy whose bytes are odd.
type odd struct{}

func (odd) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	for i := range p[:n] {
		p[i] |= 1
	}
	return n, err
}
