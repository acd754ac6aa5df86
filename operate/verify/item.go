package verify

import (
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

type item = attribute.Item

// lastMessage is what LASTMESSAGE says; its id is "" where there is none. Until when
// members' lists are in order does not follow from a message.
func lastMessage(it item) chat.LastMessage {
	last := dynamo.LastMessageOf(it)
	last.OrderedAt = 0
	return last
}

// previewOf is what LASTMESSAGE should say of a message; its id is "" where
// there is none.
func previewOf(it item) chat.LastMessage {
	id, err := table.Parse(attribute.KeyOf(it))
	if err != nil {
		return chat.LastMessage{}
	}
	m, _ := dynamo.MessageOf(id.RoomID, it)
	return m.Preview()
}
