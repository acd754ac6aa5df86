package dynamodb_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/local/dynamodb"
)

var recordFrom = flag.String("record", "", "URL of a DynamoDB Local whose answers replace testdata/operands.txt")

var typeSet = regexp.MustCompile(`\{[A-Z]+(,[A-Z]+)+\}`)

// operandKinds are the rows and columns of testdata/operands.txt; none is an attribute that the
// item lacks.
var operandKinds = strings.Fields("S N B BOOL NULL L M SS NS BS none")

// operandValue returns the value of a type: the attribute a of an item, or b, of which a's
// value has the type's equal or is a superset.
func operandValue(kind string, whole bool) types.AttributeValue {
	n := 1
	if whole {
		n = 2
	}
	texts, numbers, binaries := []string{"a", "ab"}[:n], []string{"1", "12"}[:n], [][]byte{{1}, {1, 2}}[:n]
	switch kind {
	case "S":
		return str(texts[n-1])
	case "N":
		return num(numbers[n-1])
	case "B":
		return &types.AttributeValueMemberB{Value: binaries[n-1]}
	case "BOOL":
		return &types.AttributeValueMemberBOOL{Value: true}
	case "NULL":
		return &types.AttributeValueMemberNULL{Value: true}
	case "SS":
		return &types.AttributeValueMemberSS{Value: texts}
	case "NS":
		return &types.AttributeValueMemberNS{Value: numbers}
	case "BS":
		return &types.AttributeValueMemberBS{Value: binaries}
	case "M":
		return &types.AttributeValueMemberM{Value: record{"k": str("a")}}
	case "L":
		list := &types.AttributeValueMemberL{Value: []types.AttributeValue{str("a")}}
		if whole {
			for _, k := range operandKinds[1:10] {
				list.Value = append(list.Value, operandValue(k, false))
			}
		}
		return list
	}
	return nil
}

// conditionForms and updateForms are the expressions of the table: x and y are paths to a value
// of the row's and of the column's type, :x and :y placeholders for one.
var (
	conditionForms = []string{
		"contains(x, :y)", "contains(x, y)", "contains(:x, y)",
		"begins_with(x, :y)", "begins_with(x, y)", "begins_with(:x, y)",
		"attribute_type(x, :y)", "attribute_type(x, y)",
		"x = :y", "x = y", ":x = y", "x <> :y", "x <> y", "x < :y", "x < y", ":x < y", "x <= :y", "x > :y", "x > y", "x >= :y",
		"x IN (:y)", "x IN (y)", ":x IN (y)", "x IN (:x, :y)",
		"x BETWEEN :y AND :y", "x BETWEEN y AND y", "x BETWEEN :x AND :y", "x BETWEEN :x AND y", ":x BETWEEN y AND x",
		"size(x) = :y", "size(x) < :y", "size(x) > y", "size(x) > size(y)", "size(x) IN (:y)", "contains(x, size(y))",
		"NOT contains(x, :y)", "NOT x < :y",
	}
	updateForms = []string{
		"SET r = list_append(x, :y)", "SET r = list_append(x, y)", "SET r = list_append(:x, y)",
		"SET r = if_not_exists(x, :y)", "SET r = if_not_exists(x, y)", "SET r = list_append(if_not_exists(x, :y), :y)",
		"SET r = x + :y", "SET r = x + y", "SET r = :x + y", "SET r = x - :y", "SET r = :x - y",
		"SET r = if_not_exists(x, :y) + :y", "SET x = y", "SET x.k = :y", "SET x[0] = :y", "REMOVE x.k, y[0]",
		"ADD x :y", "DELETE x :y",
	}
	// legacyForms are a parameter from before expressions and an operator or action
	legacyForms = []string{
		"Expected EQ", "Expected NE", "Expected LT", "Expected LE", "Expected GT", "Expected GE", "Expected IN", "Expected BEGINS_WITH",
		"Expected CONTAINS", "Expected NOT_CONTAINS", "Expected NULL", "Expected NOT_NULL", "Expected BETWEEN", "Expected",
		"AttributeUpdates PUT", "AttributeUpdates ADD", "AttributeUpdates DELETE",
	}
)

// TestOperandTypes runs every function and operator over operands of every pair of types, and
// compares with what DynamoDB Local 1.25.1 answered.
func TestOperandTypes(t *testing.T) {
	f := start(t, dynamodb.Options{})
	if *recordFrom != "" {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		f.Client = ddb.NewFromConfig(config(*recordFrom, plainBody{transport}))
		_, _ = f.CreateTable(t.Context(), chatTable())
	}
	const file = "testdata/operands.txt"
	var got strings.Builder
	f.putOperands(t)
	got.WriteString("Outcomes by the type of x (rows) and of y (columns): T done, F condition failed, lower case an error.\n")
	for _, form := range conditionForms {
		f.operandTable(t, &got, form, false)
	}
	for _, form := range updateForms {
		f.operandTable(t, &got, form, true)
	}
	for _, form := range legacyForms {
		f.operandTable(t, &got, form, false)
	}
	if *recordFrom != "" {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// tables are separated by blank lines
	tables := strings.Split(got.String(), "\n\n")
	for i, expected := range strings.Split(string(want), "\n\n") {
		if i >= len(tables) || tables[i] != expected {
			t.Errorf("%s, table %d: got\n%s\nwant\n%s", file, i, tables[min(i, len(tables)-1)], expected)
		}
	}
}

// operandItem is the item whose x and y have the given types.
func operandItem(x, y string) record {
	it := key(x, y)
	if v := operandValue(x, true); v != nil {
		it["x"] = v
	}
	if v := operandValue(y, false); v != nil {
		it["y"] = v
	}
	return it
}

func (f fixture) putOperands(t *testing.T) {
	t.Helper()
	for _, x := range operandKinds {
		for _, y := range operandKinds {
			f.put(t, operandItem(x, y))
		}
	}
}

func (f fixture) operandTable(t *testing.T, out *strings.Builder, form string, update bool) {
	t.Helper()
	var messages []string
	var table strings.Builder
	fmt.Fprintf(&table, "\n%s\n%5s", form, "")
	columns := operandKinds
	if !strings.Contains(form, "y") || strings.Contains(form, ":y") || slices.Contains(legacyForms, form) {
		columns = columns[:10]
	}
	rows := operandKinds
	if strings.Contains(form, ":x") {
		rows = rows[:10]
	}
	for _, y := range columns {
		fmt.Fprintf(&table, " %-4s", y)
	}
	for _, x := range rows {
		fmt.Fprintf(&table, "\n%-5s", x)
		for _, y := range columns {
			cell, message := f.operandCell(t, form, x, y, update)
			if message != "" {
				i := slices.Index(messages, message)
				if i < 0 {
					i = len(messages)
					messages = append(messages, message)
				}
				cell = string(rune('a' + i))
			}
			fmt.Fprintf(&table, " %-4s", cell)
		}
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
	for i, m := range messages {
		fmt.Fprintf(out, "%c: %s\n", 'a'+i, m)
	}
}

func (f fixture) operandCell(t *testing.T, form, x, y string, update bool) (cell, message string) {
	t.Helper()
	it := operandItem(x, y)
	given := record{}
	for _, name := range []string{"x", "y"} {
		if it[name] != nil {
			given[":"+name] = it[name]
		}
	}
	for _, name := range []string{":x", ":y"} {
		if !strings.Contains(form, name) {
			delete(given, name)
		}
	}
	if len(given) == 0 {
		given = nil
	}
	var err error
	switch {
	case slices.Contains(legacyForms, form):
		err = f.callLegacy(t, form, it, operandValue(y, false))
	case update:
		_, err = f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
			TableName: aws.String("chat"), Key: key(x, y), UpdateExpression: &form, ExpressionAttributeValues: given,
		})
		if err == nil {
			f.put(t, it)
		}
	default:
		_, err = f.PutItem(t.Context(), &ddb.PutItemInput{
			TableName: aws.String("chat"), Item: it, ConditionExpression: &form, ExpressionAttributeValues: given,
		})
	}
	if err == nil {
		return "T", ""
	}
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return "F", ""
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("%s of %s and %s: %v", form, x, y, err)
	}
	// sets of types come in any order
	message = typeSet.ReplaceAllStringFunc(api.ErrorMessage(), func(set string) string {
		names := strings.Split(set[1:len(set)-1], ",")
		slices.Sort(names)
		return "{" + strings.Join(names, ",") + "}"
	})
	return "", api.ErrorCode() + ": " + message
}

// callLegacy carries out one of the legacyForms with x as the attribute and a value for it.
func (f fixture) callLegacy(t *testing.T, form string, it record, value types.AttributeValue) error {
	t.Helper()
	parameter, operator, _ := strings.Cut(form, " ")
	if parameter == "AttributeUpdates" {
		_, err := f.UpdateItem(t.Context(), &ddb.UpdateItemInput{
			TableName: aws.String("chat"), Key: record{"PK": it["PK"], "SK": it["SK"]},
			AttributeUpdates: map[string]types.AttributeValueUpdate{"x": {Action: types.AttributeAction(operator), Value: value}},
		})
		if err == nil {
			f.put(t, it)
		}
		return err
	}
	expected := types.ExpectedAttributeValue{ComparisonOperator: types.ComparisonOperator(operator)}
	switch operator {
	case "":
		expected.Value = value
	case "NULL", "NOT_NULL":
	case "BETWEEN":
		expected.AttributeValueList = []types.AttributeValue{value, value}
	default:
		expected.AttributeValueList = []types.AttributeValue{value}
	}
	_, err := f.PutItem(t.Context(), &ddb.PutItemInput{
		TableName: aws.String("chat"), Item: it, Expected: map[string]types.ExpectedAttributeValue{"x": expected},
	})
	return err
}
