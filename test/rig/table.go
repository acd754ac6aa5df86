package rig

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/table"
)

// Item is an item of the table.
type Item = attribute.Item

// Keyed returns an item with a key; without attributes it is the key.
func Keyed(k table.Key, attributes Item) Item {
	it := attribute.Key(k)
	maps.Copy(it, attributes)
	return it
}

// DB returns a client of the table without a network.
func (s *Rig) DB() *dynamodb.Client { return dynamodb.NewFromConfig(s.AWS()) }

// Store returns the domain's store on the table, past the functions. Its clock is
// the real one.
func (s *Rig) Store() *dynamo.Store { return dynamo.New(s.DB(), local.TableName, time.Now) }

// batchSize is how many items one BatchWriteItem takes.
const batchSize = 25

// Write puts items, and deletes those that are only keys.
func (s *Rig) Write(items ...Item) {
	s.T.Helper()
	for chunk := range slices.Chunk(items, batchSize) {
		if err := writeChunk(s.T.Context(), s.DB(), chunk); err != nil {
			s.T.Fatal(err)
		}
	}
}

// writeChunk writes at most batchSize items.
func writeChunk(ctx context.Context, db *dynamodb.Client, items []Item) error {
	var writes []types.WriteRequest
	for _, it := range items {
		if len(it) == 2 {
			writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: it}})
		} else {
			writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
	}
	out, err := db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{local.TableName: writes},
	})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if len(out.UnprocessedItems) > 0 {
		return fmt.Errorf("write: %v were not processed", out.UnprocessedItems)
	}
	return nil
}

// Crowd writes n members of a room who have no device, past the functions. They
// are called crowd-000000 and so on; the room's member count does not include
// them.
func (s *Rig) Crowd(room string, n int) {
	s.T.Helper()
	members := make([]Item, n)
	for i := range members {
		members[i] = Keyed(table.Member(room, fmt.Sprintf("crowd-%06d", i)), Item{table.Role: attribute.Text("member"), table.JoinedAt: attribute.Number(1)})
	}
	// All at once: fanout reads the members for each batch of records, and so gets
	// few large batches.
	chunks := slices.Collect(slices.Chunk(members, batchSize))
	errs := make([]error, len(chunks))
	parallel.Each(len(chunks), len(chunks), func(i int) { errs[i] = writeChunk(s.T.Context(), s.DB(), chunks[i]) })
	if err := errors.Join(errs...); err != nil {
		s.T.Fatal(err)
	}
}

// Scan yields all items of the table.
func (s *Rig) Scan() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		pages := dynamodb.NewScanPaginator(s.DB(), &dynamodb.ScanInput{
			TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(s.T.Context())
			if err != nil {
				s.T.Fatalf("scan: %v", err)
			}
			for _, it := range page.Items {
				if !yield(it) {
					return
				}
			}
		}
	}
}

// CountItems counts the items whose partition key has a prefix.
func (s *Rig) CountItems(prefix string) int {
	s.T.Helper()
	count := 0
	for it := range s.Scan() {
		if strings.HasPrefix(attribute.KeyOf(it).PK, prefix) {
			count++
		}
	}
	return count
}

// CountConnections counts the rows of all connections, and a user's entries in
// the presence item.
func (s *Rig) CountConnections(user string) (rows, entries int) {
	s.T.Helper()
	present, err := s.Store().Presence(s.T.Context(), []string{user}, 100)
	if err != nil {
		s.T.Fatalf("read the presence: %v", err)
	}
	return s.CountItems(table.ConnectionPrefix), len(present[user])
}

// Dump reads the whole table, by key; an item's attributes are one text.
func (s *Rig) Dump() map[table.Key]string {
	s.T.Helper()
	all := map[table.Key]string{}
	for it := range s.Scan() {
		all[attribute.KeyOf(it)] = renderAll(it)
	}
	return all
}

func renderAll(it Item) string {
	fields := make([]string, 0, len(it))
	for _, name := range slices.Sorted(maps.Keys(it)) {
		fields = append(fields, name+"="+render(it[name]))
	}
	return strings.Join(fields, " ")
}

func render(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberSS:
		return fmt.Sprint(v.Value)
	case *types.AttributeValueMemberM:
		return "{" + renderAll(v.Value) + "}"
	}
	return fmt.Sprintf("%T", v)
}
