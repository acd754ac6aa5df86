package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutConnection stores the connection's row and its entry in the user's list.
func (s *Store) PutConnection(ctx context.Context, c chat.Connection) error {
	ttl := number(seconds(c.ExpiresAt()))
	row := key(table.Connection(c.ID))
	row[table.UserID] = text(c.UserID)
	row[table.ConnectedAt] = number(c.ConnectedAt)
	row[table.TokenExpiresAt] = number(c.TokenExpiresAt)
	row[table.RateTAT] = number(0)
	row[table.TTL] = ttl
	entry := key(table.UserConnection(c.UserID, c.ID))
	entry[table.ConnectedAt] = number(c.ConnectedAt)
	entry[table.TTL] = ttl
	_, err := s.transact(ctx, requestToken(c.ID), []types.TransactWriteItem{
		{Put: &types.Put{TableName: s.table, Item: row}},
		{Put: &types.Put{TableName: s.table, Item: entry}},
	})
	return err
}

// requestToken makes an id, which is unique for its request, a transaction's
// idempotency token: 1 to 36 characters.
func requestToken(id string) string {
	if len(id) > 36 {
		return id[:36]
	}
	return id
}

// DeleteConnection removes both rows. The user is only known from the first.
func (s *Store) DeleteConnection(ctx context.Context, connectionID string) error {
	out, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:    s.table,
		Key:          key(table.Connection(connectionID)),
		ReturnValues: types.ReturnValueAllOld,
	})
	if err != nil {
		return fmt.Errorf("delete the connection's row: %w", err)
	}
	userID := getText(out.Attributes, table.UserID)
	if userID == "" {
		return nil
	}
	return s.ForgetUserConnection(ctx, userID, connectionID)
}

// ForgetUserConnection removes a connection from its user's list.
func (s *Store) ForgetUserConnection(ctx context.Context, userID, connectionID string) error {
	_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: s.table,
		Key:       key(table.UserConnection(userID, connectionID)),
	})
	if err != nil {
		return fmt.Errorf("delete the user's connection: %w", err)
	}
	return nil
}

// DropConnection removes exactly the connection that was read: both rows, if
// they still have the connectedAt of c.
func (s *Store) DropConnection(ctx context.Context, c chat.Connection) error {
	for _, k := range []table.Key{table.UserConnection(c.UserID, c.ID), table.Connection(c.ID)} {
		_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName:                 s.table,
			Key:                       key(k),
			ConditionExpression:       aws.String("#at = :at"),
			ExpressionAttributeNames:  map[string]string{"#at": table.ConnectedAt},
			ExpressionAttributeValues: item{":at": number(c.ConnectedAt)},
		})
		if _, failed := conditionFailed(err); err != nil && !failed {
			return fmt.Errorf("drop connection %s: %w", c.ID, err)
		}
	}
	return nil
}

// Connection reads a connection strongly.
func (s *Store) Connection(ctx context.Context, connectionID string) (chat.Connection, bool, error) {
	it, err := s.get(ctx, table.Connection(connectionID))
	if err != nil || it == nil {
		return chat.Connection{}, false, err
	}
	return connectionOf(connectionID, it), true, nil
}

func connectionOf(connectionID string, it item) chat.Connection {
	return chat.Connection{
		ID:             connectionID,
		UserID:         getText(it, table.UserID),
		ConnectedAt:    getNumber(it, table.ConnectedAt),
		TokenExpiresAt: getNumber(it, table.TokenExpiresAt),
	}
}

// UserConnections reads a user's newest connections strongly, at most limit,
// newest first. They have no TokenExpiresAt.
func (s *Store) UserConnections(ctx context.Context, userID string, limit int) ([]chat.Connection, error) {
	from, to := prefixed(table.ConnectionPrefix)
	items, err := s.queryAll(ctx, page{pk: table.UserPrefix + userID, from: from, to: to})
	if err != nil {
		return nil, err
	}
	connections := make([]chat.Connection, 0, len(items))
	for _, it := range items {
		id, err := table.Parse(keyOf(it))
		if err != nil || s.expired(it) {
			continue
		}
		connections = append(connections, chat.Connection{
			ID: id.ConnectionID, UserID: userID, ConnectedAt: getNumber(it, table.ConnectedAt),
		})
	}
	slices.SortFunc(connections, func(a, b chat.Connection) int { return cmp.Compare(b.ConnectedAt, a.ConnectedAt) })
	return connections[:min(limit, len(connections))], nil
}

// StepRate moves a connection's rate window, in one conditional update.
func (s *Store) StepRate(ctx context.Context, connectionID string, step chat.RateStep) (chat.ConnectionState, bool, error) {
	in := &dynamodb.UpdateItemInput{
		TableName: s.table,
		Key:       key(table.Connection(connectionID)),
		ExpressionAttributeNames: map[string]string{
			"#rate": table.RateTAT, "#token": table.TokenExpiresAt, "#ttl": table.TTL,
		},
		ExpressionAttributeValues: item{
			":now":   number(step.Now),
			":token": number(step.TokenAfter),
			":sec":   number(step.Now / 1000),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	const alive = "#ttl > :sec AND #token > :token" // false where the row is not there
	if step.Running {
		in.ConditionExpression = aws.String(alive + " AND #rate > :now AND #rate <= :limit")
		in.UpdateExpression = aws.String("SET #rate = #rate + :step")
		in.ExpressionAttributeValues[":limit"] = number(step.Limit)
		in.ExpressionAttributeValues[":step"] = number(step.Interval)
	} else {
		in.ConditionExpression = aws.String(alive + " AND #rate <= :now")
		in.UpdateExpression = aws.String("SET #rate = :next")
		in.ExpressionAttributeValues[":next"] = number(step.Now + step.Interval)
	}
	out, err := s.db.UpdateItem(ctx, in)
	if old, failed := conditionFailed(err); failed {
		return connectionState(connectionID, old), false, nil
	}
	if err != nil {
		return chat.ConnectionState{}, false, fmt.Errorf("step the rate window: %w", err)
	}
	return connectionState(connectionID, out.Attributes), true, nil
}

func connectionState(connectionID string, it item) chat.ConnectionState {
	if len(it) == 0 {
		return chat.ConnectionState{}
	}
	return chat.ConnectionState{
		Connection: connectionOf(connectionID, it),
		Exists:     true,
		RateWindow: getNumber(it, table.RateTAT),
	}
}
