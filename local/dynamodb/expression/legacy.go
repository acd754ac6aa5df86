package expression

import (
	"slices"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// Comparison is one condition of the parameters from before expressions: Expected,
// KeyConditions, QueryFilter and ScanFilter.
type Comparison struct {
	Attribute string
	Operator  string // a ComparisonOperator, such as EQ
	Values    []item.Value
}

// comparisonOps are the operators of expressions that a ComparisonOperator stands for.
// NOT_CONTAINS stands for none.
var comparisonOps = map[string]string{
	"EQ": opEqual, "NE": opNotEqual, "LT": opLess, "LE": opLessEqual, "GT": opMore, "GE": opMoreEqual, "BETWEEN": opBetween, "IN": opIn,
	"BEGINS_WITH": fnBeginsWith, "CONTAINS": fnContains, "NULL": fnNotExists, "NOT_NULL": fnExists,
}

// Comparisons returns the condition that all the comparisons hold, or any of them.
func Comparisons(kind Kind, list []Comparison, either bool) *BoundCondition {
	b := &BoundCondition{kind: kind, root: &node{op: opAnd}}
	if either {
		b.root.op = opOr
	}
	for _, c := range list {
		b.root.children = append(b.root.children, b.comparison(c))
	}
	if len(list) == 1 {
		b.root = &b.root.children[0]
	}
	return b
}

func (b *BoundCondition) comparison(c Comparison) node {
	operands := []operand{{kind: operandPath, path: attributePath(c.Attribute)}}
	for _, v := range c.Values {
		operands = append(operands, b.constant(v))
	}
	if c.Operator == "NOT_CONTAINS" {
		return node{op: opAnd, children: []node{
			{op: fnExists, operands: operands[:1]},
			{op: opNot, children: []node{{op: fnContains, operands: operands}}},
		}}
	}
	return node{op: comparisonOps[c.Operator], operands: operands}
}

// constant adds a value to those of the binding and returns it as an operand.
func (b *binding) constant(v item.Value) operand {
	b.values = append(b.values, v)
	return operand{kind: operandValue, slot: len(b.values) - 1}
}

// attributePath is the path to an attribute, whatever characters its name has.
func attributePath(name string) path { return path{{member: name, slot: -1, index: -1}} }

// Assignment is one of the AttributeUpdates.
type Assignment struct {
	Attribute string
	Action    string     // PUT, ADD or DELETE
	Value     item.Value // of Kind 0 for none, which only DELETE may lack
}

// Assignments returns the update that makes the assignments. ADD takes lists, which it appends.
func Assignments(list []Assignment) *BoundUpdate {
	b := &BoundUpdate{mismatch: &Error{Message: "Type mismatch for attribute to update"}}
	for _, a := range list {
		step := action{section: secSet, path: attributePath(a.Attribute)}
		switch {
		case a.Action == "DELETE" && a.Value.Kind == 0:
			step.section = secRemove
		case a.Action == "PUT":
			step.operand = b.constant(a.Value)
		default:
			step.section = a.Action
			step.operand = b.constant(a.Value)
		}
		b.actions = append(b.actions, step)
		b.paths = append(b.paths, step.path)
	}
	return b
}

// Attributes returns the projection on the named attributes.
func Attributes(names []string) *BoundProjection {
	b := &BoundProjection{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		b.paths = append(b.paths, attributePath(name))
	}
	return b
}
