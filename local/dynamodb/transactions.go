package dynamodb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// The limits of a transaction: actions, and bytes of items.
const (
	maxActions          = 100
	maxTransactionBytes = 4 << 20
)

// tokenLife is how long a ClientRequestToken identifies its transaction
// (API_TransactWriteItems: 10 minutes).
const tokenLife = 10 * time.Minute

// action is one action of a transaction.
type action struct {
	name string // Put, Update, Delete, ConditionCheck or Get
	q    *request
}

// transaction is a TransactWriteItems or TransactGetItems request.
type transaction struct {
	actions []action
	token   string
	mode    string // ReturnConsumedCapacity
	metrics string // ReturnItemCollectionMetrics
}

func readTransaction(r *jsonio.Reader) (*transaction, error) {
	t := &transaction{}
	err := r.Document(func(name string) (err error) {
		switch name {
		case "TransactItems":
			err = r.Array(func() error {
				a, err := readOneAction(r)
				t.actions = append(t.actions, a)
				return err
			})
		case "ClientRequestToken":
			t.token, err = r.String()
		case "ReturnConsumedCapacity":
			t.mode, err = r.String()
		case "ReturnItemCollectionMetrics":
			t.metrics, err = r.String()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	switch {
	case len(t.actions) == 0:
		return nil, validation("1 validation error detected: Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case len(t.actions) > maxActions:
		var v violations
		v.add(t.String(), "transactItems", fmt.Sprintf("Member must have length less than or equal to %d", maxActions))
		return nil, v.err()
	case len(t.token) > 36:
		return nil, validation("1 validation error detected: Value '" + t.token + "' at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or equal to 36")
	}
	var v violations
	v.enum(t.mode, "returnConsumedCapacity", capacityIndexes, capacityTotal, capacityNone)
	v.enum(t.metrics, "returnItemCollectionMetrics", metricsSize, "NONE")
	return t, v.err()
}

func readOneAction(r *jsonio.Reader) (action, error) {
	var a action
	err := r.Struct(func(name string) (err error) {
		switch name {
		case "Put", "Update", "Delete", "ConditionCheck", "Get":
			if a.q != nil {
				return validation("TransactItems can only contain one of Check, Put, Update or Delete")
			}
			a.name = name
			a.q, err = readAction(r)
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && a.q == nil {
		err = validation("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request")
	}
	return a, err
}

// String lists the names of the actions, as errors show them.
func (t *transaction) String() string {
	names := make([]string, len(t.actions))
	for i, a := range t.actions {
		names[i] = a.name
	}
	return brackets(names)
}

// misfits collects the reasons of actions whose items do not fit their tables' schemas. Such
// an action cancels the transaction, while any other error rejects the request.
type misfits struct {
	reasons []Reason
	found   bool
}

func newMisfits(actions int) *misfits {
	m := &misfits{reasons: make([]Reason, actions)}
	for i := range m.reasons {
		m.reasons[i].Code = reasonNone
	}
	return m
}

// add notes the error of an action and returns those that reject the request.
func (m *misfits) add(i int, err error) error {
	refused, ok := errors.AsType[*Error](err)
	if !ok || !refused.schema {
		return err
	}
	m.reasons[i] = Reason{Code: reasonValidation, Message: refused.Message}
	m.found = true
	return nil
}

func (m *misfits) err() error {
	if !m.found {
		return nil
	}
	return canceled(m.reasons)
}

// prepare turns the actions into writes. The error is an *Error.
func (t *transaction) prepare(e *Engine) ([]*write, error) {
	operations := map[string]operation{"Put": opPut, "Update": opUpdate, "Delete": opDelete, "ConditionCheck": opCheck}
	writes := make([]*write, len(t.actions))
	seen := make(map[string]bool, len(t.actions))
	size, misfits := 0, newMisfits(len(t.actions))
	for i, a := range t.actions {
		op, ok := operations[a.name]
		switch {
		case !ok:
			return nil, validation("A transaction that writes cannot hold the action " + a.name)
		case op == opCheck && a.q.condition == nil:
			return nil, missing(fmt.Sprintf("transactItems.%d.member.conditionCheck.conditionExpression", i+1))
		case op == opUpdate && a.q.update == nil:
			return nil, missing(fmt.Sprintf("transactItems.%d.member.update.updateExpression", i+1))
		}
		w, err := e.prepareWrite(a.q, op)
		if err != nil {
			if err := misfits.add(i, err); err != nil {
				return nil, err
			}
			continue
		}
		if seen[w.lockName()] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		seen[w.lockName()] = true
		if size += w.put.size(); size > maxTransactionBytes {
			return nil, validation("The items of a transaction cannot exceed 4 MB together")
		}
		writes[i] = w
	}
	return writes, misfits.err()
}

// digest identifies the transaction's content, independent of the order of names in its
// JSON.
func (t *transaction) digest() []byte {
	h := sha256.New()
	part := func(b []byte) {
		h.Write(binary.AppendUvarint(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, a := range t.actions {
		part([]byte(a.name))
		part([]byte(a.q.table))
		part(a.q.item.Append(nil))
		part(a.q.key.Append(nil))
		for _, text := range []*string{a.q.condition, a.q.update} {
			if text == nil {
				text = new(string)
			}
			part([]byte(*text))
		}
		sorted := make(map[string]string, len(a.q.names))
		for _, n := range a.q.names {
			sorted[n.Placeholder] = n.Name
		}
		names, _ := json.Marshal(sorted) //nolint:errchkjson // strings only
		part(names)
		part(a.q.values.Append(nil))
		part([]byte(a.q.onFailure))
	}
	return h.Sum(nil)
}

// tokens holds the tokens of running transactions.
type tokens struct {
	mu      sync.Mutex
	running map[string]bool
}

func (t *tokens) begin(token string) (end func(), ok bool) {
	if token == "" {
		return func() {}, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[token] {
		return nil, false
	}
	if t.running == nil {
		t.running = make(map[string]bool)
	}
	t.running[token] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, token)
	}, true
}

func (e *Engine) transactWriteItems(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	asked, err := readTransaction(r)
	if err != nil {
		return nil, err
	}
	writes, err := asked.prepare(e)
	if err != nil {
		return nil, err
	}
	end, ok := e.tokens.begin(asked.token)
	if !ok {
		return nil, &Error{Code: codeTransactionRunning, Message: "The transaction with the given request token is already in progress."}
	}
	defer end()
	names := make([]string, len(writes))
	for i, w := range writes {
		names[i] = w.lockName()
	}
	release, conflicts := e.locks.transaction(names)
	if conflicts != nil {
		return nil, conflicting(conflicts)
	}
	defer release()

	used := consumedCapacity{mode: asked.mode, transactional: true}
	var effects []*effect
	err = e.write(ctx, func(t *tx) error {
		if asked.token != "" {
			repeated, err := t.repeated(asked, &used)
			if err != nil || repeated {
				return err
			}
		}
		found, err := t.planAll(writes)
		if err != nil {
			return err
		}
		effects = found
		for i, w := range writes {
			if err := t.apply(w, effects[i]); err != nil {
				return err
			}
		}
		return t.remember(asked, writes, effects)
	})
	if err != nil {
		return nil, err
	}
	for i, f := range effects {
		if err := used.chargeWrite(writes[i].table, f, 2); err != nil {
			return nil, err
		}
	}
	dst := used.appendTo([]byte{'{'}, true)
	if asked.metrics == metricsSize {
		dst = appendCollections(dst, writes)
	}
	return append(dst, '}'), nil
}

// planAll plans all writes, or returns the cancellation reasons.
func (t *tx) planAll(writes []*write) ([]*effect, error) {
	effects := make([]*effect, len(writes))
	reasons := make([]Reason, len(writes))
	failed, size := false, 0
	for i, w := range writes {
		reasons[i].Code = reasonNone
		f, err := t.plan(w)
		if err == nil {
			effects[i] = f
			size += f.new.size()
			continue
		}
		refused, ok := errors.AsType[*Error](err)
		if !ok || refused.Code == codeNotFound {
			return nil, err
		}
		failed = true
		reasons[i] = Reason{Code: reasonConditionFailed, Message: refused.Message, Item: refused.Item}
		if refused.Code == codeValidation {
			reasons[i].Code = reasonValidation
		}
	}
	if failed {
		return nil, canceled(reasons)
	}
	if size > maxTransactionBytes {
		return nil, validation("The items of a transaction cannot exceed 4 MB together")
	}
	return effects, nil
}

func canceled(reasons []Reason) error {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return &Error{Code: codeCanceled, Message: msgCanceled + "[" + strings.Join(codes, ", ") + "]", Reasons: reasons}
}

func conflicting(conflicts []bool) error {
	reasons := make([]Reason, len(conflicts))
	for i, conflict := range conflicts {
		reasons[i].Code = reasonNone
		if conflict {
			reasons[i] = Reason{Code: reasonConflict, Message: msgTransactionConflict}
		}
	}
	return canceled(reasons)
}

// repeated reports whether the transaction was carried out before. Its price is then that
// of reading its items.
func (t *tx) repeated(asked *transaction, used *consumedCapacity) (bool, error) {
	var digest, units []byte
	since := t.e.clock.Now().Add(-tokenLife).UnixMilli()
	err := t.query("SELECT digest, units FROM tokens WHERE k = ? AND at >= ?", []any{asked.token, since}, func(row columns) (bool, error) {
		digest, units = bytes.Clone(row.blob(0)), bytes.Clone(row.blob(1))
		return false, nil
	})
	if err != nil || digest == nil {
		return false, err
	}
	if !bytes.Equal(digest, asked.digest()) {
		return false, &Error{
			Code:    codeTokenMismatch,
			Message: "The request with the same token has different parameters: the idempotency token was used with another transaction",
		}
	}
	reads := make(map[string]float64)
	if err := json.Unmarshal(units, &reads); err != nil {
		return false, fmt.Errorf("read a transaction's token: %w", err)
	}
	if used.wanted() {
		for name, n := range reads {
			used.of(name).read = n
		}
	}
	return true, nil
}

// remember stores the token of a completed transaction in the same commit as its writes,
// so that it holds after a restart.
func (t *tx) remember(asked *transaction, writes []*write, effects []*effect) error {
	if asked.token == "" {
		return nil
	}
	reads := make(map[string]float64)
	for i, w := range writes {
		reads[w.table.Name] += 2 * readUnits(effects[i].new.size(), true)
	}
	units, err := json.Marshal(reads)
	if err != nil {
		return fmt.Errorf("encode a transaction's token: %w", err)
	}
	return t.exec("INSERT OR REPLACE INTO tokens (k, at, digest, units) VALUES (?, ?, ?, ?)",
		asked.token, t.e.clock.Now().UnixMilli(), asked.digest(), units)
}

func (e *Engine) transactGetItems(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	asked, err := readTransaction(r)
	if err != nil {
		return nil, err
	}
	reads := make([]*read, len(asked.actions))
	names := make([]string, len(asked.actions))
	seen, misfits := make(map[string]bool, len(asked.actions)), newMisfits(len(asked.actions))
	for i, a := range asked.actions {
		if a.name != "Get" {
			return nil, validation("A transaction that reads cannot hold the action " + a.name)
		}
		if reads[i], err = e.prepareRead(a.q); err != nil {
			if err := misfits.add(i, err); err != nil {
				return nil, err
			}
			continue
		}
		names[i] = lockName(reads[i].table, reads[i].storage)
		if seen[names[i]] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		seen[names[i]] = true
	}
	if err := misfits.err(); err != nil {
		return nil, err
	}
	if conflicts := e.locks.busy(names); conflicts != nil {
		return nil, conflicting(conflicts)
	}
	err = e.storage.snapshot(ctx, func(c *conn) error {
		for _, g := range reads {
			if err := g.fetch(e, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	used := consumedCapacity{mode: asked.mode, transactional: true}
	dst := append(make([]byte, 0, 256), `{"Responses":[`...)
	for _, g := range reads {
		used.of(g.table.Name).read += 2 * readUnits(g.found.size(), true)
		it, err := g.shown()
		if err != nil {
			return nil, err
		}
		dst = append(jsonio.AppendComma(dst), '{')
		if it != nil {
			dst = jsonio.AppendName(dst, "Item")
			dst = it.AppendJSON(dst)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	return append(used.appendTo(dst, true), '}'), nil
}
