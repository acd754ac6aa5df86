package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Place reads a message, its room, and a user's membership and read cursor, in one
// request.
func (s *Store) Place(ctx context.Context, roomID, userID, messageID string) (chat.Place, error) {
	ms, err := chat.MessageTime(messageID)
	if err != nil {
		return chat.Place{}, err
	}
	about, who := table.Room(roomID), table.Member(roomID, userID)
	read, what := table.Read(roomID, userID), table.Message(roomID, ms, messageID)
	items, err := s.batchGet(ctx, []table.Key{about, who, read, what}, strong)
	if err != nil {
		return chat.Place{}, err
	}
	place := chat.Place{
		Room:   roomOf(roomID, items[about]),
		Member: items[about] != nil && items[who] != nil,
		Cursor: cursorOf(items[read]),
	}
	if place.Member {
		place.Self = memberOf(userID, items[who])
	}
	if it := items[what]; it != nil {
		place.Message, place.Found = s.messageOf(roomID, it)
	}
	return place, nil
}

// knownBudget is how many read units one read may spend on what is stored already: what
// 20 messages cost that are as long as they may be, which is what the first query asks
// for.
const knownBudget = 100

// StoredBetween reads the ids of messages strongly, newest first, within knownBudget.
func (s *Store) StoredBetween(ctx context.Context, roomID, after, upTo string) (ids []string, all bool, err error) {
	p := page{
		pk: table.RoomPrefix + roomID, backward: true, metered: true, project: []string{table.PK, table.SK},
	}
	if p.from, err = afterMessage(after); err != nil {
		return nil, false, err
	}
	if p.to, err = messageSortKey(upTo); err != nil {
		return nil, false, err
	}
	read := &span{
		page: p,
		enough: func(items []item) bool {
			for _, it := range items {
				if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
					ids = append(ids, id.MessageID)
				}
			}
			return len(ids) >= chat.MaxKnown
		},
		most: func() int { return chat.MaxKnown - len(ids) },
	}
	if err := s.spread(ctx, knownBudget, []*span{read}); err != nil {
		return nil, false, err
	}
	return ids, read.ended, nil
}

// AdvanceReadCursor moves a user's read cursor, forward only.
func (s *Store) AdvanceReadCursor(ctx context.Context, roomID, userID string, to chat.ReadCursor, at int64) (bool, error) {
	in := &dynamodb.UpdateItemInput{
		ConditionExpression:       aws.String("attribute_not_exists(#upTo) OR #upTo < :upTo"),
		ExpressionAttributeNames:  map[string]string{"#upTo": table.UpTo},
		ExpressionAttributeValues: item{":upTo": attribute.Text(to.UpTo)},
	}
	return s.updateCursor(ctx, in, table.Read(roomID, userID), to, at)
}

// ReviseReadCursor replaces what a user's read cursor knows.
func (s *Store) ReviseReadCursor(ctx context.Context, roomID, userID string, was, now chat.ReadCursor, at int64) (bool, error) {
	in := &dynamodb.UpdateItemInput{
		ConditionExpression:       aws.String("#upTo = :upTo AND #known = :was"),
		ExpressionAttributeNames:  map[string]string{"#upTo": table.UpTo},
		ExpressionAttributeValues: item{":upTo": attribute.Text(was.UpTo), ":was": attribute.Text(was.Known)},
	}
	now.UpTo = was.UpTo
	return s.updateCursor(ctx, in, table.Read(roomID, userID), now, at)
}

// updateCursor completes a conditional update of a read cursor and makes it; false if
// the condition failed.
func (s *Store) updateCursor(ctx context.Context, in *dynamodb.UpdateItemInput, key table.Key, to chat.ReadCursor, at int64) (bool, error) {
	in.TableName, in.Key = s.table, attribute.Key(key)
	names, values := in.ExpressionAttributeNames, in.ExpressionAttributeValues
	names["#at"], names["#since"], names["#known"] = table.At, table.Since, table.Known
	values[":at"] = attribute.Number(at)
	in.UpdateExpression = aws.String("SET #upTo = :upTo, #at = :at REMOVE #since, #known")
	if to.Since != "" {
		values[":since"], values[":known"] = attribute.Text(to.Since), attribute.Text(to.Known)
		in.UpdateExpression = aws.String("SET #upTo = :upTo, #at = :at, #since = :since, #known = :known")
	}
	err := s.retryConflicts(ctx, func() error { // the transaction of RemoveMember deletes it
		_, err := s.db.UpdateItem(ctx, in)
		return err
	})
	_, failed := conditionFailed(err)
	if err != nil && !failed {
		return false, fmt.Errorf("update the read cursor %s %s: %w", key.PK, key.SK, err)
	}
	return !failed, nil
}

// cursorOf reads a read cursor.
func cursorOf(it item) chat.ReadCursor {
	return chat.ReadCursor{
		UpTo: attribute.GetText(it, table.UpTo), From: attribute.GetText(it, table.From),
		Since: attribute.GetText(it, table.Since), Known: attribute.GetText(it, table.Known),
	}
}

// ReadCursors reads how far users have read a room, strongly.
func (s *Store) ReadCursors(ctx context.Context, roomID, from, to string) (map[string]chat.ReadCursor, error) {
	p := page{pk: table.RoomPrefix + roomID}
	p.from, p.to = prefixed(table.ReadPrefix)
	if from != "" {
		p.from = table.Read(roomID, from).SK
	}
	if to != "" {
		p.to = table.Read(roomID, to).SK
	}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, err
	}
	cursors := make(map[string]chat.ReadCursor, len(items))
	for _, it := range items {
		if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
			cursors[id.UserID] = cursorOf(it)
		}
	}
	return cursors, nil
}
