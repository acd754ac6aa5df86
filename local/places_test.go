package local_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// A data folder of before there was an index of places gets it, with the places that it
// has.
func TestPlacesAreFoundInAnOlderFolder(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	search := client.Search{Lat: 52.52, Lon: 13.405}
	before := start(t, local.Config{DataDir: dir})
	alice := follow(before, "alice")
	room, err := alice.CreateRoom(ctx, client.RoomRequest{Name: "Chess", Type: "group", Visibility: "public"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.PlaceRoom(ctx, room.ChatRoomID, client.Place{Lat: 52.53, Lon: 13.405, Address: "Café"}); err != nil {
		t.Fatal(err)
	}
	db, name := dynamodb.NewFromConfig(before.AWS()), aws.String(local.TableName)
	_, err = db.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName:                   name,
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String(table.GSI2)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	indexes := func(db *dynamodb.Client) (names []string) {
		described, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: name})
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range described.Table.GlobalSecondaryIndexes {
			names = append(names, *index.IndexName)
		}
		return names
	}
	rig.Eventually(t, "a table with one index", func() bool { return len(indexes(db)) == 1 })
	if found, err := alice.Nearby(ctx, search); err == nil {
		t.Fatalf("found %+v without an index", found)
	}
	before.Stop()

	after := start(t, local.Config{DataDir: dir})
	bob := follow(after, "bob")
	if got := indexes(dynamodb.NewFromConfig(after.AWS())); len(got) != 2 {
		t.Errorf("the table has the indexes %v, want 2", got)
	}
	rig.Eventually(t, "the place", func() bool {
		found, err := bob.Nearby(ctx, search)
		return err == nil && len(found.Rooms) == 1 && found.Rooms[0].Name == "Chess" && found.Rooms[0].Place.Address == "Café"
	})
	other, err := bob.CreateRoom(ctx, client.RoomRequest{Name: "Go", Type: "group", Visibility: "public"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.PlaceRoom(ctx, other.ChatRoomID, client.Place{Lat: 52.52, Lon: 13.405}); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "both", func() bool {
		found, err := bob.Nearby(ctx, search)
		return err == nil && len(found.Rooms) == 2 && found.Rooms[0].Name == "Go"
	})
}
