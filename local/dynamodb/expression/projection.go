package expression

import (
	"slices"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// Projection is a parsed list of paths.
type Projection struct {
	placeholders
	paths []path
}

// ParseProjection parses a projection. The error is an *Error.
func ParseProjection(text string) (*Projection, error) {
	p, err := newParser(KindProjection, text)
	if err != nil {
		return nil, err
	}
	paths, err := p.paths()
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return &Projection{placeholders: p.placeholders, paths: paths}, nil
}

// paths reads paths with commas between them.
func (p *parser) paths() ([]path, error) {
	var out []path
	for {
		next, err := p.path()
		if err != nil {
			return nil, err
		}
		out = append(out, next)
		if !p.accept(",") {
			return out, nil
		}
	}
}

// BoundProjection is a projection with the names of one request.
type BoundProjection struct {
	binding
	paths []path
}

// Bind gives the placeholders their meaning. The error is an *Error: an unknown
// placeholder, or paths that overlap.
func (p *Projection) Bind(a *Args) (*BoundProjection, error) {
	names, err := p.bind(a)
	if err != nil {
		return nil, err
	}
	return &BoundProjection{binding: names, paths: p.paths}, names.distinct(KindProjection, p.paths)
}

// Attributes returns the attributes that the paths start at, each once.
func (b *BoundProjection) Attributes() []string {
	var out []string
	for _, p := range b.paths {
		if !slices.Contains(out, b.top(p)) {
			out = append(out, b.top(p))
		}
	}
	return out
}

// Apply returns the projected parts of an item, each in its place; list elements close
// up.
func (b *BoundProjection) Apply(it item.Item) item.Item { return b.ApplyInto(nil, it) }

// ApplyInto is Apply in the memory of another item's attributes, which is lost.
func (b *BoundProjection) ApplyInto(lost, it item.Item) item.Item {
	return b.project(slices.Grow(lost[:0], min(len(it), len(b.paths))), it, b.paths)
}

func (b *binding) project(out, it item.Item, paths []path) item.Item {
	for _, a := range it {
		if v, ok := b.part(a.Value, paths, func(s step) bool { return s.index < 0 && b.member(s) == a.Name }); ok {
			out = append(out, item.Attribute{Name: a.Name, Value: v})
		}
	}
	return out
}

// part projects a value by those paths whose first step leads to it.
func (b *binding) part(v item.Value, paths []path, leads func(step) bool) (item.Value, bool) {
	var deeper []path
	for _, p := range paths {
		if !leads(p[0]) {
			continue
		}
		if len(p) == 1 {
			return v, true
		}
		deeper = append(deeper, p[1:])
	}
	if deeper == nil {
		return v, false
	}
	switch v.Kind {
	case item.M:
		v.Map = b.project(nil, v.Map, deeper)
		return v, len(v.Map) > 0
	case item.L:
		var list []item.Value
		for i, e := range v.List {
			if e, ok := b.part(e, deeper, func(s step) bool { return s.index == i }); ok {
				list = append(list, e)
			}
		}
		v.List = list
		return v, len(list) > 0
	}
	return v, false
}
