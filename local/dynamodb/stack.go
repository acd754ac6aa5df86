package dynamodb

// depth is how many bytes of stack SQLite's statements are given at once.
const depth = 10 << 10

// deepen makes room for a statement on the goroutine's stack. A new goroutine's has a few
// KB, and each time it is full all of it is copied to one of twice the size: a tenth of the
// processor time of a read that has a goroutine of its own, as those of a send have.
//
//go:noinline
func deepen(i int) byte {
	var room [depth]byte
	return room[i]
}
