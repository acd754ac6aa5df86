package eventsource

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// What an event has around its records.
const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

// Record is a stream record, encoded once: a batch that is split or delivered
// again is put into events by copying.
type Record[T any] struct {
	SequenceNumber string
	JSON           []byte // by AppendRecord
	Data           T      // what the caller keeps with it
}

// EncodeEvent renders the DynamoDBEvent of records: {"Records":[…]}.
func EncodeEvent[T any](records []Record[T]) []byte {
	size := len(eventHead) + len(eventTail)
	for i := range records {
		size += len(records[i].JSON) + 1
	}
	b := append(make([]byte, 0, size), eventHead...)
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, records[i].JSON...)
	}
	return append(b, eventTail...)
}

// Origin is what an event says of where its records come from.
type Origin struct {
	Source string // eventSource, for a stream DynamoDB
	ARN    string // eventSourceARN
	Region string // awsRegion
}

// DynamoDB is the eventSource of a table's stream.
const DynamoDB = "aws:dynamodb"

// AppendRecord appends a stream record in the form in which Lambda passes it to
// functions ("Using AWS Lambda with Amazon DynamoDB", example event). Times are
// whole seconds; what a record lacks is absent. It fails on attribute types
// that DynamoDB does not have.
func AppendRecord(b []byte, r *types.Record, origin Origin) ([]byte, error) {
	b = appendField(b, `{"eventID":`, aws.ToString(r.EventID))
	b = appendField(b, `,"eventName":`, string(r.EventName))
	b = appendField(b, `,"eventVersion":`, "1.1")
	b = appendField(b, `,"eventSource":`, origin.Source)
	b = appendField(b, `,"awsRegion":`, origin.Region)
	if r.UserIdentity != nil {
		b = appendField(b, `,"userIdentity":{"type":`, aws.ToString(r.UserIdentity.Type))
		b = appendField(b, `,"principalId":`, aws.ToString(r.UserIdentity.PrincipalId))
		b = append(b, '}')
	}
	b = append(b, `,"dynamodb":{`...)
	b, err := appendChange(b, r.Dynamodb)
	if err != nil {
		return nil, err
	}
	b = appendField(b, `},"eventSourceARN":`, origin.ARN)
	return append(b, '}'), nil
}

func appendChange(b []byte, change *types.StreamRecord) ([]byte, error) {
	if at := change.ApproximateCreationDateTime; at != nil {
		b = append(b, `"ApproximateCreationDateTime":`...)
		b = strconv.AppendInt(b, at.Unix(), 10)
		b = append(b, ',')
	}
	for _, image := range []struct {
		name  string
		value map[string]types.AttributeValue
	}{{`"Keys":`, change.Keys}, {`"NewImage":`, change.NewImage}, {`"OldImage":`, change.OldImage}} {
		if image.value == nil {
			continue
		}
		b = append(b, image.name...)
		var err error
		if b, err = appendMap(b, image.value); err != nil {
			return nil, err
		}
		b = append(b, ',')
	}
	b = appendField(b, `"SequenceNumber":`, aws.ToString(change.SequenceNumber))
	b = append(b, `,"SizeBytes":`...)
	b = strconv.AppendInt(b, aws.ToInt64(change.SizeBytes), 10)
	return appendField(b, `,"StreamViewType":`, string(change.StreamViewType)), nil
}

func appendMap(b []byte, m map[string]types.AttributeValue) ([]byte, error) {
	b = append(b, '{')
	first := true
	for name, value := range m {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, name), ':')
		var err error
		if b, err = AppendValue(b, value); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	return append(b, '}'), nil
}

// AppendValue appends an attribute value: {"S":"…"}, {"N":"…"} and so on.
func AppendValue(b []byte, value types.AttributeValue) ([]byte, error) {
	var err error
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		b = appendField(b, `{"S":`, v.Value)
	case *types.AttributeValueMemberN:
		b = appendField(b, `{"N":`, v.Value)
	case *types.AttributeValueMemberB:
		b = appendBinary(append(b, `{"B":`...), v.Value)
	case *types.AttributeValueMemberBOOL:
		b = strconv.AppendBool(append(b, `{"BOOL":`...), v.Value)
	case *types.AttributeValueMemberNULL:
		b = append(b, `{"NULL":true`...)
	case *types.AttributeValueMemberSS:
		b = appendList(append(b, `{"SS":`...), v.Value, appendString)
	case *types.AttributeValueMemberNS:
		b = appendList(append(b, `{"NS":`...), v.Value, appendString)
	case *types.AttributeValueMemberBS:
		b = appendList(append(b, `{"BS":`...), v.Value, appendBinary)
	case *types.AttributeValueMemberL:
		b = appendList(append(b, `{"L":`...), v.Value, func(b []byte, element types.AttributeValue) []byte {
			if err == nil {
				b, err = AppendValue(b, element)
			}
			return b
		})
	case *types.AttributeValueMemberM:
		b, err = appendMap(append(b, `{"M":`...), v.Value)
	default:
		err = fmt.Errorf("invalid attribute type %T: want one of DynamoDB's", value)
	}
	if err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func appendList[T any](b []byte, values []T, appendOne func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOne(b, v)
	}
	return append(b, ']')
}

func appendField(b []byte, name, value string) []byte {
	return appendString(append(b, name...), value)
}

func appendBinary(b, value []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, '"')
}

// appendString appends s as a JSON string. Invalid UTF-8, which DynamoDB does
// not store, becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			if c < ' ' {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				b = append(b, '\\', c)
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(append(b, s[start:i]...), "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	return append(append(b, s[start:]...), '"')
}
