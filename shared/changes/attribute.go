package changes

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// image is an item's attributes. Their accessors panic at another type than
// theirs, so the type is asked for first.
type image = map[string]events.DynamoDBAttributeValue

// textOf returns a string attribute that must be there.
func textOf(attributes image, name string) (string, error) {
	v, ok := attributes[name]
	if !ok {
		return "", fmt.Errorf("attribute %s is missing", name)
	}
	if v.DataType() != events.DataTypeString {
		return "", fmt.Errorf("invalid attribute %s: want a string", name)
	}
	return v.String(), nil
}

// numberOf returns an integer attribute that must be there.
func numberOf(attributes image, name string) (int64, error) {
	v, ok := attributes[name]
	if !ok {
		return 0, fmt.Errorf("attribute %s is missing", name)
	}
	if v.DataType() != events.DataTypeNumber {
		return 0, fmt.Errorf("invalid attribute %s: want a number", name)
	}
	n, err := strconv.ParseInt(v.Number(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("invalid attribute %s: want an integer", name)
	}
	return n, nil
}

// timeIn returns a time, 0 where it is absent.
func timeIn(attributes image, name string) (int64, error) {
	if _, ok := attributes[name]; !ok {
		return 0, nil
	}
	return numberOf(attributes, name)
}

// isTrue returns a flag, false where it is absent.
func isTrue(attributes image, name string) bool {
	v, ok := attributes[name]
	return ok && v.DataType() == events.DataTypeBoolean && v.Boolean()
}

// messageIDsOf returns the message ids of a slice.
func messageIDsOf(attributes image) ([]string, error) {
	list, ok := attributes[table.MessageIDs]
	if !ok || list.DataType() != events.DataTypeList {
		return nil, fmt.Errorf("invalid attribute %s: want a list", table.MessageIDs)
	}
	var ids []string
	for _, id := range list.List() {
		if id.DataType() != events.DataTypeString {
			return nil, fmt.Errorf("invalid attribute %s: want a list of strings", table.MessageIDs)
		}
		if _, err := chat.MessageTime(id.String()); err != nil {
			return nil, fmt.Errorf("invalid attribute %s: %w", table.MessageIDs, err)
		}
		ids = append(ids, id.String())
	}
	return ids, nil
}
