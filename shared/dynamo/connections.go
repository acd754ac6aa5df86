package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutConnection stores the connection's entry in the user's presence, its rows in
// indexed rooms, then its own row. An entry without a row is harmless: a post shows
// that the connection has ended, readers skip an entry whose ttl has passed, and the
// user's next connections remove those. A row without an entry would let a client
// believe that it can be reached. There is no transaction: those of one user's
// connections would cancel each other, as each changes the one presence item; plain
// updates do not.
//
// The window of the limit is in the presence, and moves with the entry: that is a write
// and a round trip less than a window in an item of its own.
func (s *Store) PutConnection(ctx context.Context, c chat.Connection, take chat.RateTake) (window int64, retryAfter time.Duration, err error) {
	joined, err := s.joinPresence(ctx, c, take)
	if err != nil {
		return 0, 0, fmt.Errorf("put the entry of connection %s: %w", c.ID, err)
	}
	if joined.wait > 0 {
		return joined.at, joined.wait, nil
	}
	if err := s.putJoined(ctx, c, joined.item); err != nil {
		return 0, 0, err
	}
	return joined.at, 0, nil
}

// putJoined stores what there is of a connection beside its entry, which its user's
// presence has.
func (s *Store) putJoined(ctx context.Context, c chat.Connection, presence item) error {
	present, ended := s.entriesOf(c.UserID, presence)
	if err := s.putOnline(ctx, c, seconds(c.ExpiresAt()), presence); err != nil {
		return fmt.Errorf("put connection %s into rooms: %w", c.ID, err)
	}
	if err := s.replace(ctx, c, present, ended); err != nil {
		return err
	}
	// An update, and not a put: another one may have replaced this connection
	// before its row was there.
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:           s.table,
		Key:                 attribute.Key(table.Connection(c.ID)),
		ConditionExpression: aws.String("attribute_not_exists(#replaced)"),
		UpdateExpression:    aws.String("SET #user = :user, #at = :at, #token = :token, #ttl = :ttl"),
		ExpressionAttributeNames: map[string]string{
			"#user": table.UserID, "#at": table.ConnectedAt, "#token": table.TokenExpiresAt, "#ttl": table.TTL,
			"#replaced": table.ReplacedAt,
		},
		ExpressionAttributeValues: item{
			":user": attribute.Text(c.UserID), ":at": attribute.Number(c.ConnectedAt), ":token": attribute.Number(c.TokenExpiresAt),
			":ttl": attribute.Number(seconds(c.EndsAt())),
		},
	})
	if _, failed := conditionFailed(err); failed {
		return chat.ErrReplaced()
	}
	if err != nil {
		return fmt.Errorf("put the row of connection %s: %w", c.ID, err)
	}
	s.came(ctx, c, presence, present)
	return nil
}

// joinPresence adds a connection's entry, moves the window of a limit if there is one, and
// returns the presence. Each entry has its own attribute, so that it can be written whether
// or not the item exists. The item never expires: it says that the user has signed in.
func (s *Store) joinPresence(ctx context.Context, c chat.Connection, take chat.RateTake) (moved, error) {
	name := table.PresenceEntry(c.ID)
	update := func() *dynamodb.UpdateItemInput {
		return &dynamodb.UpdateItemInput{
			Key:                      attribute.Key(table.Presence(c.UserID)),
			UpdateExpression:         aws.String("SET #entry = :entry REMOVE #ttl ADD #n :one"),
			ExpressionAttributeNames: map[string]string{"#entry": name, "#ttl": table.TTL, "#n": table.Changes},
			ExpressionAttributeValues: item{
				":one": attribute.Number(1),
				":entry": &types.AttributeValueMemberM{Value: item{
					table.ConnectedAt: attribute.Number(c.ConnectedAt), table.TTL: attribute.Number(seconds(c.ExpiresAt())),
				}},
			},
			ReturnValues: types.ReturnValueAllNew,
		}
	}
	return s.move(ctx, window{
		limit: take.Limit, count: take.Count, at: take.LastWindow, update: update,
		// The entry is there if the answer to the update was lost, which was then retried.
		over: func(presence item) (time.Duration, bool) {
			entry, there := attribute.GetMap(presence, name)
			return 0, there && attribute.GetNumber(entry, table.ConnectedAt) == c.ConnectedAt
		},
	})
}

// entriesOf returns a user's connections, newest first, and the names of entries that
// have expired.
func (s *Store) entriesOf(userID string, presence item) (present []chat.Connection, ended []string) {
	for name, value := range presence {
		if entry, isMap := attribute.AsMap(value); isMap && s.expired(entry) {
			ended = append(ended, name)
		}
	}
	return s.connectionsOf(userID, presence), ended
}

// endedAtOnce is how many ended entries are removed together: each time is a write, while
// an item of 15 entries is still one of 1 KB.
const endedAtOnce = 8

// replace marks the rows of the connections that a new one replaces, which has
// fanout close them, and then removes their entries. Racing calls may replace the
// same ones, and leave the newest. Entries go at a connection's $disconnect, which may
// not come, or fail: those that have ended since are removed here, some at a time.
func (s *Store) replace(ctx context.Context, by chat.Connection, present []chat.Connection, ended []string) error {
	var entries []string
	names := map[string]string{}
	if len(ended) >= endedAtOnce {
		for _, entry := range ended {
			name := "#e" + strconv.Itoa(len(entries))
			entries, names[name] = append(entries, name), entry
		}
	}
	for _, excess := range by.Excess(present) {
		if err := s.markReplaced(ctx, excess); err != nil {
			return fmt.Errorf("replace connection %s: %w", excess.ID, err)
		}
		name := "#e" + strconv.Itoa(len(entries))
		entries, names[name] = append(entries, name), table.PresenceEntry(excess.ID)
	}
	if len(entries) == 0 {
		return nil
	}
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Presence(by.UserID)),
		UpdateExpression: aws.String("REMOVE " + strings.Join(entries, ", ")), ExpressionAttributeNames: names,
	})
	if err != nil {
		return fmt.Errorf("remove the entries of replaced connections: %w", err)
	}
	return nil
}

// replacedLife is how long a row lives that was marked as replaced before it was
// there: longer than a $connect may take.
const replacedLife = time.Minute

// markReplaced marks a connection's row, once. It creates one where there is none:
// the connection may have its entry, and get its row in a moment.
func (s *Store) markReplaced(ctx context.Context, c chat.Connection) error {
	now := s.now()
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Connection(c.ID)),
		ConditionExpression: aws.String("attribute_not_exists(#replaced)"),
		UpdateExpression: aws.String("SET #replaced = :now, #user = if_not_exists(#user, :user), " +
			"#at = if_not_exists(#at, :at), #ttl = if_not_exists(#ttl, :ttl)"),
		ExpressionAttributeNames: map[string]string{
			"#replaced": table.ReplacedAt, "#user": table.UserID, "#at": table.ConnectedAt, "#ttl": table.TTL,
		},
		ExpressionAttributeValues: item{
			":now": attribute.Number(now.UnixMilli()), ":user": attribute.Text(c.UserID), ":at": attribute.Number(c.ConnectedAt),
			":ttl": attribute.Number(now.Add(replacedLife).Unix()),
		},
	})
	if _, failed := conditionFailed(err); failed {
		return nil
	}
	return err
}

// DeleteConnection removes the row, the entry, and the rows in rooms. The user is only
// known from the row.
func (s *Store) DeleteConnection(ctx context.Context, connectionID string, returning bool) error {
	out, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:    s.table,
		Key:          attribute.Key(table.Connection(connectionID)),
		ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return fmt.Errorf("delete the connection's row: %w", err)
	}
	userID := attribute.GetText(out.Attributes, table.UserID)
	if userID == "" {
		return nil
	}
	presence, left, err := s.leavePresence(ctx, leaving{userID: userID, connectionID: connectionID, returning: returning, condition: "attribute_exists(#entry)"})
	if err != nil {
		return fmt.Errorf("delete the connection's entry: %w", err)
	}
	if left && !returning {
		s.gone(ctx, userID, presence)
	}
	if err := s.deleteOnline(ctx, userID, connectionID, presence); err != nil {
		return fmt.Errorf("delete the connection's rows in rooms: %w", err)
	}
	return nil
}

// once has the SDK not retry a request. What cleans up behind a batch of stream
// records must not hold up the records behind it.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// DropConnection removes exactly the connection that was read: its row and its
// entry, if they still have the connectedAt of c. The row is deleted first: a
// leftover entry is met by the next post, but with a row and no entry, pings would
// succeed on a connection that nothing is delivered to. It does not retry.
func (s *Store) DropConnection(ctx context.Context, c chat.Connection) error {
	at := item{":at": attribute.Number(c.ConnectedAt)}
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 s.table,
		Key:                       attribute.Key(table.Connection(c.ID)),
		ConditionExpression:       aws.String("#at = :at"),
		ExpressionAttributeNames:  map[string]string{"#at": table.ConnectedAt},
		ExpressionAttributeValues: at,
	}, once)
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("drop the row of connection %s: %w", c.ID, err)
	}
	presence, left, err := s.leavePresence(ctx, leaving{userID: c.UserID, connectionID: c.ID, connectedAt: c.ConnectedAt, condition: sameConnection}, once)
	if err != nil {
		return fmt.Errorf("drop the entry of connection %s: %w", c.ID, err)
	}
	if left {
		s.gone(ctx, c.UserID, presence)
	}
	if err := s.deleteOnline(ctx, c.UserID, c.ID, presence); err != nil {
		return fmt.Errorf("drop the rows in rooms of connection %s: %w", c.ID, err)
	}
	return nil
}

// sameConnection is the condition that an entry is of the connection that was read.
const sameConnection = "#entry.#at = :connected"

// leaving is a connection whose entry is removed under a condition, which must be false
// if there is no entry, or the update would create an item.
type leaving struct {
	userID, connectionID string
	condition            string
	connectedAt          int64 // ms, if the condition has it
	returning            bool  // another connection replaces it at once
}

// leavePresence removes a connection's entry, and notes when. The item stays, and is
// returned as it is then, whether or not there was an entry.
func (s *Store) leavePresence(ctx context.Context, l leaving, options ...func(*dynamodb.Options)) (presence item, left bool, err error) {
	in := &dynamodb.UpdateItemInput{
		TableName:           s.table,
		Key:                 attribute.Key(table.Presence(l.userID)),
		ConditionExpression: aws.String(l.condition),
		UpdateExpression:    aws.String("REMOVE #entry, #away SET #seen = :now ADD #n :one"),
		ExpressionAttributeNames: map[string]string{
			"#entry": table.PresenceEntry(l.connectionID), "#away": table.Away, "#seen": table.SeenAt, "#n": table.Changes,
		},
		ExpressionAttributeValues: item{":now": attribute.Number(s.now().UnixMilli()), ":one": attribute.Number(1)},

		ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if l.returning {
		in.UpdateExpression = aws.String("REMOVE #entry SET #seen = :now, #away = :now ADD #n :one")
	}
	if l.condition == sameConnection {
		in.ExpressionAttributeNames["#at"] = table.ConnectedAt
		in.ExpressionAttributeValues[":connected"] = attribute.Number(l.connectedAt)
	}
	out, err := s.db.UpdateItem(ctx, in, options...)
	if old, failed := conditionFailed(err); failed {
		return old, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return out.Attributes, true, nil
}

// Connection reads a connection at half the price first. A client's first frame may be
// faster than what is read eventually, so only a strong read can miss it. One whose token
// has ended has its row, but is none any more.
func (s *Store) Connection(ctx context.Context, connectionID string) (chat.Connection, bool, error) {
	it, err := s.getEventually(ctx, table.Connection(connectionID))
	if err == nil && it == nil {
		it, err = s.get(ctx, table.Connection(connectionID))
	}
	if err != nil || it == nil || s.isPast(EntryTTL(it)) {
		return chat.Connection{}, false, err
	}
	return connectionOf(connectionID, it), true, nil
}

// EntryTTL is the ttl that the entry of a connection has, in seconds, by its row; 0 for
// none. The row itself stays until the socket is over: by its ttl alone it may have expired.
func EntryTTL(row item) int64 {
	if attribute.GetNumber(row, table.TokenExpiresAt) == 0 { // it was marked before it was stored
		return attribute.GetNumber(row, table.TTL)
	}
	return seconds(connectionOf("", row).ExpiresAt())
}

func connectionOf(connectionID string, it item) chat.Connection {
	return chat.Connection{
		ID:             connectionID,
		UserID:         attribute.GetText(it, table.UserID),
		ConnectedAt:    attribute.GetNumber(it, table.ConnectedAt),
		TokenExpiresAt: attribute.GetNumber(it, table.TokenExpiresAt),
		ReplacedAt:     attribute.GetNumber(it, table.ReplacedAt),
		Flooded:        attribute.GetNumber(it, table.Flooded) != 0,
		Disconnected:   attribute.GetNumber(it, table.Disconnected) != 0,
		Banned:         attribute.GetNumber(it, table.Banned) != 0,
	}
}

// EndConnection implements chat.ConnectionStore. fanout closes the socket as it does
// one that was replaced.
func (s *Store) EndConnection(ctx context.Context, connectionID string) error {
	now := s.now().UnixMilli()
	in := &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Connection(connectionID)),
		ConditionExpression: aws.String("attribute_exists(#user) AND attribute_not_exists(#replaced)"),
		UpdateExpression:    aws.String("SET #replaced = :now, #flooded = :flooded"),
		ExpressionAttributeNames: map[string]string{
			"#replaced": table.ReplacedAt, "#flooded": table.Flooded, "#user": table.UserID,
		},
		ExpressionAttributeValues: item{":now": attribute.Number(now), ":flooded": attribute.Number(1)},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	_, err := s.db.UpdateItem(ctx, in)
	old, failed := conditionFailed(err)
	if err != nil && !failed {
		return fmt.Errorf("end connection %s: %w", connectionID, err)
	}
	marked := attribute.GetNumber(old, table.ReplacedAt)
	if marked == 0 || marked > now-chat.CloseWithin.Milliseconds() {
		return nil
	}
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: in.Key,
		ConditionExpression:       aws.String("#replaced = :marked"), // by one of the frames that come now
		UpdateExpression:          aws.String("SET #replaced = :now"),
		ExpressionAttributeNames:  map[string]string{"#replaced": table.ReplacedAt},
		ExpressionAttributeValues: item{":now": attribute.Number(now), ":marked": attribute.Number(marked)},
	})
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("end connection %s again: %w", connectionID, err)
	}
	return nil
}

// Presence reads, strongly and in one request for up to 100 users, each user's
// newest connections: at most limit of them, newest first. They have no
// TokenExpiresAt. Users without connections are left out.
func (s *Store) Presence(ctx context.Context, userIDs []string, limit int) (map[string][]chat.Connection, error) {
	keys := keysOf(userIDs, table.Presence)
	items, err := s.batchGet(ctx, keys, strong)
	if err != nil {
		return nil, err
	}
	present := make(map[string][]chat.Connection, len(items))
	for i, userID := range userIDs {
		if connections := s.connectionsOf(userID, items[keys[i]]); len(connections) > 0 {
			present[userID] = connections[:min(limit, len(connections))]
		}
	}
	return present, nil
}

// connectionsOf reads the entries of a user's presence that have not expired,
// newest first.
func (s *Store) connectionsOf(userID string, presence item) []chat.Connection {
	var connections []chat.Connection
	for name, value := range presence {
		connectionID, ok := table.PresenceConnection(name)
		entry, isMap := attribute.AsMap(value)
		if !ok || !isMap || s.expired(entry) {
			continue
		}
		connections = append(connections, chat.Connection{
			ID: connectionID, UserID: userID, ConnectedAt: attribute.GetNumber(entry, table.ConnectedAt),
		})
	}
	slices.SortFunc(connections, newestFirst)
	return connections
}
