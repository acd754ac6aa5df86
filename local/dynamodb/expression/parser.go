package expression

import (
	"strconv"
)

// parser reads one expression from left to right.
type parser struct {
	placeholders
	source string
	tokens []token
	pos    int
}

func newParser(kind Kind, text string) (*parser, error) {
	switch {
	case len(text) > maxLength:
		return nil, kind.errorf("Expression size has exceeded the maximum allowed size;  expression size: %d", len(text))
	case text == "":
		return nil, kind.errorf("The expression can not be empty;")
	}
	p := &parser{placeholders: placeholders{kind: kind}, source: text, tokens: tokenize(text)}
	if p.peek().kind == tokenEnd {
		return nil, kind.errorf("The expression can not be empty;")
	}
	return p, nil
}

func (p *parser) peek() token { return p.tokens[p.pos] }

// second returns the token after the next one.
func (p *parser) second() token { return p.tokens[min(p.pos+1, len(p.tokens)-1)] }

func (p *parser) take() {
	if p.tokens[p.pos].kind != tokenEnd {
		p.pos++
	}
}

// accept takes the next token if it is the given punctuation.
func (p *parser) accept(punctuation string) bool {
	if p.peek().is(punctuation) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(punctuation string) error {
	if !p.accept(punctuation) {
		return p.syntax()
	}
	return nil
}

// syntax reports the next token as unexpected, with its neighbours as they stand in the
// source.
func (p *parser) syntax() error {
	at := p.peek()
	from := p.tokens[max(p.pos-1, 0)].pos
	last := p.second()
	near := p.source[from:min(last.pos+len(last.text), len(p.source))]
	if at.kind == tokenEnd {
		near = p.source[from:] + "<EOF>"
	}
	return p.kind.errorf("Syntax error; token: \"%s\", near: \"%s\"", at.text, near)
}

func (p *parser) end() error {
	if p.peek().kind != tokenEnd {
		return p.syntax()
	}
	return nil
}

// path reads a document path: a.b[1].#c
func (p *parser) path() (path, error) {
	first, err := p.member()
	if err != nil {
		return nil, err
	}
	out := path{first}
	for {
		switch {
		case p.accept("."):
			s, err := p.member()
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		case p.accept("["):
			t := p.peek()
			if t.kind != tokenNumber {
				return nil, p.syntax()
			}
			index, err := strconv.ParseInt(t.text, 10, 32)
			if err != nil {
				return nil, p.kind.errorf("List index is not within the allowable range; index: [%s]", t.text)
			}
			p.take()
			if err := p.expect("]"); err != nil {
				return nil, err
			}
			out = append(out, step{slot: -1, index: int(index)})
		default:
			return out, nil
		}
	}
}

func (p *parser) member() (step, error) {
	switch t := p.peek(); t.kind {
	case tokenName:
		p.take()
		return step{slot: slot(&p.names, t.text), index: -1}, nil
	case tokenWord:
		if IsReserved(t.text) {
			return step{}, p.kind.errorf("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		p.take()
		return step{member: t.text, slot: -1, index: -1}, nil
	}
	return step{}, p.syntax()
}

// valueSlot reads a value placeholder.
func (p *parser) valueSlot() (int, error) {
	t := p.peek()
	if t.kind != tokenValue {
		return 0, p.syntax()
	}
	p.take()
	return slot(&p.values, t.text), nil
}

// arguments reads what stands between the parentheses of a function or an IN.
func (p *parser) arguments(read func() (operand, error)) ([]operand, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var out []operand
	for {
		o, err := read()
		if err != nil {
			return nil, err
		}
		out = append(out, o)
		if p.accept(")") {
			return out, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

// operandKind distinguishes operands.
type operandKind uint8

const (
	operandPath operandKind = iota
	operandValue
	operandSize        // size(path)
	operandIfNotExists // if_not_exists(path, operand)
	operandListAppend  // list_append(operand, operand)
	operandPlus
	operandMinus
)

// operand is something with a value: a path, a placeholder, or a function or sum of other
// operands.
type operand struct {
	kind operandKind
	path path
	slot int // of a value placeholder
	args []operand
}

func (b *binding) sameOperand(x, y operand) bool {
	if x.kind != operandPath || y.kind != operandPath || len(x.path) != len(y.path) {
		return false
	}
	for i := range x.path {
		if !b.same(x.path[i], y.path[i]) {
			return false
		}
	}
	return true
}

func (p *parser) countError(function string, n int) error {
	return p.kind.errorf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", function, n)
}

func (p *parser) pathRequired(function string) error {
	return p.kind.errorf("Operator or function requires a document path; operator or function: %s", function)
}
