package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/table"
)

// tableWait is how long a new table may take to become active.
const tableWait = 30 * time.Second

// CreateTable makes the table that infra deploys, unless it exists, adds the index that
// an older one lacks, and returns its stream.
func CreateTable(ctx context.Context, db *dynamodb.Client, name string) (streamARN string, err error) {
	_, err = db.CreateTable(ctx, tableInput(name))
	var exists *types.ResourceInUseException
	created := err == nil
	if err != nil && !errors.As(err, &exists) {
		return "", fmt.Errorf("cannot create the table: %w", err)
	}
	err = dynamodb.NewTableExistsWaiter(db).Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(name)}, tableWait)
	if err != nil {
		return "", fmt.Errorf("cannot use the table: %w", err)
	}
	if created {
		_, err = db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName: aws.String(name),
			TimeToLiveSpecification: &types.TimeToLiveSpecification{
				AttributeName: aws.String(table.TTL), Enabled: aws.Bool(true),
			},
		})
		if err != nil {
			return "", fmt.Errorf("cannot enable the table's TTL: %w", err)
		}
	}
	described, err := db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(name)})
	if err != nil {
		return "", fmt.Errorf("cannot describe the table: %w", err)
	}
	if err := addPlaces(ctx, db, described.Table); err != nil {
		return "", err
	}
	if described.Table.LatestStreamArn == nil {
		return "", fmt.Errorf("the table %s has no stream: enable its stream with new and old images, delete the table, or use another --data or --dynamodb-endpoint", name)
	}
	return *described.Table.LatestStreamArn, nil
}

// tableInput is the table as infra deploys it.
func tableInput(name string) *dynamodb.CreateTableInput {
	places := placesIndex()
	return &dynamodb.CreateTableInput{
		TableName:            aws.String(name),
		AttributeDefinitions: stringKeys(table.PK, table.SK, table.GSI1PK, table.GSI1SK, table.GSI2PK, table.GSI2SK),
		KeySchema:            keySchema(table.PK, table.SK),
		BillingMode:          types.BillingModePayPerRequest,
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(table.GSI1),
			KeySchema:  keySchema(table.GSI1PK, table.GSI1SK),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}, {
			IndexName: places.IndexName, KeySchema: places.KeySchema, Projection: places.Projection,
		}},
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

// addPlaces gives the second index to a table of before there was one, as a deployment
// does.
func addPlaces(ctx context.Context, db *dynamodb.Client, described *types.TableDescription) error {
	if slices.ContainsFunc(described.GlobalSecondaryIndexes, func(index types.GlobalSecondaryIndexDescription) bool {
		return aws.ToString(index.IndexName) == table.GSI2
	}) {
		return nil
	}
	_, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName: described.TableName, AttributeDefinitions: stringKeys(table.GSI2PK, table.GSI2SK),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: placesIndex()}},
	})
	if err != nil {
		return fmt.Errorf("cannot add the index %s: %w", table.GSI2, err)
	}
	return nil
}

func placesIndex() *types.CreateGlobalSecondaryIndexAction {
	return &types.CreateGlobalSecondaryIndexAction{
		IndexName: aws.String(table.GSI2),
		KeySchema: keySchema(table.GSI2PK, table.GSI2SK),
		Projection: &types.Projection{
			ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: table.PlaceAttributes(),
		},
	}
}

func stringKeys(names ...string) (attributes []types.AttributeDefinition) {
	for _, attribute := range names {
		attributes = append(attributes, types.AttributeDefinition{
			AttributeName: aws.String(attribute), AttributeType: types.ScalarAttributeTypeS,
		})
	}
	return attributes
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(hash), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(sort), KeyType: types.KeyTypeRange},
	}
}
