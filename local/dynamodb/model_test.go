package dynamodb_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// modelItem is an item of the model: a number, and a place in the index. "" stands for no
// attribute.
type modelItem struct {
	PK, SK, N, Group, Sort string
}

func (m modelItem) record() record {
	it := key(m.PK, m.SK)
	if m.N != "" {
		it["n"] = num(m.N)
	}
	if m.Group != "" {
		it["GSI1PK"] = str(m.Group)
	}
	if m.Sort != "" {
		it["GSI1SK"] = str(m.Sort)
	}
	return it
}

func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	}
	return ""
}

func modelOf(it record) modelItem {
	return modelItem{PK: text(it["PK"]), SK: text(it["SK"]), N: text(it["n"]), Group: text(it["GSI1PK"]), Sort: text(it["GSI1SK"])}
}

// model is what the engine must be equal to: a map, and what was done to it.
type model struct {
	fixture fixture
	items   map[[2]string]modelItem
	history map[[2]string][]string // of each item, what its stream records must say
}

// change is one write of the model: it says what becomes of the item, and whether its
// condition lets it.
type change struct {
	key       [2]string
	condition string
	value     string // what the condition compares n with
	apply     func(old modelItem, there bool) (modelItem, bool)
	action    types.TransactWriteItem
}

func (c change) allowed(old modelItem, there bool) bool {
	switch c.condition {
	case "attribute_not_exists(PK)":
		return !there
	case "attribute_exists(PK)":
		return there
	case "n < :c":
		if !there || old.N == "" {
			return false
		}
		have, _ := strconv.Atoi(old.N)
		want, _ := strconv.Atoi(c.value)
		return have < want
	}
	return true
}

// commit does a change to the model and notes its stream record.
func (m *model) commit(c change) {
	old, there := m.items[c.key]
	if !there {
		old = modelItem{PK: c.key[0], SK: c.key[1]}
	}
	changed, remains := c.apply(old, there)
	switch {
	case remains && there && changed == old, !remains && !there:
		return
	case !remains:
		delete(m.items, c.key)
		m.history[c.key] = append(m.history[c.key], fmt.Sprintf("REMOVE %v", old))
	case there:
		m.items[c.key] = changed
		m.history[c.key] = append(m.history[c.key], fmt.Sprintf("MODIFY %v %v", old, changed))
	default:
		m.items[c.key] = changed
		m.history[c.key] = append(m.history[c.key], fmt.Sprintf("INSERT %v", changed))
	}
}

func drawKey(t *rapid.T) [2]string {
	return [2]string{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "PK"), rapid.SampledFrom([]string{"", "\x00", "1", "11", "2"}).Draw(t, "SK") + "k"}
}

func drawChange(t *rapid.T) change {
	c := change{key: drawKey(t)}
	var condition *string
	if text := rapid.SampledFrom([]string{"", "", "attribute_not_exists(PK)", "attribute_exists(PK)", "n < :c"}).Draw(t, "condition"); text != "" {
		c.condition, condition = text, aws.String(text)
		c.value = strconv.Itoa(rapid.IntRange(-3, 6).Draw(t, "value"))
	}
	args := record{}
	if c.condition == "n < :c" {
		args[":c"] = num(c.value)
	}
	none := func(m record) record {
		if len(m) == 0 {
			return nil
		}
		return m
	}
	table := aws.String("chat")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0, 1:
		it := modelItem{
			PK: c.key[0], SK: c.key[1], N: rapid.SampledFrom([]string{"", "0", "1", "2"}).Draw(t, "n"),
			Group: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "group"), Sort: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "sort"),
		}
		c.apply = func(modelItem, bool) (modelItem, bool) { return it, true }
		c.action.Put = &types.Put{TableName: table, Item: it.record(), ConditionExpression: condition, ExpressionAttributeValues: none(args)}
	case 2:
		by := rapid.IntRange(-2, 2).Draw(t, "by")
		sort := rapid.SampledFrom([]string{"", "1", "2", "3"}).Draw(t, "sort")
		expression := "ADD n :by"
		args[":by"] = num(strconv.Itoa(by))
		if sort != "" {
			expression += " SET GSI1SK = :sort"
			args[":sort"] = str(sort)
		} else {
			expression += " REMOVE GSI1SK"
		}
		c.apply = func(old modelItem, _ bool) (modelItem, bool) {
			n, _ := strconv.Atoi(old.N)
			old.N, old.Sort = strconv.Itoa(n+by), sort
			return old, true
		}
		c.action.Update = &types.Update{
			TableName: table, Key: key(c.key[0], c.key[1]), UpdateExpression: aws.String(expression), ConditionExpression: condition, ExpressionAttributeValues: args,
		}
	default:
		c.apply = func(old modelItem, _ bool) (modelItem, bool) { return old, false }
		c.action.Delete = &types.Delete{TableName: table, Key: key(c.key[0], c.key[1]), ConditionExpression: condition, ExpressionAttributeValues: none(args)}
	}
	return c
}

// single carries a change out by itself.
func (m *model) single(t *rapid.T) {
	c := drawChange(t)
	var err error
	switch a := c.action; {
	case a.Put != nil:
		_, err = m.fixture.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: a.Put.TableName, Item: a.Put.Item, ConditionExpression: a.Put.ConditionExpression, ExpressionAttributeValues: a.Put.ExpressionAttributeValues,
		})
	case a.Update != nil:
		_, err = m.fixture.UpdateItem(t.Context(), &ddb.UpdateItemInput{
			TableName: a.Update.TableName, Key: a.Update.Key, UpdateExpression: a.Update.UpdateExpression,
			ConditionExpression: a.Update.ConditionExpression, ExpressionAttributeValues: a.Update.ExpressionAttributeValues,
		})
	default:
		_, err = m.fixture.DeleteItem(t.Context(), &ddb.DeleteItemInput{
			TableName: a.Delete.TableName, Key: a.Delete.Key, ConditionExpression: a.Delete.ConditionExpression, ExpressionAttributeValues: a.Delete.ExpressionAttributeValues,
		})
	}
	old, there := m.items[c.key]
	_, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case c.allowed(old, there) && err != nil, !c.allowed(old, there) && !failed:
		t.Fatalf("%v on %v: got %v", c.action, old, err)
	case err == nil:
		m.commit(c)
	}
}

// transaction carries out several changes at once, or none.
func (m *model) transaction(t *rapid.T) {
	changes := make(map[[2]string]change)
	for range rapid.IntRange(1, 4).Draw(t, "actions") {
		c := drawChange(t)
		changes[c.key] = c
	}
	in := &ddb.TransactWriteItemsInput{}
	var reasons []string
	possible := true
	for _, c := range changes {
		in.TransactItems = append(in.TransactItems, c.action)
		old, there := m.items[c.key]
		reasons = append(reasons, "None")
		if !c.allowed(old, there) {
			possible = false
			reasons[len(reasons)-1] = "ConditionalCheckFailed"
		}
	}
	_, err := m.fixture.TransactWriteItems(t.Context(), in)
	if possible {
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			m.commit(c)
		}
		return
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("got %v, want %v", err, reasons)
	}
	var got []string
	for _, r := range canceled.CancellationReasons {
		got = append(got, aws.ToString(r.Code))
	}
	if !slices.Equal(got, reasons) {
		t.Fatalf("got %v, want %v", got, reasons)
	}
}

// query reads a partition of the table or the index in pages.
func (m *model) query(t *rapid.T) {
	backward := rapid.Bool().Draw(t, "backward")
	in := &ddb.QueryInput{
		TableName: aws.String("chat"), ScanIndexForward: aws.Bool(!backward), Limit: aws.Int32(int32(rapid.IntRange(1, 4).Draw(t, "limit"))),
	}
	var want []modelItem
	if rapid.Bool().Draw(t, "index") {
		in.IndexName, in.KeyConditionExpression, in.ExpressionAttributeValues = aws.String("GSI1"), aws.String("GSI1PK = :p AND GSI1SK < :s"), record{":p": str("x"), ":s": str("3")}
		for _, it := range m.items {
			if it.Group == "x" && it.Sort != "" && it.Sort < "3" {
				want = append(want, it)
			}
		}
	} else {
		in.KeyConditionExpression, in.ExpressionAttributeValues = aws.String("PK = :p AND begins_with(SK, :s)"), record{":p": str("a"), ":s": str("1")}
		for _, it := range m.items {
			if it.PK == "a" && it.SK[0] == '1' {
				want = append(want, it)
			}
		}
	}
	var got []modelItem
	for {
		out, err := m.fixture.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Items {
			got = append(got, modelOf(it))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	order := func(a, b modelItem) int { // by what the query orders by; the rest is free
		x, y := a.SK, b.SK
		if in.IndexName != nil {
			x, y = a.Sort, b.Sort
		}
		if backward {
			x, y = y, x
		}
		return strings.Compare(x, y)
	}
	if !slices.IsSortedFunc(got, order) {
		t.Fatalf("out of order: %v", got)
	}
	sameItems(t, got, want)
}

func sameItems(t *rapid.T, got, want []modelItem) {
	all := func(a, b modelItem) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(got, all)
	slices.SortFunc(want, all)
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// scan reads everything, in pages.
func (m *model) scan(t *rapid.T) {
	in := &ddb.ScanInput{TableName: aws.String("chat"), Limit: aws.Int32(3)}
	var got []modelItem
	for {
		out, err := m.fixture.Scan(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Items {
			got = append(got, modelOf(it))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	sameItems(t, got, slices.Collect(maps.Values(m.items)))
}

// split closes an open shard.
func (m *model) split(t *rapid.T, arn string) {
	var open []string
	out, err := m.fixture.streams.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(arn)})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range out.StreamDescription.Shards {
		if h.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, *h.ShardId)
		}
	}
	if len(open) > 8 {
		return
	}
	if err := m.fixture.engine.SplitShard(t.Context(), arn, rapid.SampledFrom(open).Draw(t, "shard")); err != nil {
		t.Fatal(err)
	}
}

// checkStream compares what the stream tells of each item, in order, with the model's
// history.
func (m *model) checkStream(t *testing.T, r *rapid.T) {
	t.Helper()
	got := make(map[[2]string][]string)
	for _, record := range m.fixture.everything(t) {
		id := [2]string{image(record.Dynamodb.Keys, "PK"), image(record.Dynamodb.Keys, "SK")}
		line := string(record.EventName)
		for _, it := range []map[string]streamtypes.AttributeValue{record.Dynamodb.OldImage, record.Dynamodb.NewImage} {
			if it != nil {
				line += fmt.Sprintf(" %v", modelItem{PK: image(it, "PK"), SK: image(it, "SK"), N: image(it, "n"), Group: image(it, "GSI1PK"), Sort: image(it, "GSI1SK")})
			}
		}
		got[id] = append(got[id], line)
	}
	if diff := cmp.Diff(m.history, got); diff != "" {
		r.Fatalf("stream records (-want +got):\n%s", diff)
	}
}

// TestModel does random operations to the engine and to a map, and compares every answer,
// and in the end the stream.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		e, err := dynamodb.Open(r.Context(), dynamodb.Options{})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := e.Close(); err != nil {
				r.Error(err)
			}
		}()
		chat := clients(e)
		m := &model{fixture: chat, items: make(map[[2]string]modelItem), history: make(map[[2]string][]string)}
		chat.createChat(t)
		arn := chat.arn(t)
		r.Repeat(map[string]func(*rapid.T){
			"single": m.single, "single again": m.single, "transaction": m.transaction, "query": m.query, "scan": m.scan,
			"split": func(r *rapid.T) { m.split(r, arn) },
			"": func(r *rapid.T) {
				for k, want := range m.items {
					if got := modelOf(chat.get(t, k[0], k[1])); got != want {
						r.Fatalf("got %v, want %v", got, want)
					}
					break // one is enough at each step: the map's order is random
				}
			},
		})
		m.checkStream(t, r)
	})
}

// TestConcurrentWriters has writers and transactions meet on a few items: every
// acknowledged one counts once, and the stream tells of each item as a chain of images.
func TestConcurrentWriters(t *testing.T) {
	f := start(t, dynamodb.Options{})
	var done, refusedOnes atomic.Int64
	add := func(pk string) types.Update {
		return types.Update{
			TableName: aws.String("chat"), Key: key(pk, "s"), UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: record{":one": num("1")},
		}
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				var err error
				if (w+i)%2 == 0 {
					one, two := add("a"), add("b")
					_, err = f.transact(t, "", types.TransactWriteItem{Update: &one}, types.TransactWriteItem{Update: &two})
				} else {
					u := add("a")
					_, err = f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
						TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ExpressionAttributeValues: u.ExpressionAttributeValues,
					})
				}
				_, conflict := errors.AsType[*types.TransactionConflictException](err)
				_, canceled := errors.AsType[*types.TransactionCanceledException](err)
				switch {
				case err == nil:
					done.Add(1)
				case conflict || canceled:
					refusedOnes.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if done.Load()+refusedOnes.Load() != 400 {
		t.Errorf("%d done and %d refused, want 400 together", done.Load(), refusedOnes.Load())
	}
	equal(t, "sum", f.get(t, "a", "s")["n"], num(fmt.Sprint(done.Load())))
	last := make(map[string]string)
	for _, r := range f.everything(t) {
		if old := image(r.Dynamodb.OldImage, "n"); old != last[streamKey(r)] {
			t.Fatalf("%s went from %q on, but was %q", streamKey(r), old, last[streamKey(r)])
		}
		last[streamKey(r)] = image(r.Dynamodb.NewImage, "n")
	}
	equal(t, "last image", last["a/s"], fmt.Sprint(done.Load()))
}
