// Package attribute makes and reads attribute values of the table's items, as
// the SDK's DynamoDB client has them, and says why a transaction was canceled. The
// streams client and aws-lambda-go have attribute types of their own, whose getters
// are in shared/eventsource and shared/changes.
package attribute

import (
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/table"
)

// Item is an item of the table, a part of it, or its key.
type Item = map[string]types.AttributeValue

// Text is a string attribute's value.
func Text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// Texts is the value of a list of strings.
func Texts(texts []string) types.AttributeValue {
	values := make([]types.AttributeValue, len(texts))
	for i, text := range texts {
		values[i] = Text(text)
	}
	return &types.AttributeValueMemberL{Value: values}
}

// Number is an integer attribute's value.
func Number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// Decimal is the value of a number attribute that is not whole.
func Decimal(n float64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(n, 'f', -1, 64)}
}

// Key is the item that holds only a key.
func Key(k table.Key) Item { return Item{table.PK: Text(k.PK), table.SK: Text(k.SK)} }

// KeyOf is the key of an item.
func KeyOf(it Item) table.Key {
	return table.Key{PK: GetText(it, table.PK), SK: GetText(it, table.SK)}
}

// Expired reports whether an item's ttl, or that of a part of it, has passed at a time.
func Expired(it Item, at time.Time) bool { return table.Expired(GetNumber(it, table.TTL), at) }

// GetText returns a string attribute, "" if there is none of that type.
func GetText(it Item, name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// GetTexts returns a list's strings, nil if there is no list.
func GetTexts(it Item, name string) []string {
	var texts []string
	if list, ok := it[name].(*types.AttributeValueMemberL); ok {
		for _, v := range list.Value {
			if text, ok := v.(*types.AttributeValueMemberS); ok {
				texts = append(texts, text.Value)
			}
		}
	}
	return texts
}

// GetNumber returns an integer attribute, 0 if there is none.
func GetNumber(it Item, name string) int64 {
	if v, ok := it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// GetDecimal returns a number attribute; false if there is none.
func GetDecimal(it Item, name string) (float64, bool) {
	v, ok := it[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(v.Value, 64)
	return n, err == nil
}

// GetSet returns a set of strings, in no order, nil if there is none.
func GetSet(it Item, name string) []string {
	if v, ok := it[name].(*types.AttributeValueMemberSS); ok {
		return v.Value
	}
	return nil
}

// GetBool returns a Boolean attribute, false if there is none.
func GetBool(it Item, name string) bool {
	v, ok := it[name].(*types.AttributeValueMemberBOOL)
	return ok && v.Value
}

// GetMap returns a map attribute; false if there is none.
func GetMap(it Item, name string) (Item, bool) { return AsMap(it[name]) }

// AsMap returns what a map has; false if a value is none.
func AsMap(value types.AttributeValue) (Item, bool) {
	v, ok := value.(*types.AttributeValueMemberM)
	if !ok {
		return nil, false
	}
	return v.Value, true
}
