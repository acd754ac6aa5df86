package changes

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

// sentRecord is a record of a message, as a stream's mapping hands it to functions.
const sentRecord = `{"eventID":"1","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1796000000,"Keys":{"PK":{"S":"CHATROOM#r"},"SK":{"S":"MESSAGE#01K"}},"NewImage":{"PK":{"S":"CHATROOM#r"},"SK":{"S":"MESSAGE#01K"},"senderId":{"S":"alice"},"content":{"S":"a \"word\" \u003c\ud83d\ude00\n"},"timestamp":{"N":"1796000000000"},"isDeleted":{"BOOL":false},"mentions":{"L":[{"S":"bob"},{"S":"carol"}]},"emoji":{"SS":["a","b"]},"replyTo":{"M":{"messageId":{"S":"01J"}}}},"SequenceNumber":"100","SizeBytes":321,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"arn:aws:dynamodb:us-east-1:0:table/t/stream/s"}`

// shown is what decodeItem uses of a record.
func shown(in events.DynamoDBEventRecord) []any {
	c := in.Change
	return []any{
		in.EventName, in.EventSource, in.EventSourceArn, c.SequenceNumber, c.ApproximateCreationDateTime, c.Keys, c.NewImage, c.OldImage,
	}
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		raw string
		ok  bool
	}{
		"a record":            {sentRecord, true},
		"with spaces":         {" { \"eventName\" : \"REMOVE\" , \"dynamodb\" : { \"SizeBytes\" : 1 , \"Keys\" : { } } } ", true},
		"of an expiry":        {`{"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}}`, true},
		"an unknown type":     {`{"dynamodb":{"Keys":{"PK":{"B":"AA=="}}}}`, false},
		"a name in capitals":  {`{"EVENTNAME":"INSERT"}`, false},
		"two images":          {`{"dynamodb":{"Keys":{"a":{"S":"1"}},"Keys":{"b":{"S":"2"}}}}`, false},
		"a fraction":          {`{"dynamodb":{"ApproximateCreationDateTime":1.5}}`, false},
		"a null":              {`{"eventName":null}`, false},
		"more than a record":  {`{}{}`, false},
		"less than a record":  {`{"eventName":"INSERT"`, false},
		"a byte that is none": {"{\"eventName\":\"\xff\"}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := read(json.RawMessage(test.raw)); ok != test.ok {
				t.Errorf("got %v, want %v", ok, test.ok)
			}
		})
	}
}

// FuzzRead: what is read is what encoding/json reads.
func FuzzRead(f *testing.F) {
	f.Add(sentRecord)
	f.Add(`{"dynamodb":{"Keys":{"a":{"S":"1"},"a":{"N":"2"}},"SizeBytes":0},"eventName":"a","eventName":"b"}`)
	f.Add(`{"dynamodb":{"OldImage":{"x":{"L":[]},"y":{"SS":[]},"z":{"M":{}}},"ApproximateCreationDateTime":010}}`)
	f.Add(`{"userIdentity":{"type":"a","type":"b"},"dynamodb":{"NewImage":{"x":{"S":"\uD800","S":"b"}}}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := read(json.RawMessage(raw))
		if !ok {
			return
		}
		var want events.DynamoDBEventRecord
		if err := recovered(func() error { return json.Unmarshal([]byte(raw), &want) }); err != nil {
			t.Fatalf("%q is read, and encoding/json says %v", raw, err)
		}
		if !reflect.DeepEqual(shown(got), shown(want)) {
			t.Errorf("%q: got %v, want %v", raw, shown(got), shown(want))
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unmarshal(json.RawMessage(sentRecord)); err != nil {
			b.Fatal(err)
		}
	}
}
