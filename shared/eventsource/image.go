package eventsource

import "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

// Image is an item, or its key, as a stream record has it. The types of its
// values are the streams client's; those of the table's client (shared/attribute)
// and of aws-lambda-go's events (shared/changes) are different types in Go, so
// that each has getters of its own.
type Image = map[string]types.AttributeValue

// Text returns a string attribute; false if there is none of that type.
func Text(i Image, name string) (string, bool) {
	if v, ok := i[name].(*types.AttributeValueMemberS); ok {
		return v.Value, true
	}
	return "", false
}

// Number returns a number attribute as DynamoDB writes it; false if there is
// none of that type.
func Number(i Image, name string) (string, bool) {
	if v, ok := i[name].(*types.AttributeValueMemberN); ok {
		return v.Value, true
	}
	return "", false
}
