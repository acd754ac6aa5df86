package expression

import (
	"slices"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The sections and functions of updates, as errors spell them.
const (
	secSet        = "SET"
	secRemove     = "REMOVE"
	secAdd        = "ADD"
	secDelete     = "DELETE"
	fnIfNotExists = "if_not_exists"
	fnListAppend  = "list_append"
)

// The errors of an update that does not fit the item.
var (
	errNoAttribute = &Error{Message: "The provided expression refers to an attribute that does not exist in the item"}
	errBadPath     = &Error{Message: "The document path provided in the update expression is invalid for update"}
	errBadType     = &Error{Message: "An operand in the update expression has an incorrect data type"}
)

// action is one step of an update. REMOVE has no operand.
type action struct {
	section string
	path    path
	operand operand
}

// Update is a parsed update.
type Update struct {
	placeholders
	actions []action
}

// ParseUpdate parses an update. The error is an *Error.
func ParseUpdate(text string) (*Update, error) {
	p, err := newParser(KindUpdate, text)
	if err != nil {
		return nil, err
	}
	u := &Update{}
	var seen []string
	for p.peek().kind != tokenEnd {
		t := p.peek()
		section := strings.ToUpper(t.text)
		if t.kind != tokenWord || !slices.Contains([]string{secSet, secRemove, secAdd, secDelete}, section) {
			return nil, p.syntax()
		}
		if slices.Contains(seen, section) {
			return nil, p.kind.errorf("The \"%s\" section can only be used once in an update expression;", section)
		}
		seen = append(seen, section)
		p.take()
		for {
			a, err := p.action(section)
			if err != nil {
				return nil, err
			}
			u.actions = append(u.actions, a)
			if !p.accept(",") {
				break
			}
		}
	}
	u.placeholders = p.placeholders
	return u, nil
}

func (p *parser) action(section string) (action, error) {
	target, err := p.path()
	a := action{section: section, path: target}
	if err != nil {
		return a, err
	}
	switch section {
	case secSet:
		if err := p.expect("="); err != nil {
			return a, err
		}
		a.operand, err = p.sum()
	case secAdd, secDelete:
		a.operand.kind = operandValue
		a.operand.slot, err = p.valueSlot()
	}
	return a, err
}

// sum reads the right side of a SET: one operand, or two with + or - between them.
func (p *parser) sum() (operand, error) {
	first, err := p.updateOperand()
	if err != nil {
		return first, err
	}
	kind := operandPlus
	switch {
	case p.accept("+"):
	case p.accept("-"):
		kind = operandMinus
	default:
		return first, nil
	}
	second, err := p.updateOperand()
	return operand{kind: kind, args: []operand{first, second}}, err
}

func (p *parser) updateOperand() (operand, error) {
	t := p.peek()
	switch {
	case t.kind == tokenValue:
		s, err := p.valueSlot()
		return operand{kind: operandValue, slot: s}, err
	case t.kind == tokenWord && p.second().is("("):
		return p.updateFunction()
	case p.accept("("):
		o, err := p.sum()
		if err != nil {
			return o, err
		}
		return o, p.expect(")")
	}
	path, err := p.path()
	return operand{kind: operandPath, path: path}, err
}

func (p *parser) updateFunction() (operand, error) {
	name := p.peek().text
	out := operand{kind: operandIfNotExists}
	switch name {
	case fnIfNotExists:
	case fnListAppend:
		out.kind = operandListAppend
	case fnExists, fnNotExists, fnType, fnBeginsWith, fnContains, fnSize:
		return out, p.kind.errorf("The function is not allowed in an update expression; function: %s", name)
	default:
		return out, p.kind.errorf("Invalid function name; function: %s", name)
	}
	p.take()
	args, err := p.arguments(p.updateOperand)
	switch {
	case err != nil:
		return out, err
	case len(args) != 2:
		return out, p.countError(name, len(args))
	case out.kind == operandIfNotExists && args[0].kind != operandPath:
		return out, p.pathRequired(name)
	}
	out.args = args
	return out, nil
}

// BoundUpdate is an update with the placeholders of one request.
type BoundUpdate struct {
	binding
	actions  []action
	paths    []path
	mismatch *Error // of an operand whose type does not fit the item's
}

// Bind gives the placeholders their meaning, and checks what depends on it. The error is
// an *Error.
func (u *Update) Bind(a *Args) (*BoundUpdate, error) {
	values, err := u.bind(a)
	if err != nil {
		return nil, err
	}
	b := &BoundUpdate{binding: values, actions: u.actions, paths: make([]path, len(u.actions)), mismatch: errBadType}
	for i, a := range u.actions {
		b.paths[i] = a.path
	}
	if err := b.distinct(KindUpdate, b.paths); err != nil {
		return nil, err
	}
	for _, a := range u.actions {
		if err := b.check(a); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// check rejects placeholders whose type never fits.
func (b *BoundUpdate) check(a action) error {
	switch a.section {
	case secAdd, secDelete:
		kind := b.values[a.operand.slot].Kind
		if kind.IsSet() || a.section == secAdd && kind == item.N {
			return nil
		}
		return KindUpdate.errorf("Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND",
			a.section, LongName(kind), a.section)
	case secSet:
		return b.checkOperand(a.operand)
	}
	return nil
}

func (b *BoundUpdate) checkOperand(o operand) error {
	need, name := item.Kind(0), ""
	switch o.kind {
	case operandPlus:
		need, name = item.N, "+"
	case operandMinus:
		need, name = item.N, "-"
	case operandListAppend:
		need, name = item.L, fnListAppend
	}
	for _, arg := range o.args {
		if arg.kind == operandValue && need != 0 && b.values[arg.slot].Kind != need {
			return KindUpdate.errorf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", name, b.values[arg.slot].Kind)
		}
		if err := b.checkOperand(arg); err != nil {
			return err
		}
	}
	return nil
}

// LongName spells a type as errors about ADD and DELETE do.
func LongName(k item.Kind) string {
	switch k {
	case item.S:
		return "STRING"
	case item.N:
		return "NUMBER"
	case item.B:
		return "BINARY"
	case item.BOOL:
		return "BOOLEAN"
	case item.L:
		return "LIST"
	case item.M:
		return "MAP"
	}
	return k.String()
}

// Targets returns the attributes that the update writes to, at the top level.
func (b *BoundUpdate) Targets() []string {
	out := make([]string, len(b.paths))
	for i, p := range b.paths {
		out[i] = b.top(p)
	}
	return out
}

// Updated returns the parts of an item, before or after the update, that the update wrote
// to.
func (b *BoundUpdate) Updated(it item.Item) item.Item { return b.project(nil, it, b.paths) }

// Apply returns the item after the update; old stays as it is. The error is an *Error.
func (b *BoundUpdate) Apply(old item.Item) (item.Item, error) {
	root := item.Value{Kind: item.M, Map: old.Clone()}
	var removed []path
	for _, a := range b.actions {
		var err error
		switch a.section {
		case secRemove:
			removed = append(removed, a.path)
		case secSet:
			var v item.Value
			if v, err = b.eval(a.operand, old); err == nil {
				root, err = b.change(root, a.path, func(item.Value) (item.Value, error) { return v, nil })
			}
		case secAdd:
			root, err = b.change(root, a.path, func(v item.Value) (item.Value, error) { return add(v, b.values[a.operand.slot]) })
		case secDelete:
			root, err = b.change(root, a.path, func(v item.Value) (item.Value, error) { return subtract(v, b.values[a.operand.slot]) })
		}
		if err == errBadType { //nolint:errorlint // it is never wrapped
			err = b.mismatch
		}
		if err != nil {
			return nil, err
		}
	}
	// last, and from the end of each list, so that every index means what it meant in the
	// old item
	slices.SortStableFunc(removed, b.laterFirst)
	for _, p := range removed {
		var err error
		if root, err = b.change(root, p, func(item.Value) (item.Value, error) { return item.Value{}, nil }); err != nil {
			return nil, err
		}
	}
	return root.Map, nil
}

func (b *binding) laterFirst(p, q path) int {
	for i := range min(len(p), len(q)) {
		if b.same(p[i], q[i]) {
			continue
		}
		if p[i].index >= 0 {
			return q[i].index - p[i].index
		}
		return strings.Compare(b.member(p[i]), b.member(q[i]))
	}
	return 0
}

// change replaces the value at the end of the path inside v by what f makes of it. A
// value of Kind 0 stands for none: f gets it where there is no value, and returns it to
// remove the value. v's maps and lists are changed in place.
func (b *binding) change(v item.Value, p path, f func(item.Value) (item.Value, error)) (item.Value, error) {
	s := p[0]
	var old item.Value
	switch {
	case s.index >= 0 && v.Kind == item.L:
		if s.index < len(v.List) {
			old = v.List[s.index]
		}
	case s.index < 0 && v.Kind == item.M:
		old, _ = v.Map.Get(b.member(s))
	default:
		return v, errBadPath
	}
	var changed item.Value
	var err error
	if len(p) == 1 {
		changed, err = f(old)
	} else {
		changed, err = b.change(old, p[1:], f)
	}
	if err != nil {
		return v, err
	}
	switch {
	case s.index < 0 && changed.Kind == 0:
		v.Map = v.Map.Without(b.member(s))
	case s.index < 0:
		v.Map = v.Map.With(b.member(s), changed)
	case s.index < len(v.List) && changed.Kind == 0:
		v.List = slices.Delete(v.List, s.index, s.index+1)
	case s.index < len(v.List):
		v.List[s.index] = changed
	case changed.Kind != 0:
		v.List = append(v.List, changed)
	}
	return v, nil
}

// eval returns the value of a SET's right side, computed from the item before the update.
func (b *BoundUpdate) eval(o operand, old item.Item) (item.Value, error) {
	switch o.kind {
	case operandValue:
		return b.values[o.slot], nil
	case operandPath:
		if v, ok := b.get(old, o.path); ok {
			return v, nil
		}
		return item.Value{}, errNoAttribute
	case operandIfNotExists:
		// the second operand must exist in any case (DynamoDB Local 1.25.1)
		fallback, err := b.eval(o.args[1], old)
		if err != nil {
			return fallback, err
		}
		if v, ok := b.get(old, o.args[0].path); ok {
			return v, nil
		}
		return fallback, nil
	}
	need := item.N
	if o.kind == operandListAppend {
		need = item.L
	}
	x, err := b.evalKind(o.args[0], need, old)
	if err != nil {
		return x, err
	}
	y, err := b.evalKind(o.args[1], need, old)
	switch {
	case err != nil:
		return y, err
	case o.kind == operandListAppend:
		return item.Value{Kind: item.L, List: slices.Concat(x.List, y.List)}, nil
	case o.kind == operandMinus:
		return number(item.Subtract(x.Text, y.Text))
	}
	return number(item.Add(x.Text, y.Text))
}

// evalKind is eval for an operand that must be of the given kind.
func (b *BoundUpdate) evalKind(o operand, kind item.Kind, old item.Item) (item.Value, error) {
	v, err := b.eval(o, old)
	if err == nil && v.Kind != kind {
		err = errBadType
	}
	return v, err
}

func number(text string, err error) (item.Value, error) {
	if err != nil {
		return item.Value{}, &Error{Message: err.Error()}
	}
	return item.Value{Kind: item.N, Text: text}, nil
}

func add(v, w item.Value) (item.Value, error) {
	switch {
	case v.Kind == 0:
		return w, nil
	case v.Kind != w.Kind:
		return v, errBadType
	case v.Kind == item.N:
		return number(item.Add(v.Text, w.Text))
	case v.Kind == item.L: // of AttributeUpdates
		return item.Value{Kind: item.L, List: slices.Concat(v.List, w.List)}, nil
	default:
		return v.Union(w), nil
	}
}

func subtract(v, w item.Value) (item.Value, error) {
	switch {
	case v.Kind == 0:
		return v, nil
	case v.Kind != w.Kind:
		return v, errBadType
	}
	if v = v.Minus(w); len(v.List) == 0 {
		return item.Value{}, nil // no set is empty
	}
	return v, nil
}
