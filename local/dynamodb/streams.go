package dynamodb

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The views of a stream: what its records show.
const (
	viewKeys = "KEYS_ONLY"
	viewNew  = "NEW_IMAGE"
	viewOld  = "OLD_IMAGE"
	viewBoth = "NEW_AND_OLD_IMAGES"
)

// retention is how long a stream keeps its records (Developer Guide, "Change data capture
// for DynamoDB Streams": 24 hours).
const retention = 24 * time.Hour

// A stream's records lie in the order of shard and sequence number, both packed into SQLite's
// row id: an append goes to the end of its shard, a read is a range, and no index is needed.
// Sequence numbers rise over all streams, so a child shard's are above its parent's. Shards are
// dealt out to several tables, so that an open one is the last of its table: SQLite fills pages
// at a table's end better than others. In one table for all, an item with its stream record takes
// 3 % more memory.
const (
	sequenceBits = 50
	maxSequence  = 1<<sequenceBits - 1
	maxShards    = 1 << 13 // of one stream, ever
	maxTables    = 16      // each takes a page or more
)

// stream describes a table's stream. It is immutable: a change puts a copy into the
// catalog.
type stream struct {
	ID       int64        `json:"id"`
	Table    string       `json:"table"`
	Label    string       `json:"label"`
	View     string       `json:"view"`
	Created  time.Time    `json:"created"`
	Hash     keyAttribute `json:"hash"`
	Range    keyAttribute `json:"range"`
	Disabled time.Time    `json:"disabled,omitzero"` // when it was switched off, zero while it is enabled
	Shards   []*shard     `json:"shards"`            // parents before children
	NextID   int          `json:"nextShard"`

	// ByPartition says that a shard has the items of some partition keys, as DynamoDB's have.
	// In files of before, single items were dealt out, and stay where they are.
	ByPartition bool `json:"byPartition,omitempty"`

	// Tables is how many tables of SQLite have the records; 0, in files of before, means one.
	Tables int `json:"tables,omitempty"`

	arn string
	sql []recordSQL // of each table
}

// recordSQL holds the statements for stream records in one table.
type recordSQL struct{ create, add, read, newest, oldest, trim, drop string }

// shard holds the records of the items whose partition key hashes into its range.
type shard struct {
	Number int       `json:"number"` // gives its table and its row ids, never used again
	ID     string    `json:"id"`
	Parent string    `json:"parent,omitempty"`
	From   uint32    `json:"from"` // of the hash range, inclusive
	To     uint32    `json:"to"`   // inclusive
	First  uint64    `json:"first"`
	Last   uint64    `json:"last,omitempty"`  // 0: open
	Opened time.Time `json:"opened,omitzero"` // zero in files of before it was kept
	Closed time.Time `json:"closed,omitzero"`
}

// prepare fills in what follows from the rest.
func (s *stream) prepare() {
	name := "s" + strconv.FormatInt(s.ID, 10)
	s.arn = "arn:aws:dynamodb:" + region + ":" + account + ":table/" + s.Table + "/stream/" + s.Label
	names := []string{name}
	if s.Tables > 0 {
		names = nil
	}
	for i := range s.Tables {
		names = append(names, name+"_"+strconv.Itoa(i))
	}
	s.sql = nil
	for _, name := range names {
		s.sql = append(s.sql, recordSQL{
			create: "CREATE TABLE " + name + " (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, rec BLOB NOT NULL)",
			add:    "INSERT INTO " + name + " (id, at, rec) VALUES (?, ?, ?)",
			read:   "SELECT id, at, rec FROM " + name + " WHERE id >= ? AND id <= ? ORDER BY id",
			newest: "SELECT max(id) FROM " + name + " WHERE id >= ? AND id <= ?",
			oldest: "SELECT id, at FROM " + name + " WHERE id >= ? AND id <= ? ORDER BY id" + sweepLimit,
			trim:   "DELETE FROM " + name + " WHERE id >= ? AND id <= ?",
			drop:   "DROP TABLE " + name,
		})
	}
}

// of returns the statements for a shard's records.
func (s *stream) of(h *shard) *recordSQL { return &s.sql[h.Number%len(s.sql)] }

// row returns the row id of a shard's record in its table.
func (s *stream) row(h *shard, seq uint64) int64 {
	return int64(h.Number/len(s.sql))<<sequenceBits | int64(min(seq, maxSequence)) // 63 bits
}

func (h *shard) open() bool { return h.Last == 0 }

// shardOf is the open shard that an item's records go to.
func (s *stream) shardOf(storageKey []byte) *shard {
	hash := binary.BigEndian.Uint32(storageKey) // of the partition key, see partition
	if !s.ByPartition {
		hash = hashKey(storageKey)
	}
	for _, h := range s.Shards {
		if h.open() && h.From <= hash && hash <= h.To {
			return h
		}
	}
	return nil // open shards cover every hash
}

func (s *stream) shard(id string) *shard {
	for _, h := range s.Shards {
		if h.ID == id {
			return h
		}
	}
	return nil
}

// newest is the highest sequence number among the records.
func (s *stream) newest(c *conn) (uint64, error) {
	var out uint64
	for _, h := range s.Shards {
		id, err := c.integer(s.of(h).newest, s.row(h, 0), s.row(h, maxSequence))
		if err != nil {
			return 0, err
		}
		out = max(out, uint64(id)&maxSequence, h.First, h.Last) //nolint:gosec // row ids are positive
	}
	return out, nil
}

// newShard makes the stream's next shard. Its id tells when it was made, as DynamoDB's
// do.
func (s *stream) newShard(at time.Time, parent string, from, to uint32, first uint64) *shard {
	h := &shard{Number: s.NextID, Parent: parent, From: from, To: to, First: first, Opened: at.UTC()}
	s.NextID++
	var tail [4]byte
	_, _ = rand.Read(tail[:]) // never fails
	h.ID = fmt.Sprintf("shardId-%020d-%s", at.UnixMilli(), hex.EncodeToString(tail[:]))
	return h
}

// newLabel returns a label for a stream of a table, which no other stream of it has.
func (e *Engine) newLabel(tableName string, at time.Time) string {
	for ; ; at = at.Add(time.Millisecond) {
		label, taken := at.Format("2006-01-02T15:04:05.000"), false
		for _, s := range e.catalog.Load().streams {
			taken = taken || s.Table == tableName && s.Label == label
		}
		if !taken {
			return label
		}
	}
}

// createStream gives a new table its stream.
func (t *tx) createStream(s *stream, of *table, id int64) error {
	at := t.e.clock.Now().UTC()
	s.ID, s.Created, s.Hash, s.Range, s.ByPartition = id, at, of.Hash, of.Range, true
	s.Label = t.e.newLabel(s.Table, at)
	width := uint64(1<<32) / uint64(t.e.shards) //nolint:gosec // shards is positive
	t.seq++
	for n := range uint64(t.e.shards) { //nolint:gosec // shards is positive
		to := (n+1)*width - 1
		if n == uint64(t.e.shards)-1 { // shards is positive
			to = math.MaxUint32
		}
		s.Shards = append(s.Shards, s.newShard(at, "", uint32(n*width), uint32(to), t.seq)) //nolint:gosec // below 2^32
	}
	s.Tables = min(len(s.Shards), maxTables)
	s.prepare()
	for i := range s.sql {
		if err := t.exec(s.sql[i].create); err != nil {
			return err
		}
	}
	return saveMeta(t.conn, metaKey(metaStream, s.ID), s)
}

// closed returns the stream of a deleted table: readable, but complete.
func (s *stream) closed(at time.Time, t *tx) *stream {
	out := *s
	out.Disabled = at.UTC()
	out.Shards = nil
	for _, h := range s.Shards {
		if h.open() {
			h = h.closed(at, t)
		}
		out.Shards = append(out.Shards, h)
	}
	return &out
}

func (h *shard) closed(at time.Time, t *tx) *shard {
	t.seq++
	out := *h
	out.Last, out.Closed = t.seq, at.UTC()
	return &out
}

// sequenceDigits makes sequence numbers 21 digits long, as DynamoDB's shortest are: "1",
// and the number in 20 digits.
const sequenceDigits = 20

func appendSequence(dst []byte, seq uint64) []byte {
	dst = append(dst, '1')
	digits := strconv.FormatUint(seq, 10)
	dst = append(dst, strings.Repeat("0", sequenceDigits-len(digits))...)
	return append(dst, digits...)
}

func formatSequence(seq uint64) string { return string(appendSequence(nil, seq)) }

func parseSequence(s string) (uint64, bool) {
	if len(s) != sequenceDigits+1 || s[0] != '1' {
		return 0, false
	}
	seq, err := strconv.ParseUint(s[1:], 10, sequenceBits)
	return seq, err == nil
}

// readRecords reads records of a shard from a sequence number on, while more says so, which
// copies what it keeps of a body.
func (s *stream) readRecords(c *conn, h *shard, from uint64, more func(r storedRecord) (bool, error)) error {
	return c.query(s.of(h).read, []any{s.row(h, from), s.row(h, maxSequence)}, func(row columns) (bool, error) {
		seq := uint64(row.integer(0)) & maxSequence //nolint:gosec // row ids are positive
		return more(storedRecord{seq: seq, at: row.integer(1), body: row.blob(2)})
	})
}

// subscribers are notified after stream records were appended.
type subscribers struct {
	mu       sync.Mutex
	wakes    map[chan struct{}]struct{}
	appended map[string]uint64 // how many records a shard got since the engine was opened
	changes  uint64            // how often tables, streams or shards were changed
}

// Subscribe returns a channel that receives a token after stream records were appended,
// so that a poller in this process need not wait for its interval. It holds one token: a
// slow poller misses no notification, but gets one for several appends. stop ends the
// subscription.
func (e *Engine) Subscribe() (wake <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	e.subscribers.mu.Lock()
	defer e.subscribers.mu.Unlock()
	if e.subscribers.wakes == nil {
		e.subscribers.wakes = make(map[chan struct{}]struct{})
	}
	e.subscribers.wakes[c] = struct{}{}
	return c, func() {
		e.subscribers.mu.Lock()
		defer e.subscribers.mu.Unlock()
		delete(e.subscribers.wakes, c)
	}
}

// Version is a number that changes with each record that is appended to a shard, before
// subscribers are woken, and with each change of tables, streams and shards. That of "" has
// only these.
func (e *Engine) Version(shardID string) uint64 {
	e.subscribers.mu.Lock()
	defer e.subscribers.mu.Unlock()
	return e.subscribers.changes<<32 + e.subscribers.appended[shardID] // more records than 32 bits are counted on
}

// note counts what a group of writes has done.
func (s *subscribers) note(shards []string, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.appended == nil {
		s.appended = make(map[string]uint64)
	}
	if changed {
		s.changes++
		clear(s.appended) // of shards that are gone, too
	}
	for _, id := range shards {
		s.appended[id]++
	}
}

func (s *subscribers) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.wakes {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
