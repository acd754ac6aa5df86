package main

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// A grant allows actions on items of the table whose partition keys have one of
// the prefixes. A transaction needs the actions that it is made of.
//
// A function has one grant for each action and resource. IAM evaluates each
// statement alone: if the keys of a request were spread over two statements,
// neither would allow all of them. AWS does not say which keys of a transaction
// IAM holds against which of its actions: so each action has the prefixes of the
// whole transaction (decision 8).
type grant struct {
	actions  []string
	prefixes []string
	index    string // instead of the table
}

const (
	getItem    = "dynamodb:GetItem"
	batchGet   = "dynamodb:BatchGetItem"
	query      = "dynamodb:Query"
	putItem    = "dynamodb:PutItem"
	updateItem = "dynamodb:UpdateItem"
	deleteItem = "dynamodb:DeleteItem"
	batchWrite = "dynamodb:BatchWriteItem"
)

// grants lists what each function does with the table. The end-to-end test
// fails if a function does more, or never uses one of these.
var grants = map[string][]grant{
	topology.Connect: {
		{actions: []string{updateItem}, prefixes: []string{table.ConnectionPrefix, table.UserPrefix}},
		{actions: []string{batchWrite}, prefixes: []string{table.RoomPrefix}},
	},
	topology.Disconnect: {
		{actions: []string{deleteItem}, prefixes: []string{table.ConnectionPrefix}},
		{actions: []string{updateItem}, prefixes: []string{table.UserPrefix}},
		{actions: []string{batchWrite}, prefixes: []string{table.RoomPrefix}},
	},
	topology.SendMessage: {
		{actions: []string{updateItem}, prefixes: []string{table.ConnectionPrefix, table.RoomPrefix, table.UserPrefix}},
		{actions: []string{getItem}, prefixes: []string{table.ConnectionPrefix, table.RoomPrefix}},
		{actions: []string{batchGet}, prefixes: []string{table.RoomPrefix}},
		{actions: []string{putItem}, prefixes: []string{table.RoomPrefix, table.UserPrefix}},
		{actions: []string{query}, prefixes: []string{table.RoomPrefix}},
	},
	topology.Default: {
		{actions: []string{getItem, updateItem}, prefixes: []string{table.ConnectionPrefix}},
		{actions: []string{batchGet, putItem}, prefixes: []string{table.RoomPrefix}},
		{actions: []string{query}, prefixes: []string{table.UserRoomsPrefix}, index: table.GSI1},
	},
	topology.Fanout: {
		{actions: []string{query}, prefixes: []string{table.RoomPrefix}},
		{actions: []string{getItem, batchGet, updateItem}, prefixes: []string{table.RoomPrefix, table.UserPrefix}},
		{actions: []string{batchWrite}, prefixes: []string{table.FanoutPrefix, table.RoomPrefix}},
		{actions: []string{deleteItem}, prefixes: []string{table.ConnectionPrefix}},
		{actions: []string{query}, prefixes: []string{table.UserRoomsPrefix}, index: table.GSI1},
	},
	topology.LastMessage: {
		{actions: []string{query, getItem}, prefixes: []string{table.RoomPrefix}},
		{actions: []string{updateItem}, prefixes: []string{table.RoomPrefix, table.UserPrefix}},
		{actions: []string{batchWrite}, prefixes: []string{table.RoomPrefix}},
	},
	topology.Push: {
		{actions: []string{query, deleteItem}, prefixes: []string{table.UserPrefix}},
	},
	topology.API: {
		{actions: []string{getItem}, prefixes: []string{table.RoomPrefix}},
		{actions: []string{query, batchGet, putItem, deleteItem}, prefixes: []string{table.RoomPrefix, table.UserPrefix}},
		{actions: []string{updateItem}, prefixes: []string{table.ConnectionPrefix, table.RoomPrefix, table.UserPrefix}},
		{actions: []string{query}, prefixes: []string{table.UserRoomsPrefix}, index: table.GSI1},
		{actions: []string{query}, prefixes: []string{table.GeoPrefix}, index: table.GSI2},
	},
}

// grantTable gives a function's role its grants on the table, a statement for each.
func (d databaseStack) grantTable(role awsiam.Role, function string) {
	for _, g := range grants[function] {
		resource := *d.table.TableArn()
		if g.index != "" {
			resource += "/index/" + g.index
		}
		keys := make([]string, 0, len(g.prefixes))
		for _, prefix := range slices.Sorted(slices.Values(g.prefixes)) {
			keys = append(keys, prefix+"*")
		}
		allow(role, g.actions, resource, map[string]any{
			"ForAllValues:StringLike": map[string]any{"dynamodb:LeadingKeys": keys},
		})
	}
}

// allow adds a statement to a role.
func allow(role awsiam.Role, actions []string, resource string, conditions map[string]any) {
	props := &awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: jsii.Strings(resource)}
	if conditions != nil {
		props.Conditions = &conditions
	}
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(props))
}
