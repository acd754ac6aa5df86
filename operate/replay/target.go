package replay

import (
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

const (
	// maxPayload is the most bytes of an invocation's request.
	maxPayload = 6 << 20
	eventHead  = `{"Records":[`
	eventTail  = `]}`
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

// passes says whether a mapping's filters let a record through: one of them,
// by all of its fields. No filter lets all through.
func passes(filters []topology.Pattern, r *Record) bool {
	pk, sk := textOf(r.Change.Change.Keys, table.PK), textOf(r.Change.Change.Keys, table.SK)
	begins := func(text string) func(string) bool {
		return func(prefix string) bool { return strings.HasPrefix(text, prefix) }
	}
	return len(filters) == 0 || slices.ContainsFunc(filters, func(p topology.Pattern) bool {
		return slices.Contains(p.EventNames, r.Change.EventName) &&
			slices.ContainsFunc(p.PKPrefixes, begins(pk)) && slices.ContainsFunc(p.SKPrefixes, begins(sk)) &&
			(p.Number == "" || hasNumber(r.Change.Change.NewImage, p.Number))
	})
}

func hasNumber(attributes image, name string) bool {
	v, ok := attributes[name]
	return ok && v.DataType() == events.DataTypeNumber
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
