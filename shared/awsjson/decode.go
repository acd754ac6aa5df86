package awsjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
	smithytime "github.com/aws/smithy-go/time"
)

// errSyntax says that an answer is not what was expected. The SDK's protocol, which reads it
// again then, knows more.
var errSyntax = errors.New("an unexpected answer")

// decoder is a smithy.ShapeDeserializer. The texts of an answer share one copy of it, while
// the SDK's protocol makes one for each.
type decoder struct {
	rest  string
	open  []level
	depth int // of what is skipped
}

// level is an object or a list that was begun.
type level struct {
	schema *smithy.Schema // of a struct or a union
	union  bool
	more   bool // a value was read
}

var (
	decoders = sync.Pool{New: func() any { return &decoder{} }}
	buffers  = sync.Pool{New: func() any { return &bytes.Buffer{} }}
)

// decode reads an answer.
func decode(body []byte, out smithy.Deserializable) error {
	d, _ := decoders.Get().(*decoder)
	d.rest, d.open, d.depth = string(body), d.open[:0], 0
	err := out.Deserialize(d)
	d.rest = ""
	clear(d.open[:cap(d.open)])
	decoders.Put(d)
	return err
}

// peek returns the next byte that is no space; 0 at the end.
func (d *decoder) peek() byte {
	for d.rest != "" {
		switch c := d.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			d.rest = d.rest[1:]
		default:
			return c
		}
	}
	return 0
}

// accept takes a byte, if it is the next one.
func (d *decoder) accept(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *decoder) push(c byte, l level) error {
	if !d.accept(c) {
		return errSyntax
	}
	d.open = append(d.open, l)
	return nil
}

// next goes to the next value of what is open, or ends it with a bracket.
func (d *decoder) next(bracket byte) (more bool, err error) {
	top := &d.open[len(d.open)-1]
	if d.accept(bracket) {
		d.open = d.open[:len(d.open)-1]
		return false, nil
	}
	if top.more && !d.accept(',') {
		return true, errSyntax
	}
	top.more = true
	return true, nil
}

// text reads a string.
func (d *decoder) text() (string, error) {
	if d.peek() != '"' {
		return "", errSyntax
	}
	end := strings.IndexByte(d.rest[1:], '"') + 1
	if end == 0 {
		return "", errSyntax
	}
	if s := d.rest[1:end]; strings.IndexByte(s, '\\') < 0 {
		d.rest = d.rest[end+1:]
		return s, nil
	}
	for end = 1; end < len(d.rest) && d.rest[end] != '"'; end++ {
		if d.rest[end] == '\\' {
			end++
		}
	}
	if end >= len(d.rest) {
		return "", errSyntax
	}
	var s string
	err := json.Unmarshal([]byte(d.rest[:end+1]), &s)
	d.rest = d.rest[end+1:]
	return s, err
}

// literal reads a number, true, false or null.
func (d *decoder) literal() string {
	d.peek()
	end := strings.IndexAny(d.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(d.rest)
	}
	s := d.rest[:end]
	d.rest = d.rest[end:]
	return s
}

// name reads the name of an object's next value.
func (d *decoder) name() (string, error) {
	name, err := d.text()
	if err == nil && !d.accept(':') {
		err = errSyntax
	}
	return name, err
}

// maxDepth is how deep in each other the values are that are skipped.
const maxDepth = 100

// skip passes over a value.
func (d *decoder) skip() error {
	if d.depth++; d.depth > maxDepth {
		return errSyntax
	}
	defer func() { d.depth-- }()
	open := d.peek()
	switch open {
	case '"':
		_, err := d.text()
		return err
	case '{', '[':
	default:
		if d.literal() == "" {
			return errSyntax
		}
		return nil
	}
	if err := d.push(open, level{}); err != nil {
		return err
	}
	for {
		more, err := d.next(open + 2) // the bracket that ends it
		if err != nil || !more {
			return err
		}
		if open == '{' {
			if _, err := d.name(); err != nil {
				return err
			}
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
}

// member goes to the next member of a struct or a union that is known and not null; nil at
// the end.
func (d *decoder) member(s *smithy.Schema) (*smithy.Schema, error) {
	for {
		more, err := d.next('}')
		if err != nil || !more {
			return nil, err
		}
		name, err := d.name()
		if err != nil {
			return nil, err
		}
		member := s.Member(name)
		switch null, err := d.ReadNil(nil); {
		case err != nil:
			return nil, err
		case null:
		case member != nil:
			return member, nil
		default:
			if err := d.skip(); err != nil {
				return nil, err
			}
		}
	}
}

// ReadNil implements smithy.ShapeDeserializer, like all below.
func (d *decoder) ReadNil(*smithy.Schema) (bool, error) {
	d.peek()
	rest, null := strings.CutPrefix(d.rest, "null")
	d.rest = rest
	return null, nil
}

// ReadStruct begins an object.
func (d *decoder) ReadStruct(s *smithy.Schema) error { return d.push('{', level{schema: s}) }

// ReadStructMember returns its next member.
func (d *decoder) ReadStructMember() (*smithy.Schema, error) {
	return d.member(d.open[len(d.open)-1].schema)
}

// ReadUnion begins an object of one member, and ends it.
func (d *decoder) ReadUnion(s *smithy.Schema) (*smithy.Schema, error) {
	if n := len(d.open); n == 0 || !d.open[n-1].union || d.open[n-1].schema != s {
		if err := d.push('{', level{schema: s, union: true}); err != nil {
			return nil, err
		}
	}
	return d.member(s)
}

// ReadList begins a list.
func (d *decoder) ReadList(*smithy.Schema) error { return d.push('[', level{}) }

// ReadListItem reports whether it has another item.
func (d *decoder) ReadListItem(*smithy.Schema) (bool, error) { return d.next(']') }

// ReadMap begins an object.
func (d *decoder) ReadMap(*smithy.Schema) error { return d.push('{', level{}) }

// ReadMapKey returns its next name.
func (d *decoder) ReadMapKey(*smithy.Schema) (string, bool, error) {
	more, err := d.next('}')
	if err != nil || !more {
		return "", more, err
	}
	name, err := d.name()
	return name, true, err
}

// ReadString reads a string.
func (d *decoder) ReadString(_ *smithy.Schema, v *string) (err error) {
	*v, err = d.text()
	return err
}

// ReadBlob reads base64.
func (d *decoder) ReadBlob(_ *smithy.Schema, v *[]byte) error {
	if null, _ := d.ReadNil(nil); null {
		return nil
	}
	s, err := d.text()
	if err == nil {
		*v, err = base64.StdEncoding.DecodeString(s)
	}
	return err
}

// ReadBool reads a boolean.
func (d *decoder) ReadBool(_ *smithy.Schema, v *bool) error {
	switch d.literal() {
	case "true":
		*v = true
	case "false":
		*v = false
	default:
		return errSyntax
	}
	return nil
}

// ReadInt8 reads a number.
func (d *decoder) ReadInt8(_ *smithy.Schema, v *int8) error {
	n, err := strconv.ParseInt(d.literal(), 10, 8)
	*v = int8(n)
	return err
}

// ReadInt16 reads a number.
func (d *decoder) ReadInt16(_ *smithy.Schema, v *int16) error {
	n, err := strconv.ParseInt(d.literal(), 10, 16)
	*v = int16(n)
	return err
}

// ReadInt32 reads a number.
func (d *decoder) ReadInt32(_ *smithy.Schema, v *int32) error {
	n, err := strconv.ParseInt(d.literal(), 10, 32)
	*v = int32(n)
	return err
}

// ReadInt64 reads a number.
func (d *decoder) ReadInt64(_ *smithy.Schema, v *int64) (err error) {
	*v, err = strconv.ParseInt(d.literal(), 10, 64)
	return err
}

// ReadFloat32 reads a number.
func (d *decoder) ReadFloat32(_ *smithy.Schema, v *float32) error {
	n, err := strconv.ParseFloat(d.literal(), 32)
	*v = float32(n)
	return err
}

// ReadFloat64 reads a number.
func (d *decoder) ReadFloat64(_ *smithy.Schema, v *float64) (err error) {
	*v, err = strconv.ParseFloat(d.literal(), 64)
	return err
}

// ReadTime reads seconds since 1970.
func (d *decoder) ReadTime(_ *smithy.Schema, v *time.Time) error {
	n, err := strconv.ParseFloat(d.literal(), 64)
	*v = smithytime.ParseEpochSeconds(n)
	return err
}

// ReadBigInt fails: no operation that is called here has one, nor what is below.
func (d *decoder) ReadBigInt(*smithy.Schema, *big.Int) error { return errShape }

// ReadBigFloat fails.
func (d *decoder) ReadBigFloat(*smithy.Schema, *big.Float) error { return errShape }

// ReadDocument fails.
func (d *decoder) ReadDocument(*smithy.Schema, *document.Value) error { return errShape }
