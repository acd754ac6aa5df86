package verify

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// takeAttachment looks up the message that an attachment should be of. One that no message
// has yet has a ttl.
func (s *segmentScan) takeAttachment(id table.Identity, it item) error {
	message := attribute.GetText(it, table.MessageID)
	c := candidate{kind: Attachment, room: id.RoomID, attachment: id.AttachmentID, message: message}
	if message == "" && it[table.TTL] != nil || s.verifier.expired(it, 0) { // it ends with its message
		return nil
	}
	ms, err := chat.MessageTime(message)
	if err != nil {
		return s.verifier.addCandidate(s.ctx, c)
	}
	if err := s.wantFile(c, it); err != nil {
		return err
	}
	return s.want(table.Message(id.RoomID, ms, message), func(it item) error {
		if _, named := fileNamed(id.RoomID, id.AttachmentID, it); named {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, c)
	})
}

// wantAttachments looks up the attachments that a message names.
func (s *segmentScan) wantAttachments(id table.Identity, it item) error {
	if it[table.Attachments] == nil || s.verifier.expired(it, 0) {
		return nil
	}
	m, _ := dynamo.MessageOf(id.RoomID, it)
	for _, file := range m.Attachments {
		err := s.want(table.Attachment(m.RoomID, file.ID), func(it item) error {
			if attribute.GetText(it, table.MessageID) == m.ID {
				return nil
			}
			return s.verifier.addCandidate(s.ctx, candidate{kind: Attachment, room: m.RoomID, attachment: file.ID, message: m.ID})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fileNamed returns what a message says of an attachment, and the message's sender; false
// if it does not name it, as none does that was deleted or is not there.
func fileNamed(roomID, attachmentID string, message item) (chat.Attachment, bool) {
	m, _ := dynamo.MessageOf(roomID, message)
	i := slices.IndexFunc(m.Attachments, func(f chat.File) bool { return f.ID == attachmentID })
	if i < 0 || m.DeletedAt != 0 {
		return chat.Attachment{}, false
	}
	return chat.Attachment{File: m.Attachments[i], RoomID: roomID, UploadedBy: m.SenderID, MessageID: m.ID, ExpiresAt: m.ExpiresAt}, true
}

// attachmentState is an attachment with its message and its room, as of one moment. What
// there is none of is nil.
type attachmentState struct {
	candidate           candidate
	messageKey          table.Key // "": there can't be a message
	item, room, message item
}

// checkAttachments checks attachments of one room, each with a message.
func (v *verifier) checkAttachments(ctx context.Context, candidates []candidate, until time.Time) ([]finding, error) {
	var found, stray []finding
	named := map[string]bool{} // by some message: not to be removed
	for _, c := range candidates {
		state, err := v.attachmentState(ctx, c)
		if err != nil {
			return nil, err
		}
		if v.expired(state.item, 0) || v.expired(state.message, 0) {
			continue
		}
		k := table.Attachment(c.room, c.attachment)
		f := finding{candidate: c, Difference: Difference{Kind: Attachment, PK: k.PK, SK: k.SK}}
		if file, ok := fileNamed(c.room, c.attachment, state.message); ok {
			named[c.attachment] = true
			if f.Problem = state.lost(); f.Problem != "" {
				if attribute.GetText(state.item, table.MessageID) == "" {
					f.repair = func(ctx context.Context) error { return v.repairAttachment(ctx, state, file) }
				}
				found = append(found, f)
			}
			continue
		}
		if f.Problem = state.stray(v.config.Now(), until); f.Problem != "" {
			f.repair = func(ctx context.Context) error { return v.repairStrayAttachment(ctx, state) }
			stray = append(stray, f)
		}
	}
	for _, f := range stray {
		if !named[f.candidate.attachment] {
			found = append(found, f)
		}
	}
	return found, nil
}

func (v *verifier) attachmentState(ctx context.Context, c candidate) (attachmentState, error) {
	state := attachmentState{candidate: c}
	keys := []table.Key{table.Attachment(c.room, c.attachment), table.Room(c.room)}
	if ms, err := chat.MessageTime(c.message); err == nil {
		state.messageKey = table.Message(c.room, ms, c.message)
		keys = append(keys, state.messageKey)
	}
	got, err := v.snapshot(ctx, keys)
	if err != nil {
		return state, err
	}
	state.item, state.room = got[0], got[1]
	if len(got) > 2 {
		state.message = got[2]
	}
	return state, nil
}

// ended reports whether the message's room ended, or was made once more. The end of a
// room, which keeps messages, takes the attachments.
func (s attachmentState) ended() bool {
	m, _ := dynamo.MessageOf(s.candidate.room, s.message)
	return s.room == nil || m.SentAt < attribute.GetNumber(s.room, table.CreatedAt)
}

// lost says what is wrong with the item of an attachment that a message names.
func (s attachmentState) lost() string {
	m, _ := dynamo.MessageOf(s.candidate.room, s.message)
	has := attribute.GetText(s.item, table.MessageID)
	switch {
	case s.ended():
		return ""
	case s.item == nil:
		return "it is missing, and the message " + m.ID + " names it"
	case has == "":
		return "no message has it, and the message " + m.ID + " names it"
	case has != m.ID:
		return "the message " + has + " has it, and the message " + m.ID + " names it"
	}
	return ""
}

// stray says why an item is one that no message has.
func (s attachmentState) stray(now, until time.Time) string {
	announced, err := chat.MessageTime(s.candidate.attachment)
	recent := err == nil && announced > now.Add(-chat.PendingTime).UnixMilli()
	m, _ := dynamo.MessageOf(s.candidate.room, s.message)
	switch {
	case s.item == nil, recent, attribute.GetText(s.item, table.MessageID) != s.candidate.message:
		return ""
	case s.candidate.message == "" && s.item[table.TTL] != nil:
		return "" // it ends by itself
	case s.candidate.message == "":
		return "no message has it, and it never expires"
	case s.message == nil:
		return "its message, " + s.candidate.message + ", is not there"
	case m.DeletedAt >= until.UnixMilli():
		return "" // its removal is on its way
	case m.DeletedAt != 0:
		return "its message, " + s.candidate.message + ", was deleted"
	}
	return "its message, " + s.candidate.message + ", does not name it"
}

// repairAttachment makes the item what the message says of the file, while the message and
// the room are there.
func (v *verifier) repairAttachment(ctx context.Context, state attachmentState, file chat.Attachment) error {
	if v.config.Files != nil {
		_, exists, err := v.config.Files.Find(ctx, file.RoomID, file.ID)
		if err != nil {
			return err
		}
		if !exists {
			file.GoneAt = v.config.Now().UnixMilli()
		}
	}
	names, values := map[string]string{}, item{}
	condition := unchanged(state.item, names, values, table.PK, table.MessageID, table.TTL)
	if len(values) == 0 {
		values = nil
	}
	return v.transact(ctx,
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(state.messageKey),
			ConditionExpression:      aws.String("attribute_exists(#files)"), // which a deletion removes
			ExpressionAttributeNames: map[string]string{"#files": table.Attachments},
		}},
		types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(table.Room(file.RoomID)),
			ConditionExpression: aws.String("attribute_exists(#key)"), ExpressionAttributeNames: map[string]string{"#key": table.PK},
		}},
		types.TransactWriteItem{Put: &types.Put{
			TableName: aws.String(v.config.Table), Item: dynamo.AttachmentItem(file), ConditionExpression: condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		}})
}

// repairStrayAttachment removes an item while it is what it was. It is made one that has
// expired before, as of which lastmessage removes the file, too; if this is interrupted
// between, it is a leftover.
func (v *verifier) repairStrayAttachment(ctx context.Context, state attachmentState) error {
	k := table.Attachment(state.candidate.room, state.candidate.attachment)
	ttl := v.config.Now().Unix()
	names, values := map[string]string{"#of": table.MessageID, "#ends": table.TTL}, item{":ends": attribute.Number(ttl)}
	condition := unchanged(state.item, names, values, table.PK, table.MessageID, table.TTL)
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k), ConditionExpression: condition,
		UpdateExpression:         aws.String("SET #ends = :ends REMOVE #of"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	if err != nil {
		return err
	}
	return v.repairLeftover(ctx, k, ttl)
}
