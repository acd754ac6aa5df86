package item

import (
	"encoding/base64"
	"strings"

	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// maxNesting is the depth limit of lists and maps inside an attribute.
const maxNesting = 32

const (
	msgPrefix = "One or more parameter values were invalid: "
	msgEmpty  = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	msgTwo    = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)

// ReadItem reads an item in the protocol's JSON. Errors are those of jsonio, and *Error.
func ReadItem(r *jsonio.Reader) (Item, error) { return readItem(r, 0) }

// ReadValue reads one attribute value, with the errors of ReadItem.
func ReadValue(r *jsonio.Reader) (Value, error) { return readValue(r, 0) }

func readItem(r *jsonio.Reader, depth int) (Item, error) {
	it := make(Item, 0, 8)
	err := r.Map(func(name string) error {
		if name == "" {
			return invalid(msgPrefix + "An attribute name must not be empty")
		}
		v, err := readValue(r, depth)
		it = append(it, Attribute{Name: name, Value: v})
		return err
	})
	if err != nil {
		return nil, err
	}
	return sorted(it), nil
}

func readValue(r *jsonio.Reader, depth int) (Value, error) {
	var v Value
	if r.Null() {
		return v, invalid(msgEmpty)
	}
	if depth > maxNesting {
		return v, invalid("Nesting Levels have exceeded supported limits")
	}
	err := r.Struct(func(name string) error {
		kind, ok := KindOf(name)
		if !ok {
			return r.Skip()
		}
		if v.Kind != 0 {
			return invalid(msgTwo)
		}
		v.Kind = kind
		return readPayload(r, &v, depth)
	})
	if err == nil && v.Kind == 0 {
		err = invalid(msgEmpty)
	}
	return v, err
}

// readPayload reads the value that follows the name of v's kind.
func readPayload(r *jsonio.Reader, v *Value, depth int) (err error) {
	switch v.Kind {
	case S, N, B:
		*v, err = readScalar(r, v.Kind)
	case BOOL:
		v.Bool, err = r.Bool()
	case NULL:
		var null bool
		if null, err = r.Bool(); err == nil && !null {
			err = invalid(msgPrefix + "Null attribute value types must have the value of true")
		}
	case L:
		v.List = []Value{}
		err = r.Array(func() error {
			e, err := readValue(r, depth+1)
			v.List = append(v.List, e)
			return err
		})
	case M:
		v.Map, err = readItem(r, depth+1)
	default:
		*v, err = readSet(r, v.Kind)
	}
	return err
}

func readScalar(r *jsonio.Reader, kind Kind) (Value, error) {
	s, err := r.String()
	if err != nil {
		return Value{}, err
	}
	switch kind {
	case N:
		s, err = ParseNumber(s)
	case B:
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(s); err != nil {
			err = &jsonio.TypeError{Message: "Invalid base64 in a binary value"}
		}
		s = string(raw)
	}
	return Value{Kind: kind, Text: s}, err
}

func readSet(r *jsonio.Reader, kind Kind) (Value, error) {
	var elements []Value
	var given []string
	err := r.Array(func() error {
		e, err := readScalar(r, kind.Element())
		elements = append(elements, e)
		given = append(given, e.Text)
		return err
	})
	if err != nil {
		return Value{}, err
	}
	if len(elements) == 0 {
		return Value{}, invalid(msgPrefix + map[Kind]string{
			SS: "An string set  may not be empty", NS: "An number set  may not be empty", BS: "Binary sets should not be empty",
		}[kind])
	}
	set, distinct := NewSet(kind, elements)
	if !distinct {
		switch kind {
		case NS:
			return Value{}, invalid("Input collection contains duplicates")
		case BS:
			return Value{}, invalid(msgPrefix + "Input collection of type BS contains duplicates.")
		}
		return Value{}, invalid(msgPrefix + "Input collection [" + strings.Join(given, ", ") + "] contains duplicates.")
	}
	return set, nil
}

// AppendJSON appends the item in the protocol's JSON.
func (it Item) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range it {
		dst = jsonio.AppendName(dst, it[i].Name)
		dst = it[i].Value.AppendJSON(dst)
	}
	return append(dst, '}')
}

// AppendJSON appends the value in the protocol's JSON.
func (v Value) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{', '"')
	dst = append(dst, v.Kind.String()...)
	dst = append(dst, '"', ':')
	switch v.Kind {
	case S, N, B:
		dst = v.appendScalar(dst)
	case BOOL:
		if v.Bool {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
	case NULL:
		dst = append(dst, "true"...)
	case M:
		dst = v.Map.AppendJSON(dst)
	default: // L and sets
		dst = append(dst, '[')
		for i := range v.List {
			dst = jsonio.AppendComma(dst)
			if v.Kind == L {
				dst = v.List[i].AppendJSON(dst)
			} else {
				dst = v.List[i].appendScalar(dst)
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (v Value) appendScalar(dst []byte) []byte {
	switch v.Kind {
	case N:
		dst = append(dst, '"')
		dst = append(dst, v.Text...)
		return append(dst, '"')
	case B:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.Text))
		return append(dst, '"')
	}
	return jsonio.AppendString(dst, v.Text)
}
