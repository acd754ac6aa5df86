package changes

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// maxDepth is how deep in each other the values are that a reader takes.
const maxDepth = 32

// reader reads a record of the stream as Lambda writes it. What it does not expect, such as
// another order of brackets, makes it bad: encoding/json reads the record then, and says
// what is wrong. It reads in a fifth of the time, which aws-lambda-go takes for a map of
// interfaces for each attribute.
type reader struct {
	rest  string // shares its memory with the texts that are read
	bad   bool
	depth int
}

// read reads a record, of which it leaves out what no one asks for. It returns false if it
// was bad.
func read(raw json.RawMessage) (in events.DynamoDBEventRecord, ok bool) {
	if !utf8.Valid(raw) { // encoding/json replaces what is not
		return in, false
	}
	r := &reader{rest: string(raw)}
	seen := uint(0)
	once := func(bit uint) { // of a field that comes twice encoding/json merges what it has
		r.bad = r.bad || seen&(1<<bit) != 0
		seen |= 1 << bit
	}
	r.object(func(name string) {
		switch name {
		case "eventName":
			in.EventName = r.text()
		case "eventSource":
			in.EventSource = r.text()
		case "eventSourceARN":
			in.EventSourceArn = r.text()
		case "dynamodb":
			once(0)
			r.object(func(name string) {
				switch name {
				case "ApproximateCreationDateTime":
					in.Change.ApproximateCreationDateTime.Time = time.Unix(r.seconds(), 0)
				case "Keys":
					once(1)
					in.Change.Keys = r.attributes()
				case "NewImage":
					once(2)
					in.Change.NewImage = r.attributes()
				case "OldImage":
					once(3)
					in.Change.OldImage = r.attributes()
				case "SequenceNumber":
					in.Change.SequenceNumber = r.text()
				case "StreamViewType":
					r.text()
				case "SizeBytes":
					r.seconds()
				default:
					r.bad = true // it may be a name in another case
				}
			})
		case "eventID", "eventVersion", "awsRegion":
			r.text()
		case "userIdentity":
			r.object(func(name string) {
				r.bad = r.bad || name != "type" && name != "principalId"
				r.text()
			})
		default:
			r.bad = true
		}
	})
	r.peek()
	return in, !r.bad && r.rest == ""
}

// peek returns the next byte that is no space; 0 at the end.
func (r *reader) peek() byte {
	for r.rest != "" {
		switch c := r.rest[0]; c {
		case ' ', '\t', '\r', '\n':
			r.rest = r.rest[1:]
		default:
			return c
		}
	}
	return 0
}

// accept takes a byte, if it is the next one.
func (r *reader) accept(c byte) bool {
	if r.bad || r.peek() != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// want takes a byte, which must be the next one.
func (r *reader) want(c byte) {
	if !r.accept(c) {
		r.bad = true
	}
}

// each has values read up to a bracket.
func (r *reader) each(open, end byte, value func()) {
	r.want(open)
	if r.depth++; r.depth > maxDepth {
		r.bad = true
	}
	for more := !r.accept(end); more && !r.bad; {
		value()
		if more = r.accept(','); !more {
			r.want(end)
		}
	}
	r.depth--
}

// object has the members of an object read, each by its name.
func (r *reader) object(member func(name string)) {
	r.each('{', '}', func() {
		name := r.text()
		r.want(':')
		member(name)
	})
}

// text reads a string.
func (r *reader) text() string {
	r.want('"')
	if r.bad {
		return ""
	}
	for end := range len(r.rest) {
		switch c := r.rest[end]; {
		case c == '"':
			s := r.rest[:end]
			r.rest = r.rest[end+1:]
			return s
		case c == '\\':
			return r.escaped()
		case c < ' ':
			r.bad = true
			return ""
		}
	}
	r.bad = true
	return ""
}

// escaped reads what is left of a string that has escapes.
func (r *reader) escaped() (s string) {
	end := 0
	for end < len(r.rest) && r.rest[end] != '"' {
		if r.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(r.rest) || json.Unmarshal([]byte(`"`+r.rest[:end+1]), &s) != nil {
		r.bad = true
		return ""
	}
	r.rest = r.rest[end+1:]
	return s
}

// seconds reads a whole number that is not negative.
func (r *reader) seconds() int64 {
	r.peek()
	end := strings.IndexFunc(r.rest, func(c rune) bool { return c < '0' || c > '9' })
	if r.bad || end < 1 || end > 15 || end > 1 && r.rest[0] == '0' {
		r.bad = true
		return 0
	}
	n, err := strconv.ParseInt(r.rest[:end], 10, 64)
	r.bad = err != nil
	switch r.rest = r.rest[end:]; r.peek() {
	case ',', '}': // else it goes on, as a fraction does
	default:
		r.bad = true
	}
	return n
}

// flag reads true or false.
func (r *reader) flag() bool {
	r.peek()
	for _, literal := range []string{"true", "false"} {
		if rest, ok := strings.CutPrefix(r.rest, literal); ok {
			r.rest = rest
			return literal == "true"
		}
	}
	r.bad = true
	return false
}

func (r *reader) texts() []string {
	texts := []string{}
	r.each('[', ']', func() { texts = append(texts, r.text()) })
	return texts
}

// attributes reads a map of attributes. Of a name that comes twice the last value counts.
func (r *reader) attributes() image {
	attributes := make(image, 8)
	r.object(func(name string) { attributes[name] = r.attribute() })
	return attributes
}

// attribute reads a value with its type.
func (r *reader) attribute() (v events.DynamoDBAttributeValue) {
	r.want('{')
	kind := r.text()
	r.want(':')
	if r.bad {
		return v
	}
	switch kind {
	case "S":
		v = events.NewStringAttribute(r.text())
	case "N":
		v = events.NewNumberAttribute(r.text())
	case "BOOL":
		v = events.NewBooleanAttribute(r.flag())
	case "SS":
		v = events.NewStringSetAttribute(r.texts())
	case "L":
		list := []events.DynamoDBAttributeValue{}
		r.each('[', ']', func() { list = append(list, r.attribute()) })
		v = events.NewListAttribute(list)
	case "M":
		v = events.NewMapAttribute(r.attributes())
	default: // no item of the table has another type
		r.bad = true
	}
	r.want('}')
	return v
}
