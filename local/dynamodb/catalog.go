package dynamodb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// The region and account in ARNs and stream records.
const (
	region  = "us-east-1"
	account = "000000000000"
)

// keyAttribute names a key and its type. The zero value means that there is no sort key.
type keyAttribute struct {
	Name string    `json:"name,omitempty"`
	Kind item.Kind `json:"kind,omitempty"`
}

// table describes one DynamoDB table. It is immutable: a change puts a copy into the
// catalog.
type table struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	UUID        string       `json:"uuid"`
	Created     time.Time    `json:"created"`
	Hash        keyAttribute `json:"hash"`
	Range       keyAttribute `json:"range"`
	Indexes     []*index     `json:"indexes,omitempty"`
	Provisioned *throughput  `json:"provisioned,omitempty"` // nil: on demand
	Protected   bool         `json:"protected,omitempty"`   // from DeleteTable
	Expiry      string       `json:"expiry,omitempty"`      // the TTL attribute, "" if expiry is off
	StreamID    int64        `json:"streamId,omitempty"`    // 0: no stream
	LastStream  string       `json:"lastStream,omitempty"`  // label of a stream switched off
	Class       string       `json:"class,omitempty"`       // TableClass, "" if none was asked for
	Encryption  string       `json:"encryption,omitempty"`  // ARN of the KMS key, "" for DynamoDB's own

	OnDemandSince time.Time `json:"onDemandSince,omitzero"` // last change to on demand
	Tags          []tag     `json:"tags,omitempty"`         // sorted by key
	NextIndex     int       `json:"nextIndex,omitempty"`    // the Number of the next index

	keyNames []string // of the attributes
	stream   *stream
	sql      tableSQL
}

// throughput is provisioned capacity. It is shown and never enforced.
type throughput struct {
	ReadCapacityUnits  int64
	WriteCapacityUnits int64
}

// The values of ProjectionType.
const (
	projectAll     = "ALL"
	projectKeys    = "KEYS_ONLY"
	projectInclude = "INCLUDE"
)

// index is a secondary index, local or global. Its rows hold keys only; projected attributes
// are read from the table's items.
type index struct {
	Name        string       `json:"name"`
	Local       bool         `json:"local,omitempty"`
	Number      int          `json:"number,omitempty"` // in storage, unique in its table
	Hash        keyAttribute `json:"hash"`
	Range       keyAttribute `json:"range"`
	Projection  string       `json:"projection"`        // ALL, KEYS_ONLY or INCLUDE
	Include     []string     `json:"include,omitempty"` // non-key attributes, of INCLUDE
	Provisioned *throughput  `json:"provisioned,omitempty"`

	attributes []string // what is projected; nil: all
	sql        indexSQL
}

// tableSQL and indexSQL hold the statements for one table and one index. Names in them
// consist of numbers only.
type tableSQL struct {
	get, put, remove, forward, backward   string
	createExpiry, putExpiry, removeExpiry string
	expired, clearExpiry, create, walk    string
	drop                                  []string
}

// sweepLimit bounds a query. It is not a parameter, since SQLite compiles a statement
// whose LIMIT is one again each time that it is bound.
var sweepLimit = " LIMIT " + strconv.FormatInt(sweepGroup, 10)

type indexSQL struct{ put, remove, forward, backward, create, drop string }

// prepare derives the remaining fields.
func (t *table) prepare() {
	t.keyNames = []string{t.Hash.Name}
	if t.Range.Name != "" {
		t.keyNames = append(t.keyNames, t.Range.Name)
	}
	name := "t" + strconv.FormatInt(t.ID, 10)
	t.sql = tableSQL{
		create:       "CREATE TABLE " + name + " (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
		get:          "SELECT v FROM " + name + " WHERE k = ?",
		put:          "INSERT INTO " + name + " (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
		remove:       "DELETE FROM " + name + " WHERE k = ?",
		forward:      "SELECT k, v FROM " + name + " WHERE k >= ? AND k < ? ORDER BY k",
		backward:     "SELECT k, v FROM " + name + " WHERE k >= ? AND k < ? ORDER BY k DESC",
		walk:         "SELECT k, v FROM " + name + " WHERE k > ? ORDER BY k" + sweepLimit,
		createExpiry: "CREATE TABLE " + name + "_ttl (at INTEGER, k BLOB, PRIMARY KEY (at, k)) WITHOUT ROWID",
		clearExpiry:  "DELETE FROM " + name + "_ttl",
		putExpiry:    "INSERT OR IGNORE INTO " + name + "_ttl (at, k) VALUES (?, ?)",
		removeExpiry: "DELETE FROM " + name + "_ttl WHERE at = ? AND k = ?",
		expired:      "SELECT k FROM " + name + "_ttl WHERE at > ? AND at < ? ORDER BY at" + sweepLimit,
		drop:         []string{"DROP TABLE " + name, "DROP TABLE " + name + "_ttl"},
	}
	for _, x := range t.Indexes {
		x.prepare(t, name, fmt.Sprintf("%s_%d", name, x.Number))
		t.sql.drop = append(t.sql.drop, x.sql.drop)
	}
}

// numberIndexes numbers the indexes of a table that was stored by format 1, in which an index's
// place among them was its number.
func (t *table) numberIndexes() {
	if t.NextIndex > 0 {
		return
	}
	for i, x := range t.Indexes {
		x.Number = i
	}
	t.NextIndex = len(t.Indexes)
}

func (x *index) prepare(t *table, base, name string) {
	// CROSS JOIN makes SQLite walk the index and look items up, never the other way
	// round.
	from := "SELECT x.b, i.v FROM " + name + " x CROSS JOIN " + base + " i ON i.k = x.b WHERE x.k >= ? AND x.k < ? ORDER BY x.k"
	x.sql = indexSQL{
		create:   "CREATE TABLE " + name + " (k BLOB PRIMARY KEY, b BLOB NOT NULL) WITHOUT ROWID",
		put:      "INSERT INTO " + name + " (k, b) VALUES (?, ?)",
		remove:   "DELETE FROM " + name + " WHERE k = ?",
		forward:  from,
		backward: from + " DESC",
		drop:     "DROP TABLE " + name,
	}
	if x.Projection != projectAll {
		x.attributes = append([]string{t.Hash.Name, t.Range.Name, x.Hash.Name, x.Range.Name}, x.Include...)
	}
}

func (t *table) arn() string {
	return "arn:aws:dynamodb:" + region + ":" + account + ":table/" + t.Name
}

func (t *table) index(name string) *index {
	for _, x := range t.Indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

func (t *table) hasLocalIndex() bool {
	return slices.ContainsFunc(t.Indexes, func(x *index) bool { return x.Local })
}

func (t *table) globalIndexes() []*index {
	return slices.DeleteFunc(slices.Clone(t.Indexes), func(x *index) bool { return x.Local })
}

// projects reports whether the index holds an attribute.
func (x *index) projects(name string) bool {
	return x.attributes == nil || slices.Contains(x.attributes, name)
}

// catalog lists all tables and streams. It is immutable: a change makes a new one.
type catalog struct {
	tables  map[string]*table
	streams map[int64]*stream // those of deleted tables too, as long as they have records
	nextID  int64
}

// with returns a catalog with changed or added tables and streams.
func (c *catalog) with(tables []*table, streams []*stream) *catalog {
	out := &catalog{tables: maps.Clone(c.tables), streams: maps.Clone(c.streams), nextID: c.nextID}
	for _, s := range streams {
		out.streams[s.ID] = s
		out.nextID = max(out.nextID, s.ID+1)
		if t := out.tables[s.Table]; t != nil && t.StreamID == s.ID {
			changed := *t
			changed.stream = s
			out.tables[t.Name] = &changed
		}
	}
	for _, t := range tables {
		t.stream = out.streams[t.StreamID]
		out.tables[t.Name] = t
		out.nextID = max(out.nextID, t.ID+1)
	}
	return out
}

// without returns a catalog without the table, or without the stream.
func (c *catalog) without(tableName string, streamID int64) *catalog {
	out := c.with(nil, nil)
	delete(out.tables, tableName)
	delete(out.streams, streamID)
	return out
}

// sortedTables lists the tables by name.
func (c *catalog) sortedTables() []*table {
	return slices.SortedFunc(maps.Values(c.tables), func(a, b *table) int { return strings.Compare(a.Name, b.Name) })
}

func (c *catalog) sortedStreams() []*stream {
	return slices.SortedFunc(maps.Values(c.streams), func(a, b *stream) int { return int(a.ID - b.ID) })
}

// The catalog's rows in the table meta.
const (
	metaTable    = "table/"
	metaStream   = "stream/"
	metaSequence = "sequence" // of the newest stream record that may have been trimmed
	metaFormat   = "format"
	metaProbe    = "probe" // when Probe wrote last
)

// format is the version of the stored data. A file of an older version is raised to it when it
// is opened; one of a newer version is rejected. Format 1 has no local indexes, and its indexes
// have no numbers. Stream records of formats 1 and 2 have their keys beside images, too. Items and
// images of formats 1 to 3 have their key attributes, and keep them until they are written: each
// tells by itself. Streams of formats 1 to 3 stay in one table.
const format = 4

func saveMeta(c *conn, key string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	return c.exec("INSERT INTO meta (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v", key, b)
}

func deleteMeta(c *conn, key string) error { return c.exec("DELETE FROM meta WHERE k = ?", key) }

func metaKey(prefix string, id int64) string { return prefix + strconv.FormatInt(id, 10) }

// loadCatalog reads the stored catalog and the sequence number to continue from.
func loadCatalog(c *conn) (*catalog, uint64, error) {
	out := &catalog{tables: make(map[string]*table), streams: make(map[int64]*stream), nextID: 1}
	var tables []*table
	var streams []*stream
	var seq uint64
	stored := 0
	err := c.query("SELECT k, v FROM meta", nil, func(row columns) (bool, error) {
		key, b := row.text(0), row.blob(1)
		var err error
		switch {
		case strings.HasPrefix(key, metaTable):
			t := new(table)
			err = json.Unmarshal(b, t)
			t.numberIndexes()
			t.prepare()
			tables = append(tables, t)
		case strings.HasPrefix(key, metaStream):
			s := new(stream)
			err = json.Unmarshal(b, s)
			s.prepare()
			streams = append(streams, s)
		case key == metaSequence:
			err = json.Unmarshal(b, &seq)
		case key == metaFormat:
			err = json.Unmarshal(b, &stored)
		}
		if err != nil {
			return false, fmt.Errorf("read %s: %w", key, err)
		}
		return true, nil
	})
	if err != nil {
		return nil, 0, err
	}
	if stored > format {
		return nil, 0, fmt.Errorf("the data file has format %d, this program reads up to format %d: start a newer program, or delete the file to start with an empty one", stored, format)
	}
	if stored < format {
		if err := saveMeta(c, metaFormat, format); err != nil {
			return nil, 0, err
		}
	}
	for _, s := range streams {
		newest, err := s.newest(c)
		if err != nil {
			return nil, 0, err
		}
		seq = max(seq, newest)
	}
	return out.with(tables, streams), seq, nil
}
