package dynamo_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// A slice says that it comes from a replay only if it does.
func TestPutSlices_SayWhatComesFromAReplay(t *testing.T) {
	db := openTable(t)
	store := dynamo.New(db, "table", time.Now)
	for run, replayed := range map[string]bool{"live": false, "replay": true} {
		part := fanout.Slice{RoomID: "r", MessageIDs: []string{"m"}, Replayed: replayed, ExpiresAt: 7_000}
		if err := store.PutSlices(t.Context(), run, []fanout.Slice{part}); err != nil {
			t.Fatal(err)
		}
		got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: aws.String("table"), Key: attribute.Key(table.Slice(run, 0)), ConsistentRead: aws.Bool(true),
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{table.PK, table.SK, table.RoomID, table.Gap, table.Renamed, table.MessageIDs, table.TTL}
		if replayed {
			want = append(want, table.Replayed)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Item))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run, diff)
		}
	}
}
