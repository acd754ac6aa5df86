package dynamodb_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func putAction(it record, condition string) types.TransactWriteItem {
	p := &types.Put{TableName: aws.String("chat"), Item: it}
	if condition != "" {
		p.ConditionExpression = aws.String(condition)
		p.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	}
	return types.TransactWriteItem{Put: p}
}

func (f fixture) transact(t testing.TB, token string, actions ...types.TransactWriteItem) (*ddb.TransactWriteItemsOutput, error) {
	t.Helper()
	in := &ddb.TransactWriteItemsInput{TransactItems: actions, ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes}
	if token != "" {
		in.ClientRequestToken = aws.String(token)
	}
	return f.TransactWriteItems(t.Context(), in)
}

func TestTransaction(t *testing.T) {
	f := start(t, dynamodb.Options{})
	f.put(t, with(key("check", "s"), "n", num("1")))
	f.put(t, with(key("update", "s"), "n", num("1")))
	f.put(t, key("delete", "s"))
	out, err := f.transact(t, "",
		putAction(with(key("put", "s"), "GSI1PK", str("g"), "GSI1SK", str("1")), "attribute_not_exists(PK)"),
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String("chat"), Key: key("check", "s"), ConditionExpression: aws.String("n = :one"), ExpressionAttributeValues: record{":one": num("1")},
		}},
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String("chat"), Key: key("update", "s"), UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: record{":one": num("1")},
		}},
		types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String("chat"), Key: key("delete", "s")}},
	)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "updated", f.get(t, "update", "s"), with(key("update", "s"), "n", num("2")))
	equal(t, "deleted", f.get(t, "delete", "s"), record(nil))
	c := out.ConsumedCapacity[0]
	if *c.Table.WriteCapacityUnits != 8 || *c.GlobalSecondaryIndexes["GSI1"].CapacityUnits != 1 || *c.CapacityUnits != 9 || *c.WriteCapacityUnits != 9 {
		t.Errorf("four actions on small items: got %v on the table, %v in all; want 8 and 9", *c.Table.WriteCapacityUnits, *c.CapacityUnits)
	}
	read, err := f.TransactGetItems(t.Context(), &ddb.TransactGetItemsInput{
		TransactItems: []types.TransactGetItem{
			{Get: &types.Get{TableName: aws.String("chat"), Key: key("update", "s"), ProjectionExpression: aws.String("n")}},
			{Get: &types.Get{TableName: aws.String("chat"), Key: key("delete", "s")}},
		},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "read", []record{read.Responses[0].Item, read.Responses[1].Item}, []record{{"n": num("2")}, nil})
	if got := read.ConsumedCapacity[0]; *got.CapacityUnits != 4 || *got.ReadCapacityUnits != 4 {
		t.Errorf("got %v units, want 4", *got.CapacityUnits)
	}
}

func TestTransactionCanceled(t *testing.T) {
	f := start(t, dynamodb.Options{})
	there := with(key("there", "s"), "text", str("x"))
	f.put(t, there)
	_, err := f.transact(t, "",
		putAction(key("new", "s"), ""),
		putAction(key("there", "s"), "attribute_not_exists(PK)"),
		types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String("chat"), Key: key("other", "s"), UpdateExpression: aws.String("SET a = b"),
		}},
	)
	refused(t, err, "TransactionCanceledException",
		"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, ValidationError]")
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	equal(t, "item shown", canceled.CancellationReasons[1].Item, there)
	if got := aws.ToString(canceled.CancellationReasons[2].Message); got != "The provided expression refers to an attribute that does not exist in the item" {
		t.Errorf("got %q", got)
	}
	equal(t, "item of a transaction that was cancelled", f.get(t, "new", "s"), record(nil))
}

func TestTransactionRefused(t *testing.T) {
	f := start(t, dynamodb.Options{})
	var many []types.TransactWriteItem
	for i := range 101 {
		many = append(many, putAction(key("p", fmt.Sprint(i)), ""))
	}
	_, err := f.transact(t, "", many...)
	refused(t, err, "ValidationException", "Member must have length less than or equal to 100")
	_, err = f.transact(t, "", many[0], many[0])
	refused(t, err, "ValidationException", "Transaction request cannot include multiple operations on one item")
	_, err = f.transact(t, "", types.TransactWriteItem{})
	refused(t, err, "ValidationException", "should contain")
	body := str(strings.Repeat("x", 399<<10))
	for i := range 11 {
		many[i] = putAction(with(key("big", fmt.Sprint(i)), "body", body), "")
	}
	_, err = f.transact(t, "", many[:11]...)
	refused(t, err, "ValidationException", "4 MB")
	if _, err = f.transact(t, "", many[:10]...); err != nil {
		t.Errorf("ten items of 399 KB: %v", err)
	}
}

func TestToken(t *testing.T) {
	clock := clockwork.NewFakeClock()
	o := dynamodb.Options{Clock: clock, Path: filepath.Join(t.TempDir(), "data.db")}
	e, err := dynamodb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f := clients(e)
	f.createChat(t)
	add := func(f fixture, n string) (*ddb.TransactWriteItemsOutput, error) {
		return f.transact(t, "token-1", types.TransactWriteItem{Update: &types.Update{
			TableName: aws.String("chat"), Key: key("p", "s"), UpdateExpression: aws.String("ADD #n :n, #m :n"),
			ExpressionAttributeNames: map[string]string{"#n": "n", "#m": "m"}, ExpressionAttributeValues: record{":n": num(n)},
		}})
	}
	if _, err := add(f, "1"); err != nil {
		t.Fatal(err)
	}
	out, err := add(f, "1")
	if err != nil {
		t.Fatal(err)
	}
	if c := out.ConsumedCapacity[0]; *c.ReadCapacityUnits != 2 || c.WriteCapacityUnits != nil {
		t.Errorf("a repetition consumed %+v, want 2 read units", c)
	}
	_, err = add(f, "2")
	refused(t, err, "IdempotentParameterMismatchException", "")
	equal(t, "item", f.get(t, "p", "s")["n"], num("1"))

	if err := e.Close(); err != nil { // the token outlives the process
		t.Fatal(err)
	}
	f = clients(open(t, o))
	if _, err := add(f, "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "item after a restart", f.get(t, "p", "s")["n"], num("1"))
	clock.Advance(10*time.Minute + time.Second)
	if _, err := add(f, "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "item after the token's life", f.get(t, "p", "s")["n"], num("2"))
}

// TestConflicts pauses a transaction half-way and writes to its items.
func TestConflicts(t *testing.T) {
	f := start(t, dynamodb.Options{Path: filepath.Join(t.TempDir(), "data.db")}) // reads of a file don't wait for the writer
	resume := f.engine.Pause()
	first := make(chan error, 1)
	go func() {
		_, err := f.transact(t, "held", putAction(key("a", "s"), ""), putAction(key("b", "s"), ""))
		first <- err
	}()
	waitFor(t, func() bool { return f.engine.Locked() == 2 })

	_, err := f.PutItem(t.Context(), &ddb.PutItemInput{TableName: aws.String("chat"), Item: key("a", "s")})
	refused(t, err, "TransactionConflictException", "Transaction is ongoing for the item")
	_, err = f.transact(t, "", putAction(key("c", "s"), ""), putAction(key("b", "s"), ""))
	refused(t, err, "TransactionCanceledException", "[None, TransactionConflict]")
	_, err = f.TransactGetItems(t.Context(), &ddb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: aws.String("chat"), Key: key("a", "s")}},
	}})
	refused(t, err, "TransactionCanceledException", "[TransactionConflict]")
	_, err = f.transact(t, "held", putAction(key("a", "s"), ""), putAction(key("b", "s"), ""))
	refused(t, err, "TransactionInProgressException", "")
	out, err := f.BatchWriteItem(t.Context(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"chat": {
		{DeleteRequest: &types.DeleteRequest{Key: key("a", "s")}},
	}}})
	if err == nil {
		equal(t, "unprocessed", out.UnprocessedItems["chat"][0].DeleteRequest.Key, key("a", "s"))
	} else {
		t.Error(err)
	}
	equal(t, "read of a held item", f.get(t, "a", "s"), record(nil))
	resume()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if n := f.engine.Locked(); n != 0 {
		t.Errorf("%d items are still claimed", n)
	}
	f.put(t, key("a", "s"))
}

// waitFor polls until ok, for as long as the test may last.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("waited a minute in vain")
		}
	}
}
