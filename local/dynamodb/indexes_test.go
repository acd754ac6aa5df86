package dynamodb_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func keySchema(names ...string) []types.KeySchemaElement {
	out := []types.KeySchemaElement{{AttributeName: &names[0], KeyType: types.KeyTypeHash}}
	if len(names) > 1 {
		out = append(out, types.KeySchemaElement{AttributeName: &names[1], KeyType: types.KeyTypeRange})
	}
	return out
}

func stringAttributes(names ...string) []types.AttributeDefinition {
	var out []types.AttributeDefinition
	for _, name := range names {
		out = append(out, types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS})
	}
	return out
}

// indexed is a table with a local and a global index that project keys only, and a global one
// that projects the attribute i too.
func indexed() *ddb.CreateTableInput {
	keys := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	return &ddb.CreateTableInput{
		TableName: aws.String("indexed"), AttributeDefinitions: stringAttributes("PK", "SK", "g", "l"), KeySchema: keySchema("PK", "SK"),
		BillingMode:           types.BillingModePayPerRequest,
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{IndexName: aws.String("local"), KeySchema: keySchema("PK", "l"), Projection: keys}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{IndexName: aws.String("global"), KeySchema: keySchema("g"), Projection: keys},
			{IndexName: aws.String("include"), KeySchema: keySchema("g", "l"), Projection: &types.Projection{
				ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"i"},
			}},
		},
	}
}

func startIndexed(t *testing.T) fixture {
	t.Helper()
	f := clients(open(t, dynamodb.Options{}))
	if _, err := f.CreateTable(t.Context(), indexed()); err != nil {
		t.Fatal(err)
	}
	for _, sort := range []string{"1", "2", "3"} {
		it := with(key("p", "s"+sort), "l", str("l"+sort), "g", str("g"), "i", str("i"+sort), "x", str("x"+sort))
		out, err := f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("indexed"), Item: it, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
			ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize,
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "units of a put", *out.ConsumedCapacity.CapacityUnits, 4.0)
		equal(t, "units of the local index", *out.ConsumedCapacity.LocalSecondaryIndexes["local"].CapacityUnits, 1.0)
		equal(t, "item collection", out.ItemCollectionMetrics.ItemCollectionKey, record{"PK": str("p")})
	}
	if _, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("indexed"), Item: key("p", "s4")}); err != nil {
		t.Fatal(err) // without index keys
	}
	return f
}

func TestLocalIndexDescribed(t *testing.T) {
	f := startIndexed(t)
	out, err := f.DescribeTable(t.Context(), &ddb.DescribeTableInput{TableName: aws.String("indexed")})
	if err != nil {
		t.Fatal(err)
	}
	locals := out.Table.LocalSecondaryIndexes
	if len(locals) != 1 || len(out.Table.GlobalSecondaryIndexes) != 2 || *locals[0].IndexName != "local" ||
		*locals[0].IndexArn != *out.Table.TableArn+"/index/local" || *locals[0].KeySchema[1].AttributeName != "l" {
		t.Errorf("got indexes %+v", locals)
	}
}

// TestLocalIndexFetches reads what a local index does not project: DynamoDB fetches it from the
// table and charges for it.
func TestLocalIndexFetches(t *testing.T) {
	f := startIndexed(t)
	query := func(change func(*ddb.QueryInput)) *ddb.QueryOutput {
		t.Helper()
		in := &ddb.QueryInput{
			TableName: aws.String("indexed"), IndexName: aws.String("local"), KeyConditionExpression: aws.String("PK = :p AND l > :l"),
			ExpressionAttributeValues: record{":p": str("p"), ":l": str("l1")}, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
		}
		change(in)
		out, err := f.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := query(func(in *ddb.QueryInput) { in.ScanIndexForward = aws.Bool(false) })
	equal(t, "projected", out.Items, []record{with(key("p", "s3"), "l", str("l3")), with(key("p", "s2"), "l", str("l2"))})
	equal(t, "units", *out.ConsumedCapacity.CapacityUnits, 0.5)

	out = query(func(in *ddb.QueryInput) { in.ProjectionExpression = aws.String("x, l") })
	equal(t, "fetched", out.Items, []record{{"x": str("x2"), "l": str("l2")}, {"x": str("x3"), "l": str("l3")}})
	equal(t, "units of the index", *out.ConsumedCapacity.LocalSecondaryIndexes["local"].CapacityUnits, 0.5)
	equal(t, "units of the items fetched", *out.ConsumedCapacity.Table.CapacityUnits, 1.0)

	out = query(func(in *ddb.QueryInput) { in.Select, in.Limit = types.SelectAllAttributes, aws.Int32(1) })
	equal(t, "all attributes", out.Items, []record{with(key("p", "s2"), "l", str("l2"), "g", str("g"), "i", str("i2"), "x", str("x2"))})
	equal(t, "last key", out.LastEvaluatedKey, with(key("p", "s2"), "l", str("l2")))
	out = query(func(in *ddb.QueryInput) { in.ExclusiveStartKey = out.LastEvaluatedKey })
	equal(t, "next page", out.Items, []record{with(key("p", "s3"), "l", str("l3"))})

	out = query(func(in *ddb.QueryInput) { in.ConsistentRead = aws.Bool(true) })
	equal(t, "units of a consistent read", *out.ConsumedCapacity.CapacityUnits, 1.0)
	scan, err := f.Scan(t.Context(), &ddb.ScanInput{TableName: aws.String("indexed"), IndexName: aws.String("local")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "scanned", scan.Count, int32(3))
}

func TestIndexDoesNotProject(t *testing.T) {
	f := startIndexed(t)
	for _, tc := range []struct{ index, condition, filter, projection, want string }{
		{"global", "g = :v", "", "x.y, i, SK", "Global secondary index global does not project [x, i]"},
		{"global", "g = :v", "attribute_exists(x) OR attribute_exists(i)", "", "Secondary index global does not project one or more filter attributes: [i, x]"},
		{"include", "g = :v", "i = x", "i, l", "Secondary index include does not project one or more filter attributes: [x]"},
		{"include", "g = :v", "", "x", "Global secondary index include does not project [x]"},
		{"local", "PK = :v", "attribute_exists(x)", "", "Secondary index local does not project one or more filter attributes: [x]"},
	} {
		in := &ddb.QueryInput{
			TableName: aws.String("indexed"), IndexName: &tc.index, KeyConditionExpression: &tc.condition,
			ExpressionAttributeValues: record{":v": str("g")},
		}
		scan := &ddb.ScanInput{TableName: aws.String("indexed"), IndexName: &tc.index}
		if tc.filter != "" {
			in.FilterExpression, scan.FilterExpression = &tc.filter, &tc.filter
		}
		if tc.projection != "" {
			in.ProjectionExpression, scan.ProjectionExpression = &tc.projection, &tc.projection
		}
		_, err := f.Query(t.Context(), in)
		refused(t, err, "ValidationException", "One or more parameter values were invalid: "+tc.want)
		_, err = f.Scan(t.Context(), scan)
		refused(t, err, "ValidationException", "One or more parameter values were invalid: "+tc.want)
	}
	out, err := f.Query(t.Context(), &ddb.QueryInput{
		TableName: aws.String("indexed"), IndexName: aws.String("include"), KeyConditionExpression: aws.String("g = :v AND l < :l"),
		FilterExpression: aws.String("i = :i AND SK <> :v"), ProjectionExpression: aws.String("i, SK"),
		ExpressionAttributeValues: record{":v": str("g"), ":l": str("l3"), ":i": str("i2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "projected", out.Items, []record{{"i": str("i2"), "SK": str("s2")}})
}

func TestCreateTableRefusals(t *testing.T) {
	f := clients(open(t, dynamodb.Options{}))
	for want, change := range map[string]func(*ddb.CreateTableInput){
		"Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex": func(in *ddb.CreateTableInput) {
			in.KeySchema = in.KeySchema[:1]
		},
		"Index KeySchema does not have a range key for index: local": func(in *ddb.CreateTableInput) {
			in.LocalSecondaryIndexes[0].KeySchema = keySchema("PK")
		},
		"Index KeySchema does not have the same leading hash key as table KeySchema for index: local. index hash key: g, table hash key: PK": func(in *ddb.CreateTableInput) {
			in.LocalSecondaryIndexes[0].KeySchema = keySchema("g", "l")
		},
		"Duplicate index name: local": func(in *ddb.CreateTableInput) { in.GlobalSecondaryIndexes[0].IndexName = aws.String("local") },
		"Number of LocalSecondaryIndexes exceeds per-table limit of 5": func(in *ddb.CreateTableInput) {
			for range 5 {
				in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, in.LocalSecondaryIndexes[0])
			}
		},
		"The parameter 'TableName' is required but was not present in the request": func(in *ddb.CreateTableInput) { in.TableName = nil },
		"Invalid KeySchema: Some index key attribute have no definition": func(in *ddb.CreateTableInput) {
			in.KeySchema, in.AttributeDefinitions = keySchema("PK", "PK"), stringAttributes("PK")
		},
		"Both the Hash Key and the Range Key element in the KeySchema have the same name": func(in *ddb.CreateTableInput) { in.KeySchema = keySchema("PK", "PK") },
		"at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2": func(in *ddb.CreateTableInput) {
			in.KeySchema = append(in.KeySchema, in.KeySchema[1])
		},
		"2 validation errors detected: Value 'X' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]; " +
			"Value 'FREE' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]": func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions[0].AttributeType, in.BillingMode = "X", "FREE"
		},
	} {
		in := indexed()
		change(in)
		_, err := createUnchecked(t, f, in)
		refused(t, err, "ValidationException", want)
	}
}

// createUnchecked sends a request that the SDK itself would reject for want of a name.
func createUnchecked(t *testing.T, f fixture, in *ddb.CreateTableInput) (*ddb.CreateTableOutput, error) {
	t.Helper()
	return f.CreateTable(t.Context(), in, func(o *ddb.Options) {
		o.APIOptions = append(o.APIOptions, removeValidation)
	})
}
