package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// A user's presence has all that is known of whether they are online: the entries of
// their connections, when the last one ended, whether they hide it, and a number that
// rises with each change. What others are told is an item of its own, which is written
// when a user comes or has gone, so that its record alone reaches fanout: a connection
// beside another one writes none, nor does one that replaces another.

// WithoutPresence returns the store of a table in which no one is told who is online.
func (s *Store) WithoutPresence() *Store {
	other := *s
	other.silent = true
	return &other
}

// tellAttempts bounds how often it is tried to tell something after what was told last.
const tellAttempts = 4

// tell notes what others are to be told about a user whose presence is as given: never what
// is older than what they were told. It fails silently: it is a hint, and what a client
// reads is right.
func (s *Store) tell(ctx context.Context, userID string, presence item, online, hiding bool) {
	if s.silent {
		return
	}
	at := s.now().UnixMilli()
	for range tellAttempts {
		in := &dynamodb.UpdateItemInput{
			TableName: s.table, Key: attribute.Key(table.Seen(userID)),
			ConditionExpression: aws.String("attribute_not_exists(#n) OR (#n < :n AND #at < :at)"),
			UpdateExpression:    aws.String("SET #n = :n, #at = :at, #online = :online REMOVE #hiding"),
			ExpressionAttributeNames: map[string]string{
				"#n": table.Changes, "#at": table.At, "#online": table.IsOnline, "#hiding": table.Hidden,
			},
			ExpressionAttributeValues: item{
				":n": attribute.Number(attribute.GetNumber(presence, table.Changes)), ":at": attribute.Number(at),
				":online": &types.AttributeValueMemberBOOL{Value: online},
			},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		if hiding {
			in.UpdateExpression = aws.String("SET #n = :n, #at = :at, #online = :online, #hiding = :n")
		}
		_, err := s.db.UpdateItem(ctx, in)
		old, failed := conditionFailed(err)
		if !failed || attribute.GetNumber(old, table.Changes) >= attribute.GetNumber(presence, table.Changes) {
			return
		}
		at = attribute.GetNumber(old, table.At) + 1
	}
}

func isHidden(presence item) bool { return attribute.GetNumber(presence, table.Hidden) != 0 }

// came tells that a user is online, if a connection is their first: not if it replaces
// one that announced it.
func (s *Store) came(ctx context.Context, c chat.Connection, presence item, present []chat.Connection) {
	others := len(present) > 1 || len(present) == 1 && present[0].ID != c.ID
	away := s.now().UnixMilli() - attribute.GetNumber(presence, table.Away)
	if others || isHidden(presence) || away < chat.ReturnWithin.Milliseconds() {
		return
	}
	s.tell(ctx, c.UserID, presence, true, false)
}

// gone tells that a user is not online any more, if no connection of theirs is left.
func (s *Store) gone(ctx context.Context, userID string, presence item) {
	if isHidden(presence) || len(s.connectionsOf(userID, presence)) > 0 {
		return
	}
	s.tell(ctx, userID, presence, false, false)
}

// Seen implements fanout.Store.
func (s *Store) Seen(ctx context.Context, userIDs []string) (map[string]chat.Seen, error) {
	keys := keysOf(userIDs, table.Seen)
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, fmt.Errorf("read what others know of users: %w", err)
	}
	told := make(map[string]chat.Seen, len(items))
	for i, userID := range userIDs {
		it, ok := items[keys[i]]
		if !ok {
			continue
		}
		seen := chat.Seen{Online: attribute.GetBool(it, table.IsOnline), At: attribute.GetNumber(it, table.At)}
		if !seen.Online && !isHidden(it) {
			seen.LastSeenAt = seen.At
		}
		told[userID] = seen
	}
	return told, nil
}

// Sightings implements chat.PresenceStore.
func (s *Store) Sightings(ctx context.Context, userIDs []string) (map[string]chat.Sighting, error) {
	keys := keysOf(userIDs, table.Presence)
	items, err := s.batchGet(ctx, keys, eventual)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]chat.Sighting, len(items))
	for i, userID := range userIDs {
		presence := items[keys[i]]
		if presence == nil || isHidden(presence) {
			continue
		}
		if len(s.connectionsOf(userID, presence)) > 0 {
			seen[userID] = chat.Sighting{Online: true}
		} else if last := lastSeen(presence); last > 0 {
			seen[userID] = chat.Sighting{LastSeenAt: last}
		}
	}
	return seen, nil
}

// lastSeen is when the last connection of a presence ended; of one that ended without a
// sign, at least when it began. A user who has just come back to be shown has that time.
func lastSeen(presence item) int64 {
	last := attribute.GetNumber(presence, table.SeenAt)
	for name, value := range presence {
		entry, isMap := attribute.AsMap(value)
		if _, ok := table.PresenceConnection(name); ok && isMap {
			last = max(last, attribute.GetNumber(entry, table.ConnectedAt))
		}
	}
	return last
}

// HidesPresence implements chat.PresenceStore.
func (s *Store) HidesPresence(ctx context.Context, userID string) (bool, error) {
	key := table.Presence(userID)
	items, err := s.batchGet(ctx, []table.Key{key}, strong)
	return isHidden(items[key]), err
}

// HidePresence implements chat.PresenceStore. When the user was online while hidden is
// not told later: they were seen when they showed it again.
func (s *Store) HidePresence(ctx context.Context, userID string, hidden bool, at int64) error {
	in := &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Presence(userID)),
		UpdateExpression:         aws.String("SET #hidden = :at ADD #n :one"),
		ExpressionAttributeNames: map[string]string{"#hidden": table.Hidden, "#n": table.Changes},
		ExpressionAttributeValues: item{
			":at": attribute.Number(at), ":one": attribute.Number(1),
		},
		ReturnValues: types.ReturnValueAllNew,
	}
	if !hidden {
		in.UpdateExpression = aws.String("REMOVE #hidden SET #seen = :at ADD #n :one")
		in.ExpressionAttributeNames["#seen"] = table.SeenAt
	}
	out, err := s.db.UpdateItem(ctx, in)
	if err != nil {
		return fmt.Errorf("update the presence: %w", err)
	}
	if len(s.connectionsOf(userID, out.Attributes)) > 0 {
		s.tell(ctx, userID, out.Attributes, !hidden, hidden)
	}
	return nil
}

// NewestRooms reads the ids of a user's newest rooms, as their list stood a moment ago.
func (s *Store) NewestRooms(ctx context.Context, userID string, limit int) ([]string, error) {
	l := &listing{store: s, userID: userID}
	if err := l.readAhead(ctx, limit); err != nil {
		return nil, err
	}
	rooms := make([]string, 0, limit)
	for _, p := range l.ahead[:min(limit, len(l.ahead))] {
		rooms = append(rooms, p.roomID)
	}
	return rooms, nil
}
