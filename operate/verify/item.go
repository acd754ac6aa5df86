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

// outlived reports whether LASTMESSAGE is of a message that has expired, and that was newer
// than the newest: it stays until there is a newer one.
func (v *verifier) outlived(last, newest chat.LastMessage) bool {
	return last.MessageID > newest.MessageID && chat.HasExpired(last.ExpiresAt, v.config.Now().UnixMilli())
}

// placed is where a message that has expired has left its room in lists, in ms; 0 if that
// of LASTMESSAGE has not.
func (v *verifier) placed(last chat.LastMessage) int64 {
	if chat.HasExpired(last.ExpiresAt, v.config.Now().UnixMilli()) {
		return last.SentAt
	}
	return 0
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
