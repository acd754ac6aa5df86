package dynamo_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	local "github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat/storetest"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
		t.Helper()
		c := tableConfig(t)
		return swept{dynamo.New(dynamo.NewClient(c), "table", now), dynamodb.NewFromConfig(c), now}
	})
}

// swept is a store whose expired items are removed when a test says so.
type swept struct {
	*dynamo.Store
	db  *dynamodb.Client
	now func() time.Time
}

func (s swept) Sweep(ctx context.Context) error {
	all, err := s.db.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("table")})
	if err != nil {
		return err
	}
	for _, it := range all.Items {
		if ttl := attribute.GetNumber(it, table.TTL); ttl == 0 || ttl > s.now().Unix() {
			continue
		}
		_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String("table"), Key: attribute.Key(attribute.KeyOf(it))})
		if err != nil {
			return err
		}
	}
	return nil
}

// openTable returns the SDK's client of a local engine with an empty table.
func openTable(t *testing.T) *dynamodb.Client {
	t.Helper()
	return dynamodb.NewFromConfig(tableConfig(t))
}

// tableConfig leads to a local engine with an empty table. Its items do not expire: the
// store ignores those that have, and the clock is a test's.
func tableConfig(t *testing.T) aws.Config {
	t.Helper()
	engine, err := local.Open(t.Context(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	c := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://table.example"), HTTPClient: engine,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	}
	texts := func(names ...string) (attributes []types.AttributeDefinition) {
		for _, name := range names {
			attributes = append(attributes, types.AttributeDefinition{
				AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS,
			})
		}
		return attributes
	}
	keys := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{
			{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
		}
	}
	_, err = dynamodb.NewFromConfig(c).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("table"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: texts(table.PK, table.SK, table.GSI1PK, table.GSI1SK, table.GSI2PK, table.GSI2SK),
		KeySchema:            keys(table.PK, table.SK),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String(table.GSI1), KeySchema: keys(table.GSI1PK, table.GSI1SK),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}, {
			IndexName: aws.String(table.GSI2), KeySchema: keys(table.GSI2PK, table.GSI2SK),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: table.PlaceAttributes()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
