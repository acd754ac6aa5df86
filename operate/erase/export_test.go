package erase

import "github.com/streamroom/streamroom/shared/table"

// Handles reports whether a kind of item has a handler.
func Handles(kind table.Kind) bool { return handlers[kind] != nil }
