// Package eventsourcetest holds whatever delivers stream records to functions to
// the rules of an event source mapping: the local mapping, and the operator
// tools that send records again.
package eventsourcetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/topology"
)

// ErrThrottled is a Function's error for an invocation that does not reach it.
var ErrThrottled = errors.New("throttled")

// Function is the function that a mapping invokes with an event.
type Function func(event []byte) (eventsource.Answer, error)

// Deliverer delivers the records, which stand in one shard and are numbered by
// Sequence from 1 on, by a mapping to a function, until each is processed or
// given up. It returns the sequence numbers of those given up, in order. It may
// take shorter pauses than a mapping does.
type Deliverer func(t *testing.T, mapping topology.StreamMapping, records []types.Record, f Function) (givenUp []string)

// Sequence is the sequence number of the n-th record, from 1 on.
func Sequence(n int) string { return fmt.Sprintf("%021d", n) }

// Message is the record of a chat message's insertion; n sets its sequence
// number.
func Message(n int) types.Record {
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	keys := map[string]types.AttributeValue{"PK": s("CHATROOM#room-xyz"), "SK": s("MESSAGE#1709136000000#01HQMZ4Z8K3E7V0G5R2N9T6X1B")}
	return types.Record{
		EventID: aws.String("f07f8ca4b0b26cb9c4e5e77e69f274ee"), EventName: types.OperationTypeInsert, EventVersion: aws.String("1.1"),
		Dynamodb: &types.StreamRecord{
			ApproximateCreationDateTime: aws.Time(time.Now().Truncate(time.Second)),
			Keys:                        keys,
			NewImage: map[string]types.AttributeValue{
				"PK": keys["PK"], "SK": keys["SK"], "senderId": s("alice"),
				"content":         s("The quick brown fox jumps over the lazy dog, and then does it again to be sure now."),
				"clientMessageId": s("c-1"), "readBy": &types.AttributeValueMemberSS{Value: []string{"alice"}},
			},
			SequenceNumber: aws.String(Sequence(n)),
			SizeBytes:      aws.Int64(300),
			StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}
}

// script answers the n-th invocation, from 1 on, with a batch of the numbers of
// records.
type script func(n int, batch []int) (eventsource.Answer, error)

// Run holds a Deliverer to the rules.
func Run(t *testing.T, deliver Deliverer) {
	t.Helper()
	t.Run("answers", func(t *testing.T) { testAnswers(t, deliver) })
	t.Run("retries", func(t *testing.T) { testRetries(t, deliver) })
	t.Run("filters", func(t *testing.T) { testFilters(t, deliver) })
	t.Run("encoding", func(t *testing.T) { testEncoding(t, deliver) })
}

// run delivers n messages and returns the batches and those given up, by the
// numbers of records.
func run(t *testing.T, deliver Deliverer, m topology.StreamMapping, records []types.Record, answer script) (batches [][]int, givenUp []int) {
	t.Helper()
	numbers := map[string]int{}
	for i := range records {
		numbers[Sequence(i+1)] = i + 1
	}
	m.Function, m.ParallelizationFactor, m.MaximumRecordAge = topology.LastMessage, 1, time.Hour
	m.BisectOnError, m.ReportItemFailures = true, true
	if m.BatchSize == 0 {
		m.BatchSize = 10
	}
	for _, sequence := range deliver(t, m, records, func(event []byte) (eventsource.Answer, error) {
		var in events.DynamoDBEvent
		if err := json.Unmarshal(event, &in); err != nil {
			t.Errorf("invalid event: %v in %s", err, event)
		}
		var batch []int
		for _, r := range in.Records {
			batch = append(batch, numbers[r.Change.SequenceNumber])
		}
		batches = append(batches, batch)
		return answer(len(batches), batch)
	}) {
		givenUp = append(givenUp, numbers[sequence])
	}
	return batches, givenUp
}

func messages(n int) []types.Record {
	records := make([]types.Record, n)
	for i := range records {
		records[i] = Message(i + 1)
	}
	return records
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func ok() (eventsource.Answer, error) { return eventsource.Answer{Payload: []byte(`{}`)}, nil }

func crash() (eventsource.Answer, error) {
	return eventsource.Answer{Payload: []byte(`{"errorType":"T"}`), FunctionError: "Unhandled"}, nil
}

func naming(numbers ...int) (eventsource.Answer, error) {
	var r events.DynamoDBEventResponse
	for _, n := range numbers {
		r.BatchItemFailures = append(r.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: Sequence(n)})
	}
	text, err := json.Marshal(r)
	return eventsource.Answer{Payload: text}, err
}

// testAnswers has a function answer once, and succeed from then on.
func testAnswers(t *testing.T, deliver Deliverer) {
	t.Helper()
	all := []int{1, 2, 3, 4, 5}
	once, whole := [][]int{all}, [][]int{all, {1, 2}, {3, 4, 5}}
	from := func(n int) [][]int { return [][]int{all, all[n-1:]} }
	id := func(n int) string { return fmt.Sprintf(`{"itemIdentifier":%q}`, Sequence(n)) }
	for _, tt := range []struct {
		name, answer string
		want         [][]int
	}{
		{"nothing", ``, once},
		{"null", `null`, once},
		{"empty object", `{}`, once},
		{"empty list", `[]`, once},
		{"no failures", `{"batchItemFailures":[]}`, once},
		{"null failures", `{"batchItemFailures":null}`, once},
		{"failures under another key", `{"BatchItemFailures":[` + id(2) + `]}`, once},
		{"first record", `{"batchItemFailures":[` + id(1) + `]}`, from(1)},
		{"one record", `{"batchItemFailures":[` + id(3) + `]}`, from(3)},
		{"lowest of several", `{"batchItemFailures":[` + id(5) + `,` + id(2) + `]}`, from(2)},
		{"other keys as well", `{"state":{},"batchItemFailures":[` + id(4) + `]}`, from(4)},
		{"empty identifier", `{"batchItemFailures":[{"itemIdentifier":""}]}`, whole},
		{"null identifier", `{"batchItemFailures":[{"itemIdentifier":null}]}`, whole},
		{"identifier under another key", `{"batchItemFailures":[{"ItemIdentifier":"` + Sequence(2) + `"}]}`, whole},
		{"unknown identifier", `{"batchItemFailures":[` + id(77) + `]}`, whole},
		{"one of two identifiers unknown", `{"batchItemFailures":[` + id(2) + `,` + id(77) + `]}`, whole},
		{"identifier without object", `{"batchItemFailures":["` + Sequence(2) + `"]}`, whole},
		{"failures are no list", `{"batchItemFailures":` + id(2) + `}`, whole},
		{"list of identifiers", `[` + id(2) + `]`, whole},
		{"string", `"ok"`, whole},
		{"no JSON", `ok`, whole},
	} {
		t.Run(tt.name, func(t *testing.T) {
			batches, givenUp := run(t, deliver, topology.StreamMapping{MaximumRetryAttempts: 3}, messages(5), func(n int, _ []int) (eventsource.Answer, error) {
				if n > 1 {
					return ok()
				}
				return eventsource.Answer{Payload: []byte(tt.answer)}, nil
			})
			expect(t, "batches", batches, tt.want)
			expect(t, "given up", givenUp, []int(nil))
		})
	}
}

// A retryCase has a function answer by a script.
type retryCase struct {
	name    string
	records int
	retries int
	answer  script
	batches [][]int
	givenUp []int
}

func testRetries(t *testing.T, deliver Deliverer) {
	t.Helper()
	for _, tt := range append(splits, tries...) {
		t.Run(tt.name, func(t *testing.T) {
			batches, givenUp := run(t, deliver, topology.StreamMapping{MaximumRetryAttempts: tt.retries}, messages(tt.records), tt.answer)
			expect(t, "batches", batches, tt.batches)
			expect(t, "given up", givenUp, tt.givenUp)
		})
	}
}

// failing answers batches that have a bad record.
func failing(bad int, answer func() (eventsource.Answer, error)) script {
	return func(_ int, batch []int) (eventsource.Answer, error) {
		if slices.Contains(batch, bad) {
			return answer()
		}
		return ok()
	}
}

var splits = []retryCase{
	{
		"function error splits the batch, which counts as no try", 5, 1, failing(4, crash),
		[][]int{{1, 2, 3, 4, 5}, {1, 2}, {3, 4, 5}, {3}, {4, 5}, {4}, {4}, {5}},
		[]int{4},
	},
	{ // recorded against AWS, see rule 7 in the doc of eventsource
		"partial answer cuts where it says, and exhausts the retries", 3, 3,
		failing(3, func() (eventsource.Answer, error) { return naming(3) }),
		[][]int{{1, 2, 3}, {3}, {3}, {3}, {3}},
		[]int{3},
	},
	{
		"tries before a split count afterwards", 2, 2,
		func(n int, batch []int) (eventsource.Answer, error) {
			switch {
			case n == 1:
				return naming(1)
			case slices.Contains(batch, 1):
				return crash()
			}
			return ok()
		},
		[][]int{{1, 2}, {1, 2}, {1}, {1}, {2}},
		[]int{1},
	},
}

var tries = []retryCase{
	{
		"no retries", 1, 0, failing(1, crash),
		[][]int{{1}},
		[]int{1},
	},
	{
		"progress resets the count", 3, 1,
		func(n int, batch []int) (eventsource.Answer, error) {
			switch {
			case n%2 == 1:
				return naming(batch[0])
			case len(batch) == 1:
				return ok()
			}
			return naming(batch[1])
		},
		[][]int{{1, 2, 3}, {1, 2, 3}, {2, 3}, {2, 3}, {3}, {3}},
		nil,
	},
	{
		"throttling counts as no try", 1, 4,
		func(n int, _ []int) (eventsource.Answer, error) {
			if n <= 3 {
				return eventsource.Answer{}, ErrThrottled
			}
			return crash()
		},
		[][]int{{1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}},
		[]int{1},
	},
}

func testFilters(t *testing.T, deliver Deliverer) {
	t.Helper()
	number := &types.AttributeValueMemberN{Value: "7"}
	text := &types.AttributeValueMemberS{Value: "7"}
	records := messages(7)
	records[1].EventName = types.OperationTypeModify            // without the number
	records[2].EventName = types.OperationTypeModify            // with it
	records[3].EventName = types.OperationTypeModify            // with a string
	records[4].EventName = types.OperationTypeRemove            //
	records[5].Dynamodb.Keys = map[string]types.AttributeValue{ // another item
		"PK": records[0].Dynamodb.Keys["PK"], "SK": &types.AttributeValueMemberS{Value: "MEMBER#bob"},
	}
	records[2].Dynamodb.NewImage["editedAt"] = number
	records[3].Dynamodb.NewImage["editedAt"] = text
	inserted := topology.Pattern{EventNames: []string{"INSERT"}, PKPrefixes: []string{"CHATROOM#"}, SKPrefixes: []string{"MESSAGE#"}}
	edited := topology.Pattern{EventNames: []string{"MODIFY"}, PKPrefixes: []string{"X#", "CHATROOM#"}, SKPrefixes: []string{"MESSAGE#"}, Number: "editedAt"}
	other := topology.Pattern{EventNames: []string{"INSERT", "MODIFY"}, PKPrefixes: []string{"CHATROOM"}, SKPrefixes: []string{"MEMBER#"}}
	nothing := topology.Pattern{EventNames: []string{"INSERT"}, PKPrefixes: []string{"USER#"}, SKPrefixes: []string{""}}
	for _, tt := range []struct {
		name    string
		filters []topology.Pattern
		want    [][]int
	}{
		{"none", nil, [][]int{{1, 2, 3}, {4, 5, 6}, {7}}},
		{"prefixes, ANDed with the event's name", []topology.Pattern{inserted}, [][]int{{1, 7}}},
		{"existing number", []topology.Pattern{edited}, [][]int{{3}}},
		{"ORed, before batches are made", []topology.Pattern{inserted, edited, other}, [][]int{{1, 3, 6}, {7}}},
		{"no record passes", []topology.Pattern{nothing}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			batches, _ := run(t, deliver, topology.StreamMapping{BatchSize: 3, Filters: tt.filters}, records, func(int, []int) (eventsource.Answer, error) { return ok() })
			expect(t, "batches", batches, tt.want)
		})
	}
}

// testEncoding compares what a function decodes with what the stream gave.
func testEncoding(t *testing.T, deliver Deliverer) {
	t.Helper()
	record := Message(1)
	record.EventName = types.OperationTypeRemove
	record.Dynamodb.OldImage, record.Dynamodb.NewImage = record.Dynamodb.NewImage, nil
	record.UserIdentity = &types.Identity{Type: aws.String("Service"), PrincipalId: aws.String("dynamodb.amazonaws.com")}
	m := topology.StreamMapping{Function: topology.LastMessage, BatchSize: 1, ParallelizationFactor: 1}
	calls := 0
	deliver(t, m, []types.Record{record}, func(event []byte) (eventsource.Answer, error) {
		calls++
		var got events.DynamoDBEvent
		if err := json.Unmarshal(event, &got); err != nil || len(got.Records) != 1 {
			t.Errorf("%v in %s", err, event)
			return ok()
		}
		r, change := got.Records[0], got.Records[0].Change
		expect(t, "event", []string{r.EventName, r.EventVersion, change.SequenceNumber, change.StreamViewType},
			[]string{"REMOVE", "1.1", Sequence(1), "NEW_AND_OLD_IMAGES"})
		expect(t, "time", change.ApproximateCreationDateTime.Unix(), record.Dynamodb.ApproximateCreationDateTime.Unix())
		expect(t, "size", change.SizeBytes, int64(300))
		expect(t, "key", change.Keys["PK"].String(), "CHATROOM#room-xyz")
		expect(t, "old image", []any{change.OldImage["senderId"].String(), change.OldImage["readBy"].StringSet()}, []any{"alice", []string{"alice"}})
		expect(t, "new image", len(change.NewImage), 0)
		expect(t, "user identity", r.UserIdentity, &events.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"})
		return ok()
	})
	expect(t, "invocations", calls, 1)
}
