// Package restore copies what a table lacks from another one, which was restored from
// a backup of it. It overwrites nothing, and may be repeated: an item is written under
// the condition that there is none with its key.
//
// A backup also has what was removed on purpose since then, such as members who left.
// So a run copies the entities that it is told to. Messages are never removed: a
// deleted one stays, without its content.
//
// Each copied item is a record in the table's stream, as any write is: members who are
// connected get messages that come back.
package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// entities are the kinds of items by the entities that a run copies. Not among them are
// connections, what only counts or is told for a while, such as limits, and what verify makes
// of other items. Messages of rooms that keep them for a time, and places that end, are
// copied with their ttl.
var entities = map[string][]table.Kind{
	"message": {table.KindMessage, table.KindReacted},
	"room":    {table.KindRoom, table.KindLastMessage, table.KindPlace},
	"member":  {table.KindMember, table.KindParticipation, table.KindRead, table.KindReport},
	"ban":     {table.KindBan}, // alone: one that was lifted since comes back
	"profile": {table.KindProfile, table.KindBlock, table.KindPush},
}

// Entities lists what a run can copy.
func Entities() []string { return []string{"message", "room", "member", "ban", "profile"} }

const lookupSize = 100 // DynamoDB's most in one batch

// Config says what to copy.
type Config struct {
	DB       *dynamodb.Client
	From, To string   // names of tables
	Entities []string // of Entities
	Room     string   // "" for all
	Apply    bool     // else what is missing is counted

	ReadRate float64        // read units a second; 0 is as fast as it goes
	Rate     float64        // items a second to write; 0 is as fast as it goes
	Progress func(read int) // called after each page, if set
}

// Report is the result of a run.
type Report struct {
	Read    int            `json:"read"`    // items of the backup
	Missing map[string]int `json:"missing"` // by kind
	Copied  int            `json:"copied"`
}

// Run copies, or counts.
func Run(ctx context.Context, c Config) (Report, error) {
	r := run{config: c, report: Report{Missing: map[string]int{}}, kinds: map[table.Kind]bool{}}
	for _, entity := range c.Entities {
		kinds, ok := entities[entity]
		if !ok {
			return r.report, fmt.Errorf("invalid entity %q: want one of %v", entity, Entities())
		}
		for _, kind := range kinds {
			r.kinds[kind] = true
		}
	}
	if c.From == c.To {
		return r.report, fmt.Errorf("the table %s can't be restored from itself: name the one that was made of its backup", c.To)
	}
	r.reads, r.writes = throttle.New(c.ReadRate), throttle.New(c.Rate)
	for page, err := range r.reads.Scan(ctx, c.DB, &dynamodb.ScanInput{TableName: aws.String(c.From)}) {
		if err != nil {
			return r.report, err
		}
		r.report.Read += len(page.Items)
		for chunk := range slices.Chunk(slices.DeleteFunc(page.Items, r.unwanted), lookupSize) {
			if err := r.copyMissing(ctx, chunk); err != nil {
				return r.report, err
			}
		}
		if c.Progress != nil {
			c.Progress(r.report.Read)
		}
	}
	return r.report, nil
}

type item = map[string]types.AttributeValue

type run struct {
	config        Config
	report        Report
	kinds         map[table.Kind]bool
	reads, writes throttle.Throttle
}

// unwanted says whether an item is none of those to copy.
func (r *run) unwanted(it item) bool {
	id, err := table.Parse(attribute.KeyOf(it))
	return err != nil || !r.kinds[id.Kind] || r.config.Room != "" && id.RoomID != r.config.Room
}

// copyMissing copies those items that the table lacks.
func (r *run) copyMissing(ctx context.Context, items []item) error {
	keys := make([]table.Key, len(items))
	for i, it := range items {
		keys[i] = attribute.KeyOf(it)
	}
	found, err := r.lookup(ctx, r.config.To, keys)
	if err != nil {
		return err
	}
	for _, it := range items {
		k := attribute.KeyOf(it)
		if found[k] != nil {
			continue
		}
		delete(it, table.Indexed) // it says what the other table's presence has
		id, _ := table.Parse(k)   // it is wanted
		put := r.put
		if id.Kind == table.KindPlace {
			room, lost, err := r.placedRoom(ctx, id.RoomID)
			if err != nil {
				return err
			}
			if !lost {
				continue
			}
			put = func(ctx context.Context, it item) error { return r.putPlace(ctx, it, room) }
		}
		r.report.Missing[id.Kind.String()]++
		if !r.config.Apply {
			continue
		}
		if err := put(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// put writes an item, unless there is one by now.
func (r *run) put(ctx context.Context, it item) error {
	if err := r.writes.Take(ctx, 1); err != nil {
		return err
	}
	_, err := r.config.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(r.config.To), Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#pk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK},
	})
	var there *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &there):
		return nil
	case err != nil:
		return fmt.Errorf("write to the table %s: %w", r.config.To, err)
	}
	r.report.Copied++
	return nil
}

// lookup reads items of a table strongly: their keys, and some attributes. It has those that
// are there.
func (r *run) lookup(ctx context.Context, name string, keys []table.Key, attributes ...string) (map[table.Key]item, error) {
	names := map[string]string{"#pk": table.PK, "#sk": table.SK}
	projection := "#pk, #sk"
	for i, attribute := range attributes {
		at := fmt.Sprintf("#a%d", i)
		names[at], projection = attribute, projection+", "+at
	}
	wanted := types.KeysAndAttributes{ProjectionExpression: aws.String(projection), ExpressionAttributeNames: names, ConsistentRead: aws.Bool(true)}
	for _, k := range keys {
		wanted.Keys = append(wanted.Keys, attribute.Key(k))
	}
	found := map[table.Key]item{}
	_, err := r.reads.Lookup(ctx, r.config.DB, name, wanted, func(it item) error {
		found[attribute.KeyOf(it)] = it
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the table %s, for which --read-rate may be too high: %w", name, err)
	}
	return found, nil
}
