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

	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
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

// A stream's records lie in one table, in the order of shard and sequence number, both
// packed into SQLite's row id: an append goes to the end of its shard, a read is a range,
// and no index is needed. Sequence numbers rise over all streams, so a child shard's are
// above its parent's.
const (
	sequenceBits = 50
	maxSequence  = 1<<sequenceBits - 1
	maxShards    = 1 << 13 // of one stream, ever
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

	arn                                   string
	createSQL, appendSQL, readSQL, newSQL string
	oldSQL, trimSQL, dropSQL              string
}

// shard holds the records of the items whose partition key hashes into its range.
type shard struct {
	Number int       `json:"number"` // in row ids, never used again
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
	s.createSQL = "CREATE TABLE " + name + " (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, rec BLOB NOT NULL)"
	s.appendSQL = "INSERT INTO " + name + " (id, at, rec) VALUES (?, ?, ?)"
	s.readSQL = "SELECT id, at, rec FROM " + name + " WHERE id >= ? AND id <= ? ORDER BY id"
	s.newSQL = "SELECT max(id) FROM " + name + " WHERE id >= ? AND id <= ?"
	s.oldSQL = "SELECT id, at FROM " + name + " WHERE id >= ? AND id <= ? ORDER BY id" + sweepLimit
	s.trimSQL = "DELETE FROM " + name + " WHERE id >= ? AND id <= ?"
	s.dropSQL = "DROP TABLE " + name
}

func (h *shard) row(seq uint64) int64 {
	return int64(h.Number)<<sequenceBits | int64(min(seq, maxSequence)) // 63 bits
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
		id, err := c.integer(s.newSQL, h.row(0), h.row(maxSequence))
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
	s.prepare()
	if err := t.exec(s.createSQL); err != nil {
		return err
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

// The kinds of stream records. Their numbers are stored.
const (
	eventInsert = 1
	eventModify = 2
	eventRemove = 3
	eventExpiry = 8 // added where the service removed an expired item
)

// record appends the stream record of a write that changed its item.
func (t *tx) record(w *write, f *effect) error {
	s := w.table.stream
	event := byte(eventModify)
	switch {
	case !f.old.exists():
		event = eventInsert
	case !f.new.exists():
		event = eventRemove
	}
	if w.expiry {
		event |= eventExpiry
	}
	// what is stored: the event, the size in bytes that the record reports, and keys, new
	// and old image, each after its length; an image has the keys, too
	var newImage, oldImage []byte
	size := w.key.Size()
	if s.View == viewNew || s.View == viewBoth {
		newImage = f.new.encoded()
		size += f.new.size()
	}
	if s.View == viewOld || s.View == viewBoth {
		oldImage = f.old.encoded()
		size += f.old.size()
	}
	b := make([]byte, 0, len(newImage)+len(oldImage)+len(w.storage)+64)
	b = append(b, event)
	b = binary.AppendUvarint(b, uint64(size)) //nolint:gosec // positive
	var keys []byte
	if len(newImage)+len(oldImage) == 0 {
		keys = w.key.Append(nil)
	}
	b = appendPart(b, keys)
	b = appendPart(b, newImage)
	b = appendPart(b, oldImage)
	t.seq++
	to := s.shardOf(w.storage)
	t.appended = append(t.appended, to.ID)
	return t.exec(s.appendSQL, to.row(t.seq), t.e.clock.Now().Unix(), b)
}

func appendPart(dst, part []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(part)))
	return append(dst, part...)
}

// storedRecord is a stream record as stored.
type storedRecord struct {
	seq  uint64
	at   int64 // s
	body []byte
}

// appendJSON appends the record as GetRecords shows it. Its id follows from its place, so
// it stays the same over every read.
func (r *storedRecord) appendJSON(dst []byte, s *stream) ([]byte, error) {
	b := r.body
	event := b[0]
	size, n := binary.Uvarint(b[1:])
	b = b[1+n:]
	dst = append(dst, `{"eventID":"`...)
	dst = s.appendEventID(dst, r.seq)
	dst = append(dst, `","eventName":"`...)
	dst = append(dst, [...]string{eventInsert: "INSERT", eventModify: "MODIFY", eventRemove: "REMOVE"}[event&3]...)
	dst = append(dst, `","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"`+region+`","dynamodb":{"ApproximateCreationDateTime":`...)
	dst = strconv.AppendInt(dst, r.at, 10)
	names := [...]string{"Keys", "NewImage", "OldImage"}
	var parts [len(names)]item.Item
	for i := range names {
		length, n := binary.Uvarint(b)
		part := b[n : n+int(length)] //nolint:gosec // as record wrote it
		b = b[n+len(part):]
		if len(part) == 0 {
			continue
		}
		var err error
		if parts[i], err = item.Decode(part); err != nil {
			return dst, err
		}
	}
	for _, image := range parts[1:] {
		if parts[0] == nil && image != nil {
			parts[0] = image.Only([]string{s.Hash.Name, s.Range.Name})
		}
	}
	for i, name := range names {
		if parts[i] != nil {
			dst = jsonio.AppendName(dst, name)
			dst = parts[i].AppendJSON(dst)
		}
	}
	dst = append(dst, `,"SequenceNumber":"`...)
	dst = appendSequence(dst, r.seq)
	dst = append(dst, `","SizeBytes":`...)
	dst = strconv.AppendUint(dst, size, 10)
	dst = append(dst, `,"StreamViewType":"`...)
	dst = append(dst, s.View...)
	dst = append(dst, `"}`...)
	if event&eventExpiry != 0 {
		dst = append(dst, `,"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`...)
	}
	return append(dst, '}'), nil
}

// appendEventID appends 32 hexadecimal digits: 16 that only this stream has, and 16 that
// only this record of it has.
func (s *stream) appendEventID(dst []byte, seq uint64) []byte {
	own := mix(uint64(s.Created.UnixNano())) // any bits do
	id := binary.BigEndian.AppendUint64(make([]byte, 0, 16), own)
	return hex.AppendEncode(dst, binary.BigEndian.AppendUint64(id, mix(own^seq)))
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
	return c.query(s.readSQL, []any{h.row(from), h.row(maxSequence)}, func(row columns) (bool, error) {
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
