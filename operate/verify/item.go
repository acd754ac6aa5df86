package verify

import (
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

type item = attribute.Item

// lastMessage is what LASTMESSAGE says; its id is "" where there is none.
func lastMessage(it item) chat.LastMessage {
	return chat.LastMessage{
		MessageID: attribute.GetText(it, table.MessageID), SenderID: attribute.GetText(it, table.SenderID),
		Preview: attribute.GetText(it, table.Preview), SentAt: attribute.GetNumber(it, table.MS),
		DeletedAt: attribute.GetNumber(it, table.DeletedAt), Version: attribute.GetNumber(it, table.EditedAt),
	}
}

// previewOf is what LASTMESSAGE should say of a message; its id is "" where
// there is none.
func previewOf(it item) chat.LastMessage {
	id, err := table.Parse(attribute.KeyOf(it))
	if err != nil {
		return chat.LastMessage{}
	}
	return chat.Message{
		RoomID: id.RoomID, ID: id.MessageID, SentAt: id.MS,
		SenderID: attribute.GetText(it, table.SenderID), Content: attribute.GetText(it, table.Content),
		EditedAt: attribute.GetNumber(it, table.EditedAt), DeletedAt: attribute.GetNumber(it, table.DeletedAt),
	}.Preview()
}
