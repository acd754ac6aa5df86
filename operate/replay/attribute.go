package replay

import (
	"fmt"
	"strings"

	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// imageOf turns an item, as the table's client gives it, into an image of a
// stream record: the two have equal attribute types, which are different ones in
// Go.
func imageOf(it map[string]dbtypes.AttributeValue) (eventsource.Image, error) {
	out := make(eventsource.Image, len(it))
	for name, value := range it {
		v, err := valueOf(value)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func valueOf(value dbtypes.AttributeValue) (types.AttributeValue, error) {
	switch v := value.(type) {
	case *dbtypes.AttributeValueMemberS:
		return &types.AttributeValueMemberS{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberN:
		return &types.AttributeValueMemberN{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberB:
		return &types.AttributeValueMemberB{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberBOOL:
		return &types.AttributeValueMemberBOOL{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberNULL:
		return &types.AttributeValueMemberNULL{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberSS:
		return &types.AttributeValueMemberSS{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberNS:
		return &types.AttributeValueMemberNS{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberBS:
		return &types.AttributeValueMemberBS{Value: v.Value}, nil
	case *dbtypes.AttributeValueMemberL:
		list := make([]types.AttributeValue, len(v.Value))
		for i, element := range v.Value {
			var err error
			if list[i], err = valueOf(element); err != nil {
				return nil, err
			}
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	case *dbtypes.AttributeValueMemberM:
		m, err := imageOf(v.Value)
		return &types.AttributeValueMemberM{Value: m}, err
	}
	return nil, fmt.Errorf("%w: invalid attribute type %T: want one of DynamoDB's", errUnreadable, value)
}

// sizeOf is about what DynamoDB counts for an image: names and values
// ("DynamoDB item sizes and formats").
func sizeOf(attributes eventsource.Image) int64 {
	size := 0
	for name, value := range attributes {
		size += len(name) + sizeOfValue(value)
	}
	return int64(size)
}

func sizeOfValue(value types.AttributeValue) (size int) {
	const overhead = 3 // of a list or map, and 1 for each of its elements
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return sizeOfNumber(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			size += len(s)
		}
	case *types.AttributeValueMemberNS:
		for _, n := range v.Value {
			size += sizeOfNumber(n)
		}
	case *types.AttributeValueMemberBS:
		for _, b := range v.Value {
			size += len(b)
		}
	case *types.AttributeValueMemberL:
		for _, element := range v.Value {
			size += sizeOfValue(element) + 1
		}
		size += overhead
	case *types.AttributeValueMemberM:
		for name, element := range v.Value {
			size += len(name) + sizeOfValue(element) + 1
		}
		size += overhead
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
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
