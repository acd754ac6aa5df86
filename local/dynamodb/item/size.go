package item

import "strings"

// Size returns the item's size in bytes, names and values, by DynamoDB's rules (Developer
// Guide, "DynamoDB item sizes and formats").
func (it Item) Size() int {
	n := 0
	for i := range it {
		n += len(it[i].Name) + it[i].Value.Size()
	}
	return n
}

// Size returns the value's size in bytes. A list or map costs three bytes and one per
// member.
func (v Value) Size() int {
	switch v.Kind {
	case S, B:
		return len(v.Text)
	case N:
		return numberSize(v.Text)
	case L:
		n := 3
		for i := range v.List {
			n += 1 + v.List[i].Size()
		}
		return n
	case M:
		return 3 + len(v.Map) + v.Map.Size()
	case SS, NS, BS:
		n := 0
		for i := range v.List {
			n += v.List[i].Size()
		}
		return n
	default: // BOOL, NULL
		return 1
	}
}

// numberSize returns one byte per two significant digits, one for the whole, and one for
// a minus sign.
func numberSize(s string) int {
	n := 1
	if s[0] == '-' {
		n++
		s = s[1:]
	}
	digits := len(s)
	if strings.IndexByte(s, '.') >= 0 {
		digits-- // the fraction of a canonical number has no zeros at its end, only perhaps at its start
		if s[0] == '0' {
			digits = len(strings.TrimLeft(s[2:], "0"))
		}
	} else {
		digits = len(strings.TrimRight(s, "0"))
	}
	return n + (digits+1)/2
}
