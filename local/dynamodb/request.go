package dynamodb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// request holds the parameters of an item operation, a whole request or one action of a
// batch or transaction. Names and meanings are shared, so one type reads them all; each
// operation uses those that it has.
type request struct {
	table string
	named bool // the request has a TableName, perhaps an empty one
	item  item.Item
	key   item.Item

	condition    *string
	update       *string
	projection   *string
	filter       *string
	keyCondition *string
	names        []expression.Name
	values       item.Item

	returnValues      string
	onFailure         string // ReturnValuesOnConditionCheckFailure
	capacity          string // ReturnConsumedCapacity
	metrics           string // ReturnItemCollectionMetrics
	consistent        bool
	index             string
	backward          bool
	selection         string // Select
	limit             *int64
	start             item.Item // ExclusiveStartKey
	segment           *int64
	totalSegments     *int64
	legacy            legacy // the parameters from before expressions
	hasName, hasValue bool
}

// readRequest reads a request that is a whole document. The error is one of jsonio or
// item.
func readRequest(r *jsonio.Reader) (*request, error) {
	q := &request{}
	return q, r.Document(func(name string) error { return q.read(r, name) })
}

// readAction reads a request that is part of a batch or transaction, with the errors of
// readRequest.
func readAction(r *jsonio.Reader) (*request, error) {
	q := &request{}
	return q, r.Struct(func(name string) error { return q.read(r, name) })
}

func (q *request) read(r *jsonio.Reader, name string) (err error) {
	switch name {
	case "TableName":
		q.table, err = r.String()
		q.table, q.named = bareName(q.table), true
	case "Item":
		q.item, err = item.ReadItem(r)
	case "Key":
		q.key, err = item.ReadItem(r)
	case "ConditionExpression":
		q.condition, err = readText(r)
	case "UpdateExpression":
		q.update, err = readText(r)
	case "ProjectionExpression":
		q.projection, err = readText(r)
	case "FilterExpression":
		q.filter, err = readText(r)
	case "KeyConditionExpression":
		q.keyCondition, err = readText(r)
	case "ExpressionAttributeNames":
		q.hasName = true
		q.names, err = readNames(r)
	case "ExpressionAttributeValues":
		q.hasValue = true
		q.values, err = item.ReadItem(r)
		if invalid, ok := errors.AsType[*item.Error](err); ok {
			err = &item.Error{Message: "ExpressionAttributeValues contains invalid value: " + invalid.Message}
		}
	case "ReturnValues":
		q.returnValues, err = r.String()
	case "ReturnValuesOnConditionCheckFailure":
		q.onFailure, err = r.String()
	case "ReturnConsumedCapacity":
		q.capacity, err = r.String()
	case "ReturnItemCollectionMetrics":
		q.metrics, err = r.String()
	case "ConsistentRead":
		q.consistent, err = r.Bool()
	case "IndexName":
		q.index, err = r.String()
	case "ScanIndexForward":
		var forward bool
		forward, err = r.Bool()
		q.backward = !forward
	case "Select":
		q.selection, err = r.String()
	case "Limit":
		q.limit, err = readInt(r)
	case "ExclusiveStartKey":
		q.start, err = item.ReadItem(r)
	case "Segment":
		q.segment, err = readInt(r)
	case "TotalSegments":
		q.totalSegments, err = readInt(r)
	case "Expected", "ConditionalOperator", "AttributeUpdates", "AttributesToGet", "KeyConditions", "QueryFilter", "ScanFilter":
		err = q.legacy.read(r, name)
	default:
		err = r.Skip()
	}
	return err
}

func readText(r *jsonio.Reader) (*string, error) {
	s, err := r.String()
	return &s, err
}

func readInt(r *jsonio.Reader) (*int64, error) {
	n, err := r.Int()
	return &n, err
}

func readNames(r *jsonio.Reader) ([]expression.Name, error) {
	var out []expression.Name
	err := r.Map(func(placeholder string) error {
		name, err := r.String()
		out = append(out, expression.Name{Placeholder: placeholder, Name: name})
		return err
	})
	return out, err
}

// check rejects what no operation accepts. The error is an *Error.
func (q *request) check() error {
	if q.table == "" {
		return q.unnamed()
	}
	var v violations
	v.enum(q.capacity, "returnConsumedCapacity", capacityIndexes, capacityTotal, capacityNone)
	v.enum(q.metrics, "returnItemCollectionMetrics", metricsSize, "NONE")
	v.enum(q.returnValues, "returnValues", "ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
	v.enum(q.onFailure, "returnValuesOnConditionCheckFailure", "ALL_OLD", "NONE")
	v.enum(q.selection, "select", selectSpecific, selectCount, selectAll, selectProjected)
	if len(q.table) >= minName || !namePattern.MatchString(q.table) { // a shorter one is not found
		v.name(q.table, "tableName")
	}
	q.legacy.violations(&v)
	return v.err()
}

// unnamed rejects a request without the name of a table, before all else.
func (q *request) unnamed() error {
	if !q.named {
		return missing("tableName")
	}
	var v violations
	v.add("", "tableName", "Member must have length greater than or equal to 1")
	return v.err()
}

// expressions are a request's expressions, parsed and bound; nil for those that it lacks.
type expressions struct {
	condition    *expression.BoundCondition
	filter       *expression.BoundCondition
	keyCondition *expression.BoundCondition
	update       *expression.BoundUpdate
	projection   *expression.BoundProjection
}

// bind parses and binds those of the request's expressions that the operation takes. The
// error is an *Error.
func (e *Engine) bind(q *request, kinds ...expression.Kind) (expressions, error) {
	var out expressions
	if err := q.checkMixed(); err != nil {
		return out, err
	}
	args := &expression.Args{Names: q.names, Values: q.values}
	given := false
	for _, kind := range kinds {
		here, err := e.bindOne(q, kind, args, &out)
		if err != nil {
			return out, validation(err.Error())
		}
		given = given || here
	}
	if err := q.checkPlaceholders(kinds, given); err != nil {
		return out, err
	}
	if err := args.Unused(); err != nil {
		return out, validation(err.Error())
	}
	return out, q.bindLegacy(kinds, &out)
}

func (e *Engine) bindOne(q *request, kind expression.Kind, args *expression.Args, out *expressions) (given bool, err error) {
	condition := func(text *string) (*expression.BoundCondition, error) {
		if text == nil {
			return nil, nil
		}
		given = true
		c, err := e.cache.Condition(kind, *text)
		if err != nil {
			return nil, err
		}
		return c.Bind(args)
	}
	switch kind {
	case expression.KindCondition:
		out.condition, err = condition(q.condition)
	case expression.KindFilter:
		out.filter, err = condition(q.filter)
	case expression.KindKeyCondition:
		out.keyCondition, err = condition(q.keyCondition)
	case expression.KindUpdate:
		if q.update == nil {
			return false, nil
		}
		given = true
		var u *expression.Update
		if u, err = e.cache.Update(*q.update); err == nil {
			out.update, err = u.Bind(args)
		}
	case expression.KindProjection:
		if q.projection == nil {
			return false, nil
		}
		given = true
		var p *expression.Projection
		if p, err = e.cache.Projection(*q.projection); err == nil {
			out.projection, err = p.Bind(args)
		}
	}
	return given, err
}

// checkPlaceholders rejects malformed placeholders, and any without an expression to use
// them.
func (q *request) checkPlaceholders(kinds []expression.Kind, given bool) error {
	switch {
	case q.hasName && !given:
		return validation("ExpressionAttributeNames can only be specified when using expressions")
	case q.hasValue && !given:
		names := make([]string, 0, len(kinds))
		for _, k := range kinds {
			if k != expression.KindProjection {
				names = append(names, string(k))
			}
		}
		verb := " is null"
		if len(names) > 1 {
			verb = " are null"
		}
		return validation("ExpressionAttributeValues can only be specified when using expressions: " + strings.Join(names, " and ") + verb)
	case q.hasName && len(q.names) == 0:
		return validation("ExpressionAttributeNames must not be empty")
	case q.hasValue && len(q.values) == 0:
		return validation("ExpressionAttributeValues must not be empty")
	}
	for _, n := range q.names {
		if !placeholder(n.Placeholder, '#') {
			return validation(fmt.Sprintf("ExpressionAttributeNames contains invalid key: Syntax error; key: \"%s\"", n.Placeholder))
		}
	}
	for _, v := range q.values {
		if !placeholder(v.Name, ':') {
			return validation(fmt.Sprintf("ExpressionAttributeValues contains invalid key: Syntax error; key: \"%s\"", v.Name))
		}
	}
	return nil
}

func placeholder(s string, sigil byte) bool {
	if len(s) < 2 || s[0] != sigil {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
