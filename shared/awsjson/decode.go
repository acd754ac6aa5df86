package awsjson

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/big"
	"strconv"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
	smithytime "github.com/aws/smithy-go/time"

	"github.com/streamroom/streamroom/shared/jsonscan"
)

// errSyntax says that an answer is not what was expected. The SDK's protocol, which reads it
// again then, knows more.
var errSyntax = errors.New("an unexpected answer")

// decoder is a smithy.ShapeDeserializer. The texts of an answer share one copy of it, while
// the SDK's protocol makes one for each.
type decoder struct {
	jsonscan.Scanner

	open []*smithy.Schema // of structs and unions that were begun; nil for maps and lists
}

var (
	decoders = sync.Pool{New: func() any { return &decoder{} }}
	buffers  = sync.Pool{New: func() any { return &bytes.Buffer{} }}
)

// decode reads an answer.
func decode(body []byte, out smithy.Deserializable) error {
	d, _ := decoders.Get().(*decoder)
	d.Scanner, d.open = jsonscan.Of(string(body)), d.open[:0]
	err := out.Deserialize(d)
	if err == nil && !d.End() {
		err = errSyntax
	}
	d.Scanner = jsonscan.Scanner{}
	decoders.Put(d)
	return err
}

// err is errSyntax once what came was not what was asked for.
func (d *decoder) err() error {
	if d.Bad() {
		return errSyntax
	}
	return nil
}

// begin begins an object or a list.
func (d *decoder) begin(bracket byte, s *smithy.Schema) error {
	d.Open(bracket)
	d.open = append(d.open, s)
	return d.err()
}

// next goes to the next value of what is open, or ends it.
func (d *decoder) next(bracket byte) (more bool, err error) {
	if more = d.Next(bracket); !more {
		d.open = d.open[:len(d.open)-1]
	}
	return more, d.err()
}

// member goes to the next member of a struct or a union that is known and not null; nil at
// the end.
func (d *decoder) member(s *smithy.Schema) (*smithy.Schema, error) {
	for {
		more, err := d.next('}')
		if err != nil || !more {
			return nil, err
		}
		member := s.Member(d.Name())
		switch {
		case d.Null():
		case member != nil:
			return member, d.err()
		default:
			d.Skip()
		}
	}
}

// ReadNil implements smithy.ShapeDeserializer, like all below.
func (d *decoder) ReadNil(*smithy.Schema) (bool, error) { return d.Null(), nil }

// ReadStruct begins an object.
func (d *decoder) ReadStruct(s *smithy.Schema) error { return d.begin('{', s) }

// ReadStructMember returns its next member.
func (d *decoder) ReadStructMember() (*smithy.Schema, error) { return d.member(d.open[len(d.open)-1]) }

// ReadUnion begins an object of one member, and ends it.
func (d *decoder) ReadUnion(s *smithy.Schema) (*smithy.Schema, error) {
	if n := len(d.open); n == 0 || d.open[n-1] != s {
		if err := d.begin('{', s); err != nil {
			return nil, err
		}
	}
	return d.member(s)
}

// ReadList begins a list.
func (d *decoder) ReadList(*smithy.Schema) error { return d.begin('[', nil) }

// ReadListItem reports whether it has another item.
func (d *decoder) ReadListItem(*smithy.Schema) (bool, error) { return d.next(']') }

// ReadMap begins an object.
func (d *decoder) ReadMap(*smithy.Schema) error { return d.begin('{', nil) }

// ReadMapKey returns its next name.
func (d *decoder) ReadMapKey(*smithy.Schema) (string, bool, error) {
	more, err := d.next('}')
	if err != nil || !more {
		return "", more, err
	}
	return d.Name(), true, d.err()
}

// ReadString reads a string.
func (d *decoder) ReadString(_ *smithy.Schema, v *string) error {
	*v = d.Text()
	return d.err()
}

// ReadBlob reads base64.
func (d *decoder) ReadBlob(_ *smithy.Schema, v *[]byte) error {
	if d.Null() {
		return nil
	}
	text := d.Text()
	if d.Bad() {
		return errSyntax
	}
	var err error
	*v, err = base64.StdEncoding.DecodeString(text)
	return err
}

// ReadBool reads a boolean.
func (d *decoder) ReadBool(_ *smithy.Schema, v *bool) error {
	*v = d.Bool()
	return d.err()
}

// readWhole reads a number that has no fraction and fits into some bits.
func readWhole[T int8 | int16 | int32 | int64](d *decoder, bits int, v *T) error {
	n, err := strconv.ParseInt(d.Number(), 10, bits)
	*v = T(n)
	return err
}

// ReadInt8 reads a number.
func (d *decoder) ReadInt8(_ *smithy.Schema, v *int8) error { return readWhole(d, 8, v) }

// ReadInt16 reads a number.
func (d *decoder) ReadInt16(_ *smithy.Schema, v *int16) error { return readWhole(d, 16, v) }

// ReadInt32 reads a number.
func (d *decoder) ReadInt32(_ *smithy.Schema, v *int32) error { return readWhole(d, 32, v) }

// ReadInt64 reads a number.
func (d *decoder) ReadInt64(_ *smithy.Schema, v *int64) error { return readWhole(d, 64, v) }

// ReadFloat32 reads a number.
func (d *decoder) ReadFloat32(_ *smithy.Schema, v *float32) error {
	n, err := strconv.ParseFloat(d.Number(), 32)
	*v = float32(n)
	return err
}

// ReadFloat64 reads a number.
func (d *decoder) ReadFloat64(_ *smithy.Schema, v *float64) (err error) {
	*v, err = strconv.ParseFloat(d.Number(), 64)
	return err
}

// ReadTime reads seconds since 1970.
func (d *decoder) ReadTime(_ *smithy.Schema, v *time.Time) error {
	n, err := strconv.ParseFloat(d.Number(), 64)
	*v = smithytime.ParseEpochSeconds(n)
	return err
}

// ReadBigInt fails: no operation that is called here has one, nor what is below.
func (d *decoder) ReadBigInt(*smithy.Schema, *big.Int) error { return errShape }

// ReadBigFloat fails.
func (d *decoder) ReadBigFloat(*smithy.Schema, *big.Float) error { return errShape }

// ReadDocument fails.
func (d *decoder) ReadDocument(*smithy.Schema, *document.Value) error { return errShape }
