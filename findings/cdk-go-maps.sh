#!/usr/bin/env bash
# aws-cdk-go/awscdk v2.270.0, jsii-runtime-go v1.139.0, Node.js.
#
# Properties of CloudFormation's own constructs (Cfn…) are typed `any` where a token may stand,
# so Go takes a map. Its keys must be written as CDK's ("pointInTimeRecoveryEnabled"). A map
# with CloudFormation's keys, as its documentation and templates have them, is accepted and
# comes out empty, without a warning: the table has no point-in-time recovery. Assertions want
# CloudFormation's keys. A nil or a nil pointer there matches any value, not only an absent
# one, so a test that a property is absent always passes. In a property's list, a nil is left
# out, and what follows moves up.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), nil)
	table := func(id string, recovery any) {
		awsdynamodb.NewCfnTable(stack, jsii.String(id), &awsdynamodb.CfnTableProps{
			KeySchema:                        []any{&awsdynamodb.CfnTable_KeySchemaProperty{AttributeName: jsii.String("id"), KeyType: jsii.String("HASH")}},
			PointInTimeRecoverySpecification: recovery,
			TableName:                        jsii.String(id),
		})
	}
	table("Struct", &awsdynamodb.CfnTable_PointInTimeRecoverySpecificationProperty{PointInTimeRecoveryEnabled: true})
	table("Camel", map[string]any{"pointInTimeRecoveryEnabled": true})
	table("Pascal", map[string]any{"PointInTimeRecoveryEnabled": true})
	awscdk.NewCfnResource(stack, jsii.String("Other"), &awscdk.CfnResourceProps{
		Type: jsii.String("A::B::C"), Properties: &map[string]any{"List": []any{"a", nil, "c"}},
	})

	template := assertions.Template_FromStack(stack, nil)
	resources := (*template.ToJSON())["Resources"].(map[string]any)
	properties := func(id string) map[string]any { return resources[id].(map[string]any)["Properties"].(map[string]any) }
	for _, id := range []string{"Struct", "Camel", "Pascal"} {
		out, err := json.Marshal(properties(id)["PointInTimeRecoverySpecification"])
		fmt.Println(id, string(out), err)
	}
	fmt.Println("a list of a, nil, c:", properties("Other")["List"])

	has := func(name string, value any) {
		defer func() { fmt.Printf("each table has a TableName that is %s: %t\n", name, recover() == nil) }()
		template.AllResourcesProperties(jsii.String("AWS::DynamoDB::Table"), map[string]any{"TableName": value})
	}
	var none *string
	has("nil", nil)
	has("a nil pointer", none)
	has("absent", assertions.Match_Absent())
	has("another", "another")
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/aws/aws-cdk-go/awscdk/v2@v2.270.0 github.com/aws/jsii-runtime-go@v1.139.0 >/dev/null 2>&1
go run . 2>/dev/null | tee seen
diff seen - <<'SEEN' && echo 'still so'
Struct {"PointInTimeRecoveryEnabled":true} <nil>
Camel {"PointInTimeRecoveryEnabled":true} <nil>
Pascal {} <nil>
a list of a, nil, c: [a c]
each table has a TableName that is nil: true
each table has a TableName that is a nil pointer: true
each table has a TableName that is absent: false
each table has a TableName that is another: false
SEEN
