package erase

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// texts are attributes with what people wrote, which may be the same as a user's id, and
// the ids of rooms.
var texts = []string{table.PK, table.SK, table.Content, table.Preview, table.Name, table.DisplayName, table.Address, table.RoomID}

// namesIn reports whether an attribute of an item is a user's id, or has it in its name.
func namesIn(it item, userID string) bool {
	for name, value := range it {
		if !slices.Contains(texts, name) && (names(value, userID) || hasPart(name, userID)) {
			return true
		}
	}
	return false
}

func names(value types.AttributeValue, userID string) bool {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value == userID
	case *types.AttributeValueMemberSS:
		return slices.Contains(v.Value, userID)
	case *types.AttributeValueMemberL:
		return slices.ContainsFunc(v.Value, func(one types.AttributeValue) bool { return names(one, userID) })
	case *types.AttributeValueMemberM:
		return namesIn(v.Value, userID)
	}
	return false
}

// namedByKey reports whether a part of an item's key is a user's id.
func namedByKey(it item, userID string) bool {
	k := attribute.KeyOf(it)
	return hasPart(k.PK, userID) || hasPart(k.SK, userID)
}

func hasPart(text, part string) bool { return slices.Contains(strings.Split(text, "#"), part) }
