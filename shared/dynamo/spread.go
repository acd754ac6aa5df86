package dynamo

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/chat"
)

const (
	// largestItem bounds a message's item, in bytes: its content, and 4 KB for what else it
	// has. The few that have more, of many mentions and files, make a read cost a part more.
	largestItem = chat.MaxContent + 4<<10

	// unitBytes is what one read unit reads strongly, or half of one eventually
	// (DynamoDB Developer Guide, "DynamoDB read and write operations").
	unitBytes = 4 << 10

	// growth is how many times as many items as before a further query of a span
	// asks for.
	growth = 4

	// maxKnownFirst bounds how many items that it knows a span's first query asks for,
	// whatever its share of the budget.
	maxKnownFirst = 7

	// spansInFlight bounds the queries of one call at a time: enough to hide the
	// table's latency, few enough to leave HTTP connections for other requests.
	spansInFlight = 16
)

// span is a part of a partition that is read page by page, until enough says so.
type span struct {
	page   page // limit is set for each query
	enough func(items []item) bool
	most   func() int // items that may still be worth reading
	known  int        // items that the first query passes in any case
	small  int        // items of less than unitBytes that it reads before all others

	reads int     // queries so far
	items int     // items so far
	each  float64 // read units an item, in the last query
	next  item    // where the last query ended
	done  bool    // enough, or read to the end
	ended bool    // read to the end
}

// spread reads spans within a budget of read units. No projection or count makes a
// query cheaper than the items that it passes, and their sizes are not known before,
// so each query is limited to what the budget could bear if all its items were as
// large as they may be, and what it did not use goes back. All spans get a first
// query, as far as the budget reaches; then those that need more share the rest.
// Spans for which it did not suffice are not done.
//
// The queries depend on the table's contents and the order of the spans alone.
func (s *Store) spread(ctx context.Context, budget float64, spans []*span) error {
	for {
		spans = slices.DeleteFunc(slices.Clone(spans), func(sp *span) bool { return sp.done })
		round := plan(spans, budget)
		if len(round) == 0 {
			return nil
		}
		costs := make([]float64, len(round))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(spansInFlight)
		for i, sp := range round {
			group.Go(func() (err error) {
				costs[i], err = s.readSpan(ctx, sp)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, cost := range costs {
			budget -= cost
		}
	}
}

// plan returns the spans to query next, with their limits set.
func plan(spans []*span, budget float64) (round []*span) {
	share := budget / float64(max(1, len(spans)))
	waiting := slices.Clone(spans)
	slices.SortStableFunc(waiting, func(a, b *span) int { return cmp.Compare(a.reads, b.reads) })
	for _, sp := range waiting {
		worst := sp.units(largestItem)
		n := sp.wanted(share)
		if most := int(budget / worst); n > most {
			if most < 1 || len(round) > 0 {
				break // in the next round, with what this one gives back
			}
			n = most
		}
		budget -= worst * float64(n)
		if sp.reads == 0 {
			n += sp.small
			budget -= sp.units(unitBytes) * float64(sp.small)
		}
		sp.page.limit = n
		round = append(round, sp)
	}
	return round
}

// wanted is the number of items to ask for next, if a fair share of the budget is
// left for the span.
func (sp *span) wanted(share float64) int {
	n := max(int(share/sp.units(largestItem)), min(sp.known, maxKnownFirst)+1)
	if sp.reads > 0 {
		n = min(growth*sp.items, int(share/sp.each))
	}
	return max(1, min(n, sp.most()))
}

// units is what an item of a size costs.
func (sp *span) units(bytes float64) float64 {
	if sp.page.eventual {
		return bytes / unitBytes / 2
	}
	return bytes / unitBytes
}

// readSpan makes the span's next query, and returns its cost.
func (s *Store) readSpan(ctx context.Context, sp *span) (cost float64, err error) {
	out, err := s.queryPage(ctx, sp.page, sp.next)
	if err != nil {
		return 0, err
	}
	cost = sp.units(largestItem) * float64(sp.page.limit)
	if out.ConsumedCapacity != nil {
		cost = aws.ToFloat64(out.ConsumedCapacity.CapacityUnits)
	}
	sp.reads++
	sp.items += len(out.Items)
	// A query is billed in whole units: that of a few short messages says little of
	// how many more fit another one.
	sp.each = cost / float64(max(1, len(out.Items)))
	if whole := sp.units(unitBytes); cost <= whole {
		sp.each = min(sp.each, whole/10)
	}
	sp.next, sp.ended = out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
	sp.done = sp.enough(out.Items) || sp.ended
	return cost, nil
}
