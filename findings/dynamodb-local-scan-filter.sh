#!/usr/bin/env bash
# DynamoDB Local 1.25.1 (npm: amplify-dynamodb-simulator 2.9.30). Needs Java.
#
# An index with KEYS_ONLY has no other attributes. A Query of it that filters by
# one is refused with ValidationException, as on AWS. A Scan of the same index
# with the same filter is accepted, and matches by the table's item, which the
# index does not have.
set -euo pipefail
dir=$(mktemp -d); server=''
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
npm pack --silent amplify-dynamodb-simulator@2.9.30 >/dev/null
tar -xzf amplify-dynamodb-simulator-2.9.30.tgz
(cd package/emulator && exec java -Djava.library.path=./DynamoDBLocal_lib -jar DynamoDBLocal.jar \
  -inMemory -disableTelemetry -port 18766) >log 2>&1 &
server=$!
cat > main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func main() {
	ctx, table, index := context.Background(), aws.String("messages"), aws.String("by-room")
	db := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:18766"),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	for range 30 {
		if _, err := db.ListTables(ctx, &dynamodb.ListTablesInput{}); err == nil {
			break
		}
		time.Sleep(time.Second)
	}
	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("room"), AttributeType: "S"},
		},
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: index, Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("room"), KeyType: "HASH"}},
		}},
	})
	say("create", 0, err)
	_, err = db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: map[string]types.AttributeValue{
		"id": text("1"), "room": text("general"), "content": text("hello"),
	}})
	say("put", 0, err)
	values := map[string]types.AttributeValue{":content": text("hello")}
	scan, err := db.Scan(ctx, &dynamodb.ScanInput{
		TableName: table, IndexName: index, FilterExpression: aws.String("content = :content"), ExpressionAttributeValues: values,
	})
	say("Scan of the index, filtered by content", count(scan), err)
	values[":room"] = text("general")
	_, err = db.Query(ctx, &dynamodb.QueryInput{
		TableName: table, IndexName: index, KeyConditionExpression: aws.String("room = :room"),
		FilterExpression: aws.String("content = :content"), ExpressionAttributeValues: values,
	})
	say("Query of the index, filtered by content", 0, err)
}

func count(out *dynamodb.ScanOutput) int {
	if out == nil {
		return 0
	}
	return int(out.Count)
}

func say(what string, found int, err error) {
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused):
		fmt.Printf("%s: %s\n", what, refused.ErrorCode())
	case err != nil:
		fmt.Printf("%s: %v\n", what, err)
	default:
		fmt.Printf("%s: accepted, %d found\n", what, found)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-sdk-go-v2@v1.47.7 github.com/aws/aws-sdk-go-v2/credentials@v1.20.15 \
  github.com/aws/aws-sdk-go-v2/service/dynamodb@v1.73.1 github.com/aws/smithy-go@v1.28.8 >/dev/null 2>&1
go run . | tee seen
diff seen - <<'SEEN' && echo 'still so'
create: accepted, 0 found
put: accepted, 0 found
Scan of the index, filtered by content: accepted, 1 found
Query of the index, filtered by content: ValidationException
SEEN
