package dynamodb_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// Start an engine in memory, use it through the AWS SDK, and read the table's stream. To serve
// other processes and languages, pass the engine to an http.Server and its URL to their SDKs.
func Example() {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	ctx := context.Background()
	engine, err := dynamodb.Open(ctx, dynamodb.Options{Shards: 1})
	must(err)
	defer func() { _ = engine.Close() }()
	config := aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://embedded"), // never connected to
		HTTPClient:   engine,
		Credentials:  credentials.NewStaticCredentialsProvider("any", "any", ""),
	}
	tables := awsdynamodb.NewFromConfig(config)
	streams := dynamodbstreams.NewFromConfig(config)

	created, err := tables.CreateTable(ctx, &awsdynamodb.CreateTableInput{
		TableName:   aws.String("users"),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS},
		},
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage,
		},
	})
	must(err)
	_, err = tables.PutItem(ctx, &awsdynamodb.PutItemInput{
		TableName: aws.String("users"),
		Item: map[string]types.AttributeValue{
			"id":   &types.AttributeValueMemberS{Value: "1"},
			"name": &types.AttributeValueMemberS{Value: "Ada"},
		},
	})
	must(err)

	stream := created.TableDescription.LatestStreamArn
	described, err := streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: stream})
	must(err)
	iterator, err := streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: stream, ShardId: described.StreamDescription.Shards[0].ShardId,
		ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
	})
	must(err)
	out, err := streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator.ShardIterator})
	must(err)
	for _, r := range out.Records {
		name := r.Dynamodb.NewImage["name"].(*streamtypes.AttributeValueMemberS)
		fmt.Println(r.EventName, name.Value)
	}
	// Output: INSERT Ada
}
