package dynamodb_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// TestKeysAreRestored: items are stored without their key attributes, and have them wherever
// they are shown. Here "key2" has its value once more in "a", and "key1" in "z".
func TestKeysAreRestored(t *testing.T) {
	kinds := types.ScalarAttributeTypeB.Values()
	for _, hash := range kinds {
		for _, sort := range append(kinds, "") {
			t.Run(fmt.Sprintf("%s %s", hash, sort), func(t *testing.T) {
				f := clients(open(t, dynamodb.Options{Shards: 1}))
				f.createKeyed(t, hash, sort)
				rapid.Check(t, func(r *rapid.T) { f.writeKeyed(r, hash, sort) })
				for _, r := range f.everything(t) {
					keys, images := spelled(r.Dynamodb.Keys), []map[string]string{spelled(r.Dynamodb.OldImage), spelled(r.Dynamodb.NewImage)}
					for _, image := range images {
						if len(image) > 0 {
							checkKeyed(t, image, sort)
							equal(t, "keys of a record", keys, only(image, "key2", "key1"))
						}
					}
				}
			})
		}
	}
}

// createKeyed creates a table with the partition key "key2" and, unless its kind is "", the sort key
// "key1", and an index of keys only.
func (f fixture) createKeyed(t *testing.T, hash, sort types.ScalarAttributeType) {
	t.Helper()
	in := chatTable()
	in.AttributeDefinitions = append(stringAttributes("group"), types.AttributeDefinition{AttributeName: aws.String("key2"), AttributeType: hash})
	in.KeySchema = keySchema("key2")
	if sort != "" {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("key1"), AttributeType: sort})
		in.KeySchema = keySchema("key2", "key1")
	}
	in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{
		IndexName: aws.String("group"), KeySchema: keySchema("group"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	}}
	if _, err := f.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// drawKeyValue draws a key's value, with what its order escapes or ends with.
func drawKeyValue(r *rapid.T, kind types.ScalarAttributeType, name string) types.AttributeValue {
	switch kind {
	case types.ScalarAttributeTypeS:
		return str(rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'ÿ', 0xffff}), 1, 6, -1).Draw(r, name))
	case types.ScalarAttributeTypeN:
		digits := rapid.StringMatching(`-?[0-9]{1,38}`).Draw(r, name)
		return num(fmt.Sprintf("%se%d", digits, rapid.IntRange(-90, 80).Draw(r, name+"'s power")))
	default:
		return &types.AttributeValueMemberB{Value: rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff}), 1, 6).Draw(r, name)}
	}
}

// writeKeyed writes an item and checks each way to read it.
func (f fixture) writeKeyed(r *rapid.T, hash, sort types.ScalarAttributeType) {
	name := aws.String("chat")
	h := drawKeyValue(r, hash, "hash")
	it, key := record{"key2": h, "a": h, "group": str("g"), "more": num("1")}, record{"key2": h}
	if sort != "" {
		s := drawKeyValue(r, sort, "sort")
		it["key1"], it["z"], key["key1"] = s, s, s
	}
	if _, err := f.PutItem(r.Context(), &ddb.PutItemInput{TableName: name, Item: it}); err != nil {
		r.Fatal(err)
	}
	got, err := f.GetItem(r.Context(), &ddb.GetItemInput{TableName: name, Key: key})
	if err != nil {
		r.Fatal(err)
	}
	want := spelled(got.Item)
	checkKeyed(r, want, sort)
	queried, err := f.Query(r.Context(), &ddb.QueryInput{
		TableName: name, KeyConditionExpression: aws.String("key2 = :h"), ExpressionAttributeValues: record{":h": h},
	})
	if err != nil {
		r.Fatal(err)
	}
	equal(r, "items of a query", each(queried.Items), []map[string]string{want})
	index, err := f.Query(r.Context(), &ddb.QueryInput{
		TableName: name, IndexName: aws.String("group"), KeyConditionExpression: aws.String("#g = :g"),
		ExpressionAttributeNames: map[string]string{"#g": "group"}, ExpressionAttributeValues: record{":g": str("g")},
	})
	if err != nil {
		r.Fatal(err)
	}
	equal(r, "items of the index", each(index.Items), []map[string]string{only(want, "key2", "key1", "group")})
	condition := "key2 = a"
	if sort != "" {
		condition += " AND key1 = z"
	}
	updated, err := f.UpdateItem(r.Context(), &ddb.UpdateItemInput{
		TableName: name, Key: key, UpdateExpression: aws.String("SET more = :m"), ConditionExpression: aws.String(condition),
		ExpressionAttributeValues: record{":m": num("2")}, ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		r.Fatal(err)
	}
	equal(r, "item before an update", spelled(updated.Attributes), want)
	deleted, err := f.DeleteItem(r.Context(), &ddb.DeleteItemInput{TableName: name, Key: key, ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		r.Fatal(err)
	}
	want["more"] = spelled(record{"more": num("2")})["more"]
	equal(r, "item that was deleted", spelled(deleted.Attributes), want)
}

func TestKeysAreRestored_ForAnAddedIndex(t *testing.T) {
	f := start(t, dynamodb.Options{})
	it := with(key("p", "s"), "name", str("ada"))
	f.put(t, it)
	f.update(t, func(in *ddb.UpdateTableInput) {
		byName(in)
		in.AttributeDefinitions = stringAttributes("name", "PK")
		in.GlobalSecondaryIndexUpdates[0].Create.KeySchema = keySchema("name", "PK")
	})
	out, err := f.Query(t.Context(), &ddb.QueryInput{
		TableName: aws.String("chat"), IndexName: aws.String("ByName"), KeyConditionExpression: aws.String("#n = :n AND PK = :p"),
		ExpressionAttributeNames: map[string]string{"#n": "name"}, ExpressionAttributeValues: record{":n": str("ada"), ":p": str("p")},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "items", out.Items, []record{it})
}

// checkKeyed checks that an item has its keys as it has their copies.
func checkKeyed(t reporter, it map[string]string, sort types.ScalarAttributeType) {
	t.Helper()
	if it["key2"] != it["a"] || it["key1"] != it["z"] || it["key2"] == "" || (it["key1"] == "") != (sort == "") {
		t.Errorf("got %v, want the hash as a, and the sort key as z", it)
	}
}

// spelled shows the types and values of an item's attributes, for both services alike.
func spelled[V any](it map[string]V) map[string]string {
	out := make(map[string]string, len(it))
	for name, v := range it {
		out[name] = fmt.Sprintf("%T %v", v, reflect.ValueOf(v).Elem().FieldByName("Value"))
	}
	return out
}

func each(items []record) []map[string]string {
	out := make([]map[string]string, len(items))
	for i, it := range items {
		out[i] = spelled(it)
	}
	return out
}

// only returns those of the named attributes that an item has.
func only(it map[string]string, names ...string) map[string]string {
	out := make(map[string]string)
	for _, name := range names {
		if v, ok := it[name]; ok {
			out[name] = v
		}
	}
	return out
}
