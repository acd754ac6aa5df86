package replay

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// Plan is what a run will do, or a dry run would do. Units are DynamoDB's, those of
// the function included; they are estimates from above.
type Plan struct {
	RunID      string         `json:"runId"`
	Source     Source         `json:"source"`
	Target     string         `json:"target"`
	From       time.Time      `json:"from,omitzero"`
	To         time.Time      `json:"to"`
	Entries    int            `json:"entries,omitempty"` // of the bucket of failures
	Records    int            `json:"records"`
	Kinds      map[string]int `json:"kinds"`
	Unreadable int            `json:"unreadable"` // left out: unknown keys, or attributes that are missing
	Rooms      int            `json:"rooms"`
	Batches    int            `json:"batches"`
	PlanUnits  float64        `json:"planReadUnits"` // that making the plan took of the table
	ReadUnits  float64        `json:"readUnits"`
	WriteUnits float64        `json:"writeUnits"`
	Dollars    float64        `json:"dollars"`           // units and invocations in us-east-1
	Seconds    float64        `json:"seconds,omitempty"` // at the rate
	Apply      bool           `json:"apply"`
}

// Prices in us-east-1, in dollars, from public copies of the price list (2026).
const (
	priceWriteUnit  = 0.625e-6
	priceReadUnit   = 0.125e-6
	priceInvocation = 0.2e-6
)

// Sizes in bytes that estimates of read units are made of.
const (
	memberSize    = 120
	messageSize   = 400
	readUnitBytes = 4096
)

func readUnits(count int, size float64) float64 {
	return max(1, math.Ceil(float64(count)*size/readUnitBytes))
}

// plan estimates the cost of sending what a survey found.
func (r *run) plan(s *survey) Plan {
	c := r.config
	p := Plan{
		RunID: c.RunID, Source: c.Source, Target: c.Target, From: r.scope.from, To: r.scope.to, Apply: c.Apply,
		Records: s.records, Kinds: s.kinds, Unreadable: s.unreadable, PlanUnits: s.units,
	}
	limit := batchLimit(r.mapping, c.Rate)
	p.Batches = (s.records + limit - 1) / limit
	position := 0
	for _, id := range slices.Sorted(maps.Keys(s.rooms)) {
		room := s.rooms[id]
		if room.records == 0 {
			continue
		}
		p.Rooms++
		n := int(room.records)
		// How many batches have records of the room.
		batches := (position+n-1)/limit - position/limit + 1
		if c.Source != FromTable { // its records are anywhere
			batches = min(n, p.Batches)
		}
		position += n
		if c.Source == FromTable {
			p.ReadUnits += readUnits(n, messageSize)
		}
		p.ReadUnits += float64(batches) * r.readUnits(room)
		p.WriteUnits += float64(batches) * r.writeUnits(room)
	}
	p.Dollars = p.ReadUnits*priceReadUnit + p.WriteUnits*priceWriteUnit
	if c.Target == ToNone {
		p.Batches, p.Dollars = 0, p.ReadUnits*priceReadUnit
	}
	p.Dollars += float64(p.Batches) * priceInvocation
	if c.Rate > 0 {
		p.Seconds = float64(s.records) / c.Rate
	}
	return p
}

// readUnits is what the target reads for a room and batch.
func (r *run) readUnits(room *roomCount) float64 {
	switch r.config.Target {
	case topology.LastMessage:
		return readUnits(int(room.members), memberSize)
	case topology.Fanout: // the room and its members, the messages before, and who is online
		return 2 + readUnits(int(room.members), memberSize) + float64(room.members)
	}
	return 0
}

// writeUnits is what the target writes for a room and batch.
func (r *run) writeUnits(room *roomCount) float64 {
	switch {
	case r.config.Target != topology.LastMessage:
		return 0
	case room.members > roomlist.FrozenAbove:
		return 1
	}
	// A participation costs one for itself and two for its place in the index.
	return 1 + 3*float64(room.members)
}

// countMembers fills in how many members the rooms of a survey have.
func (r *run) countMembers(ctx context.Context, s *survey) error {
	if r.config.Source == FromTable || r.config.Target == ToNone {
		return nil // the scan has counted them, or it does not matter
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(s.rooms)), 100) {
		keys := make([]map[string]types.AttributeValue, len(ids))
		for i, id := range ids {
			keys[i] = attribute.Key(table.Room(id))
		}
		err := r.backoff.Finish(ctx, r.config.Attempts, func() (int, error) {
			out, err := r.env.Clients.Table.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
				RequestItems:           map[string]types.KeysAndAttributes{r.env.Deployment.Table: {Keys: keys}},
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
			if err != nil {
				return 0, err
			}
			for _, it := range out.Responses[r.env.Deployment.Table] {
				if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
					s.room(id.RoomID).members = int32(min(attribute.GetNumber(it, table.MemberCount), 1<<30)) //nolint:gosec // bounded
				}
			}
			for _, used := range out.ConsumedCapacity {
				s.units += aws.ToFloat64(used.CapacityUnits)
			}
			keys = out.UnprocessedKeys[r.env.Deployment.Table].Keys
			return len(keys), nil
		})
		if err != nil {
			return fmt.Errorf("read the rooms' sizes: %w", err)
		}
	}
	return nil
}
