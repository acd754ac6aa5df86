package dynamodb

import (
	"context"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// read is one item to be read by its key.
type read struct {
	table      *table
	storage    []byte
	projection *expression.BoundProjection
	consistent bool

	found row
}

// prepareRead turns a request into a read. The error is an *Error.
func (e *Engine) prepareRead(q *request) (*read, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	bound, err := e.bind(q, expression.KindProjection)
	if err != nil {
		return nil, err
	}
	g := &read{projection: bound.projection, consistent: q.consistent}
	if g.table, err = e.table(q.table); err != nil {
		return nil, err
	}
	if q.key == nil {
		return nil, missing("key")
	}
	g.storage, err = g.table.key(q.key)
	return g, err
}

// fetch reads the item, with a connection to the engine's storage.
func (g *read) fetch(e *Engine, c *conn) (err error) {
	now, err := e.table(g.table.Name)
	if err != nil {
		return err
	}
	if now.ID != g.table.ID {
		return notFound()
	}
	g.found = row{table: now, key: g.storage}
	g.found.stored, err = c.blob(g.table.sql.get, g.storage)
	return err
}

// shown returns the item as projected, nil if there is none.
func (g *read) shown() (item.Item, error) {
	it, err := g.found.item()
	if err == nil && it != nil && g.projection != nil {
		it = g.projection.Apply(it)
	}
	return it, err
}

func (e *Engine) getItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	g, err := e.prepareRead(q)
	if err != nil {
		return nil, err
	}
	if err := e.storage.read(ctx, func(c *conn) error { return g.fetch(e, c) }); err != nil {
		return nil, err
	}
	it, err := g.shown()
	if err != nil {
		return nil, err
	}
	used := consumedCapacity{mode: q.capacity}
	used.of(g.table.Name).read = readUnits(g.found.size(), g.consistent)
	dst := append(make([]byte, 0, 64+2*g.found.size()), '{')
	if it != nil {
		dst = jsonio.AppendName(dst, "Item")
		dst = it.AppendJSON(dst)
	}
	return append(used.appendTo(dst, false), '}'), nil
}
