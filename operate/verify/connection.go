package verify

import (
	"context"
	"fmt"

	"github.com/streamroom/streamroom/shared/table"
)

// lookAtConnection checks a connection's row and its entry in a user's
// presence, both as of one moment.
func (v *verifier) lookAtConnection(ctx context.Context, s suspect) ([]finding, error) {
	rowKey, presenceKey := table.Connection(s.connection), table.Presence(s.user)
	got, err := v.snapshot(ctx, []table.Key{rowKey, presenceKey})
	if err != nil {
		return nil, err
	}
	row, presence := got[0], got[1]
	if getText(row, table.UserID) != s.user {
		row = nil // of somebody else: that pair is another suspect
	}
	entry, ok := getMap(presence, table.PresenceEntry(s.connection))
	f := finding{suspect: s, Difference: Difference{Kind: Connection, PK: presenceKey.PK, SK: presenceKey.SK}}
	entryAt, rowAt := getNumber(entry, table.ConnectedAt), getNumber(row, table.ConnectedAt)
	switch {
	case row != nil && v.expired(row, 0), row == nil && !ok:
		return nil, nil // what is left goes with the row
	case row == nil:
		f.Problem = "it has the connection " + s.connection + ", which is no connection of the user's"
		f.repair = func(ctx context.Context) error { return v.repairStrayEntry(ctx, s, entryAt) }
	case !ok:
		f.Problem = "it lacks the connection " + s.connection
		f.repair = func(ctx context.Context) error { return v.repairEntry(ctx, s, row) }
	case entryAt != rowAt:
		f.Problem = fmt.Sprintf("it has the connection %s as of %d, which is of %d", s.connection, entryAt, rowAt)
		f.repair = func(ctx context.Context) error { return v.repairEntry(ctx, s, row) }
	default:
		return nil, nil
	}
	return []finding{f}, nil
}

// lookAtLeftover checks an item that expired long ago.
func (v *verifier) lookAtLeftover(ctx context.Context, s suspect) ([]finding, error) {
	got, err := v.get(ctx, s.key)
	if err != nil {
		return nil, err
	}
	if got[0] == nil || !v.expired(got[0], v.Leftover) {
		return nil, nil
	}
	ttl := getNumber(got[0], table.TTL)
	return []finding{{
		suspect:    s,
		Difference: Difference{Kind: Leftover, PK: s.key.PK, SK: s.key.SK, Problem: fmt.Sprintf("it expired at %d and is still there", ttl)},
		repair:     func(ctx context.Context) error { return v.repairLeftover(ctx, s.key, ttl) },
	}}, nil
}
