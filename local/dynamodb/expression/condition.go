package expression

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The operators and functions of conditions, as errors spell them.
const (
	opAnd        = "AND"
	opOr         = "OR"
	opNot        = "NOT"
	opEqual      = "="
	opNotEqual   = "<>"
	opLess       = "<"
	opLessEqual  = "<="
	opMore       = ">"
	opMoreEqual  = ">="
	opBetween    = "BETWEEN"
	opIn         = "IN"
	fnExists     = "attribute_exists"
	fnNotExists  = "attribute_not_exists"
	fnType       = "attribute_type"
	fnBeginsWith = "begins_with"
	fnContains   = "contains"
	fnSize       = "size"
)

// anyType is how errors spell the type of a path, which may be any (DynamoDB Local 1.25.1).
const anyType = "{SS,DECIMAL,INTSET,INT,FS,BS,M,DOUBLESET,L,S,N,NS,NULL,FLOAT,DECIMALSET,DOUBLE,DICT,B,HDS,BOOL,HD}"

// maxInOperands is the limit of values in an IN.
const maxInOperands = 100

// node is a condition: AND, OR and NOT have children, all others have operands.
type node struct {
	op       string
	children []node
	operands []operand
}

// Condition is a parsed condition, filter or key condition.
type Condition struct {
	placeholders
	root node
}

// ParseCondition parses a condition. The error is an *Error.
func ParseCondition(kind Kind, text string) (*Condition, error) {
	p, err := newParser(kind, text)
	if err != nil {
		return nil, err
	}
	root, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return &Condition{placeholders: p.placeholders, root: root}, nil
}

func (p *parser) disjunction() (node, error) { return p.chain(opOr, p.conjunction) }
func (p *parser) conjunction() (node, error) { return p.chain(opAnd, p.negation) }

// chain reads one or more conditions joined by AND, or by OR.
func (p *parser) chain(op string, next func() (node, error)) (node, error) {
	first, err := next()
	if err != nil || !p.peek().keyword(op) {
		return first, err
	}
	out := node{op: op, children: []node{first}}
	for p.peek().keyword(op) {
		p.take()
		child, err := next()
		if err != nil {
			return node{}, err
		}
		out.children = append(out.children, child)
	}
	return out, nil
}

func (p *parser) negation() (node, error) {
	if p.peek().keyword(opNot) {
		p.take()
		child, err := p.negation()
		return node{op: opNot, children: []node{child}}, err
	}
	if !p.accept("(") {
		return p.predicate()
	}
	inner := p.pos
	n, err := p.disjunction()
	if err != nil {
		return node{}, err
	}
	if err := p.expect(")"); err != nil {
		return node{}, err
	}
	if p.redundant(inner, p.pos-2) {
		return node{}, p.kind.errorf("The expression has redundant parentheses;")
	}
	return n, nil
}

// redundant reports whether the tokens from first to last are one pair of parentheses
// around everything else.
func (p *parser) redundant(first, last int) bool {
	if !p.tokens[first].is("(") || !p.tokens[last].is(")") {
		return false
	}
	depth := 0
	for i := first; i < last; i++ {
		switch {
		case p.tokens[i].is("("):
			depth++
		case p.tokens[i].is(")"):
			depth--
		}
		if depth == 0 {
			return false
		}
	}
	return true
}

// predicate reads a function, a comparison, a BETWEEN or an IN.
func (p *parser) predicate() (node, error) {
	if t := p.peek(); t.kind == tokenWord && p.second().is("(") && t.text != fnSize {
		return p.function()
	}
	first, err := p.conditionOperand()
	if err != nil {
		return node{}, err
	}
	t := p.peek()
	switch {
	case t.keyword(opBetween):
		p.take()
		low, err := p.conditionOperand()
		if err != nil {
			return node{}, err
		}
		if !p.peek().keyword(opAnd) {
			return node{}, p.syntax()
		}
		p.take()
		high, err := p.conditionOperand()
		return node{op: opBetween, operands: []operand{first, low, high}}, err
	case t.keyword(opIn):
		p.take()
		list, err := p.arguments(p.conditionOperand)
		if err == nil && len(list) > maxInOperands {
			err = p.countError(opIn, len(list))
		}
		return node{op: opIn, operands: append([]operand{first}, list...)}, err
	case t.kind == tokenPunctuation:
		switch t.text {
		case opEqual, opNotEqual, opLess, opLessEqual, opMore, opMoreEqual:
			p.take()
			second, err := p.conditionOperand()
			return node{op: t.text, operands: []operand{first, second}}, err
		}
	}
	if first.kind == operandSize && t.kind == tokenEnd {
		return node{}, p.kind.errorf("The function is not allowed to be used this way in an expression; function: size")
	}
	return node{}, p.syntax()
}

func (p *parser) function() (node, error) {
	name := p.peek().text
	want := 2
	switch name {
	case fnExists, fnNotExists:
		want = 1
	case fnType, fnBeginsWith, fnContains:
	case fnIfNotExists, fnListAppend:
		return node{}, p.kind.errorf("The function is not allowed in a condition expression; function: %s", name)
	default:
		return node{}, p.kind.errorf("Invalid function name; function: %s", name)
	}
	p.take()
	args, err := p.arguments(p.conditionOperand)
	switch {
	case err != nil:
		return node{}, err
	case len(args) != want:
		return node{}, p.countError(name, len(args))
	case args[0].kind != operandPath && want == 1:
		return node{}, p.pathRequired(name)
	}
	return node{op: name, operands: args}, nil
}

// conditionOperand reads a path, a placeholder or size(path).
func (p *parser) conditionOperand() (operand, error) {
	switch t := p.peek(); {
	case t.kind == tokenValue:
		s, err := p.valueSlot()
		return operand{kind: operandValue, slot: s}, err
	case t.kind == tokenWord && p.second().is("("):
		if t.text != fnSize {
			if _, err := p.function(); err != nil {
				return operand{}, err
			}
			return operand{}, p.kind.errorf("The function is not allowed to be used this way in an expression; function: %s", t.text)
		}
		p.take()
		args, err := p.arguments(p.conditionOperand)
		switch {
		case err != nil:
			return operand{}, err
		case len(args) != 1:
			return operand{}, p.countError(fnSize, len(args))
		case args[0].kind != operandPath:
			return operand{}, p.pathRequired(fnSize)
		}
		return operand{kind: operandSize, path: args[0].path}, nil
	}
	path, err := p.path()
	return operand{kind: operandPath, path: path}, err
}

// BoundCondition is a condition with the placeholders of one request.
type BoundCondition struct {
	binding
	kind Kind
	root *node
}

// Bind gives the placeholders their meaning, and checks what depends on it. The error is
// an *Error.
func (c *Condition) Bind(a *Args) (*BoundCondition, error) {
	values, err := c.bind(a)
	if err != nil {
		return nil, err
	}
	b := &BoundCondition{binding: values, kind: c.kind, root: &c.root}
	return b, b.check(b.root)
}

// check rejects operands whose type never fits their operator.
func (b *BoundCondition) check(n *node) error {
	for i := range n.children {
		if err := b.check(&n.children[i]); err != nil {
			return err
		}
	}
	if len(n.operands) == 0 {
		return nil
	}
	for _, o := range n.operands[1:] {
		if b.sameOperand(n.operands[0], o) {
			return b.kind.errorf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s",
				n.op, b.text(o.path))
		}
	}
	if n.op == fnType && n.operands[1].kind != operandValue {
		return b.kind.errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, anyType)
	}
	for i, o := range n.operands {
		if o.kind != operandValue {
			continue
		}
		v := b.values[o.slot]
		ok := true
		switch n.op {
		case opLess, opLessEqual, opMore, opMoreEqual, opBetween:
			ok = v.Kind.Ordered()
		case fnBeginsWith:
			ok = v.Kind == item.S || v.Kind == item.B
		case fnType:
			if ok = i == 0 || v.Kind == item.S; ok && i == 1 {
				if _, known := item.KindOf(v.Text); !known {
					return b.kind.errorf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", v.Text)
				}
			}
		}
		if !ok {
			return b.kind.errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, v.Kind)
		}
	}
	if n.op == opBetween && n.operands[1].kind == operandValue && n.operands[2].kind == operandValue {
		return b.checkBounds(b.values[n.operands[1].slot], b.values[n.operands[2].slot])
	}
	return nil
}

func (b *BoundCondition) checkBounds(low, high item.Value) error {
	spell := func(v item.Value) string {
		text := v.Text
		if v.Kind == item.B { // as Java shows a buffer
			text = fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%[1]d]", len(v.Text))
		}
		return "AttributeValue: {" + v.Kind.String() + ":" + text + "}"
	}
	switch {
	case low.Kind != high.Kind:
		return b.kind.errorf("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: %s, upper bound operand: %s",
			spell(low), spell(high))
	case item.Compare(low, high) > 0:
		return b.kind.errorf("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: %s, upper bound operand: %s",
			spell(low), spell(high))
	}
	return nil
}

// Mentions returns the first of the given attributes that the condition refers to at the
// top level, or "".
func (b *BoundCondition) Mentions(names ...string) string {
	return b.mentions(b.root, names)
}

func (b *BoundCondition) mentions(n *node, names []string) string {
	for i := range n.children {
		if name := b.mentions(&n.children[i], names); name != "" {
			return name
		}
	}
	for _, o := range n.operands {
		if o.path == nil {
			continue
		}
		for _, name := range names {
			if name != "" && b.top(o.path) == name {
				return name
			}
		}
	}
	return ""
}

// Attributes returns the attributes that the condition refers to, each once.
func (b *BoundCondition) Attributes() []string { return b.attributes(b.root, nil) }

func (b *BoundCondition) attributes(n *node, out []string) []string {
	for i := range n.children {
		out = b.attributes(&n.children[i], out)
	}
	for _, o := range n.operands {
		if o.path != nil && !slices.Contains(out, b.top(o.path)) {
			out = append(out, b.top(o.path))
		}
	}
	return out
}

// Matches reports whether the item, nil if there is none, meets the condition.
func (b *BoundCondition) Matches(it item.Item) bool { return b.matches(b.root, it) }

func (b *BoundCondition) matches(n *node, it item.Item) bool {
	switch n.op {
	case opAnd:
		for i := range n.children {
			if !b.matches(&n.children[i], it) {
				return false
			}
		}
		return true
	case opOr:
		for i := range n.children {
			if b.matches(&n.children[i], it) {
				return true
			}
		}
		return false
	case opNot:
		return !b.matches(&n.children[0], it)
	}
	x, ok := b.operand(n.operands[0], it)
	switch n.op {
	case fnExists:
		return ok
	case fnNotExists:
		return !ok
	case opIn:
		for _, o := range n.operands[1:] {
			if y, there := b.operand(o, it); ok && there && x.Equal(y) {
				return true
			}
		}
		return false
	}
	y, there := b.operand(n.operands[1], it)
	if !ok || !there {
		return n.op == opNotEqual
	}
	if n.op == opBetween {
		z, there := b.operand(n.operands[2], it)
		return there && compare(opMoreEqual, x, y) && compare(opLessEqual, x, z)
	}
	return compare(n.op, x, y)
}

// operand returns the operand's value for the item, and whether there is one.
func (b *BoundCondition) operand(o operand, it item.Item) (item.Value, bool) {
	switch o.kind {
	case operandValue:
		return b.values[o.slot], true
	case operandSize:
		v, ok := b.get(it, o.path)
		if !ok {
			return v, false
		}
		return size(v)
	default:
		return b.get(it, o.path)
	}
}

func compare(op string, x, y item.Value) bool {
	switch op {
	case opEqual:
		return x.Equal(y)
	case opNotEqual:
		return !x.Equal(y)
	case fnContains:
		return contains(x, y)
	case fnBeginsWith:
		return x.Kind == y.Kind && (x.Kind == item.S || x.Kind == item.B) && strings.HasPrefix(x.Text, y.Text)
	case fnType:
		return x.Kind.String() == y.Text
	}
	if x.Kind != y.Kind || !x.Kind.Ordered() {
		return false
	}
	c := item.Compare(x, y)
	switch op {
	case opLess:
		return c < 0
	case opLessEqual:
		return c <= 0
	case opMore:
		return c > 0
	default:
		return c >= 0
	}
}

func contains(x, y item.Value) bool {
	switch x.Kind {
	case item.S, item.B:
		return x.Kind == y.Kind && strings.Contains(x.Text, y.Text)
	case item.L:
		for _, e := range x.List {
			if e.Equal(y) {
				return true
			}
		}
		return false
	}
	return x.Kind.IsSet() && x.Has(y)
}

// size returns the value of size(path): characters of a string, bytes of a binary,
// members of a list, map or set. Other types have none.
func size(v item.Value) (item.Value, bool) {
	var n int
	switch {
	case v.Kind == item.S:
		n = utf8.RuneCountInString(v.Text)
	case v.Kind == item.B:
		n = len(v.Text)
	case v.Kind == item.M:
		n = len(v.Map)
	case v.Kind == item.L || v.Kind.IsSet():
		n = len(v.List)
	default:
		return item.Value{}, false
	}
	return item.Int(int64(n)), true
}
