package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// databaseStack has the one table.
type databaseStack struct {
	stack     awscdk.Stack
	table     awsdynamodb.Table
	streamARN string
}

func newDatabase(a *app) databaseStack {
	stack := a.stack(topology.DatabaseStack, "the table and its stream")
	text := func(name string) *awsdynamodb.Attribute {
		return &awsdynamodb.Attribute{Name: jsii.String(name), Type: awsdynamodb.AttributeType_STRING}
	}
	// Table, not TableV2, which makes a global table: the stream of one allows a single
	// reader ("Quotas in Amazon DynamoDB", DynamoDB Developer Guide).
	t := awsdynamodb.NewTable(stack, jsii.String("Table"), &awsdynamodb.TableProps{
		PartitionKey:                     text(table.PK),
		SortKey:                          text(table.SK),
		BillingMode:                      awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute:              jsii.String(table.TTL),
		Stream:                           awsdynamodb.StreamViewType_NEW_AND_OLD_IMAGES,
		Encryption:                       encryption(a.settings.TableKey),
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: jsii.Bool(true)},
		DeletionProtection:               jsii.Bool(a.settings.prod()),
		RemovalPolicy:                    a.keep(),
		ContributorInsightsSpecification: throttledKeys(),
		MaxReadRequestUnits:              limit(a.settings.MaxReadUnits),
		MaxWriteRequestUnits:             limit(a.settings.MaxWriteUnits),
	})
	// The room list reads its order here, and rooms and last messages in a batch.
	t.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      jsii.String(table.GSI1),
		PartitionKey:   text(table.GSI1PK),
		SortKey:        text(table.GSI1SK),
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,

		ContributorInsightsSpecification: throttledKeys(),
		MaxReadRequestUnits:              limit(a.settings.MaxReadUnits),
		MaxWriteRequestUnits:             limit(a.settings.MaxWriteUnits),
	})
	// A search by place reads what it shows here, and no item of the table.
	t.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:        jsii.String(table.GSI2),
		PartitionKey:     text(table.GSI2PK),
		SortKey:          text(table.GSI2SK),
		ProjectionType:   awsdynamodb.ProjectionType_INCLUDE,
		NonKeyAttributes: jsii.Strings(table.PlaceAttributes()...),

		ContributorInsightsSpecification: throttledKeys(),
		MaxReadRequestUnits:              limit(a.settings.MaxReadUnits),
		MaxWriteRequestUnits:             limit(a.settings.MaxWriteUnits),
	})
	if a.settings.TableKey == ownedByAWS {
		// Said, and not left out, so that a table with another key gets it back.
		t.Node().DefaultChild().(awsdynamodb.CfnTable).AddPropertyOverride(jsii.String("SSESpecification.SSEEnabled"), false)
	}
	output(stack, topology.TableOutput, *t.TableName(), "The table")
	return databaseStack{stack: stack, table: t, streamARN: *t.TableStreamArn()}
}

// The keys that can encrypt the table.
const (
	ownedByAWS   = "aws-owned"   // free
	managedByAWS = "aws-managed" // billed by use, and each use is in CloudTrail
)

func encryption(key string) awsdynamodb.TableEncryption {
	if key == managedByAWS {
		return awsdynamodb.TableEncryption_AWS_MANAGED
	}
	return awsdynamodb.TableEncryption_DEFAULT
}

// limit returns a limit of units a second, nil for none. Beyond it requests are
// throttled, and not billed.
func limit(units float64) *float64 {
	if units == 0 {
		return nil
	}
	return jsii.Number(units)
}

// throttledKeys names the keys that are refused, such as the room that is too busy
// for its partition. Only requests that were throttled are recorded, and billed
// ("CloudWatch contributor insights for DynamoDB: How it works", DynamoDB Developer
// Guide).
func throttledKeys() *awsdynamodb.ContributorInsightsSpecification {
	return &awsdynamodb.ContributorInsightsSpecification{
		Enabled: jsii.Bool(true), Mode: awsdynamodb.ContributorInsightsMode_THROTTLED_KEYS,
	}
}
