package changes

import (
	"encoding/json"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/streamroom/streamroom/shared/jsonscan"
)

// reader reads a record of the stream as Lambda writes it. What it does not expect, such as
// another type of attribute, makes it bad: encoding/json reads the record then, and says
// what is wrong. It reads in a fifth of the time, which aws-lambda-go takes for a map of
// interfaces for each attribute.
type reader struct {
	jsonscan.Scanner

	seen uint8 // a bit for each field that has come
}

// read reads a record, of which it leaves out what no one asks for. It returns false if it
// was bad.
func read(raw json.RawMessage) (in events.DynamoDBEventRecord, ok bool) {
	r := &reader{Scanner: jsonscan.Of(string(raw))}
	for r.Open('{'); r.Next('}'); {
		switch r.Name() {
		case "eventName":
			in.EventName = r.Text()
		case "eventSource":
			in.EventSource = r.Text()
		case "eventSourceARN":
			in.EventSourceArn = r.Text()
		case "dynamodb":
			r.once(0)
			r.change(&in.Change)
		case "eventID", "eventVersion", "awsRegion":
			r.Text()
		case "userIdentity":
			r.identity()
		default:
			r.Fail() // it may be a name in another case
		}
	}
	return in, r.End()
}

// once fails at a field that comes twice: of its values encoding/json merges what they have.
func (r *reader) once(bit uint8) {
	if r.seen&(1<<bit) != 0 {
		r.Fail()
	}
	r.seen |= 1 << bit
}

func (r *reader) change(in *events.DynamoDBStreamRecord) {
	for r.Open('{'); r.Next('}'); {
		switch r.Name() {
		case "ApproximateCreationDateTime":
			in.ApproximateCreationDateTime.Time = time.Unix(r.seconds(), 0)
		case "Keys":
			r.once(1)
			in.Keys = r.attributes()
		case "NewImage":
			r.once(2)
			in.NewImage = r.attributes()
		case "OldImage":
			r.once(3)
			in.OldImage = r.attributes()
		case "SequenceNumber":
			in.SequenceNumber = r.Text()
		case "StreamViewType":
			r.Text()
		case "SizeBytes":
			r.seconds()
		default:
			r.Fail()
		}
	}
}

func (r *reader) identity() {
	for r.Open('{'); r.Next('}'); {
		if name := r.Name(); name != "type" && name != "principalId" {
			r.Fail()
		}
		r.Text()
	}
}

// seconds reads a whole number that is not negative, and that a float64 holds, as which
// encoding/json reads it.
func (r *reader) seconds() int64 {
	n := r.Int()
	if n < 0 || n > 1e15 {
		r.Fail()
	}
	return n
}

// texts reads a list of strings.
func (r *reader) texts() []string {
	texts := []string{}
	for r.Open('['); r.Next(']'); {
		texts = append(texts, r.Text())
	}
	return texts
}

// attributes reads a map of attributes. Of a name that comes twice the last value counts.
func (r *reader) attributes() image {
	attributes := make(image, 8)
	for r.Open('{'); r.Next('}'); {
		name := r.Name()
		attributes[name] = r.attribute()
	}
	return attributes
}

// attribute reads a value with its type.
func (r *reader) attribute() (v events.DynamoDBAttributeValue) {
	kind := ""
	if r.Open('{'); r.Next('}') {
		kind = r.Name()
	}
	switch kind {
	case "S":
		v = events.NewStringAttribute(r.Text())
	case "N":
		v = events.NewNumberAttribute(r.Text())
	case "BOOL":
		v = events.NewBooleanAttribute(r.Bool())
	case "SS":
		v = events.NewStringSetAttribute(r.texts())
	case "L":
		list := []events.DynamoDBAttributeValue{}
		for r.Open('['); r.Next(']'); {
			list = append(list, r.attribute())
		}
		v = events.NewListAttribute(list)
	case "M":
		v = events.NewMapAttribute(r.attributes())
	default: // no item of the table has another type
		r.Fail()
	}
	if r.Next('}') {
		r.Fail()
	}
	return v
}
