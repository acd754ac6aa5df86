// Package stack makes room on a goroutine's stack before it is needed. A new goroutine's has a
// few KB, and each time it is full all of it is copied to one of twice the size, frame by frame:
// a tenth of the processor time of what has a goroutine of its own, if it comes to that deep
// within its calls.
package stack

// What a stack is given at once, in bytes.
const (
	statement  = 10 << 10
	invocation = 18 << 10
)

// Statement makes room for a statement of SQLite's.
//
//go:noinline
func Statement(i int) byte {
	var room [statement]byte
	return room[i]
}

// Invocation makes room for a function with a statement of SQLite's below it.
//
//go:noinline
func Invocation(i int) byte {
	var room [invocation]byte
	return room[i]
}
