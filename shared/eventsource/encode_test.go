package eventsource

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func fullRecord() types.Record {
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	return types.Record{
		EventID:   aws.String("f07f8ca4b0b26cb9c4e5e77e69f274ee"),
		EventName: types.OperationTypeRemove,
		UserIdentity: &types.Identity{
			Type:        aws.String("Service"),
			PrincipalId: aws.String("dynamodb.amazonaws.com"),
		},
		Dynamodb: &types.StreamRecord{
			ApproximateCreationDateTime: aws.Time(time.Unix(1480642020, 999_000_000)),
			Keys:                        map[string]types.AttributeValue{"PK": s("p"), "SK": s("s")},
			NewImage:                    map[string]types.AttributeValue{"PK": s("こんにちは <&>\"\\\n\x00\u2028")},
			OldImage: map[string]types.AttributeValue{
				"n":    &types.AttributeValueMemberN{Value: "-1.5E+10"},
				"b":    &types.AttributeValueMemberB{Value: []byte{0, 1, 255}},
				"bool": &types.AttributeValueMemberBOOL{Value: true},
				"null": &types.AttributeValueMemberNULL{Value: true},
				"ss":   &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
				"ns":   &types.AttributeValueMemberNS{Value: []string{"1", "2"}},
				"bs":   &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
				"l":    &types.AttributeValueMemberL{Value: []types.AttributeValue{s("x"), &types.AttributeValueMemberL{}}},
				"m":    &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"k": s("v")}},
			},
			SequenceNumber: aws.String("21000000000000000000001"),
			SizeBytes:      aws.Int64(70),
			StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

const (
	testRegion = "eu-west-1"
	testARN    = "arn:aws:dynamodb:eu-west-1:000000000000:table/t/stream/2024-02-28T00:00:00.000"
)

var testOrigin = Origin{Source: DynamoDB, ARN: testARN, Region: testRegion}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func keyed(pk, sk string) types.Record {
	return types.Record{Dynamodb: &types.StreamRecord{Keys: map[string]types.AttributeValue{
		"PK": &types.AttributeValueMemberS{Value: pk},
		"SK": &types.AttributeValueMemberS{Value: sk},
	}}}
}

func TestAppendRecord(t *testing.T) {
	r := fullRecord()
	text, err := AppendRecord(nil, &r, testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
		"eventID": "f07f8ca4b0b26cb9c4e5e77e69f274ee",
		"eventName": "REMOVE",
		"eventVersion": "1.1",
		"eventSource": "aws:dynamodb",
		"awsRegion": "eu-west-1",
		"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
		"dynamodb": {
			"ApproximateCreationDateTime": 1480642020,
			"Keys": {"PK": {"S": "p"}, "SK": {"S": "s"}},
			"NewImage": {"PK": {"S": "こんにちは <&>\"\\\n\u0000\u2028"}},
			"OldImage": {
				"n": {"N": "-1.5E+10"},
				"b": {"B": "AAH/"},
				"bool": {"BOOL": true},
				"null": {"NULL": true},
				"ss": {"SS": ["a", "b"]},
				"ns": {"NS": ["1", "2"]},
				"bs": {"BS": ["AQ==", "Ag=="]},
				"l": {"L": [{"S": "x"}, {"L": []}]},
				"m": {"M": {"k": {"S": "v"}}}
			},
			"SequenceNumber": "21000000000000000000001",
			"SizeBytes": 70,
			"StreamViewType": "NEW_AND_OLD_IMAGES"
		},
		"eventSourceARN": "` + testARN + `"
	}`
	expect(t, "record", decoded(t, text), decoded(t, []byte(want)))

	// What a record does not have is absent, not null.
	r.UserIdentity, r.Dynamodb.NewImage, r.Dynamodb.OldImage = nil, nil, nil
	if text, err = AppendRecord(nil, &r, testOrigin); err != nil {
		t.Fatal(err)
	}
	object, ok := decoded(t, text).(map[string]any)
	if !ok {
		t.Fatalf("no object: %s", text)
	}
	if _, there := object["userIdentity"]; there {
		t.Error("a user identity that was not set")
	}
	change, ok := object["dynamodb"].(map[string]any)
	if !ok || len(change) != 5 {
		t.Errorf("change %v", object["dynamodb"])
	}
}

func decoded(t rapid.TB, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestAppendRecord_ForeignAttributeType(t *testing.T) {
	foreign := &types.UnknownUnionMember{Tag: "X"}
	for name, value := range map[string]types.AttributeValue{
		"unknown": foreign,
		"nil":     nil,
		"in list": &types.AttributeValueMemberL{Value: []types.AttributeValue{foreign, foreign}},
		"in map":  &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"x": foreign}},
	} {
		r := keyed("p", "s")
		r.Dynamodb.NewImage = map[string]types.AttributeValue{"v": value}
		if text, err := AppendRecord(nil, &r, testOrigin); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// aws-lambda-go and ParseRecord read back what was encoded.
func TestAppendRecord_RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		image := rapid.MapOfN(rapid.String(), anyAttribute(3), 0, 4)
		r := types.Record{
			EventID:   aws.String(rapid.String().Draw(t, "id")),
			EventName: types.OperationTypeModify,
			Dynamodb: &types.StreamRecord{
				ApproximateCreationDateTime: aws.Time(time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0)),
				Keys:                        image.Draw(t, "keys"),
				NewImage:                    image.Draw(t, "new"),
				OldImage:                    image.Draw(t, "old"),
				SequenceNumber:              aws.String(rapid.StringMatching(`[0-9]{21,40}`).Draw(t, "sequence")),
				SizeBytes:                   aws.Int64(rapid.Int64Min(0).Draw(t, "size")),
				StreamViewType:              types.StreamViewTypeNewAndOldImages,
			},
		}
		text, err := AppendRecord(nil, &r, testOrigin)
		if err != nil {
			t.Fatal(err)
		}
		var event events.DynamoDBEvent
		if err := json.Unmarshal(EncodeEvent([]Record[struct{}]{{JSON: text}, {JSON: text}}), &event); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		got := event.Records[1]
		want := events.DynamoDBEventRecord{
			AWSRegion: testRegion, EventID: *r.EventID, EventName: "MODIFY", EventSource: "aws:dynamodb", EventVersion: "1.1", EventSourceArn: testARN,
			Change: events.DynamoDBStreamRecord{
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: *r.Dynamodb.ApproximateCreationDateTime},
				Keys:                        lambdaMap(r.Dynamodb.Keys),
				NewImage:                    lambdaMap(r.Dynamodb.NewImage),
				OldImage:                    lambdaMap(r.Dynamodb.OldImage),
				SequenceNumber:              *r.Dynamodb.SequenceNumber,
				SizeBytes:                   *r.Dynamodb.SizeBytes,
				StreamViewType:              "NEW_AND_OLD_IMAGES",
			},
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v\nwant %#v", got, want)
		}
		back, err := ParseRecord(text)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		again, err := AppendRecord(nil, &back, testOrigin)
		if err != nil || !reflect.DeepEqual(decoded(t, again), decoded(t, text)) {
			t.Fatalf("parsed and encoded again, %v: %s\nwant %s", err, again, text)
		}
	})
}

func anyAttribute(depth int) *rapid.Generator[types.AttributeValue] {
	return rapid.Custom(func(t *rapid.T) types.AttributeValue {
		kinds := 10
		if depth == 0 {
			kinds = 8
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return &types.AttributeValueMemberS{Value: rapid.String().Draw(t, "s")}
		case 1:
			return &types.AttributeValueMemberN{Value: fmt.Sprint(rapid.Float64().Draw(t, "n"))}
		case 2:
			return &types.AttributeValueMemberB{Value: rapid.SliceOf(rapid.Byte()).Draw(t, "b")}
		case 3:
			return &types.AttributeValueMemberBOOL{Value: rapid.Bool().Draw(t, "bool")}
		case 4:
			return &types.AttributeValueMemberNULL{Value: true}
		case 5:
			return &types.AttributeValueMemberSS{Value: rapid.SliceOf(rapid.String()).Draw(t, "ss")}
		case 6:
			return &types.AttributeValueMemberNS{Value: rapid.SliceOf(rapid.StringMatching(`[0-9]+`)).Draw(t, "ns")}
		case 7:
			return &types.AttributeValueMemberBS{Value: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "bs")}
		case 8:
			return &types.AttributeValueMemberL{Value: rapid.SliceOfN(anyAttribute(depth-1), 0, 3).Draw(t, "l")}
		default:
			return &types.AttributeValueMemberM{Value: rapid.MapOfN(rapid.String(), anyAttribute(depth-1), 0, 3).Draw(t, "m")}
		}
	})
}

func lambdaMap(m map[string]types.AttributeValue) map[string]events.DynamoDBAttributeValue {
	out := make(map[string]events.DynamoDBAttributeValue, len(m))
	for name, value := range maps.All(m) {
		out[name] = lambdaValue(value)
	}
	return out
}

func lambdaValue(value types.AttributeValue) events.DynamoDBAttributeValue {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value)
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value)
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value)
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value)
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value)
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value)
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value)
	case *types.AttributeValueMemberL:
		list := make([]events.DynamoDBAttributeValue, len(v.Value))
		for i, element := range v.Value {
			list[i] = lambdaValue(element)
		}
		return events.NewListAttribute(list)
	case *types.AttributeValueMemberM:
		return events.NewMapAttribute(lambdaMap(v.Value))
	}
	return events.NewNullAttribute()
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "日本\u2028\u2029", "a\xffb\xc3", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := appendString([]byte("x"), s)[1:]
		// The standard library replaces invalid UTF-8 just so.
		var got, want string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		standard, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(standard, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q became %q, not %q", s, got, want)
		}
	})
}

// chatRecord is about what a message of a chat comes to.
func chatRecord() types.Record {
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	r := keyed("CHATROOM#room-xyz", "MESSAGE#1709136000000#01HQMZ4Z8K3E7V0G5R2N9T6X1B")
	r.EventID = aws.String("f07f8ca4b0b26cb9c4e5e77e69f274ee")
	r.EventName = types.OperationTypeInsert
	r.Dynamodb.ApproximateCreationDateTime = aws.Time(time.Unix(1709136000, 0))
	r.Dynamodb.SequenceNumber = aws.String("21000000000000000000001")
	r.Dynamodb.SizeBytes = aws.Int64(300)
	r.Dynamodb.StreamViewType = types.StreamViewTypeNewAndOldImages
	r.Dynamodb.NewImage = map[string]types.AttributeValue{
		"PK": r.Dynamodb.Keys["PK"], "SK": r.Dynamodb.Keys["SK"], "senderId": s("alice"),
		"content":         s("The quick brown fox jumps over the lazy dog, and then does it again."),
		"clientMessageId": s("c-1"), "readBy": &types.AttributeValueMemberSS{Value: []string{"alice"}},
	}
	return r
}

func BenchmarkAppendRecord(b *testing.B) {
	r := chatRecord()
	b.ReportAllocs()
	var text []byte
	for b.Loop() {
		var err error
		if text, err = AppendRecord(text[:0], &r, testOrigin); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(text)))
}
