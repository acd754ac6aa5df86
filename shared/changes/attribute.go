package changes

import (
	"fmt"
	"slices"
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

// optionalText returns a string attribute, "" if it is not there.
func optionalText(attributes image, name string) (string, error) {
	if _, ok := attributes[name]; !ok {
		return "", nil
	}
	return textOf(attributes, name)
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

// optionalNumber returns an integer attribute, such as a time, 0 where it is absent.
func optionalNumber(attributes image, name string) (int64, error) {
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
	if _, ok := attributes[table.MessageIDs]; !ok {
		return nil, fmt.Errorf("invalid attribute %s: want a list", table.MessageIDs)
	}
	return idsOf(attributes, table.MessageIDs)
}

// removedOf returns the ids of a deleted message's attachments.
func removedOf(attributes image) ([]string, error) {
	if _, ok := attributes[table.AttachmentIDs]; !ok {
		return nil, nil
	}
	return idsOf(attributes, table.AttachmentIDs)
}

// idsOf returns a list of ULIDs.
func idsOf(attributes image, name string) ([]string, error) {
	ids, err := textsOf(attributes, name)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, err := chat.MessageTime(id); err != nil {
			return nil, fmt.Errorf("invalid attribute %s: %w", name, err)
		}
	}
	return ids, nil
}

// textsOf returns a list of strings, nil if it is not there.
func textsOf(attributes image, name string) ([]string, error) {
	list, ok := attributes[name]
	if !ok {
		return nil, nil
	}
	if list.DataType() != events.DataTypeList {
		return nil, fmt.Errorf("invalid attribute %s: want a list", name)
	}
	var texts []string
	for _, v := range list.List() {
		if v.DataType() != events.DataTypeString {
			return nil, fmt.Errorf("invalid attribute %s: want a list of strings", name)
		}
		texts = append(texts, v.String())
	}
	return texts, nil
}

// filesOf returns the attachments of a message.
func filesOf(attributes image) ([]chat.File, error) {
	list, ok := attributes[table.Attachments]
	if !ok {
		return nil, nil
	}
	if list.DataType() != events.DataTypeList {
		return nil, fmt.Errorf("invalid attribute %s: want a list", table.Attachments)
	}
	files := make([]chat.File, len(list.List()))
	for i, v := range list.List() {
		if v.DataType() != events.DataTypeMap {
			return nil, fmt.Errorf("invalid attribute %s: want a list of maps", table.Attachments)
		}
		var err error
		if files[i], err = fileOf(v.Map()); err != nil {
			return nil, fmt.Errorf("invalid attribute %s: %w", table.Attachments, err)
		}
	}
	return files, nil
}

func fileOf(attributes image) (f chat.File, err error) {
	for name, text := range map[string]*string{table.AttachmentID: &f.ID, table.Name: &f.Name, table.ContentType: &f.ContentType} {
		if *text, err = textOf(attributes, name); err != nil {
			return f, err
		}
	}
	if f.Size, err = numberOf(attributes, table.Size); err != nil {
		return f, err
	}
	for name, pixels := range map[string]*int{table.Width: &f.Width, table.Height: &f.Height} {
		n, err := optionalNumber(attributes, name)
		if err != nil {
			return f, err
		}
		*pixels = int(n)
	}
	return f, nil
}

// quoteOf returns the message that a message answers, nil if none.
func quoteOf(attributes image) (*chat.Quote, error) {
	value, ok := attributes[table.ReplyTo]
	if !ok {
		return nil, nil
	}
	if value.DataType() != events.DataTypeMap {
		return nil, fmt.Errorf("invalid attribute %s: want a map", table.ReplyTo)
	}
	var q chat.Quote
	for name, text := range map[string]*string{table.MessageID: &q.MessageID, table.SenderID: &q.SenderID, table.Preview: &q.Preview} {
		var err error
		if *text, err = textOf(value.Map(), name); err != nil {
			return nil, fmt.Errorf("invalid attribute %s: %w", table.ReplyTo, err)
		}
	}
	n, err := optionalNumber(value.Map(), table.Attachments)
	if err != nil {
		return nil, err
	}
	q.Attachments = int(n)
	ttl, err := optionalNumber(value.Map(), table.TTL)
	q.ExpiresAt = ttl * 1000
	return &q, err
}

// setOf returns a set of strings, sorted; nil where it is absent.
func setOf(attributes image, name string) ([]string, error) {
	set, ok := attributes[name]
	if !ok {
		return nil, nil
	}
	if set.DataType() != events.DataTypeStringSet {
		return nil, fmt.Errorf("invalid attribute %s: want a set of strings", name)
	}
	return slices.Sorted(slices.Values(set.StringSet())), nil
}

// without returns the texts that are not among others.
func without(texts, others []string) (left []string) {
	for _, text := range texts {
		if !slices.Contains(others, text) {
			left = append(left, text)
		}
	}
	return left
}
