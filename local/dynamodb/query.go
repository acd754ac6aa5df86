package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// maxPage is the size limit, in bytes of items before any filter, of one page of a Query
// or Scan.
const maxPage = 1 << 20

// The values of Select.
const (
	selectAll       = "ALL_ATTRIBUTES"
	selectProjected = "ALL_PROJECTED_ATTRIBUTES"
	selectSpecific  = "SPECIFIC_ATTRIBUTES"
	selectCount     = "COUNT"
)

// walk is a Query or Scan over a half-open range of storage keys of a table or an index.
type walk struct {
	q        *request
	table    *table
	index    *index // nil: the table itself
	fetch    bool   // the items, from the table: a local index lacks what is asked for
	bound    expressions
	from, to []byte // from <= key < to
}

// prepareWalk validates what Query and Scan share. The error is an *Error.
func (e *Engine) prepareWalk(q *request, kinds ...expression.Kind) (*walk, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.limit != nil && *q.limit < 1 {
		const constraint = "Member must have value greater than or equal to 1"
		var v violations
		if slices.Contains(kinds, expression.KindKeyCondition) { // Query spells it like this, Scan does not
			v = append(v, "Value at 'Limit' failed to satisfy constraint: "+constraint)
		} else {
			v.add(strconv.FormatInt(*q.limit, 10), "limit", constraint)
		}
		return nil, v.err()
	}
	bound, err := e.bind(q, kinds...)
	if err != nil {
		return nil, err
	}
	w := &walk{q: q, bound: bound}
	if w.table, err = e.table(q.table); err != nil {
		return nil, err
	}
	if q.index != "" {
		if w.index = w.table.index(q.index); w.index == nil {
			return nil, validation("The table does not have the specified index: " + q.index)
		}
		if q.consistent && !w.index.Local {
			return nil, validation("Consistent reads are not supported on global secondary indexes")
		}
	}
	if err := w.checkSelect(); err != nil {
		return nil, err
	}
	return w, w.checkProjected()
}

// checkProjected rejects what the index does not project. Only a local index's Query or Scan
// may show more than it projects: it fetches the items from the table, while its filter sees
// what is projected (DynamoDB Local 1.25.1).
func (w *walk) checkProjected() error {
	if w.index == nil || w.index.attributes == nil {
		return nil
	}
	lacks := func(names []string) []string { return slices.DeleteFunc(names, w.index.projects) }
	if w.bound.filter != nil {
		if names := lacks(w.bound.filter.Attributes()); len(names) > 0 {
			slices.Sort(names)
			return invalidParameter("Secondary index %s does not project one or more filter attributes: %s", w.index.Name, brackets(names))
		}
	}
	w.fetch = w.q.selection == selectAll
	if w.bound.projection == nil {
		return nil
	}
	names := lacks(w.bound.projection.Attributes())
	if len(names) > 0 && !w.index.Local {
		return invalidParameter("Global secondary index %s does not project %s", w.index.Name, brackets(names))
	}
	w.fetch = len(names) > 0
	return nil
}

func (w *walk) checkSelect() error {
	projected := w.bound.projection != nil
	switch w.q.selection {
	case selectAll:
		if w.index != nil && w.index.attributes != nil && !w.index.Local {
			return validation("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index " +
				w.index.Name + " because its projection type is not ALL")
		}
	case selectProjected:
		if w.index == nil {
			return validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	case selectSpecific:
		if !projected {
			return validation("SPECIFIC_ATTRIBUTES requires a ProjectionExpression")
		}
		return nil
	case selectCount:
	default:
		return nil
	}
	if projected {
		parameter, what := "ProjectionExpression", w.q.selection
		if w.q.projection == nil {
			parameter = "AttributesToGet"
		}
		if what == selectCount {
			what = "only the Count"
		}
		return validation("Cannot specify the " + parameter + " when choosing to get " + what)
	}
	return nil
}

// keys returns the partition and sort key of the table or index.
func (w *walk) keys() (hash, sort keyAttribute) {
	if w.index != nil {
		return w.index.Hash, w.index.Range
	}
	return w.table.Hash, w.table.Range
}

func (e *Engine) query(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	w, err := e.prepareWalk(q, expression.KindKeyCondition, expression.KindFilter, expression.KindProjection)
	if err != nil {
		return nil, err
	}
	if w.bound.keyCondition == nil {
		return nil, validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	hash, sort := w.keys()
	if w.bound.filter != nil {
		if name := w.bound.filter.Mentions(hash.Name, sort.Name); name != "" {
			parameter := "Filter Expression"
			if q.filter == nil {
				parameter = "QueryFilter"
			}
			return nil, validation(parameter + " can only contain non-primary key attributes: Primary key attribute: " + name)
		}
	}
	condition, err := w.bound.keyCondition.Key(hash.Name, sort.Name)
	if err != nil {
		return nil, validation(err.Error())
	}
	if err := w.limitTo(condition); err != nil {
		return nil, err
	}
	return w.run(ctx, e)
}

// limitTo narrows the walk to what the key condition asks for. The error is an *Error.
func (w *walk) limitTo(c expression.KeyCondition) error {
	hash, sort := w.keys()
	mismatch := validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
	if c.Hash.Kind != hash.Kind {
		return mismatch
	}
	if err := checkKeyValue(hash, c.Hash, true); err != nil {
		return err
	}
	prefix := partition(c.Hash)
	w.from, w.to = prefix, after(prefix)
	if c.Range != nil {
		if c.Range.Low.Kind != sort.Kind || (c.Range.High.Kind != 0 && c.Range.High.Kind != sort.Kind) {
			return mismatch
		}
		w.narrow(prefix, c.Range)
	}
	if w.q.start == nil {
		return nil
	}
	key, err := w.startKey()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(key, prefix) {
		return validation("The provided starting key is outside query boundaries based on provided conditions")
	}
	w.startAfter(key)
	return nil
}

func (w *walk) narrow(prefix []byte, c *expression.RangeCondition) {
	at := func(v item.Value) []byte { return v.AppendOrdered(bytes.Clone(prefix)) }
	low := at(c.Low)
	switch c.Op {
	case "=":
		w.from, w.to = low, after(low)
	case "<":
		w.to = low
	case "<=":
		w.to = after(low)
	case ">":
		w.from = after(low)
	case ">=":
		w.from = low
	case "BETWEEN":
		w.from, w.to = low, after(at(c.High))
	default: // begins_with
		low = c.Low.AppendPrefix(bytes.Clone(prefix))
		w.from, w.to = low, after(low)
	}
}

// startKey returns the storage key for the request's ExclusiveStartKey. The error is an
// *Error.
func (w *walk) startKey() ([]byte, error) {
	own := w.table.keyOf(w.q.start)
	key, err := w.table.key(own)
	if err != nil {
		return nil, validation("The provided starting key is invalid: " + err.(*Error).Message) //nolint:errorlint,forcetypeassert // key returns it bare
	}
	want := len(own)
	if w.index != nil {
		for _, k := range []keyAttribute{w.index.Hash, w.index.Range} {
			if _, shared := own.Get(k.Name); k.Name == "" || shared {
				continue
			}
			want++
			if v, ok := w.q.start.Get(k.Name); !ok || v.Kind != k.Kind {
				return nil, validation("The provided starting key is invalid")
			}
		}
		key = w.index.key(w.q.start, key)
	}
	if len(w.q.start) != want {
		return nil, validation("The provided starting key is invalid")
	}
	return key, nil
}

func (w *walk) startAfter(key []byte) {
	if w.q.backward {
		if bytes.Compare(key, w.to) < 0 {
			w.to = key
		}
		return
	}
	if next := append(slices.Clip(key), 0); bytes.Compare(next, w.from) > 0 {
		w.from = next
	}
}

func (e *Engine) scan(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	q.backward = false
	w, err := e.prepareWalk(q, expression.KindFilter, expression.KindProjection)
	if err != nil {
		return nil, err
	}
	segment, segments := int64(0), int64(1)
	if q.segment != nil || q.totalSegments != nil {
		if q.segment == nil {
			return nil, validation("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
		}
		if q.totalSegments == nil {
			return nil, validation("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
		}
		segment, segments = *q.segment, *q.totalSegments
		if segments < 1 || segments > 1000000 || segment < 0 || segment >= segments {
			return nil, validation(fmt.Sprintf("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", segment, segments))
		}
	}
	bound := func(n int64) []byte { // the n-th of segments' borders in the 32 bits that keys begin with
		return binary.BigEndian.AppendUint32(nil, uint32(n<<32/segments)) //nolint:gosec // below 2^32, for n < segments
	}
	w.from, w.to = bound(segment), []byte{0xff, 0xff, 0xff, 0xff, 0xff}
	if segment+1 < segments {
		w.to = bound(segment + 1)
	}
	if q.start != nil {
		key, err := w.startKey()
		if err != nil {
			return nil, err
		}
		if bytes.Compare(key, w.from) < 0 || bytes.Compare(key, w.to) >= 0 {
			return nil, validation("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: " +
				strconv.FormatInt(segments, 10) + " Segment: " + strconv.FormatInt(segment, 10))
		}
		w.startAfter(key)
	}
	return w.run(ctx, e)
}

// maxKept is the size in bytes of a page up to which its memory is kept for the next one.
const maxKept = 64 << 10

// maxShort is the limit of items up to which a walk takes so little time that it may be in
// the writer's way: 100 of 300 bytes take a quarter of a millisecond.
const maxShort = 100

// page is the result of a walk.
type page struct {
	json           []byte    // the items, without brackets
	decoded, shown item.Item // of the last item looked at: the next one takes their memory
	count, scanned int
	size           int
	fetched        float64   // read units of items fetched from the table
	last           item.Item // the last item looked at, if there may be more after it
}

// run walks up to the limit or the end of the page, and answers.
func (w *walk) run(ctx context.Context, e *Engine) ([]byte, error) {
	statement := w.statement()
	space, _ := e.pages.Get().(*[]byte)
	if space == nil {
		space = new([]byte)
	}
	p := page{json: (*space)[:0]}
	defer func() {
		if cap(p.json) <= maxKept {
			*space = p.json
			e.pages.Put(space)
		}
	}()
	look := func(c *conn) error {
		now, err := e.table(w.table.Name)
		if err != nil {
			return err
		}
		if now.ID != w.table.ID {
			return notFound()
		}
		if x := w.index; x != nil {
			if y := now.index(x.Name); y == nil || y.Number != x.Number {
				return validation("The table does not have the specified index: " + x.Name)
			}
		}
		if bytes.Compare(w.from, w.to) >= 0 {
			return nil // no key meets the condition
		}
		return c.query(statement, []any{w.from, w.to}, func(r columns) (bool, error) {
			return w.visit(&p, row{table: w.table, key: r.blob(0), stored: r.blob(1)})
		})
	}
	var err error
	if limit := w.q.limit; limit != nil && *limit <= maxShort {
		err = e.storage.read(ctx, look)
	} else {
		err = e.storage.readLong(ctx, look)
	}
	if err != nil {
		return nil, err
	}
	return w.answer(&p), nil
}

func (w *walk) statement() string {
	sql := w.table.sql
	if w.index != nil {
		sql.forward, sql.backward = w.index.sql.forward, w.index.sql.backward
	}
	if w.q.backward {
		return sql.backward
	}
	return sql.forward
}

// visit adds an item to the page and reports whether the walk goes on. It keeps nothing of
// what is stored.
func (w *walk) visit(p *page, found row) (bool, error) {
	it, err := found.decodeInto(p.decoded)
	if err != nil {
		return false, err
	}
	p.decoded = it
	size := found.size()
	whole := it
	if w.index != nil && w.index.attributes != nil {
		if w.fetch {
			it = it.Only(w.index.attributes)
		} else { // all keys are among them
			it = it.Keep(w.index.attributes)
			whole = it
		}
		size = it.Size()
	}
	if w.fetch {
		p.fetched += readUnits(found.size(), w.q.consistent)
	}
	p.scanned++
	p.size += size
	if w.bound.filter == nil || w.bound.filter.Matches(it) {
		p.count++
		if w.q.selection != selectCount {
			if w.fetch {
				it = whole
			}
			if w.bound.projection != nil {
				p.shown = w.bound.projection.ApplyInto(p.shown, it)
				it = p.shown
			}
			if len(p.json) > 0 {
				p.json = append(p.json, ',')
			}
			p.json = it.AppendJSON(p.json)
		}
	}
	if p.size < maxPage && (w.q.limit == nil || int64(p.scanned) < *w.q.limit) {
		return true, nil
	}
	p.last = whole
	return false, nil
}

func (w *walk) answer(p *page) []byte {
	used := consumedCapacity{mode: w.q.capacity}
	c, units := used.of(w.table.Name), readUnits(p.size, w.q.consistent)
	if w.index == nil {
		c.read = units
	} else {
		c.read = p.fetched
		c.addIndex(w.index, units)
	}
	dst := append(make([]byte, 0, len(p.json)+512), '{')
	if w.q.selection != selectCount {
		dst = jsonio.AppendName(dst, "Items")
		dst = append(dst, '[')
		dst = append(dst, p.json...)
		dst = append(dst, ']')
	}
	dst = jsonio.AppendName(dst, "Count")
	dst = strconv.AppendInt(dst, int64(p.count), 10)
	dst = jsonio.AppendName(dst, "ScannedCount")
	dst = strconv.AppendInt(dst, int64(p.scanned), 10)
	if p.last != nil {
		names := []string{w.table.Hash.Name, w.table.Range.Name}
		if w.index != nil {
			names = append(names, w.index.Hash.Name, w.index.Range.Name)
		}
		dst = jsonio.AppendName(dst, "LastEvaluatedKey")
		dst = p.last.Only(names).AppendJSON(dst)
	}
	return append(used.appendTo(dst, false), '}')
}
