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

// row is an item as it is stored, its size in front of it, and decoded once somebody looks inside. No item has no bytes.
type row struct {
	stored  []byte
	decoded item.Item
}

func newRow(it item.Item) row {
	size := it.Size()
	b := binary.AppendUvarint(make([]byte, 0, size+2*len(it)+16), uint64(size)) //nolint:gosec // a size is never negative
	return row{stored: it.Append(b), decoded: it}
}

func (r *row) exists() bool { return r.stored != nil }

// size is what DynamoDB counts for the item, 0 for none.
func (r *row) size() int {
	n, _ := binary.Uvarint(r.stored)
	return int(n) //nolint:gosec // an item's size
}

// encoded is the item's binary form.
func (r *row) encoded() []byte {
	_, n := binary.Uvarint(r.stored)
	return r.stored[max(n, 0):]
}

func (r *row) item() (item.Item, error) {
	if r.decoded == nil && r.stored != nil {
		it, err := item.Decode(r.encoded())
		if err != nil {
			return nil, err
		}
		r.decoded = it
	}
	return r.decoded, nil
}

// verb is what a write does to its item.
type verb uint8

const (
	verbPut verb = iota
	verbUpdate
	verbDelete
	verbCheck // a transaction's ConditionCheck
)

// write is one change of one item, checked as far as it can be without reading.
type write struct {
	verb      verb
	table     *table
	storage   []byte    // the item's storage key
	key       item.Item // its key attributes
	put       row       // of a put
	condition *expression.BoundCondition
	update    *expression.BoundUpdate
	showOld   bool // a failed condition shows the item
	expiry    bool // it is the service that removes an expired item
}

// effect is what a write found and leaves.
type effect struct{ old, new row }

// unchanged says whether the item stays as it is.
func (f *effect) unchanged() bool {
	return f.old.exists() == f.new.exists() && bytes.Equal(f.old.stored, f.new.stored)
}

// prepareWrite turns a request into a write. The error is an *Error.
func (e *Engine) prepareWrite(q *request, v verb) (*write, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	kinds := []expression.Kind{expression.KindCondition}
	if v == verbUpdate {
		kinds = []expression.Kind{expression.KindUpdate, expression.KindCondition}
	}
	bound, err := e.bind(q, kinds...)
	if err != nil {
		return nil, err
	}
	w := &write{verb: v, condition: bound.condition, update: bound.update, showOld: q.onFailure == "ALL_OLD"}
	if w.table, err = e.table(q.table); err != nil {
		return nil, err
	}
	if v == verbPut {
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
		if w.put = newRow(q.item); w.put.size() > maxItem {
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
				return nil, validation("One or more parameter values were invalid: Cannot update attribute " + name + ". This attribute is part of the key")
			}
		}
	}
	return w, nil
}

func missing(parameter string) error {
	return validation("1 validation error detected: Value null at '" + parameter + "' failed to satisfy constraint: Member must not be null")
}

// plan reads the item, checks the condition and works out what the write leaves. It writes nothing. The error is an *Error where
// the request is at fault.
func (t *tx) plan(w *write) (*effect, error) {
	now, err := t.e.table(w.table.Name)
	if err != nil {
		return nil, err
	}
	if now.ID != w.table.ID {
		return nil, notFound()
	}
	w.table = now // its expiry or its shards may have changed
	f := &effect{}
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
	switch w.verb {
	case verbPut:
		f.new = w.put
	case verbCheck:
		f.new = f.old
	case verbUpdate:
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
	if f.new = newRow(updated); f.new.size() > maxItem {
		return validation("Item size to update has exceeded the maximum allowed size")
	}
	return nil
}

// apply stores what plan worked out, with indexes, expiry and stream. An item that stays as it is leaves no trace.
func (t *tx) apply(w *write, f *effect) error {
	if f.unchanged() {
		return nil
	}
	var err error
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

// applyDerived keeps the indexes and the queue of expiring items in step.
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
	release, ok := e.claims.single(w)
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
	return e.writeItem(ctx, r, verbPut)
}

func (e *Engine) updateItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	return e.writeItem(ctx, r, verbUpdate)
}

func (e *Engine) deleteItem(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	return e.writeItem(ctx, r, verbDelete)
}

func (e *Engine) writeItem(ctx context.Context, r *jsonio.Reader, v verb) ([]byte, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	w, err := e.prepareWrite(q, v)
	if err != nil {
		return nil, err
	}
	if v != verbUpdate && !slices.Contains([]string{"", "NONE", "ALL_OLD"}, q.returnValues) {
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
	b := bill{mode: q.capacity}
	if err := b.chargeWrite(w.table, done, 1); err != nil {
		return nil, err
	}
	dst := append(make([]byte, 0, 128), '{')
	if shown != nil {
		dst = jsonio.AppendName(dst, "Attributes")
		dst = shown.AppendJSON(dst)
	}
	return append(b.appendTo(dst, false), '}'), nil
}

// returned is what ReturnValues asks for, nil for nothing.
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

// errorIs says whether err is an *Error with the given code.
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
