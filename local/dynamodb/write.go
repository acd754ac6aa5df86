package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// maxItem is how many bytes an item may have, names included.
const maxItem = 400 << 10

// row is a stored item: its size as a varint, then its binary form without key attributes. It
// is decoded on first use; nil bytes mean that the item does not exist.
type row struct {
	stored  []byte
	decoded item.Item

	table *table // of a row that is not decoded
	key   []byte // its storage key
}

func (t *table) newRow(it item.Item) row {
	size := it.Size()
	b := binary.AppendUvarint(make([]byte, 0, size+2*len(it)+16), uint64(size)) //nolint:gosec // a size is never negative
	return row{stored: it.AppendWithout(b, t.keyNames), decoded: it}
}

func (r *row) exists() bool { return r.stored != nil }

// size returns the item's size by DynamoDB's rules, or 0 for a row without an item.
func (r *row) size() int {
	n, _ := binary.Uvarint(r.stored)
	return int(n) //nolint:gosec // an item's size
}

// encoded returns the binary form without key attributes.
func (r *row) encoded() []byte {
	_, n := binary.Uvarint(r.stored)
	return r.stored[max(n, 0):]
}

func (r *row) item() (item.Item, error) {
	if r.decoded == nil && r.stored != nil {
		it, err := r.decodeInto(nil)
		if err != nil {
			return nil, err
		}
		r.decoded = it
	}
	return r.decoded, nil
}

// decodeInto decodes the row in the memory of another item's attributes, which is lost.
func (r *row) decodeInto(lost item.Item) (item.Item, error) {
	return restoreItem(r.table.Hash, r.table.Range, lost, r.key[hashBytes:], r.encoded())
}

// operation names what a write does to its item.
type operation uint8

const (
	opPut operation = iota
	opUpdate
	opDelete
	opCheck // a transaction's ConditionCheck
)

// write is one change of one item, validated as far as that is possible without a read.
type write struct {
	operation operation
	table     *table
	storage   []byte    // the item's storage key
	key       item.Item // its key attributes
	put       row       // of a put
	condition *expression.BoundCondition
	update    *expression.BoundUpdate
	showOld   bool // a failed condition shows the item
	expiry    bool // it is the service that removes an expired item
}

// effect holds the item before and after a write.
type effect struct{ old, new row }

// unchanged reports whether the write leaves the item as it was.
func (f *effect) unchanged() (bool, error) {
	if f.old.exists() != f.new.exists() || f.old.size() != f.new.size() {
		return false, nil
	}
	if len(f.old.stored) == len(f.new.stored) {
		return bytes.Equal(f.old.stored, f.new.stored), nil
	}
	// the old one may have its key attributes, in a file of before format 4
	before, err := f.old.item()
	if err != nil {
		return false, err
	}
	after, err := f.new.item()
	return before.Equal(after), err
}

// prepareWrite turns a request into a write. The error is an *Error.
func (e *Engine) prepareWrite(q *request, op operation) (*write, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	kinds := []expression.Kind{expression.KindCondition}
	if op == opUpdate {
		kinds = []expression.Kind{expression.KindUpdate, expression.KindCondition}
	}
	bound, err := e.bind(q, kinds...)
	if err != nil {
		return nil, err
	}
	w := &write{operation: op, condition: bound.condition, update: bound.update, showOld: q.onFailure == "ALL_OLD"}
	if w.table, err = e.table(q.table); err != nil {
		return nil, err
	}
	if op == opPut {
		if q.item == nil {
			return nil, missing("item")
		}
		if w.storage, err = w.table.itemKey(q.item); err != nil {
			return nil, err
		}
		if err := w.table.checkIndexKeys(q.item); err != nil {
			return nil, err
		}
		w.key = w.table.keyOf(q.item)
		if w.put = w.table.newRow(q.item); w.put.size() > maxItem {
			return nil, validation("Item size has exceeded the maximum allowed size")
		}
		return w, nil
	}
	if q.key == nil {
		return nil, missing("key")
	}
	w.key = q.key
	if w.storage, err = w.table.key(q.key); err != nil {
		return nil, err
	}
	if w.update != nil {
		for _, name := range w.update.Targets() {
			if name == w.table.Hash.Name || name == w.table.Range.Name {
				return nil, misfit("One or more parameter values were invalid: Cannot update attribute " + name + ". This attribute is part of the key")
			}
		}
	}
	return w, nil
}

// plan reads the item, checks the condition and computes the item after the write. It
// writes nothing. The error is an *Error where the request is at fault.
func (t *tx) plan(w *write) (*effect, error) {
	now, err := t.e.table(w.table.Name)
	if err != nil {
		return nil, err
	}
	if now.ID != w.table.ID {
		return nil, notFound()
	}
	if now != w.table && w.operation == opPut {
		if err := now.checkIndexKeys(w.put.decoded); err != nil {
			return nil, err // an index is new
		}
	}
	w.table = now // its expiry, its shards or its indexes may have changed
	f := &effect{old: row{table: now, key: w.storage}}
	if f.old.stored, err = t.blob(now.sql.get, w.storage); err != nil {
		return nil, err
	}
	if w.condition != nil {
		old, err := f.old.item()
		if err != nil {
			return nil, err
		}
		if !w.condition.Matches(old) {
			refused := &Error{Code: codeConditionFailed, Message: msgConditionFailed}
			if w.showOld && f.old.exists() {
				refused.Item = old
			}
			return nil, refused
		}
	}
	switch w.operation {
	case opPut:
		f.new = w.put
	case opCheck:
		f.new = f.old
	case opUpdate:
		return f, t.planUpdate(w, f)
	}
	return f, nil
}

func (t *tx) planUpdate(w *write, f *effect) error {
	base, err := f.old.item()
	if err != nil {
		return err
	}
	if base == nil {
		base = w.key
	}
	updated := base
	if w.update != nil {
		if updated, err = w.update.Apply(base); err != nil {
			return validation(err.Error())
		}
	}
	if len(w.table.Indexes) > 0 {
		if err := w.table.checkIndexKeys(updated); err != nil {
			return err
		}
	}
	if f.new = w.table.newRow(updated); f.new.size() > maxItem {
		return validation("Item size to update has exceeded the maximum allowed size")
	}
	return nil
}

// apply stores what plan computed and updates indexes, expiry queue and stream. A write
// that changes nothing leaves no stream record.
func (t *tx) apply(w *write, f *effect) error {
	same, err := f.unchanged()
	if same || err != nil {
		return err
	}
	if f.new.exists() {
		err = t.exec(w.table.sql.put, w.storage, f.new.stored)
	} else {
		err = t.exec(w.table.sql.remove, w.storage)
	}
	if err != nil {
		return err
	}
	if len(w.table.Indexes) > 0 || w.table.Expiry != "" {
		if err := t.applyDerived(w, f); err != nil {
			return err
		}
	}
	if w.table.stream == nil {
		return nil
	}
	return t.record(w, f)
}

// applyDerived updates the indexes and the queue of expiring items.
func (t *tx) applyDerived(w *write, f *effect) error {
	before, err := f.old.item()
	if err != nil {
		return err
	}
	after, err := f.new.item()
	if err != nil {
		return err
	}
	for _, x := range w.table.Indexes {
		oldKey, newKey := x.key(before, w.storage), x.key(after, w.storage)
		if bytes.Equal(oldKey, newKey) {
			continue
		}
		if oldKey != nil {
			if err := t.exec(x.sql.remove, oldKey); err != nil {
				return err
			}
		}
		if newKey != nil {
			if err := t.exec(x.sql.put, newKey, w.storage); err != nil {
				return err
			}
		}
	}
	was, expired := w.table.expiryOf(before)
	is, expires := w.table.expiryOf(after)
	if was == is && expired == expires {
		return nil
	}
	if expired {
		if err := t.exec(w.table.sql.removeExpiry, was, w.storage); err != nil {
			return err
		}
	}
	if expires {
		return t.exec(w.table.sql.putExpiry, is, w.storage)
	}
	return nil
}

// one plans and applies a single write.
func (e *Engine) one(ctx context.Context, w *write) (*effect, error) {
	release, ok := e.locks.single(w)
	if !ok {
		return nil, &Error{Code: codeConflict, Message: msgTransactionConflict}
	}
	defer release()
	var done *effect
	err := e.write(ctx, func(t *tx) error {
		f, err := t.plan(w)
		if err != nil {
			return err
		}
		done = f
		return t.apply(w, f)
	})
	if err != nil {
		return nil, err // after a context's end the writer may still be at work on done
	}
	return done, nil
}

func (e *Engine) putItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	return e.writeItem(ctx, r, opPut)
}

func (e *Engine) updateItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	return e.writeItem(ctx, r, opUpdate)
}

func (e *Engine) deleteItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	return e.writeItem(ctx, r, opDelete)
}

func (e *Engine) writeItem(ctx context.Context, r *jsonio.Reader, op operation) ([]byte, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	w, err := e.prepareWrite(q, op)
	if err != nil {
		return nil, err
	}
	if op != opUpdate && !slices.Contains([]string{"", "NONE", "ALL_OLD"}, q.returnValues) {
		return nil, validation("Return values set to invalid value")
	}
	done, err := e.one(ctx, w)
	if err != nil {
		return nil, err
	}
	shown, err := returned(q.returnValues, w, done)
	if err != nil {
		return nil, err
	}
	used := consumedCapacity{mode: q.capacity}
	if err := used.chargeWrite(w.table, done, 1); err != nil {
		return nil, err
	}
	dst := append(make([]byte, 0, 128), '{')
	if shown != nil {
		dst = jsonio.AppendName(dst, "Attributes")
		dst = shown.AppendJSON(dst)
	}
	if q.metrics == metricsSize && w.table.hasLocalIndex() {
		dst = jsonio.AppendName(dst, "ItemCollectionMetrics")
		dst = w.appendCollection(dst)
	}
	return append(used.appendTo(dst, false), '}'), nil
}

// returned selects the attributes that ReturnValues asks for, nil for none.
func returned(mode string, w *write, f *effect) (item.Item, error) {
	side := &f.old
	if mode == "ALL_NEW" || mode == "UPDATED_NEW" {
		side = &f.new
	}
	if mode == "" || mode == "NONE" || !side.exists() {
		return nil, nil
	}
	it, err := side.item()
	if err != nil {
		return nil, err
	}
	if mode == "UPDATED_NEW" || mode == "UPDATED_OLD" {
		if w.update == nil {
			return nil, nil
		}
		if it = w.update.Updated(it); len(it) == 0 {
			return nil, nil
		}
	}
	return it, nil
}

// errorIs reports whether err is an *Error with the given code.
func errorIs(err error, code string) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Code == code
}

func notFound() error { return &Error{Code: codeNotFound, Message: msgTableNotFound} }

// table finds a table. The error is an *Error.
func (e *Engine) table(name string) (*table, error) {
	if t := e.catalog.Load().tables[name]; t != nil {
		return t, nil
	}
	return nil, notFound()
}
