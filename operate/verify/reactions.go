package verify

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// heldReacted is of how many messages of a room the counts are kept until what their
// members reacted with has been read. That of others is read for each message.
var heldReacted = 10_000

// tally is a sum of reactions that two lists have in common only if they are the same.
type tally struct {
	reactions int64
	mixed     uint64
}

// add takes some of one reaction into the sum.
func (t *tally) add(reaction string, n int64) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(reaction)) // never fails
	t.reactions += n
	t.mixed += hash.Sum64() * uint64(n) //nolint:gosec // it wraps
}

// addRow takes what one member reacted with into the sum.
func (t *tally) addRow(row item) {
	for _, reaction := range reactedWith(row) {
		t.add(reaction, 1)
	}
}

// countsOf sums the counts of a message, which may be nil.
func countsOf(message item) (t tally) {
	counts, _ := attribute.GetMap(message, table.Reactions)
	for reaction := range counts {
		t.add(reaction, attribute.GetNumber(counts, reaction))
	}
	return t
}

// reactedWith reads what a member reacted to a message with.
func reactedWith(row item) []string { return attribute.GetSet(row, table.Reactions) }

// reactionScan is what is known of a room's reactions while its partition is read:
// messages come before what members reacted with, which comes message by message.
type reactionScan struct {
	counts  map[string]tally // by message
	message string           // whose rows are being read
	rows    tally
}

// takeCounts keeps the counts of a message for its rows, or reads those.
func (s *segmentScan) takeCounts(id table.Identity, message item) error {
	counts := countsOf(message)
	if counts == (tally{}) || s.verifier.expired(message, 0) { // then what members reacted with has, too
		return nil
	}
	held := &s.room.reacted
	if len(held.counts) < heldReacted {
		if held.counts == nil {
			held.counts = map[string]tally{}
		}
		held.counts[id.MessageID] = counts
		return nil
	}
	rows, err := s.verifier.reactedRows(s.ctx, id.RoomID, id.MessageID, false)
	if err != nil || rows.tally == counts {
		return err
	}
	return s.verifier.addCandidate(s.ctx, candidate{kind: Reactions, room: id.RoomID, message: id.MessageID})
}

// takeReacted takes what a member reacted to a message with.
func (s *segmentScan) takeReacted(id table.Identity, row item) error {
	if s.verifier.expired(row, 0) {
		return nil
	}
	if id.MessageID != s.room.reacted.message {
		if err := s.endReacted(s.room); err != nil {
			return err
		}
		s.room.reacted.message = id.MessageID
	}
	s.room.reacted.rows.addRow(row)
	return nil
}

// endReacted compares what members reacted to a message with, which has been read, with
// the counts of the message.
func (s *segmentScan) endReacted(room *roomScan) error {
	held := &room.reacted
	message, rows := held.message, held.rows
	held.message, held.rows = "", tally{}
	c := candidate{kind: Reactions, room: room.id, message: message}
	counts, known := held.counts[message]
	delete(held.counts, message)
	ms, err := chat.MessageTime(message)
	switch {
	case message == "", known && counts == rows:
		return nil
	case known, err != nil:
		return s.verifier.addCandidate(s.ctx, c)
	}
	return s.want(table.Message(room.id, ms, message), func(it item) error {
		if it != nil && it[table.DeletedAt] == nil && countsOf(it) == rows {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, c)
	})
}

// endReactions compares the reactions of a room that has been read: what is left are
// counts that no member's reactions followed.
func (s *segmentScan) endReactions(room *roomScan) error {
	if err := s.endReacted(room); err != nil {
		return err
	}
	for message := range room.reacted.counts {
		if err := s.verifier.addCandidate(s.ctx, candidate{kind: Reactions, room: room.id, message: message}); err != nil {
			return err
		}
	}
	return nil
}

// rowsOfMessage is what members reacted to a message with.
type rowsOfMessage struct {
	tally
	counts map[string]int64
	keys   []table.Key
}

// reactedRows reads what members reacted to a message with.
func (v *verifier) reactedRows(ctx context.Context, roomID, messageID string, strong bool) (rowsOfMessage, error) {
	rows := rowsOfMessage{counts: map[string]int64{}}
	for page, err := range v.reads.Query(ctx, v.config.DB, "read the reactions to "+messageID, &dynamodb.QueryInput{
		TableName: aws.String(v.config.Table), ConsistentRead: aws.Bool(strong),
		KeyConditionExpression:   aws.String("#pk = :pk AND begins_with(#sk, :sk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK},
		ExpressionAttributeValues: item{
			":pk": attribute.Text(table.Room(roomID).PK), ":sk": attribute.Text(table.ReactedTo(messageID)),
		},
	}) {
		if err != nil {
			return rows, err
		}
		for _, row := range page.Items {
			if v.expired(row, 0) {
				continue
			}
			rows.keys = append(rows.keys, attribute.KeyOf(row))
			rows.addRow(row)
			for _, reaction := range reactedWith(row) {
				rows.counts[reaction]++
			}
		}
	}
	return rows, nil
}

// stableReactions reads a message and what members reacted to it with until both are of
// one moment: each reaction changes the version that the message has. False if they
// change all the time.
func (v *verifier) stableReactions(ctx context.Context, k table.Key, c candidate) (message item, rows rowsOfMessage, ok bool, err error) {
	before, err := v.get(ctx, k)
	if err != nil {
		return nil, rows, false, err
	}
	for range countTries {
		if rows, err = v.reactedRows(ctx, c.room, c.message, true); err != nil {
			return nil, rows, false, err
		}
		after, err := v.get(ctx, k)
		if err != nil {
			return nil, rows, false, err
		}
		same := true
		for _, name := range []string{table.ReactionVersion, table.DeletedAt} {
			same = same && attribute.GetNumber(before[0], name) == attribute.GetNumber(after[0], name)
		}
		if same && (before[0] == nil) == (after[0] == nil) {
			return after[0], rows, true, nil
		}
		before = after
	}
	return nil, rows, false, nil
}

// checkReactions checks the counts of a message's reactions. Those of one that was deleted
// since then may still be removed.
func (v *verifier) checkReactions(ctx context.Context, c candidate, until int64) ([]finding, error) {
	ms, _ := chat.MessageTime(c.message) // 0, where there can't be a message
	k := table.Message(c.room, ms, c.message)
	message, rows, ok, err := v.stableReactions(ctx, k, c)
	if err != nil || !ok {
		return nil, err
	}
	f := finding{candidate: c, Difference: Difference{Kind: Reactions, PK: k.PK, SK: k.SK}}
	deleted, counts := attribute.GetNumber(message, table.DeletedAt), countsOf(message)
	switch {
	case deleted >= until && deleted != 0, v.expired(message, 0):
		return nil, nil
	case message != nil && deleted == 0 && counts == rows.tally:
		return nil, nil
	case message != nil && deleted == 0:
		f.Problem = fmt.Sprintf("its counts are of %d reactions, and not what members reacted with, %d", counts.reactions, rows.reactions)
		f.repair = func(ctx context.Context) error { return v.repairCounts(ctx, k, message, rows.counts) }
	case len(rows.keys) > 0:
		f.SK = rows.keys[0].SK
		f.Problem = fmt.Sprintf("its message, %s, is not there, and what %d members reacted with is", c.message, len(rows.keys))
		if message != nil {
			f.Problem = fmt.Sprintf("its message, %s, was deleted, and what %d members reacted with is there", c.message, len(rows.keys))
		}
		f.repair = func(ctx context.Context) error { return v.repairStrayReactions(ctx, k, rows.keys) }
	default:
		return nil, nil
	}
	return []finding{f}, nil
}

// repairCounts makes the counts of a message what members reacted with, while no one has
// reacted since: each reaction changes the version.
func (v *verifier) repairCounts(ctx context.Context, k table.Key, message item, counts map[string]int64) error {
	names := map[string]string{"#key": table.PK, "#reactions": table.Reactions, "#version": table.ReactionVersion}
	all := item{}
	for reaction, n := range counts {
		all[reaction] = attribute.Number(n)
	}
	values := item{
		":counts": &types.AttributeValueMemberM{Value: all},
		":next":   attribute.Number(attribute.GetNumber(message, table.ReactionVersion) + 1),
	}
	condition := unchanged(message, names, values, table.ReactionVersion, table.DeletedAt)
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k),
		ConditionExpression:      aws.String("attribute_exists(#key) AND " + *condition),
		UpdateExpression:         aws.String("SET #reactions = :counts, #version = :next"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	return err
}

// rowsAtOnce is how many items one transaction removes.
const rowsAtOnce = 50

// repairStrayReactions removes what members reacted to a message with, while it is not
// there or deleted.
func (v *verifier) repairStrayReactions(ctx context.Context, message table.Key, keys []table.Key) error {
	for len(keys) > 0 {
		n := min(len(keys), rowsAtOnce)
		writes := []types.TransactWriteItem{{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(v.config.Table), Key: attribute.Key(message),
			ConditionExpression:      aws.String("attribute_not_exists(#key) OR attribute_exists(#deleted)"),
			ExpressionAttributeNames: map[string]string{"#key": table.PK, "#deleted": table.DeletedAt},
		}}}
		for _, k := range keys[:n] {
			writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(v.config.Table), Key: attribute.Key(k)}})
		}
		if err := v.transact(ctx, writes...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
