package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Reacted reads strongly what a user reacted to messages with.
func (s *Store) Reacted(ctx context.Context, userID string, messages []chat.Message) (map[string][]string, error) {
	keys := keysOf(messages, func(m chat.Message) table.Key { return table.Reacted(m.RoomID, m.ID, userID) })
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	mine := make(map[string][]string, len(items))
	for i, k := range keys {
		if set := attribute.GetSet(items[k], table.Reactions); set != nil {
			mine[messages[i].ID] = slices.Sorted(slices.Values(set))
		}
	}
	return mine, nil
}

// ChangeReaction adds or removes a reaction of a user in one transaction of the counts
// and the user's own, whose record tells others.
func (s *Store) ChangeReaction(ctx context.Context, m chat.Message, userID, reaction string, add bool) (bool, error) {
	counts, mine := s.addReaction(m, userID, reaction)
	if !add {
		counts, mine = s.removeReaction(m, userID, reaction)
	}
	reasons, err := s.transact(ctx, ulid.Make().String(), []types.TransactWriteItem{{Update: counts}, mine})
	if attribute.Canceled(err, "TransactionConflict") {
		return false, chat.ErrReactionsBusy()
	}
	return err == nil && len(reasons) == 0, err
}

// addReaction returns the two writes that add a reaction.
func (s *Store) addReaction(m chat.Message, userID, reaction string) (*types.Update, types.TransactWriteItem) {
	counts := s.countUpdate(m, reaction)
	if m.Reactions.Version == 0 { // there is no map yet
		counts.UpdateExpression = aws.String("SET #reactions = :first, #version = :one")
		counts.ConditionExpression = aws.String("attribute_exists(#pk) AND attribute_not_exists(#deleted) AND attribute_not_exists(#version)")
		counts.ExpressionAttributeValues = item{
			":one": attribute.Number(1), ":first": &types.AttributeValueMemberM{Value: item{reaction: attribute.Number(1)}},
		}
		delete(counts.ExpressionAttributeNames, "#reaction")
	} else {
		counts.UpdateExpression = aws.String("SET #reactions.#reaction = if_not_exists(#reactions.#reaction, :zero) + :one, #version = #version + :one")
		counts.ConditionExpression = aws.String("attribute_exists(#version) AND attribute_not_exists(#deleted) AND (attribute_exists(#reactions.#reaction) OR size(#reactions) < :most)")
		counts.ExpressionAttributeValues[":zero"] = attribute.Number(0)
		counts.ExpressionAttributeValues[":most"] = attribute.Number(chat.MaxReactionKinds)
		delete(counts.ExpressionAttributeNames, "#pk")
	}
	mine := &types.Update{
		TableName: s.table, Key: attribute.Key(table.Reacted(m.RoomID, m.ID, userID)),
		UpdateExpression:          aws.String("ADD #mine :set"),
		ConditionExpression:       aws.String("NOT contains(#mine, :reaction)"),
		ExpressionAttributeNames:  map[string]string{"#mine": table.Reactions},
		ExpressionAttributeValues: item{":set": textSet(reaction), ":reaction": attribute.Text(reaction)},
	}
	if m.ExpiresAt != 0 { // it ends with the message
		mine.UpdateExpression = aws.String("ADD #mine :set SET #ttl = :ttl")
		mine.ExpressionAttributeNames["#ttl"] = table.TTL
		mine.ExpressionAttributeValues[":ttl"] = attribute.Number(seconds(m.ExpiresAt))
	}
	return counts, types.TransactWriteItem{Update: mine}
}

// removeReaction returns the two writes that remove a reaction. The last one of a kind
// goes from the map, and the user's last one with its item.
func (s *Store) removeReaction(m chat.Message, userID, reaction string) (*types.Update, types.TransactWriteItem) {
	counts := s.countUpdate(m, reaction)
	delete(counts.ExpressionAttributeNames, "#pk")
	if m.Reactions.Counts[reaction] > 1 {
		counts.UpdateExpression = aws.String("SET #reactions.#reaction = #reactions.#reaction - :one, #version = #version + :one")
		counts.ConditionExpression = aws.String("attribute_not_exists(#deleted) AND #reactions.#reaction > :one")
	} else {
		counts.UpdateExpression = aws.String("REMOVE #reactions.#reaction SET #version = #version + :one")
		counts.ConditionExpression = aws.String("attribute_not_exists(#deleted) AND #reactions.#reaction = :one")
	}
	key := attribute.Key(table.Reacted(m.RoomID, m.ID, userID))
	names := map[string]string{"#mine": table.Reactions}
	if len(m.Reactions.Mine) == 1 {
		return counts, types.TransactWriteItem{Delete: &types.Delete{
			TableName: s.table, Key: key, ConditionExpression: aws.String("#mine = :set"),
			ExpressionAttributeNames: names, ExpressionAttributeValues: item{":set": textSet(reaction)},
		}}
	}
	return counts, types.TransactWriteItem{Update: &types.Update{
		TableName: s.table, Key: key,
		UpdateExpression:         aws.String("DELETE #mine :set"),
		ConditionExpression:      aws.String("contains(#mine, :reaction) AND size(#mine) > :one"),
		ExpressionAttributeNames: names,
		ExpressionAttributeValues: item{
			":set": textSet(reaction), ":reaction": attribute.Text(reaction), ":one": attribute.Number(1),
		},
	}}
}

// countUpdate begins an update of a message's counts.
func (s *Store) countUpdate(m chat.Message, reaction string) *types.Update {
	return &types.Update{
		TableName: s.table, Key: attribute.Key(table.Message(m.RoomID, m.SentAt, m.ID)),
		ExpressionAttributeNames: map[string]string{
			"#pk": table.PK, "#deleted": table.DeletedAt,
			"#reactions": table.Reactions, "#reaction": reaction, "#version": table.ReactionVersion,
		},
		ExpressionAttributeValues: item{":one": attribute.Number(1)},
	}
}

func textSet(texts ...string) types.AttributeValue {
	return &types.AttributeValueMemberSS{Value: texts}
}

// reactionsOf reads the counts of a message.
func reactionsOf(it item) chat.Reactions {
	r := chat.Reactions{Version: attribute.GetNumber(it, table.ReactionVersion)}
	if counts, ok := attribute.GetMap(it, table.Reactions); ok && len(counts) > 0 {
		r.Counts = make(map[string]int, len(counts))
		for reaction := range counts {
			r.Counts[reaction] = int(attribute.GetNumber(counts, reaction))
		}
	}
	return r
}

// removePage is how many items are removed between two reads.
const removePage = 500

// RemoveReactions removes what members reacted to a message with, which was deleted.
func (s *Store) RemoveReactions(ctx context.Context, roomID, messageID string) error {
	from, to := prefixed(table.ReactedTo(messageID))
	for {
		items, next, err := s.query(ctx, page{
			pk: table.RoomPrefix + roomID, from: from, to: to, limit: removePage, project: []string{table.PK, table.SK},
		}, nil)
		if err != nil {
			return err
		}
		writes := make([]types.WriteRequest, len(items))
		for i, it := range items {
			writes[i].DeleteRequest = &types.DeleteRequest{Key: attribute.Key(attribute.KeyOf(it))}
		}
		if err := s.batchWrite(ctx, writes); err != nil {
			return fmt.Errorf("remove reactions: %w", err)
		}
		if len(next) == 0 {
			return nil
		}
	}
}
