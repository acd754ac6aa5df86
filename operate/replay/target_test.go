package replay

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// TestSavedRecordsPassTheSameFilters: what a source gives, and what a file makes
// of it, passes the filters that the record passes in the deployed mapping.
func TestSavedRecordsPassTheSameFilters(t *testing.T) {
	id := ulid.MustNew(5, nil).String()
	keys := []table.Key{
		table.Message("r", 5, id), table.Member("r", "u"), table.Read("r", "u"), table.Room("r"), table.LastMessage("r"),
		table.Slice("run", 1), table.Connection("c="), table.Presence("u"), table.Participation("u", "r"), table.Profile("u"),
		table.Sent("u", "c"), table.Created("u", "k"),
	}
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := &types.AttributeValueMemberN{Value: "7"}
	images := map[string]map[string]types.AttributeValue{
		"no image":              nil,
		"never edited":          {"content": text("x")},
		"edited":                {table.EditedAt: number},
		"deleted":               {table.EditedAt: number, table.DeletedAt: number},
		"edited at some text":   {table.EditedAt: text("7")},
		"edited at nothing":     {table.EditedAt: &types.AttributeValueMemberNULL{Value: true}},
		"edited, by its map":    {table.EditedAt: &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"N": number}}},
		"edited in another way": {"editedat": number},
	}
	passed := map[string]int{}
	for _, m := range topology.StreamMappings() {
		deployed, err := eventsource.ParseFilters(m.Filters)
		if err != nil {
			t.Fatal(err)
		}
		for _, operation := range []types.OperationType{types.OperationTypeInsert, types.OperationTypeModify, types.OperationTypeRemove} {
			for _, key := range keys {
				for name, image := range images {
					given := types.Record{EventName: operation, Dynamodb: &types.StreamRecord{
						ApproximateCreationDateTime: aws.Time(time.Unix(1, 0)), SequenceNumber: aws.String("1"),
						Keys:     map[string]types.AttributeValue{table.PK: text(key.PK), table.SK: text(key.SK)},
						NewImage: image, OldImage: map[string]types.AttributeValue{table.EditedAt: number},
					}}
					want := deployed.Match(&given)
					record, err := fromStream(given, "eu-west-1", "shard")
					if err != nil {
						t.Fatal(err)
					}
					encoded, err := record.encode("run")
					if err != nil {
						t.Fatal(err)
					}
					saved, err := fromJSON(encoded)
					if err != nil {
						t.Fatal(err)
					}
					what := fmt.Sprintf("%s: %s of %s, %s", m.Function, operation, key.SK, name)
					if got := deployed.Match(&record.Change); got != want {
						t.Errorf("%s: it passes here: %t, in the mapping: %t", what, got, want)
					}
					if got := deployed.Match(&saved.Change); got != want {
						t.Errorf("%s: saved, it passes here: %t, in the mapping: %t", what, got, want)
					}
					if want {
						passed[m.Function+" "+string(operation)]++
					}
				}
			}
		}
	}
	for _, what := range []string{"fanout INSERT", "fanout MODIFY", "fanout REMOVE", "lastmessage INSERT", "lastmessage MODIFY"} {
		if passed[what] == 0 {
			t.Errorf("%s: nothing passes", what)
		}
	}
}
