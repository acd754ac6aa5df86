package verify

import (
	"context"
	"fmt"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// checkConnection checks a connection's row and its entry in a user's
// presence, both as of one moment.
func (v *verifier) checkConnection(ctx context.Context, s candidate) ([]finding, error) {
	rowKey, presenceKey := table.Connection(s.connection), table.Presence(s.user)
	got, err := v.snapshot(ctx, []table.Key{rowKey, presenceKey})
	if err != nil {
		return nil, err
	}
	row, presence := got[0], got[1]
	if attribute.GetText(row, table.UserID) != s.user {
		row = nil // of another user: that pair is another candidate
	}
	entry, ok := attribute.GetMap(presence, table.PresenceEntry(s.connection))
	f := finding{candidate: s, Difference: Difference{Kind: Connection, PK: presenceKey.PK, SK: presenceKey.SK}}
	entryAt, rowAt := attribute.GetNumber(entry, table.ConnectedAt), attribute.GetNumber(row, table.ConnectedAt)
	switch {
	case row != nil && v.isOver(row), row == nil && !ok:
		return nil, nil // readers know that it has ended
	case row == nil && v.expired(entry, 0):
		return nil, nil // the user's next connections remove it
	case row == nil:
		f.Problem = "it has the connection " + s.connection + ", which the user does not have"
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

// isOver reports whether a connection with a row is served no more. The row stays for
// longer, until its socket is over.
func (v *verifier) isOver(row item) bool {
	return v.expired(row, 0) || table.Expired(dynamo.EntryTTL(row), v.config.Now())
}

// checkLeftover checks an item that expired long ago.
func (v *verifier) checkLeftover(ctx context.Context, s candidate) ([]finding, error) {
	got, err := v.get(ctx, s.key)
	if err != nil {
		return nil, err
	}
	if got[0] == nil || !v.expired(got[0], v.config.Leftover) {
		return nil, nil
	}
	ttl := attribute.GetNumber(got[0], table.TTL)
	return []finding{{
		candidate:  s,
		Difference: Difference{Kind: Leftover, PK: s.key.PK, SK: s.key.SK, Problem: fmt.Sprintf("it expired at %d and is still there", ttl)},
		repair:     func(ctx context.Context) error { return v.repairLeftover(ctx, s.key, ttl) },
	}}, nil
}
