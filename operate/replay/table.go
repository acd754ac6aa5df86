package replay

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// scanSegments is how many parts of the table are scanned side by side.
const scanSegments = 4

// tableSource rebuilds the records of messages and members, by room and time.
type tableSource struct {
	db    *dynamodb.Client
	table string
	scope scope
	reads throttle.Throttle
	rooms []string // sorted, those with records, from the survey
}

// survey finds the rooms, by a scan of the table's keys unless they are given.
func (t *tableSource) survey(ctx context.Context, after Position, s *survey) error {
	var group errgroup.Group
	var mu sync.Mutex
	count := func(items []map[string]types.AttributeValue, units float64) {
		mu.Lock()
		defer mu.Unlock()
		s.units += units
		for _, it := range items {
			t.count(it, after, s)
		}
	}
	if t.scope.rooms == nil {
		for segment := range int32(scanSegments) {
			group.Go(func() error { return t.scan(ctx, segment, count) })
		}
	} else {
		group.Go(func() error { return t.countRooms(ctx, after, count) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	t.rooms = t.rooms[:0]
	for id, room := range s.rooms {
		if room.records == 0 {
			delete(s.rooms, id)
			continue
		}
		t.rooms = append(t.rooms, id)
	}
	slices.Sort(t.rooms)
	return nil
}

// counted are the attributes that a survey reads.
func counted(names map[string]string) *string {
	names["#pk"], names["#sk"], names["#at"], names["#n"] = table.PK, table.SK, table.JoinedAt, table.MemberCount
	return aws.String("#pk, #sk, #at, #n")
}

// scan reads the keys of a segment. Its reads may be a second old: what is
// written now comes by the stream itself.
func (t *tableSource) scan(ctx context.Context, segment int32, count func([]map[string]types.AttributeValue, float64)) error {
	names := map[string]string{}
	for page, err := range t.reads.Scan(ctx, t.db, &dynamodb.ScanInput{
		TableName: aws.String(t.table), Segment: aws.Int32(segment), TotalSegments: aws.Int32(scanSegments),
		ProjectionExpression: counted(names), ExpressionAttributeNames: names,
	}) {
		if err != nil {
			return err
		}
		count(page.Items, throttle.Units(page.ConsumedCapacity))
	}
	return nil
}

// countRooms reads the keys of the rooms in scope.
func (t *tableSource) countRooms(ctx context.Context, after Position, count func([]map[string]types.AttributeValue, float64)) error {
	for _, room := range t.scope.rooms {
		out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: aws.String(t.table), Key: attribute.Key(table.Room(room)),
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return fmt.Errorf("read the room %s: %w", room, err)
		}
		if len(out.Item) > 0 {
			count([]map[string]types.AttributeValue{out.Item}, throttle.Units(out.ConsumedCapacity))
		}
		for _, r := range t.ranges(room, after) {
			names := map[string]string{}
			in := r.query(t.table, names)
			in.ProjectionExpression = counted(names)
			for page, err := range t.pages(ctx, in) {
				if err != nil {
					return err
				}
				count(page.Items, throttle.Units(page.ConsumedCapacity))
			}
		}
	}
	return nil
}

// count takes one item into a survey.
func (t *tableSource) count(it map[string]types.AttributeValue, after Position, s *survey) {
	k := attribute.KeyOf(it)
	id, err := table.Parse(k)
	if err != nil {
		return // of another kind of item; records that can't be read are met later
	}
	if id.Kind == table.KindRoom {
		s.room(id.RoomID).members = int32(min(attribute.GetNumber(it, table.MemberCount), 1<<30)) //nolint:gosec // bounded
		return
	}
	if k.PK < after.Part || (k.PK == after.Part && k.SK <= after.After) || !t.scope.kinds[id.Kind] {
		return
	}
	at := time.UnixMilli(id.MS)
	if id.Kind == table.KindMember {
		at = time.UnixMilli(attribute.GetNumber(it, table.JoinedAt))
	}
	if at.Before(t.scope.from) || !at.Before(t.scope.to) {
		return
	}
	s.records++
	s.kinds[id.Kind.String()]++
	s.room(id.RoomID).records++
}

// keyRange is a part of a partition, by the inclusive bounds of its sort keys.
type keyRange struct{ pk, from, to string }

func (r keyRange) query(tableName string, names map[string]string) *dynamodb.QueryInput {
	names["#pk"], names["#sk"] = table.PK, table.SK
	return &dynamodb.QueryInput{
		TableName: aws.String(tableName), KeyConditionExpression: aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
		ExpressionAttributeNames: names,
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":pk":   attribute.Text(r.pk),
			":from": attribute.Text(r.from),
			":to":   attribute.Text(r.to),
		},
		ConsistentRead: aws.Bool(true),
	}
}

// ranges are the parts of a room that are in scope and behind a position: its
// members, then its messages, as their sort keys stand.
func (t *tableSource) ranges(roomID string, after Position) []keyRange {
	pk := table.Room(roomID).PK
	var out []keyRange
	add := func(from, to string) {
		if pk == after.Part && from <= after.After {
			from = after.After + "\x00" // the next possible key
		}
		if from < to {
			out = append(out, keyRange{pk, from, to})
		}
	}
	if t.scope.kinds[table.KindMember] {
		add(table.MemberPrefix, next(table.MemberPrefix))
	}
	if t.scope.kinds[table.KindMessage] {
		// A key goes on behind its time, so a time alone stands before all of its keys.
		add(table.MessagePrefix+table.Millis(max(0, t.scope.from.UnixMilli())), table.MessagePrefix+table.Millis(t.scope.to.UnixMilli()))
	}
	return out
}

// next is the first text behind all that begin with prefix.
func next(prefix string) string { return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1) }

func (t *tableSource) pages(ctx context.Context, in *dynamodb.QueryInput) iter.Seq2[*dynamodb.QueryOutput, error] {
	return t.reads.Query(ctx, t.db, "read a room", in)
}

func (t *tableSource) records(ctx context.Context, after Position) iter.Seq2[Record, error] {
	region := t.db.Options().Region
	return func(yield func(Record, error) bool) {
		number := 0
		for _, room := range t.rooms {
			if table.Room(room).PK < after.Part {
				continue
			}
			for _, r := range t.ranges(room, after) {
				for page, err := range t.pages(ctx, r.query(t.table, map[string]string{})) {
					if err != nil {
						yield(Record{}, err)
						return
					}
					for _, it := range page.Items {
						number++
						if !yield(fromItem(it, number, region)) {
							return
						}
					}
				}
			}
		}
	}
}
