package replay

import (
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

type image = map[string]events.DynamoDBAttributeValue

// imageOf turns an item into what Lambda makes of it; nil stays nil.
func imageOf(it map[string]dbtypes.AttributeValue) (image, error) { return converted(it, valueOf) }

// streamImageOf is imageOf for the equal types of the stream's client.
func streamImageOf(it map[string]streamtypes.AttributeValue) (image, error) {
	return converted(it, streamValueOf)
}

func converted[V any](it map[string]V, convert func(V) (events.DynamoDBAttributeValue, error)) (image, error) {
	if it == nil {
		return nil, nil
	}
	out := make(image, len(it))
	for name, value := range it {
		v, err := convert(value)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func listOf[V any](values []V, convert func(V) (events.DynamoDBAttributeValue, error)) (events.DynamoDBAttributeValue, error) {
	out := make([]events.DynamoDBAttributeValue, len(values))
	for i, value := range values {
		var err error
		if out[i], err = convert(value); err != nil {
			return events.DynamoDBAttributeValue{}, err
		}
	}
	return events.NewListAttribute(out), nil
}

func valueOf(value dbtypes.AttributeValue) (events.DynamoDBAttributeValue, error) {
	switch v := value.(type) {
	case *dbtypes.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberNULL:
		return events.NewNullAttribute(), nil
	case *dbtypes.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value), nil
	case *dbtypes.AttributeValueMemberL:
		return listOf(v.Value, valueOf)
	case *dbtypes.AttributeValueMemberM:
		m, err := converted(v.Value, valueOf)
		return events.NewMapAttribute(m), err
	}
	return events.DynamoDBAttributeValue{}, fmt.Errorf("%w: type %T is none of DynamoDB's", errUnreadable, value)
}

func streamValueOf(value streamtypes.AttributeValue) (events.DynamoDBAttributeValue, error) {
	switch v := value.(type) {
	case *streamtypes.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberNULL:
		return events.NewNullAttribute(), nil
	case *streamtypes.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value), nil
	case *streamtypes.AttributeValueMemberL:
		return listOf(v.Value, streamValueOf)
	case *streamtypes.AttributeValueMemberM:
		m, err := converted(v.Value, streamValueOf)
		return events.NewMapAttribute(m), err
	}
	return events.DynamoDBAttributeValue{}, fmt.Errorf("%w: type %T is none of DynamoDB's", errUnreadable, value)
}

// sizeOf is about what DynamoDB counts for an image: names and values.
func sizeOf(attributes image) int64 {
	size := 0
	for name, value := range attributes {
		size += len(name) + sizeOfValue(value)
	}
	return int64(size)
}

func sizeOfValue(v events.DynamoDBAttributeValue) (size int) {
	const overhead = 3 // of a list or map, and 1 for each of its elements
	switch v.DataType() {
	case events.DataTypeString:
		return len(v.String())
	case events.DataTypeNumber:
		return sizeOfNumber(v.Number())
	case events.DataTypeBinary:
		return len(v.Binary())
	case events.DataTypeStringSet:
		for _, s := range v.StringSet() {
			size += len(s)
		}
	case events.DataTypeNumberSet:
		for _, n := range v.NumberSet() {
			size += sizeOfNumber(n)
		}
	case events.DataTypeBinarySet:
		for _, b := range v.BinarySet() {
			size += len(b)
		}
	case events.DataTypeList:
		for _, element := range v.List() {
			size += sizeOfValue(element) + 1
		}
		size += overhead
	case events.DataTypeMap:
		for name, element := range v.Map() {
			size += len(name) + sizeOfValue(element) + 1
		}
		size += overhead
	case events.DataTypeBoolean, events.DataTypeNull:
		return 1
	}
	return size
}

// sizeOfNumber is a byte for every two significant digits, and one for the whole.
func sizeOfNumber(n string) int {
	digits := strings.Trim(strings.Replace(strings.TrimPrefix(n, "-"), ".", "", 1), "0")
	size := 1 + (len(digits)+1)/2
	if strings.HasPrefix(n, "-") {
		size++
	}
	return size
}
