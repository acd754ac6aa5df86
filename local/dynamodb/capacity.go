package dynamodb

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// The values of ReturnConsumedCapacity.
const (
	capacityNone    = "NONE"
	capacityTotal   = "TOTAL"
	capacityIndexes = "INDEXES"
)

// writeUnits returns the write units for an item of the given size: one per started KB,
// at least one (Developer Guide, "DynamoDB read and write operations").
func writeUnits(size int) float64 { return math.Max(1, math.Ceil(float64(size)/1024)) }

// readUnits returns the read units for the given bytes: one per started 4 KB, at least
// one, half of that when eventually consistent.
func readUnits(size int, consistent bool) float64 {
	units := math.Max(1, math.Ceil(float64(size)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// tableCapacity counts the units that a request consumed of one table and its indexes.
type tableCapacity struct {
	table       string
	read, write float64            // of the table itself
	local       map[string]float64 // of its local indexes, by name
	global      map[string]float64 // of its global indexes, by name
}

func (c *tableCapacity) addIndex(x *index, units float64) {
	indexes := &c.global
	if x.Local {
		indexes = &c.local
	}
	if units == 0 {
		return
	}
	if *indexes == nil {
		*indexes = make(map[string]float64)
	}
	(*indexes)[x.Name] += units
}

// consumedCapacity adds up the units of one request. It counts only if
// ReturnConsumedCapacity asks for it.
type consumedCapacity struct {
	mode          string
	transactional bool // then read and write units are told apart
	tables        []*tableCapacity
}

func (used *consumedCapacity) wanted() bool {
	return used.mode == capacityTotal || used.mode == capacityIndexes
}

func (used *consumedCapacity) of(table string) *tableCapacity {
	for _, c := range used.tables {
		if c.table == table {
			return c
		}
	}
	c := &tableCapacity{table: table}
	used.tables = append(used.tables, c)
	return c
}

// chargeWrite adds the units of a write. factor is 2 in a transaction; its index updates
// happen afterwards and cost the normal price.
func (used *consumedCapacity) chargeWrite(t *table, done *effect, factor float64) error {
	if !used.wanted() {
		return nil
	}
	c := used.of(t.Name)
	c.write += factor * writeUnits(max(done.old.size(), done.new.size()))
	same, err := done.unchanged()
	if same || err != nil {
		return err
	}
	before, err := done.old.item()
	if err != nil {
		return err
	}
	after, err := done.new.item()
	if err != nil {
		return err
	}
	for _, x := range t.Indexes {
		oldKey, newKey := x.key(before, nil), x.key(after, nil)
		was, is := x.project(before), x.project(after)
		switch {
		case oldKey == nil && newKey == nil:
		case oldKey == nil:
			c.addIndex(x, writeUnits(is.Size()))
		case newKey == nil:
			c.addIndex(x, writeUnits(was.Size()))
		case !slices.Equal(oldKey, newKey): // the old row goes, the new one comes
			c.addIndex(x, writeUnits(was.Size())+writeUnits(is.Size()))
		case !was.Equal(is):
			c.addIndex(x, writeUnits(max(was.Size(), is.Size())))
		}
	}
	return nil
}

// appendTo appends the member ConsumedCapacity, a list of tables or a single table, if
// the request asked for it.
func (used *consumedCapacity) appendTo(dst []byte, list bool) []byte {
	if !used.wanted() || (len(used.tables) == 0 && !list) {
		return dst
	}
	dst = jsonio.AppendName(dst, "ConsumedCapacity")
	if !list {
		return used.tables[0].appendJSON(dst, used)
	}
	slices.SortFunc(used.tables, func(x, y *tableCapacity) int { return strings.Compare(x.table, y.table) })
	dst = append(dst, '[')
	for _, c := range used.tables {
		dst = jsonio.AppendComma(dst)
		dst = c.appendJSON(dst, used)
	}
	return append(dst, ']')
}

func (c *tableCapacity) appendJSON(dst []byte, used *consumedCapacity) []byte {
	total := tableCapacity{read: c.read, write: c.write}
	for _, indexes := range []map[string]float64{c.local, c.global} {
		for _, units := range indexes {
			if c.read > 0 {
				total.read += units
			} else {
				total.write += units
			}
		}
	}
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "TableName")
	dst = jsonio.AppendString(dst, c.table)
	dst = total.appendUnits(dst, used.transactional)
	if used.mode == capacityIndexes {
		dst = jsonio.AppendName(dst, "Table")
		dst = append(dst, '{')
		dst = c.appendUnits(dst, used.transactional)
		dst = append(dst, '}')
		dst = appendIndexUnits(dst, "LocalSecondaryIndexes", c.local)
		dst = appendIndexUnits(dst, "GlobalSecondaryIndexes", c.global)
	}
	return append(dst, '}')
}

func (c *tableCapacity) appendUnits(dst []byte, apart bool) []byte {
	number := func(name string, units float64) {
		dst = jsonio.AppendName(dst, name)
		dst = strconv.AppendFloat(dst, units, 'f', 1, 64)
	}
	number("CapacityUnits", c.read+c.write)
	if apart && c.read > 0 {
		number("ReadCapacityUnits", c.read)
	}
	if apart && c.write > 0 {
		number("WriteCapacityUnits", c.write)
	}
	return dst
}

func appendIndexUnits(dst []byte, member string, indexes map[string]float64) []byte {
	if indexes == nil {
		return dst
	}
	dst = jsonio.AppendName(dst, member)
	dst = append(dst, '{')
	for name, units := range indexes {
		dst = jsonio.AppendName(dst, name)
		dst = append(dst, '{')
		dst = (&tableCapacity{write: units}).appendUnits(dst, false)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// metricsSize is the value of ReturnItemCollectionMetrics that asks for metrics.
const metricsSize = "SIZE"

// appendCollection appends the metrics of a write's item collection. Only tables with local
// indexes have them. Sizes are estimates; here every collection is below a gigabyte.
func (w *write) appendCollection(dst []byte) []byte {
	dst = append(dst, `{"ItemCollectionKey":`...)
	dst = w.key.Only([]string{w.table.Hash.Name}).AppendJSON(dst)
	return append(dst, `,"SizeEstimateRangeGB":[0.0,1.0]}`...)
}

// appendCollections appends the member ItemCollectionMetrics of several writes, by table, if
// any of their tables has local indexes.
func appendCollections(dst []byte, writes []*write) []byte {
	byTable := make(map[string][]*write)
	for _, w := range writes {
		if w.table.hasLocalIndex() {
			byTable[w.table.Name] = append(byTable[w.table.Name], w)
		}
	}
	if len(byTable) == 0 {
		return dst
	}
	dst = jsonio.AppendName(dst, "ItemCollectionMetrics")
	dst = append(dst, '{')
	for name, writes := range byTable {
		dst = jsonio.AppendName(dst, name)
		dst = append(dst, '[')
		for _, w := range writes {
			dst = w.appendCollection(jsonio.AppendComma(dst))
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}
