package verify

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func key(k table.Key) item { return item{table.PK: text(k.PK), table.SK: text(k.SK)} }

func keyOf(it item) table.Key { return table.Key{PK: getText(it, table.PK), SK: getText(it, table.SK)} }

// getText returns a string attribute, "" where there is none.
func getText(it item, name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// getNumber returns an integer attribute, 0 where there is none.
func getNumber(it item, name string) int64 {
	if v, ok := it[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	return 0
}

func getMap(it item, name string) (item, bool) {
	v, ok := it[name].(*types.AttributeValueMemberM)
	if !ok {
		return nil, false
	}
	return v.Value, true
}

func capacity(c *types.ConsumedCapacity) float64 {
	if c == nil {
		return 0
	}
	return aws.ToFloat64(c.CapacityUnits)
}

// lastMessage is what LASTMESSAGE says; its id is "" where there is none.
func lastMessage(it item) chat.LastMessage {
	return chat.LastMessage{
		MessageID: getText(it, table.MessageID), SenderID: getText(it, table.SenderID),
		Preview: getText(it, table.Preview), SentAt: getNumber(it, table.MS),
		DeletedAt: getNumber(it, table.DeletedAt), Version: getNumber(it, table.EditedAt),
	}
}

// previewOf is what LASTMESSAGE should say of a message; its id is "" where
// there is none.
func previewOf(it item) chat.LastMessage {
	id, err := table.Parse(keyOf(it))
	if err != nil {
		return chat.LastMessage{}
	}
	return chat.Message{
		RoomID: id.RoomID, ID: id.MessageID, SentAt: id.MS,
		SenderID: getText(it, table.SenderID), Content: getText(it, table.Content),
		EditedAt: getNumber(it, table.EditedAt), DeletedAt: getNumber(it, table.DeletedAt),
	}.Preview()
}
