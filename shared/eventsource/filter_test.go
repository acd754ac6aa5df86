package eventsource

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestFilterMatch(t *testing.T) {
	pattern := topology.Pattern{
		EventNames: []string{"INSERT", "MODIFY"},
		PKPrefixes: []string{"CHATROOM#"},
		SKPrefixes: []string{"MESSAGE#", "MEMBER#"},
	}.JSON()
	record := func(change func(*types.Record)) types.Record {
		r := keyed("CHATROOM#1", "MESSAGE#1")
		r.EventName = types.OperationTypeInsert
		if change != nil {
			change(&r)
		}
		return r
	}
	key := func(name string, value types.AttributeValue) func(*types.Record) {
		return func(r *types.Record) { r.Dynamodb.Keys[name] = value }
	}
	image := func(name string, value types.AttributeValue) func(*types.Record) {
		return func(r *types.Record) { r.Dynamodb.NewImage = map[string]types.AttributeValue{name: value} }
	}
	byTTL := func(r *types.Record) {
		r.UserIdentity = &types.Identity{Type: aws.String("Service"), PrincipalId: aws.String("dynamodb.amazonaws.com")}
	}
	const ttl = `{"userIdentity":{"type":["Service"],"principalId":[{"prefix":"dynamodb."}]}}`
	const edited = `{"dynamodb":{"NewImage":{"editedAt":{"N":[{"exists":true}]}}}}`
	const exact = `{"dynamodb":{"OldImage":{"a":{"S":["x"]}}}}`
	tests := map[string]struct {
		filter string
		record types.Record
		want   bool
	}{
		"all fields": {pattern, record(nil), true},
		"second alternatives": {pattern, record(func(r *types.Record) {
			r.EventName = "MODIFY"
			key("SK", &types.AttributeValueMemberS{Value: "MEMBER#"})(r)
		}), true},
		"another event":        {pattern, record(func(r *types.Record) { r.EventName = "REMOVE" }), false},
		"another prefix":       {pattern, record(key("PK", &types.AttributeValueMemberS{Value: "USER#1"})), false},
		"shorter than prefix":  {pattern, record(key("SK", &types.AttributeValueMemberS{Value: "MESSAGE"})), false},
		"another type":         {pattern, record(key("SK", &types.AttributeValueMemberB{Value: []byte("MESSAGE#1")})), false},
		"no such key":          {pattern, record(func(r *types.Record) { delete(r.Dynamodb.Keys, "SK") }), false},
		"no body":              {pattern, types.Record{EventName: "INSERT"}, false},
		"removed by TTL":       {ttl, record(byTTL), true},
		"removed by a user":    {ttl, record(nil), false},
		"attribute there":      {edited, record(image("editedAt", &types.AttributeValueMemberN{Value: "1"})), true},
		"attribute of type S":  {edited, record(image("editedAt", &types.AttributeValueMemberS{Value: "1"})), false},
		"attribute not there":  {edited, record(image("sentAt", &types.AttributeValueMemberN{Value: "1"})), false},
		"no image":             {edited, record(nil), false},
		"image of another age": {exact, record(image("a", &types.AttributeValueMemberS{Value: "x"})), false},
		"exact": {exact, record(func(r *types.Record) {
			r.Dynamodb.OldImage = map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: "x"}}
		}), true},
		"exact is no prefix": {exact, record(func(r *types.Record) {
			r.Dynamodb.OldImage = map[string]types.AttributeValue{"a": &types.AttributeValueMemberS{Value: "xy"}}
		}), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFilter(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "match", f.Match(&tt.record), tt.want)
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	tests := map[string]string{ // filter to a part of the error
		``:                            "want a JSON object",
		`x`:                           "want a JSON object",
		`[]`:                          "want a JSON object",
		`{}`:                          "at least one member",
		`{"eventName":["INSERT"]`:     "want a JSON object",
		`{"eventName":["INSERT"]}}`:   "want a JSON object",
		`{"eventName":["INSERT"]} {}`: "want a JSON object",
		`{"eventName":["INSERT"],"eventName":["REMOVE"]}`: "given twice",
		`{"eventName":[]}`:                                                 "at least one alternative",
		`{"eventName":null}`:                                               "at least one alternative",
		`{"eventName":"INSERT"}`:                                           "at least one alternative",
		`{"eventName":[1]}`:                                                "unsupported value 1",
		`{"eventName":[null]}`:                                             "unsupported value null",
		`{"eventName":[{"anything-but":["INSERT"]}]}`:                      "anything-but: unsupported operator",
		`{"eventName":[{}]}`:                                               "at least one member",
		`{"eventName":[{"prefix":1}]}`:                                     "prefix: want a string",
		`{"eventSource":["aws:dynamodb"]}`:                                 "eventSource: unsupported field",
		`{"userIdentity":{"name":["x"]}}`:                                  "name: unsupported field of userIdentity",
		`{"dynamodb":{"SequenceNumber":["1"]}}`:                            "SequenceNumber: unsupported field",
		`{"dynamodb":{"Keys":{"PK":["x"]}}}`:                               "PK: want a JSON object",
		`{"dynamodb":{"Keys":{"PK":{"B":["x"]}}}}`:                         "B: unsupported attribute type",
		`{"dynamodb":{"NewImage":{"n":{"N":[{"numeric":[">",1]}]}}}}`:      "numeric: unsupported operator",
		`{"dynamodb":{"NewImage":{"n":{"S":[{"exists":false}]}}}}`:         "exists: want true",
		`{"dynamodb":{"NewImage":{"n":[{"exists":true}]}}}`:                "n: want a JSON object",
		`{"dynamodb":{"NewImage":{"m":{"M":{"k":{"S":["x"]}}}}}}`:          "M: unsupported attribute type",
		`{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"a","suffix":"b"}]}}}}`: "suffix: want one operator",
		`{"dynamodb":{"Keys":{"PK":{"S":[{"suffix":"a"}]}}}}`:              "suffix: unsupported operator",
	}
	for filter, want := range tests {
		if _, err := ParseFilter(filter); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s…", filter, err, want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`{"eventName":["INSERT"],"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"a"}]}}}}`)
	f.Add(`{"eventName":[`)
	r := chatRecord()
	f.Fuzz(func(_ *testing.T, text string) {
		if filter, err := ParseFilter(text); err == nil {
			filter.Match(&r)
		}
	})
}
