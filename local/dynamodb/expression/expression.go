// Package expression parses and evaluates DynamoDB's expressions: conditions, filters,
// key conditions, projections and updates.
//
// The grammars are small and their errors are part of the protocol: DynamoDB names the
// token it stumbled over and its neighbours, reserved words, functions and operand types,
// each in its own words. A recursive descent by hand says those where they occur, which a
// grammar library would hide, and it costs a microsecond.
//
// A parsed expression keeps its placeholders, so it can be cached and shared; Bind gives
// them their meaning for one request.
package expression

import (
	"fmt"
	"slices"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// Kind is the request parameter that an expression stands in. Errors name it.
type Kind string

// The parameters with an expression.
const (
	KindCondition    Kind = "ConditionExpression"
	KindFilter       Kind = "FilterExpression"
	KindKeyCondition Kind = "KeyConditionExpression"
	KindProjection   Kind = "ProjectionExpression"
	KindUpdate       Kind = "UpdateExpression"
)

// maxLength is the size limit of an expression in bytes.
const maxLength = 4096

// Error reports what is wrong with an expression, or with the item it was applied to, in
// DynamoDB's words.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func (k Kind) errorf(format string, args ...any) error {
	return &Error{Message: "Invalid " + string(k) + ": " + fmt.Sprintf(format, args...)}
}

// Name is one of a request's ExpressionAttributeNames.
type Name struct{ Placeholder, Name string }

// Args are the placeholders of one request, shared by all its expressions. They record
// which were used.
type Args struct {
	Names  []Name
	Values item.Item // by placeholder, colon included

	usedNames, usedValues []bool
}

func (a *Args) name(placeholder string) (string, bool) {
	for i := range a.Names {
		if a.Names[i].Placeholder == placeholder {
			if a.usedNames == nil {
				a.usedNames = make([]bool, len(a.Names))
			}
			a.usedNames[i] = true
			return a.Names[i].Name, true
		}
	}
	return "", false
}

func (a *Args) value(placeholder string) (item.Value, bool) {
	for i := range a.Values {
		if a.Values[i].Name == placeholder {
			if a.usedValues == nil {
				a.usedValues = make([]bool, len(a.Values))
			}
			a.usedValues[i] = true
			return a.Values[i].Value, true
		}
	}
	return item.Value{}, false
}

// Unused reports the placeholders that no expression bound so far has used.
func (a *Args) Unused() error {
	var names, values []string
	for i, n := range a.Names {
		if a.usedNames == nil || !a.usedNames[i] {
			names = append(names, n.Placeholder)
		}
	}
	for i := range a.Values {
		if a.usedValues == nil || !a.usedValues[i] {
			values = append(values, a.Values[i].Name)
		}
	}
	switch {
	case names != nil:
		return &Error{Message: "Value provided in ExpressionAttributeNames unused in expressions: keys: {" + strings.Join(names, ", ") + "}"}
	case values != nil:
		return &Error{Message: "Value provided in ExpressionAttributeValues unused in expressions: keys: {" + strings.Join(values, ", ") + "}"}
	}
	return nil
}

// placeholders lists those of one expression; its parts refer to them by position.
type placeholders struct {
	kind          Kind
	names, values []string
}

func slot(list *[]string, placeholder string) int {
	if i := slices.Index(*list, placeholder); i >= 0 {
		return i
	}
	*list = append(*list, placeholder)
	return len(*list) - 1
}

// binding holds the names and values of an expression's placeholders in one request.
type binding struct {
	names  []string
	values []item.Value
}

func (p *placeholders) bind(a *Args) (binding, error) {
	var b binding
	if len(p.names) > 0 {
		b.names = make([]string, len(p.names))
	}
	for i, placeholder := range p.names {
		name, ok := a.name(placeholder)
		if !ok {
			return b, p.kind.errorf("An expression attribute name used in the document path is not defined; attribute name: %s", placeholder)
		}
		b.names[i] = name
	}
	if len(p.values) > 0 {
		b.values = make([]item.Value, len(p.values))
	}
	for i, placeholder := range p.values {
		v, ok := a.value(placeholder)
		if !ok {
			return b, p.kind.errorf("An expression attribute value used in expression is not defined; attribute value: %s", placeholder)
		}
		b.values[i] = v
	}
	return b, nil
}

// path leads to a value inside an item. It starts with a member.
type path []step

// step is a member of a map, by name or by placeholder, or an element of a list.
type step struct {
	member string
	slot   int // of the placeholder that stands for the member, else -1
	index  int // of an element, else -1
}

func (b *binding) member(s step) string {
	if s.slot >= 0 {
		return b.names[s.slot]
	}
	return s.member
}

// top returns the attribute that the path starts at.
func (b *binding) top(p path) string { return b.member(p[0]) }

// get follows the path into the item.
func (b *binding) get(it item.Item, p path) (item.Value, bool) {
	v, ok := it.Get(b.top(p))
	for _, s := range p[1:] {
		if !ok {
			break
		}
		if s.index >= 0 {
			if ok = v.Kind == item.L && s.index < len(v.List); ok {
				v = v.List[s.index]
			}
			continue
		}
		if v.Kind != item.M {
			return item.Value{}, false
		}
		v, ok = v.Map.Get(b.member(s))
	}
	return v, ok
}

// text spells the path as DynamoDB's errors do.
func (b *binding) text(p path) string {
	parts := make([]string, len(p))
	for i, s := range p {
		if s.index >= 0 {
			parts[i] = fmt.Sprintf("[%d]", s.index)
		} else {
			parts[i] = b.member(s)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (b *binding) same(s, t step) bool {
	return s.index == t.index && (s.index >= 0 || b.member(s) == b.member(t))
}

// distinct rejects paths of which one leads through another, or which disagree on whether
// a value is a list or a map.
func (b *binding) distinct(kind Kind, paths []path) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			n := 0
			for n < len(p) && n < len(q) && b.same(p[n], q[n]) {
				n++
			}
			var problem string
			switch {
			case n == len(p) || n == len(q):
				problem = "overlap"
			case (p[n].index >= 0) != (q[n].index >= 0):
				problem = "conflict"
			default:
				continue
			}
			return kind.errorf("Two document paths %s with each other; must remove or rewrite one of these paths; path one: %s, path two: %s",
				problem, b.text(q), b.text(p))
		}
	}
	return nil
}
