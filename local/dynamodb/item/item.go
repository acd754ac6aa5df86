// Package item holds DynamoDB's items: attribute values, their JSON, their size as
// DynamoDB bills it, a compact binary form for storage, and the byte order of keys.
//
// Every Item and Value is canonical: attributes are sorted by name, sets are sorted,
// numbers are plain decimals without superfluous zeros. Equal items therefore have equal
// bytes.
package item

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a value.
type Kind uint8

// The kinds, in no particular order; their numbers are stored, so they never change.
const (
	S    Kind = iota + 1 // string
	N                    // number
	B                    // binary
	BOOL                 // boolean
	NULL                 // null
	L                    // list
	M                    // map
	SS                   // string set
	NS                   // number set
	BS                   // binary set
)

var kindNames = [...]string{S: "S", N: "N", B: "B", BOOL: "BOOL", NULL: "NULL", L: "L", M: "M", SS: "SS", NS: "NS", BS: "BS"}

// String returns the kind as the protocol spells it.
func (k Kind) String() string { return kindNames[k] }

// KindOf returns the kind that the protocol spells as name, and whether there is one.
func KindOf(name string) (Kind, bool) {
	i := slices.Index(kindNames[1:], name)
	return Kind(i + 1), i >= 0 //nolint:gosec // at most ten
}

// IsSet reports whether values of the kind are sets.
func (k Kind) IsSet() bool { return k == SS || k == NS || k == BS }

// Element returns the kind of a set's elements.
func (k Kind) Element() Kind {
	switch k {
	case SS:
		return S
	case NS:
		return N
	default:
		return B
	}
}

// Value is one attribute value. The zero Value, of Kind 0, means that there is none.
type Value struct {
	Kind Kind
	Bool bool    // of a BOOL
	Text string  // of an S or N; the raw bytes of a B
	List []Value // of an L, in order; of a set, sorted and distinct
	Map  Item    // of an M
}

// Attribute is a named value.
type Attribute struct {
	Name  string
	Value Value
}

// Item is a set of attributes, sorted by name.
type Item []Attribute

// Text returns a string value.
func Text(s string) Value { return Value{Kind: S, Text: s} }

// Int returns a number value.
func Int(n int64) Value { return Value{Kind: N, Text: strconv.FormatInt(n, 10)} }

func (it Item) find(name string) (int, bool) {
	if len(it) <= 8 {
		for i := range it {
			if it[i].Name >= name {
				return i, it[i].Name == name
			}
		}
		return len(it), false
	}
	return slices.BinarySearchFunc(it, name, func(a Attribute, name string) int { return strings.Compare(a.Name, name) })
}

// Get returns the attribute's value, and whether there is one.
func (it Item) Get(name string) (Value, bool) {
	if i, ok := it.find(name); ok {
		return it[i].Value, true
	}
	return Value{}, false
}

// With returns the item with the attribute set. It may change and return the receiver's
// own array.
func (it Item) With(name string, v Value) Item {
	i, ok := it.find(name)
	if ok {
		it[i].Value = v
		return it
	}
	return slices.Insert(it, i, Attribute{Name: name, Value: v})
}

// Without returns the item without the attribute. It may change and return the receiver's
// own array.
func (it Item) Without(name string) Item {
	if i, ok := it.find(name); ok {
		return slices.Delete(it, i, i+1)
	}
	return it
}

// Only returns a new item that has those of the named attributes that this one has.
func (it Item) Only(names []string) Item {
	out := make(Item, 0, len(names))
	for _, a := range it {
		if slices.Contains(names, a.Name) {
			out = append(out, a)
		}
	}
	return out
}

// Keep returns the item without the attributes that are not named. It changes and returns
// the receiver's own array.
func (it Item) Keep(names []string) Item {
	return slices.DeleteFunc(it, func(a Attribute) bool { return !slices.Contains(names, a.Name) })
}

// Clone returns a deep copy.
func (it Item) Clone() Item {
	if it == nil {
		return nil
	}
	out := make(Item, len(it), len(it)+2)
	for i, a := range it {
		out[i] = Attribute{Name: a.Name, Value: a.Value.clone()}
	}
	return out
}

func (v Value) clone() Value {
	switch v.Kind {
	case L:
		list := make([]Value, len(v.List))
		for i, e := range v.List {
			list[i] = e.clone()
		}
		v.List = list
	case M:
		v.Map = v.Map.Clone()
	}
	return v
}

// sorted sorts attributes by name. Of duplicates the last remains.
func sorted(it Item) Item {
	byName := func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(it, byName) && !hasDuplicate(it) {
		return it
	}
	slices.SortStableFunc(it, byName)
	out := it[:0]
	for i, a := range it {
		if i+1 < len(it) && it[i+1].Name == a.Name {
			continue
		}
		out = append(out, a)
	}
	return out
}

func hasDuplicate(it Item) bool {
	for i := 1; i < len(it); i++ {
		if it[i].Name == it[i-1].Name {
			return true
		}
	}
	return false
}

// Equal reports whether two values are equal. Sets compare without regard to order,
// numbers by value.
func (v Value) Equal(w Value) bool {
	return v.Kind == w.Kind && v.Bool == w.Bool && v.Text == w.Text &&
		slices.EqualFunc(v.List, w.List, Value.Equal) && v.Map.Equal(w.Map)
}

// Equal reports whether two items are equal.
func (it Item) Equal(other Item) bool {
	return slices.EqualFunc(it, other, func(a, b Attribute) bool { return a.Name == b.Name && a.Value.Equal(b.Value) })
}

// Compare orders two values of the same kind, which is S, N or B: strings and binaries by
// bytes, numbers by value.
func Compare(a, b Value) int {
	if a.Kind == N {
		return CompareNumbers(a.Text, b.Text)
	}
	return strings.Compare(a.Text, b.Text)
}

// Ordered reports whether values of the kind have an order: strings, numbers and binaries
// do.
func (k Kind) Ordered() bool { return k == S || k == N || k == B }

// NewSet returns a set of the given kind, and false if elements has duplicates. It sorts
// elements in place.
func NewSet(kind Kind, elements []Value) (Value, bool) {
	slices.SortFunc(elements, Compare)
	distinct := true
	for i := 1; i < len(elements); i++ {
		if elements[i].Text == elements[i-1].Text {
			distinct = false
		}
	}
	return Value{Kind: kind, List: elements}, distinct
}

// Has reports whether the set has the element.
func (v Value) Has(element Value) bool {
	if !v.Kind.IsSet() || v.Kind.Element() != element.Kind {
		return false
	}
	_, ok := slices.BinarySearchFunc(v.List, element, Compare)
	return ok
}

// Union returns the set of what is in either of two sets of one kind.
func (v Value) Union(w Value) Value {
	out := Value{Kind: v.Kind, List: slices.Clone(v.List)}
	for _, e := range w.List {
		if i, ok := slices.BinarySearchFunc(out.List, e, Compare); !ok {
			out.List = slices.Insert(out.List, i, e)
		}
	}
	return out
}

// Minus returns the set of the receiver's elements that are not in w. It may be empty,
// although stored sets never are.
func (v Value) Minus(w Value) Value {
	out := Value{Kind: v.Kind, List: make([]Value, 0, len(v.List))}
	for _, e := range v.List {
		if !w.Has(e) {
			out.List = append(out.List, e)
		}
	}
	return out
}
