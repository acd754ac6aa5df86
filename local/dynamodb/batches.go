package dynamodb

import (
	"context"
	"fmt"

	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// maxBatchWrite is how many writes a BatchWriteItem may hold.
const maxBatchWrite = 25

// batchWrite is one put or delete of a batch. The request is kept so that it can be
// returned as unprocessed.
type batchWrite struct {
	w         *write
	operation operation
	q         *request
}

// readBatch reads a batch request: its items, by means of read, and
// ReturnConsumedCapacity.
func readBatch[T any](r *jsonio.Reader, read func(*jsonio.Reader) ([]T, error)) (batch []T, used consumedCapacity, metrics string, err error) {
	err = r.Document(func(name string) (err error) {
		switch name {
		case "RequestItems":
			batch, err = read(r)
		case "ReturnConsumedCapacity":
			used.mode, err = r.String()
		case "ReturnItemCollectionMetrics":
			metrics, err = r.String()
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil {
		var v violations
		v.enum(used.mode, "returnConsumedCapacity", capacityIndexes, capacityTotal, capacityNone)
		v.enum(metrics, "returnItemCollectionMetrics", metricsSize, "NONE")
		err = v.err()
	}
	return batch, used, metrics, err
}

func (e *Engine) batchWriteItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	batch, used, metrics, err := readBatch(r, readBatchWrites)
	if err != nil {
		return nil, err
	}
	if err := checkBatchSize(batch); err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(batch))
	for i := range batch {
		w, err := e.prepareWrite(batch[i].q, batch[i].operation)
		if err != nil {
			return nil, err
		}
		if seen[w.lockName()] {
			return nil, validation("Provided list of item keys contains duplicates")
		}
		seen[w.lockName()] = true
		batch[i].w = w
	}
	undone, err := e.runBatch(ctx, batch, &used)
	if err != nil {
		return nil, err
	}
	dst := append(make([]byte, 0, 128), '{')
	dst = jsonio.AppendName(dst, "UnprocessedItems")
	dst = appendBatch(dst, undone)
	if metrics == metricsSize {
		writes := make([]*write, len(batch))
		for i, one := range batch {
			writes[i] = one.w
		}
		dst = appendCollections(dst, writes)
	}
	return append(used.appendTo(dst, true), '}'), nil
}

// checkBatchSize rejects a batch that is empty, too large, or too large for one table.
func checkBatchSize(batch []batchWrite) error {
	byTable := make(map[string][]string)
	for _, one := range batch {
		byTable[one.q.table] = append(byTable[one.q.table], "WriteRequest")
	}
	switch {
	case len(batch) == 0:
		return validation("The requestItems parameter is required for BatchWriteItem")
	case len(batch) <= maxBatchWrite:
		return nil
	case len(byTable) > 1:
		return validation("Too many items requested for the BatchWriteItem call")
	}
	var v violations
	v.add("{"+batch[0].q.table+"="+brackets(byTable[batch[0].q.table])+"}", "requestItems", fmt.Sprintf(
		"Map value must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to 1]", maxBatchWrite))
	return v.err()
}

// runBatch writes the batch in one job of the writer. The writes are independent: those
// whose item a transaction holds are returned as unprocessed.
func (e *Engine) runBatch(ctx context.Context, batch []batchWrite, used *consumedCapacity) (undone []batchWrite, err error) {
	var free []batchWrite
	for _, one := range batch {
		release, ok := e.locks.single(one.w)
		if !ok {
			undone = append(undone, one)
			continue
		}
		defer release()
		free = append(free, one)
	}
	if len(free) == 0 {
		return undone, nil
	}
	effects := make([]*effect, len(free))
	err = e.write(ctx, func(t *tx) error {
		// plan all before writing any: the table may have been deleted
		for i, one := range free {
			f, err := t.plan(one.w)
			if err != nil {
				return err
			}
			effects[i] = f
		}
		for i, one := range free {
			if err := t.apply(one.w, effects[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, one := range free {
		if err := used.chargeWrite(one.w.table, effects[i], 1); err != nil {
			return nil, err
		}
	}
	return undone, nil
}

func readBatchWrites(r *jsonio.Reader) ([]batchWrite, error) {
	var out []batchWrite
	err := r.Map(func(tableName string) error {
		return r.Array(func() error {
			one := batchWrite{}
			err := r.Struct(func(name string) (err error) {
				switch name {
				case "PutRequest", "DeleteRequest":
					if one.q != nil {
						return validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
					}
					if name == "DeleteRequest" {
						one.operation = opDelete
					}
					one.q, err = readAction(r)
				default:
					err = r.Skip()
				}
				return err
			})
			if err != nil {
				return err
			}
			if one.q == nil {
				return validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
			}
			one.q.table = tableName
			out = append(out, one)
			return nil
		})
	})
	return out, err
}

func appendBatch(dst []byte, batch []batchWrite) []byte {
	byTable := make(map[string][]batchWrite)
	for _, one := range batch {
		byTable[one.q.table] = append(byTable[one.q.table], one)
	}
	dst = append(dst, '{')
	for name, writes := range byTable {
		dst = jsonio.AppendName(dst, name)
		dst = append(dst, '[')
		for _, one := range writes {
			dst = jsonio.AppendComma(dst)
			if one.operation == opPut {
				dst = append(dst, `{"PutRequest":{"Item":`...)
				dst = one.q.item.AppendJSON(dst)
			} else {
				dst = append(dst, `{"DeleteRequest":{"Key":`...)
				dst = one.q.key.AppendJSON(dst)
			}
			dst = append(dst, '}', '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
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
	batch, used, _, err := readBatch(r, readBatchReads)
	if err != nil {
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
				used.of(g.table.Name).read += readUnits(g.found.size(), g.consistent)
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
	return append(used.appendTo(dst, true), '}'), nil
}

// prepareBatch prepares every read of a batch. The error is an *Error.
func (e *Engine) prepareBatch(batch []*batchRead) error {
	n := 0
	for _, one := range batch {
		n += len(one.keys)
	}
	switch {
	case len(batch) == 0:
		return validation("The requestItems parameter is required for BatchGetItem")
	case n > maxBatchGet && len(batch) == 1:
		return validation(fmt.Sprintf("1 validation error detected: Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", batch[0].q.table, maxBatchGet))
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
			name := lockName(g.table, g.storage)
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

// appendBatchRead appends the items read. undone holds, by table, the index of the first
// unread key; from there on keys are unprocessed.
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

// appendRest appends the request for the keys from first on, ready to be sent again.
func (b *batchRead) appendRest(dst []byte, first int) []byte {
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "Keys")
	dst = append(dst, '[')
	for _, key := range b.keys[first:] {
		dst = jsonio.AppendComma(dst)
		dst = key.AppendJSON(dst)
	}
	dst = append(dst, ']')
	if len(b.q.legacy.attributes) > 0 {
		dst = jsonio.AppendName(dst, "AttributesToGet")
		dst = append(dst, '[')
		for _, name := range b.q.legacy.attributes {
			dst = jsonio.AppendString(jsonio.AppendComma(dst), name)
		}
		dst = append(dst, ']')
	}
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
