package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Disconnect implements chat.ConnectionStore. fanout closes the sockets as it does those
// that were replaced. The entries stay until the sockets end, which has others notified
// that the user has gone.
func (s *Store) Disconnect(ctx context.Context, userID string) (int, error) {
	return s.endAll(ctx, userID, table.Disconnected)
}

// EndBanned implements chat.BanStore, as Disconnect ends connections.
func (s *Store) EndBanned(ctx context.Context, userID string) error {
	_, err := s.endAll(ctx, userID, table.Banned)
	return err
}

// endAll marks the rows of a user's connections by an attribute that says why, and returns
// how many there are.
func (s *Store) endAll(ctx context.Context, userID, why string) (int, error) {
	presence, err := s.Presence(ctx, []string{userID}, 2*chat.MaxConnections) // racing connects may be over
	if err != nil {
		return 0, fmt.Errorf("read the user's connections: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range presence[userID] {
		group.Go(func() error { return s.markEnded(ctx, c, why) })
	}
	return len(presence[userID]), group.Wait()
}

// markEnded marks a connection's row, also one that is marked already: a socket
// that could not be closed is closed by another try. It creates a row where there is none,
// as markReplaced does.
func (s *Store) markEnded(ctx context.Context, c chat.Connection, why string) error {
	now := s.now()
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Connection(c.ID)),
		UpdateExpression: aws.String("SET #replaced = :now, #why = :one, #user = if_not_exists(#user, :user), " +
			"#at = if_not_exists(#at, :at), #ttl = if_not_exists(#ttl, :ttl)"),
		ExpressionAttributeNames: map[string]string{
			"#replaced": table.ReplacedAt, "#why": why, "#user": table.UserID,
			"#at": table.ConnectedAt, "#ttl": table.TTL,
		},
		ExpressionAttributeValues: item{
			":now": attribute.Number(now.UnixMilli()), ":one": attribute.Number(1), ":user": attribute.Text(c.UserID),
			":at": attribute.Number(c.ConnectedAt), ":ttl": attribute.Number(now.Add(replacedLife).Unix()),
		},
	})
	if err != nil {
		return fmt.Errorf("mark connection %s: %w", c.ID, err)
	}
	return nil
}
