package restore

import (
	"slices"

	"github.com/streamroom/streamroom/shared/table"
)

// Copies reports whether a run that copies every entity copies items of a kind.
func Copies(kind table.Kind) bool {
	for _, kinds := range entities {
		if slices.Contains(kinds, kind) {
			return true
		}
	}
	return false
}
