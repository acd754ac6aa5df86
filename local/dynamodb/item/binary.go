package item

import (
	"encoding/binary"
	"errors"
)

var errCorrupt = errors.New("item: stored bytes are damaged")

// Append appends the item's binary form. Two items are equal exactly if their forms are.
func (it Item) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(it)))
	for i := range it {
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
	// one copy; all strings share its memory
	d := decoder{src: string(b)}
	it := d.itemInto(lost)
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

func (d *decoder) item() Item { return d.itemInto(nil) }

func (d *decoder) itemInto(lost Item) Item {
	n := d.length()
	it := lost[:0]
	if it == nil || n > cap(it) {
		it = make(Item, 0, n)
	}
	for range n {
		if d.failed {
			break
		}
		name := d.text()
		it = append(it, Attribute{Name: name, Value: d.value()})
	}
	return it
}

func (d *decoder) value() Value {
	v := Value{Kind: Kind(d.byte())}
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
		v.List = make([]Value, 0, n)
		for range n {
			if d.failed {
				break
			}
			v.List = append(v.List, d.value())
		}
	case SS, NS, BS:
		n := d.length()
		v.List = make([]Value, 0, n)
		for range n {
			if d.failed {
				break
			}
			v.List = append(v.List, Value{Kind: v.Kind.Element(), Text: d.text()})
		}
	default:
		d.failed = true
	}
	return v
}
