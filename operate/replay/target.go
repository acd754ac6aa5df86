package replay

import (
	"github.com/streamroom/streamroom/shared/topology"
)

// mappingOf is the stream mapping of a function. ToNone has none, and takes
// batches as large as they come.
func mappingOf(target string) topology.StreamMapping {
	for _, m := range topology.StreamMappings() {
		if m.Function == target {
			return m
		}
	}
	return topology.StreamMapping{Function: ToNone, BatchSize: 1_000}
}

// batchLimit is how many records make a batch: as many as the mapping takes,
// and not more than come in its window at the rate, so that a large batch is
// no burst.
func batchLimit(m topology.StreamMapping, rate float64) int {
	if rate <= 0 {
		return m.BatchSize
	}
	return max(1, min(m.BatchSize, int(rate*max(1, m.BatchWindow.Seconds()))))
}
