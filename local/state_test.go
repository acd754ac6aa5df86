package local_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// A server that gets the state of the one before it goes on with its table and its users'
// tokens.
func TestState_OutlivesAServer(t *testing.T) {
	state, network := &local.State{}, rig.NewNetwork()
	t.Cleanup(func() {
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	server := func() *local.Server {
		t.Helper()
		s, err := local.Start(t.Context(), local.Config{State: state, Network: network, Addr: "127.0.0.1:80", DynamoDBAddr: "127.0.0.1:81"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	item := map[string]types.AttributeValue{"PK": &types.AttributeValueMemberS{Value: "kept"}, "SK": &types.AttributeValueMemberS{Value: "kept"}}
	first := server()
	if _, err := dynamodb.NewFromConfig(first.AWS()).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(local.TableName), Item: item}); err != nil {
		t.Fatal(err)
	}
	if err := first.SplitShard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := server()
	got, err := dynamodb.NewFromConfig(second.AWS()).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(local.TableName), Key: item})
	if err != nil || len(got.Item) != len(item) {
		t.Errorf("got %v, %v", got, err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
