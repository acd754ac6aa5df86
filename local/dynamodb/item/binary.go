package item

import (
	"encoding/binary"
	"errors"
	"slices"
)

var errCorrupt = errors.New("item: stored bytes are damaged")

// Append appends the item's binary form. Two items are equal exactly if their forms are.
func (it Item) Append(dst []byte) []byte { return it.AppendWithout(dst, nil) }

// AppendWithout is Append without the named attributes, all of which the item has.
func (it Item) AppendWithout(dst []byte, names []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(it)-len(names))) //nolint:gosec // it has them all
	for i := range it {
		if slices.Contains(names, it[i].Name) {
			continue
		}
		dst = appendText(dst, it[i].Name)
		dst = it[i].Value.append(dst)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func (v Value) append(dst []byte) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case S, N, B:
		dst = appendText(dst, v.Text)
	case BOOL:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case M:
		dst = v.Map.Append(dst)
	case L:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for i := range v.List {
			dst = v.List[i].append(dst)
		}
	case SS, NS, BS:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for i := range v.List {
			dst = appendText(dst, v.List[i].Text)
		}
	}
	return dst
}

// Decode reads an item's binary form. The item shares no memory with b.
func Decode(b []byte) (Item, error) { return DecodeInto(nil, b) }

// DecodeInto is Decode in the memory of another item's attributes, which is lost.
func DecodeInto(lost Item, b []byte) (Item, error) {
	return DecodeWith(lost, string(b), nil) // one copy; all strings share its memory
}

// Key is a key attribute, of the kind S, N or B.
type Key struct {
	Name string
	Kind Kind
	Text string // as in Value
}

// DecodeWith is DecodeInto that adds attributes, sorted by name, which AppendWithout left out. One
// that the item has it keeps as it is. Strings share the memory of src.
func DecodeWith(lost Item, src string, left []Key) (Item, error) {
	d := decoder{src: src}
	it := d.itemInto(lost, left)
	if d.failed || d.src != "" {
		return nil, errCorrupt
	}
	return it, nil
}

type decoder struct {
	src    string
	failed bool
}

// length reads a count or a length. Each counted thing takes at least a byte, so a length
// beyond the remaining bytes means damage.
func (d *decoder) length() int {
	var n uint64
	for i := 0; i < len(d.src) && i < 5; i++ {
		c := d.src[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.src = d.src[i+1:]
			if n > uint64(len(d.src)) {
				break
			}
			return int(n) //nolint:gosec // bounded by the length of src
		}
	}
	d.failed = true
	d.src = ""
	return 0
}

func (d *decoder) text() string {
	n := d.length()
	s := d.src[:n]
	d.src = d.src[n:]
	return s
}

func (d *decoder) byte() byte {
	if d.src == "" {
		d.failed = true
		return 0
	}
	c := d.src[0]
	d.src = d.src[1:]
	return c
}

func (d *decoder) item() Item { return d.itemInto(nil, nil) }

func (d *decoder) itemInto(lost Item, left []Key) Item {
	n := d.length()
	it := lost[:0]
	if it == nil || n+len(left) > cap(it) {
		it = make(Item, 0, n+len(left))
	}
	for range n {
		if d.failed {
			break
		}
		name := d.text()
		for len(left) > 0 && left[0].Name <= name {
			if left[0].Name < name {
				it = left[0].appendTo(it)
			}
			left = left[1:]
		}
		it = it[:len(it)+1] // a value is large, and so decoded in its place
		a := &it[len(it)-1]
		a.Name = name
		d.value(&a.Value)
	}
	for i := range left {
		it = left[i].appendTo(it)
	}
	return it
}

// appendTo appends to an item that has room.
func (k *Key) appendTo(it Item) Item {
	it = it[:len(it)+1]
	it[len(it)-1] = Attribute{Name: k.Name, Value: Value{Kind: k.Kind, Text: k.Text}}
	return it
}

func (d *decoder) value(v *Value) {
	*v = Value{Kind: Kind(d.byte())}
	switch v.Kind {
	case S, N, B:
		v.Text = d.text()
	case BOOL:
		v.Bool = d.byte() == 1
	case NULL:
	case M:
		v.Map = d.item()
	case L:
		n := d.length()
		v.List = make([]Value, n)
		for i := range v.List {
			if d.failed {
				break
			}
			d.value(&v.List[i])
		}
	case SS, NS, BS:
		n := d.length()
		v.List = make([]Value, n)
		for i := range v.List {
			if d.failed {
				break
			}
			v.List[i] = Value{Kind: v.Kind.Element(), Text: d.text()}
		}
	default:
		d.failed = true
	}
}
