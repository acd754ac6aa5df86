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
	g.found.stored, err = c.blob(g.table.sql.get, g.storage)
	return err
}

// shown is the item as the request wants to see it, nil if there is none.
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
	b := bill{mode: q.capacity}
	b.of(g.table.Name).read = readUnits(g.found.size(), g.consistent)
	dst := append(make([]byte, 0, 64+2*g.found.size()), '{')
	if it != nil {
		dst = jsonio.AppendName(dst, "Item")
		dst = it.AppendJSON(dst)
	}
	return append(b.appendTo(dst, false), '}'), nil
}

// The limits of a BatchGetItem: keys, and bytes of items in the answer.
const (
	maxBatchGet      = 100
	maxBatchGetBytes = 16 << 20
)

// batchRead is a BatchGetItem's reads from one table, with the request they share.
type batchRead struct {
	q     *request
	keys  []item.Item
	reads []*read
}

func (e *Engine) batchGetItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	var batch []*batchRead
	b := bill{}
	err := r.Document(func(name string) (err error) {
		switch name {
		case "RequestItems":
			batch, err = readBatchReads(r)
		case "ReturnConsumedCapacity":
			b.mode, err = r.String()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := oneOf("returnConsumedCapacity", b.mode, capacityIndexes, capacityTotal, capacityNone); err != nil {
		return nil, err
	}
	if err := e.prepareBatch(batch); err != nil {
		return nil, err
	}
	total, undone := 0, make(map[*batchRead]int)
	err = e.storage.read(ctx, func(c *conn) error {
		for _, one := range batch {
			for i, g := range one.reads {
				if total > maxBatchGetBytes {
					undone[one] = i
					break
				}
				if err := g.fetch(e, c); err != nil {
					return err
				}
				if total += g.found.size(); total > maxBatchGetBytes {
					undone[one] = i
					break
				}
				b.of(g.table.Name).read += readUnits(g.found.size(), g.consistent)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	dst, err := appendBatchRead(append(make([]byte, 0, 256+2*total), '{'), batch, undone)
	if err != nil {
		return nil, err
	}
	return append(b.appendTo(dst, true), '}'), nil
}

// prepareBatch prepares every read of a batch. The error is an *Error.
func (e *Engine) prepareBatch(batch []*batchRead) error {
	n := 0
	for _, one := range batch {
		n += len(one.keys)
	}
	switch {
	case len(batch) == 0:
		return validation("1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case n > maxBatchGet:
		return validation("Too many items requested for the BatchGetItem call")
	}
	seen := make(map[string]bool, n)
	for _, one := range batch {
		if len(one.keys) == 0 {
			return validation("1 validation error detected: Value '[]' at 'requestItems." + one.q.table +
				".member.keys' failed to satisfy constraint: Member must have length greater than or equal to 1")
		}
		for _, key := range one.keys {
			q := *one.q
			q.key = key
			g, err := e.prepareRead(&q)
			if err != nil {
				return err
			}
			name := itemClaim(g.table, g.storage)
			if seen[name] {
				return validation("Provided list of item keys contains duplicates")
			}
			seen[name] = true
			one.reads = append(one.reads, g)
		}
	}
	return nil
}

func readBatchReads(r *jsonio.Reader) ([]*batchRead, error) {
	var out []*batchRead
	err := r.Map(func(tableName string) error {
		one := &batchRead{q: &request{}}
		err := r.Struct(func(name string) error {
			if name != "Keys" {
				return one.q.read(r, name)
			}
			return r.Array(func() error {
				key, err := item.ReadItem(r)
				one.keys = append(one.keys, key)
				return err
			})
		})
		one.q.table = tableName
		out = append(out, one)
		return err
	})
	return out, err
}

// appendBatchRead appends what was read and, where undone says from which read on, what was not.
func appendBatchRead(dst []byte, batch []*batchRead, undone map[*batchRead]int) ([]byte, error) {
	dst = jsonio.AppendName(dst, "Responses")
	dst = append(dst, '{')
	for _, one := range batch {
		dst = jsonio.AppendName(dst, one.q.table)
		dst = append(dst, '[')
		last, cut := undone[one]
		if !cut {
			last = len(one.reads)
		}
		for _, g := range one.reads[:last] {
			it, err := g.shown()
			if err != nil {
				return nil, err
			}
			if it != nil {
				dst = jsonio.AppendComma(dst)
				dst = it.AppendJSON(dst)
			}
		}
		dst = append(dst, ']')
	}
	dst = append(dst, '}')
	dst = jsonio.AppendName(dst, "UnprocessedKeys")
	dst = append(dst, '{')
	for _, one := range batch {
		first, cut := undone[one]
		if !cut {
			continue
		}
		dst = jsonio.AppendName(dst, one.q.table)
		dst = one.appendRest(dst, first)
	}
	return append(dst, '}'), nil
}

// appendRest appends the request for the keys from first on, as a client may send it again.
func (b *batchRead) appendRest(dst []byte, first int) []byte {
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "Keys")
	dst = append(dst, '[')
	for _, key := range b.keys[first:] {
		dst = jsonio.AppendComma(dst)
		dst = key.AppendJSON(dst)
	}
	dst = append(dst, ']')
	if b.q.projection != nil {
		dst = jsonio.AppendName(dst, "ProjectionExpression")
		dst = jsonio.AppendString(dst, *b.q.projection)
	}
	if len(b.q.names) > 0 {
		dst = jsonio.AppendName(dst, "ExpressionAttributeNames")
		dst = append(dst, '{')
		for _, n := range b.q.names {
			dst = jsonio.AppendName(dst, n.Placeholder)
			dst = jsonio.AppendString(dst, n.Name)
		}
		dst = append(dst, '}')
	}
	if b.q.consistent {
		dst = jsonio.AppendName(dst, "ConsistentRead")
		dst = append(dst, "true"...)
	}
	return append(dst, '}')
}
