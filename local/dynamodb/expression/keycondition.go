package expression

import "github.com/streamroom/streamroom/local/dynamodb/item"

// KeyCondition is a Query's condition on its keys: one partition, and a range of its sort
// keys.
type KeyCondition struct {
	Hash  item.Value
	Range *RangeCondition // nil: every sort key
}

// RangeCondition compares sort keys with one value, or with two for BETWEEN.
type RangeCondition struct {
	Op        string // =, <, <=, >, >=, BETWEEN or begins_with
	Low, High item.Value
}

// Prefix reports whether the condition selects sort keys that begin with Low.
func (r *RangeCondition) Prefix() bool { return r.Op == fnBeginsWith }

// Key reads the condition as one on the given keys; rangeKey is "" where there is none.
// The error is an *Error.
func (b *BoundCondition) Key(hashKey, rangeKey string) (KeyCondition, error) {
	var out KeyCondition
	parts := []*node{b.root}
	if b.root.op == opAnd {
		parts = parts[:0]
		for i := range b.root.children {
			parts = append(parts, &b.root.children[i])
		}
	}
	if len(parts) > 2 {
		return out, &Error{Message: "Conditions can be of length 1 or 2 only"}
	}
	var hash, sort *node
	for _, n := range parts {
		name, err := b.keyOf(n)
		if err != nil {
			return out, err
		}
		switch {
		case name == hashKey && hash == nil:
			hash = n
		case name == hashKey || sort != nil:
			return out, &Error{Message: "KeyConditionExpressions must only contain one condition per key"}
		default:
			sort = n
			if name != rangeKey {
				missing := hashKey
				if hash != nil || len(parts) == 2 && rangeKey != "" {
					missing = rangeKey
				}
				if missing == "" {
					return out, &Error{Message: "Query key condition not supported"}
				}
				return out, &Error{Message: "Query condition missed key schema element: " + missing}
			}
		}
	}
	switch {
	case hash == nil:
		return out, &Error{Message: "Query condition missed key schema element: " + hashKey}
	case hash.op != opEqual:
		return out, &Error{Message: "Query key condition not supported"}
	}
	out.Hash = b.values[hash.operands[1].slot]
	if sort != nil {
		out.Range = &RangeCondition{Op: sort.op, Low: b.values[sort.operands[1].slot]}
		if sort.op == opBetween {
			out.Range.High = b.values[sort.operands[2].slot]
		}
	}
	return out, nil
}

// keyOf returns the attribute that a part of a key condition compares with values.
func (b *BoundCondition) keyOf(n *node) (string, error) {
	switch n.op {
	case opEqual, opLess, opLessEqual, opMore, opMoreEqual, opBetween, fnBeginsWith:
	default:
		return "", &Error{Message: "Invalid operator used in KeyConditionExpression: " + n.op}
	}
	if n.operands[0].kind != operandPath {
		return "", b.kind.errorf("No key attribute on the left of the operator; operator: %s", n.op)
	}
	if len(n.operands[0].path) != 1 {
		return "", &Error{Message: "KeyConditionExpressions cannot have conditions on nested attributes"}
	}
	for _, o := range n.operands[1:] {
		if o.kind != operandValue {
			return "", &Error{Message: "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"}
		}
	}
	return b.top(n.operands[0].path), nil
}
