package local_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/stream"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// crowd makes n members of a room, called crowd-000000 and so on.
func (s *server) crowd(room string, n int) {
	s.t.Helper()
	db := dynamodb.NewFromConfig(s.AWS())
	text := func(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }
	writes := make([]types.WriteRequest, n)
	for i := range writes {
		key := table.Member(room, fmt.Sprintf("crowd-%06d", i))
		writes[i].PutRequest = &types.PutRequest{Item: map[string]types.AttributeValue{
			table.PK: text(key.PK), table.SK: text(key.SK), table.Role: text("member"),
			table.JoinedAt: &types.AttributeValueMemberN{Value: "1"},
		}}
	}
	for batch := range slices.Chunk(writes, 25) {
		_, err := db.BatchWriteItem(s.t.Context(), &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{local.TableName: batch},
		})
		if err != nil {
			s.t.Fatalf("write members: %v", err)
		}
	}
}

func TestALargeRoomIsReachedThroughSlices(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.room("alice", "zoe") // first and last of all members
	s.crowd(room, stream.SliceAbove+200)
	middle := fmt.Sprintf("crowd-%06d", stream.SliceAbove/2)
	devices := []*device{s.connect("alice"), s.connect("zoe"), s.connect(middle), s.connect("crowd-000000")}
	stranger := s.connect("bob")

	ack, own := devices[0].deliver(room, "hello all", "c-1")
	if own.ClientMessageID != "c-1" {
		t.Errorf("the sender's frame is %+v", own)
	}
	for _, d := range devices[1:] {
		if got := d.expectOf(room, wire.TypeMessage); got.MessageID != ack.MessageID || got.ClientMessageID != "" {
			t.Errorf("%s got %+v, the ack is %+v", d.user, got, ack)
		}
	}
	if slices := s.items(table.FanoutPrefix); slices < 3 {
		t.Errorf("%d slices are stored, want some", slices)
	}

	_, second := devices[1].deliver(room, "and you", "")
	if second.PreviousMessageID == nil || *second.PreviousMessageID != ack.MessageID {
		t.Errorf("the second message follows %v, not the first", second.PreviousMessageID)
	}
	for _, d := range []*device{devices[0], devices[2], devices[3]} {
		if got := d.expectOf(room, wire.TypeMessage); got.MessageID != second.MessageID {
			t.Errorf("%s got %+v, the ack is %+v", d.user, got, second)
		}
	}
	for _, d := range append(devices, stranger) {
		d.noneOf(room, wire.TypeMessage)
	}
	if strings.Contains(s.logs.String(), "failed") {
		t.Errorf("the server logged failures")
	}
}
