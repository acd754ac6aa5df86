package awsjson

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"sync"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
)

// errShape says that a request has what no operation that is called here has.
var errShape = errors.New("a shape that is not supported here")

// encoder is a smithy.ShapeSerializer which appends JSON to a buffer that is used again:
// that of the SDK's protocol makes one for each request, and copies it twice.
type encoder struct {
	json  []byte
	open  []scope // objects and lists
	named bool    // the next value has its name already
	err   error
}

// scope is an object or a list.
type scope struct{ object, more bool }

// maxKept is the size of a buffer up to which it is used again, in bytes.
const maxKept = 64 << 10

var encoders = sync.Pool{New: func() any { return &encoder{} }}

// encode returns a request's JSON.
func encode(in smithy.Serializable) ([]byte, error) {
	e, _ := encoders.Get().(*encoder)
	e.json, e.open, e.named, e.err = e.json[:0], e.open[:0], false, nil
	in.Serialize(e)
	body := append(make([]byte, 0, len(e.json)), e.json...)
	err := e.err
	if cap(e.json) <= maxKept {
		encoders.Put(e)
	}
	return body, err
}

// begin writes what is before a value: a comma, and its name in an object.
func (e *encoder) begin(s *smithy.Schema) {
	if e.named || len(e.open) == 0 {
		e.named = false
		return
	}
	top := &e.open[len(e.open)-1]
	e.comma()
	if top.object && s != nil {
		e.text(s.MemberName())
		e.json = append(e.json, ':')
	}
}

func (e *encoder) comma() {
	top := &e.open[len(e.open)-1]
	if top.more {
		e.json = append(e.json, ',')
	}
	top.more = true
}

// text writes a string. Most need no escapes.
func (e *encoder) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil && e.err == nil {
				e.err = err
			}
			e.json = append(e.json, quoted...)
			return
		}
	}
	e.json = append(e.json, '"')
	e.json = append(e.json, s...)
	e.json = append(e.json, '"')
}

func (e *encoder) push(s *smithy.Schema, bracket byte) {
	e.begin(s)
	e.json = append(e.json, bracket)
	e.open = append(e.open, scope{object: bracket == '{'})
}

func (e *encoder) pop(bracket byte) {
	e.json = append(e.json, bracket)
	e.open = e.open[:len(e.open)-1]
}

// Bytes implements smithy.ShapeSerializer, like all below.
func (e *encoder) Bytes() []byte { return e.json }

// WriteStruct begins an object.
func (e *encoder) WriteStruct(s *smithy.Schema) { e.push(s, '{') }

// CloseStruct ends it.
func (e *encoder) CloseStruct() { e.pop('}') }

// WriteMap begins an object.
func (e *encoder) WriteMap(s *smithy.Schema) { e.push(s, '{') }

// WriteKey writes the name of a map's next value.
func (e *encoder) WriteKey(_ *smithy.Schema, key string) {
	e.comma()
	e.text(key)
	e.json = append(e.json, ':')
	e.named = true
}

// CloseMap ends it.
func (e *encoder) CloseMap() { e.pop('}') }

// WriteList begins a list.
func (e *encoder) WriteList(s *smithy.Schema) { e.push(s, '[') }

// CloseList ends it.
func (e *encoder) CloseList() { e.pop(']') }

// WriteUnion begins an object of one member.
func (e *encoder) WriteUnion(s, variant *smithy.Schema) {
	e.push(s, '{')
	e.begin(variant)
	e.named = true
}

// CloseUnion ends it.
func (e *encoder) CloseUnion() {
	e.named = false
	e.pop('}')
}

// WriteString writes a string.
func (e *encoder) WriteString(s *smithy.Schema, v string) {
	e.begin(s)
	e.text(v)
}

// WriteBool writes a boolean.
func (e *encoder) WriteBool(s *smithy.Schema, v bool) {
	e.begin(s)
	e.json = strconv.AppendBool(e.json, v)
}

// WriteNil writes null.
func (e *encoder) WriteNil(s *smithy.Schema) {
	e.begin(s)
	e.json = append(e.json, "null"...)
}

// WriteBlob writes bytes as base64.
func (e *encoder) WriteBlob(s *smithy.Schema, v []byte) {
	if v == nil {
		e.WriteNil(s)
		return
	}
	e.begin(s)
	e.json = append(e.json, '"')
	e.json = base64.StdEncoding.AppendEncode(e.json, v)
	e.json = append(e.json, '"')
}

// WriteInt8 writes a number.
func (e *encoder) WriteInt8(s *smithy.Schema, v int8) { e.WriteInt64(s, int64(v)) }

// WriteInt16 writes a number.
func (e *encoder) WriteInt16(s *smithy.Schema, v int16) { e.WriteInt64(s, int64(v)) }

// WriteInt32 writes a number.
func (e *encoder) WriteInt32(s *smithy.Schema, v int32) { e.WriteInt64(s, int64(v)) }

// WriteInt64 writes a number.
func (e *encoder) WriteInt64(s *smithy.Schema, v int64) {
	e.begin(s)
	e.json = strconv.AppendInt(e.json, v, 10)
}

// WriteFloat32 fails: no operation that is called here has one, nor what is below.
func (e *encoder) WriteFloat32(*smithy.Schema, float32) { e.err = errShape }

// WriteFloat64 fails.
func (e *encoder) WriteFloat64(*smithy.Schema, float64) { e.err = errShape }

// WriteBigInt fails.
func (e *encoder) WriteBigInt(*smithy.Schema, *big.Int) { e.err = errShape }

// WriteBigFloat fails.
func (e *encoder) WriteBigFloat(*smithy.Schema, *big.Float) { e.err = errShape }

// WriteTime fails.
func (e *encoder) WriteTime(*smithy.Schema, time.Time) { e.err = errShape }

// WriteDocument fails.
func (e *encoder) WriteDocument(*smithy.Schema, document.Value) { e.err = errShape }
