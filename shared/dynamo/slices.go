package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// writeSize is the limit of items in one BatchWriteItem (DynamoDB API Reference).
const writeSize = 25

// PutSlices stores the slices of a run, numbered in their order. Storing the
// same slices again changes nothing, and so leaves no stream record.
func (s *Store) PutSlices(ctx context.Context, runID string, parts []fanout.Slice) error {
	writes := make([]types.WriteRequest, len(parts))
	for i, part := range parts {
		writes[i].PutRequest = &types.PutRequest{Item: sliceItem(runID, i, part)}
	}
	if err := s.batchWrite(ctx, writes); err != nil {
		return fmt.Errorf("put slices: %w", err)
	}
	return nil
}

func sliceItem(runID string, n int, part fanout.Slice) item {
	it := attribute.Key(table.Slice(runID, n))
	it[table.RoomID] = attribute.Text(part.RoomID)
	it[table.Gap] = &types.AttributeValueMemberBOOL{Value: part.Gap}
	it[table.Renamed] = &types.AttributeValueMemberBOOL{Value: part.Renamed}
	it[table.TTL] = attribute.Number(seconds(part.ExpiresAt))
	if part.Replayed {
		it[table.Replayed] = &types.AttributeValueMemberBOOL{Value: true}
	}
	if part.Members.From != "" {
		it[table.FromMember] = attribute.Text(part.Members.From)
	}
	if part.Members.To != "" {
		it[table.ToMember] = attribute.Text(part.Members.To)
	}
	ids := make([]types.AttributeValue, len(part.MessageIDs))
	for i, id := range part.MessageIDs {
		ids[i] = attribute.Text(id)
	}
	it[table.MessageIDs] = &types.AttributeValueMemberL{Value: ids}
	return it
}
