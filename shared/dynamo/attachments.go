package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutAttachment stores a file that was announced. Until a message has it, it has a ttl.
func (s *Store) PutAttachment(ctx context.Context, a chat.Attachment) error {
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: s.table, Item: AttachmentItem(a)}); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

// AttachmentItem is the item of a file that was announced.
func AttachmentItem(a chat.Attachment) attribute.Item {
	it := attribute.Key(table.Attachment(a.RoomID, a.ID))
	addFile(it, a.File)
	it[table.UploadedBy] = attribute.Text(a.UploadedBy)
	if a.MessageID != "" {
		it[table.MessageID] = attribute.Text(a.MessageID)
	}
	if a.ExpiresAt != 0 {
		it[table.TTL] = attribute.Number(seconds(a.ExpiresAt))
	}
	if a.GoneAt != 0 {
		it[table.GoneAt] = attribute.Number(a.GoneAt)
	}
	return it
}

// Attachments reads files of a room by their ids strongly.
func (s *Store) Attachments(ctx context.Context, roomID string, ids []string) (map[string]chat.Attachment, error) {
	keys := keysOf(ids, func(id string) table.Key { return table.Attachment(roomID, id) })
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	found := make(map[string]chat.Attachment, len(items))
	for i, k := range keys {
		if it, ok := items[k]; ok {
			found[ids[i]] = attachmentOf(roomID, ids[i], it)
		}
	}
	return found, nil
}

func attachmentOf(roomID, id string, it item) chat.Attachment {
	a := chat.Attachment{
		File: fileOf(it), RoomID: roomID,
		UploadedBy: attribute.GetText(it, table.UploadedBy), MessageID: attribute.GetText(it, table.MessageID),
		ExpiresAt: attribute.GetNumber(it, table.TTL) * 1000, GoneAt: attribute.GetNumber(it, table.GoneAt),
	}
	a.ID = id
	return a
}

// putAttached stores a message and gives it its files, in one transaction: a file without
// its message would be lost to others, and a message has all of its files or none.
func (s *Store) putAttached(ctx context.Context, m chat.Message) error {
	reasons, err := s.transact(ctx, ulid.Make().String(), append(s.attach(m), types.TransactWriteItem{Put: s.putAbsent(messageItem(m))}))
	if err != nil || len(reasons) == 0 {
		return err
	}
	if failedAt(reasons, len(m.Attachments)) {
		return nil // the message exists, and has them
	}
	return refusedAttachment(m, reasons)
}

// attach returns the writes that give a message its files.
func (s *Store) attach(m chat.Message) []types.TransactWriteItem {
	writes := make([]types.TransactWriteItem, len(m.Attachments), len(m.Attachments)+2)
	for i, file := range m.Attachments {
		attach := &types.Update{
			TableName: s.table, Key: attribute.Key(table.Attachment(m.RoomID, file.ID)),
			UpdateExpression:    aws.String("SET #message = :message REMOVE #ttl"),
			ConditionExpression: aws.String("#by = :sender AND attribute_not_exists(#message) AND #ttl > :sec"),
			ExpressionAttributeNames: map[string]string{
				"#message": table.MessageID, "#ttl": table.TTL, "#by": table.UploadedBy,
			},
			ExpressionAttributeValues: item{
				":message": attribute.Text(m.ID), ":sender": attribute.Text(m.SenderID), ":sec": attribute.Number(s.now().Unix()),
			},
		}
		if m.ExpiresAt != 0 { // the file ends with the message
			attach.UpdateExpression = aws.String("SET #message = :message, #ttl = :ttl")
			attach.ExpressionAttributeValues[":ttl"] = attribute.Number(seconds(m.ExpiresAt))
		}
		writes[i].Update = attach
	}
	return writes
}

// refusedAttachment names the file for which a transaction that begins with those of
// attach was cancelled.
func refusedAttachment(m chat.Message, reasons []types.CancellationReason) error {
	for i, file := range m.Attachments {
		if failedAt(reasons, i) {
			return chat.ErrAttachment(file.ID)
		}
	}
	return fmt.Errorf("attach to message %s: a transaction was cancelled for no known reason", m.ID)
}

// RemoveAttachments removes files of a room. Those that don't exist are no error.
func (s *Store) RemoveAttachments(ctx context.Context, roomID string, ids []string) error {
	writes := make([]types.WriteRequest, len(ids))
	for i, id := range ids {
		writes[i].DeleteRequest = &types.DeleteRequest{Key: attribute.Key(table.Attachment(roomID, id))}
	}
	if err := s.batchWrite(ctx, writes); err != nil {
		return fmt.Errorf("remove attachments: %w", err)
	}
	return nil
}

// RoomAttachments reads the ids of a room's first files, at most limit, and whether there
// are more.
func (s *Store) RoomAttachments(ctx context.Context, roomID string, limit int) (ids []string, more bool, err error) {
	from, to := prefixed(table.AttachmentPrefix)
	items, next, err := s.query(ctx, page{
		pk: table.RoomPrefix + roomID, from: from, to: to, limit: limit, project: []string{table.PK, table.SK},
	}, nil)
	if err != nil {
		return nil, false, err
	}
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
			ids = append(ids, id.AttachmentID)
		}
	}
	return ids, len(next) > 0, nil
}

// addFile adds the attributes of a file to an item or to a map in one.
func addFile(it item, f chat.File) {
	it[table.Name] = attribute.Text(f.Name)
	it[table.ContentType] = attribute.Text(f.ContentType)
	it[table.Size] = attribute.Number(f.Size)
	if f.Width != 0 {
		it[table.Width], it[table.Height] = attribute.Number(int64(f.Width)), attribute.Number(int64(f.Height))
	}
}

func fileOf(it item) chat.File {
	return chat.File{
		ID:          attribute.GetText(it, table.AttachmentID),
		Name:        attribute.GetText(it, table.Name),
		ContentType: attribute.GetText(it, table.ContentType),
		Size:        attribute.GetNumber(it, table.Size),
		Width:       int(attribute.GetNumber(it, table.Width)),
		Height:      int(attribute.GetNumber(it, table.Height)),
	}
}

// filesValue is the value of a message's attachments.
func filesValue(files []chat.File) types.AttributeValue {
	list := make([]types.AttributeValue, len(files))
	for i, f := range files {
		entry := item{table.AttachmentID: attribute.Text(f.ID)}
		addFile(entry, f)
		list[i] = &types.AttributeValueMemberM{Value: entry}
	}
	return &types.AttributeValueMemberL{Value: list}
}

func filesOf(it item) []chat.File {
	list, _ := it[table.Attachments].(*types.AttributeValueMemberL)
	if list == nil {
		return nil
	}
	files := make([]chat.File, 0, len(list.Value))
	for _, v := range list.Value {
		if entry, ok := attribute.AsMap(v); ok {
			files = append(files, fileOf(entry))
		}
	}
	return files
}
