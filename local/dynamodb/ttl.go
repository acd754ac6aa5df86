package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

const (
	// sweepGroup is how many items one job of the writer removes or trims, so that
	// requests wait milliseconds at most.
	sweepGroup = int64(256)
	// trimInterval is how often streams are trimmed. Records past their retention are
	// hidden before that.
	trimInterval = time.Minute
	// maxOverdue is the age from which on an expiry time is ignored (Developer Guide,
	// "Computing time to live (TTL)": more than five years in the past).
	maxOverdue = 5 * 365 * 24 * time.Hour
)

type (
	timeToLiveSpecification struct {
		Enabled       bool
		AttributeName string
	}
	updateTimeToLiveInput struct {
		TableName               string
		TimeToLiveSpecification *timeToLiveSpecification
	}
	updateTimeToLiveOutput struct{ TimeToLiveSpecification timeToLiveSpecification }
	timeToLiveDescription  struct {
		TimeToLiveStatus string
		AttributeName    string `json:",omitempty"`
	}
	describeTimeToLiveOutput struct{ TimeToLiveDescription timeToLiveDescription }
)

// expiryOf returns when the item expires, in seconds since 1970, and whether it does.
func (t *table) expiryOf(it item.Item) (int64, bool) {
	if t.Expiry == "" {
		return 0, false
	}
	v, ok := it.Get(t.Expiry)
	if !ok || v.Kind != item.N {
		return 0, false
	}
	whole, _, _ := strings.Cut(v.Text, ".")
	at, err := strconv.ParseInt(whole, 10, 64)
	return at, err == nil
}

func (e *Engine) describeTimeToLive(_ context.Context, in *tableInput) (*describeTimeToLiveOutput, error) {
	t, err := e.namedTable(in.TableName)
	if err != nil {
		return nil, err
	}
	out := timeToLiveDescription{TimeToLiveStatus: "DISABLED"}
	if t.Expiry != "" {
		out = timeToLiveDescription{TimeToLiveStatus: "ENABLED", AttributeName: t.Expiry}
	}
	return &describeTimeToLiveOutput{TimeToLiveDescription: out}, nil
}

func (e *Engine) updateTimeToLive(ctx context.Context, in *updateTimeToLiveInput) (*updateTimeToLiveOutput, error) {
	spec := in.TimeToLiveSpecification
	switch {
	case spec == nil:
		return nil, missing("timeToLiveSpecification")
	case spec.AttributeName == "" || len(spec.AttributeName) > 255:
		return nil, validation("1 validation error detected: Value '" + spec.AttributeName +
			"' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length between 1 and 255")
	}
	err := e.writeAlone(ctx, func(x *tx) error {
		now, err := e.namedTable(in.TableName)
		if err != nil {
			return err
		}
		switch {
		case spec.Enabled && now.Expiry != "":
			return validation("TimeToLive is already enabled")
		case !spec.Enabled && now.Expiry == "":
			return validation("TimeToLive is already disabled")
		case !spec.Enabled && now.Expiry != spec.AttributeName:
			return validation("TimeToLive is active on a different AttributeName: current AttributeName is " + now.Expiry)
		}
		t := *now
		t.Expiry = ""
		if spec.Enabled {
			t.Expiry = spec.AttributeName
		}
		if err := x.refillExpiry(&t); err != nil {
			return err
		}
		return x.saveTable(&t)
	})
	if err != nil {
		return nil, err
	}
	return &updateTimeToLiveOutput{TimeToLiveSpecification: *spec}, nil
}

// refillExpiry fills the queue of expiring items when expiry is enabled, and empties it
// when expiry is disabled.
func (t *tx) refillExpiry(of *table) error {
	if err := t.exec(of.sql.clearExpiry); err != nil || of.Expiry == "" {
		return err
	}
	return t.eachItem(of, func(key []byte, it *row) error {
		decoded, err := it.item()
		if err != nil {
			return err
		}
		if at, ok := of.expiryOf(decoded); ok {
			return t.exec(of.sql.putExpiry, at, key)
		}
		return nil
	})
}

// runSweeper removes expired items and, every trimInterval after a time, old stream records,
// until the engine closes.
func (e *Engine) runSweeper(ctx context.Context, ticker clockwork.Ticker, trimmed time.Time) {
	defer close(e.swept)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.Chan():
		}
		err := guard(func() error { return e.expire(ctx) })
		if err == nil && e.clock.Since(trimmed) >= trimInterval {
			trimmed = e.clock.Now()
			err = guard(func() error { return errors.Join(e.trim(ctx), e.rollShards(ctx)) })
		}
		if err != nil && ctx.Err() == nil {
			e.log.Error().Err(err).Msg("remove what is past its time")
		}
	}
}

// expire removes the items that are expired by now.
func (e *Engine) expire(ctx context.Context) error {
	for _, t := range e.catalog.Load().sortedTables() {
		for more := t.Expiry != ""; more; {
			var err error
			if more, err = e.expireSome(ctx, t); err != nil && !errorIs(err, codeNotFound) {
				return err
			}
		}
	}
	return nil
}

// expireSome removes a group of expired items and reports whether there may be more.
func (e *Engine) expireSome(ctx context.Context, t *table) (more bool, err error) {
	now := e.clock.Now().Add(-e.lag)
	var keys [][]byte
	err = e.storage.read(ctx, func(c *conn) error {
		if e.catalog.Load().tables[t.Name] == nil {
			return notFound()
		}
		return c.query(t.sql.expired, []any{now.Add(-maxOverdue).Unix(), now.Unix()}, func(row columns) (bool, error) {
			keys = append(keys, bytes.Clone(row.blob(0)))
			return true, nil
		})
	})
	if err != nil || len(keys) == 0 {
		return false, err
	}
	err = e.write(ctx, func(x *tx) error {
		for _, key := range keys {
			if err := x.expireOne(t, key, now); err != nil {
				return err
			}
		}
		return nil
	})
	return int64(len(keys)) == sweepGroup, err
}

// expireOne removes an item if it is still expired.
func (t *tx) expireOne(of *table, key []byte, now time.Time) error {
	w := &write{operation: opDelete, table: of, storage: key, expiry: true}
	f, err := t.plan(w)
	if err != nil {
		return err
	}
	old, err := f.old.item()
	if err != nil {
		return err
	}
	if at, ok := w.table.expiryOf(old); !ok || at >= now.Unix() {
		return nil
	}
	w.key = w.table.keyOf(old)
	return t.apply(w, f)
}

// trim removes stream records, shards and streams past their retention, and old
// transaction tokens.
func (e *Engine) trim(ctx context.Context) error {
	horizon := e.clock.Now().Add(-retention)
	for _, s := range e.catalog.Load().sortedStreams() {
		for _, h := range s.Shards {
			for more := true; more; {
				err := e.write(ctx, func(t *tx) (err error) {
					more, err = t.trimSome(s, h, horizon)
					return err
				})
				if err != nil {
					return err
				}
			}
		}
		if err := e.trimShards(ctx, s.ID, horizon); err != nil {
			return err
		}
	}
	return e.write(ctx, func(t *tx) error {
		return t.exec("DELETE FROM tokens WHERE at < ?", e.clock.Now().Add(-tokenLife).UnixMilli())
	})
}

// trimSome removes a group of a shard's oldest records and reports whether there may be
// more.
func (t *tx) trimSome(s *stream, h *shard, horizon time.Time) (more bool, err error) {
	if t.e.catalog.Load().streams[s.ID] == nil {
		return false, nil
	}
	var last int64
	n := int64(0)
	err = t.query(s.of(h).oldest, []any{s.row(h, 0), s.row(h, maxSequence)}, func(row columns) (bool, error) {
		if row.integer(1) >= horizon.Unix() {
			return false, nil
		}
		last = row.integer(0)
		n++
		return true, nil
	})
	if err != nil || n == 0 {
		return false, err
	}
	// once the last record is removed nothing else holds the sequence number to continue
	// from
	if err := saveMeta(t.conn, metaSequence, t.seq); err != nil {
		return false, err
	}
	return n == sweepGroup, t.exec(s.of(h).trim, s.row(h, 0), last)
}

// trimShards removes shards that were closed before the horizon, and the stream if none
// is left.
func (e *Engine) trimShards(ctx context.Context, id int64, horizon time.Time) error {
	due := func(h *shard) bool { return !h.open() && h.Closed.Before(horizon) }
	s := e.catalog.Load().streams[id]
	var kept []*shard
	for _, h := range s.Shards {
		if !due(h) {
			kept = append(kept, h)
		}
	}
	if len(kept) == len(s.Shards) {
		return nil
	}
	return e.writeAlone(ctx, func(t *tx) error {
		now := e.catalog.Load()
		changed := *now.streams[id]
		changed.Shards = nil
		for _, h := range now.streams[id].Shards {
			if !due(h) {
				changed.Shards = append(changed.Shards, h)
			}
		}
		if err := saveMeta(t.conn, metaSequence, t.seq); err != nil {
			return err
		}
		if len(changed.Shards) > 0 {
			t.commit = func() { e.catalog.Store(now.with(nil, []*stream{&changed})) }
			return saveMeta(t.conn, metaKey(metaStream, id), &changed)
		}
		t.commit = func() { e.catalog.Store(now.without("", id)) }
		for i := range changed.sql {
			if err := t.exec(changed.sql[i].drop); err != nil {
				return err
			}
		}
		return deleteMeta(t.conn, metaKey(metaStream, id))
	})
}
