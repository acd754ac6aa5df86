package verify

import "testing"

// HoldReacted has no more than n messages' counts kept while a test runs.
func HoldReacted(t testing.TB, n int) {
	t.Helper()
	before := heldReacted
	heldReacted = n
	t.Cleanup(func() { heldReacted = before })
}
