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

// writeUnits is what a write of an item of so many bytes costs: one for each KB begun, one at least.
func writeUnits(size int) float64 { return math.Max(1, math.Ceil(float64(size)/1024)) }

// readUnits is what a read of so many bytes costs: one for each 4 KB begun, one at least, half that when eventually consistent.
func readUnits(size int, consistent bool) float64 {
	units := math.Max(1, math.Ceil(float64(size)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

// capacity is what requests consumed of one table.
type capacity struct {
	table       string
	read, write float64            // of the table itself
	indexes     map[string]float64 // of its indexes, by name
}

func (c *capacity) addIndex(name string, units float64) {
	if units == 0 {
		return
	}
	if c.indexes == nil {
		c.indexes = make(map[string]float64)
	}
	c.indexes[name] += units
}

// bill adds up what a request consumed. Units are only counted if somebody wants to know.
type bill struct {
	mode          string
	transactional bool // then read and write units are told apart
	tables        []*capacity
}

func (b *bill) wanted() bool { return b.mode == capacityTotal || b.mode == capacityIndexes }

func (b *bill) of(table string) *capacity {
	for _, c := range b.tables {
		if c.table == table {
			return c
		}
	}
	c := &capacity{table: table}
	b.tables = append(b.tables, c)
	return c
}

// chargeWrite adds what a write cost: factor 2 in a transaction, though not for its indexes, which follow after it.
func (b *bill) chargeWrite(t *table, done *effect, factor float64) error {
	if !b.wanted() {
		return nil
	}
	c := b.of(t.Name)
	c.write += factor * writeUnits(max(done.old.size(), done.new.size()))
	if done.unchanged() {
		return nil
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
			c.addIndex(x.Name, writeUnits(is.Size()))
		case newKey == nil:
			c.addIndex(x.Name, writeUnits(was.Size()))
		case !slices.Equal(oldKey, newKey): // the old row goes, the new one comes
			c.addIndex(x.Name, writeUnits(was.Size())+writeUnits(is.Size()))
		case !was.Equal(is):
			c.addIndex(x.Name, writeUnits(max(was.Size(), is.Size())))
		}
	}
	return nil
}

// appendTo appends the member ConsumedCapacity, a list of tables or a single one, if it was asked for.
func (b *bill) appendTo(dst []byte, list bool) []byte {
	if !b.wanted() || (len(b.tables) == 0 && !list) {
		return dst
	}
	dst = jsonio.AppendName(dst, "ConsumedCapacity")
	if !list {
		return b.tables[0].appendJSON(dst, b)
	}
	slices.SortFunc(b.tables, func(x, y *capacity) int { return strings.Compare(x.table, y.table) })
	dst = append(dst, '[')
	for _, c := range b.tables {
		dst = jsonio.AppendComma(dst)
		dst = c.appendJSON(dst, b)
	}
	return append(dst, ']')
}

func (c *capacity) appendJSON(dst []byte, b *bill) []byte {
	total := capacity{read: c.read, write: c.write}
	for _, units := range c.indexes {
		if c.read > 0 {
			total.read += units
		} else {
			total.write += units
		}
	}
	dst = append(dst, '{')
	dst = jsonio.AppendName(dst, "TableName")
	dst = jsonio.AppendString(dst, c.table)
	dst = total.appendUnits(dst, b.transactional)
	if b.mode == capacityIndexes {
		dst = jsonio.AppendName(dst, "Table")
		dst = append(dst, '{')
		dst = c.appendUnits(dst, b.transactional)
		dst = append(dst, '}')
		if c.indexes != nil {
			dst = jsonio.AppendName(dst, "GlobalSecondaryIndexes")
			dst = append(dst, '{')
			for name, units := range c.indexes {
				dst = jsonio.AppendName(dst, name)
				dst = append(dst, '{')
				dst = (&capacity{write: units}).appendUnits(dst, false)
				dst = append(dst, '}')
			}
			dst = append(dst, '}')
		}
	}
	return append(dst, '}')
}

func (c *capacity) appendUnits(dst []byte, apart bool) []byte {
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
