package dynamodb

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// The parameters and answers of the operations on tables, as the protocol spells them.
type (
	tableInput      struct{ TableName string }
	listTablesInput struct {
		ExclusiveStartTableName string
		Limit                   *int64
	}
	listTablesOutput struct {
		TableNames             []string
		LastEvaluatedTableName string `json:",omitempty"`
	}
	createTableOutput   struct{ TableDescription tableDescription }
	describeTableOutput struct{ Table tableDescription }
)

func (e *Engine) createTable(ctx context.Context, in *createTableInput) (*createTableOutput, error) {
	t, err := newTable(in)
	if err != nil {
		return nil, err
	}
	view, err := viewOf(in.StreamSpecification)
	if err != nil {
		return nil, err
	}
	var s *stream
	if view != "" {
		s = &stream{Table: t.Name, View: view}
	}
	t.Created = e.clock.Now().UTC()
	t.UUID = uuid.NewString()
	err = e.writeAlone(ctx, func(x *tx) error {
		now := e.catalog.Load()
		if now.tables[t.Name] != nil {
			return &Error{Code: codeInUse, Message: "Table already exists: " + t.Name}
		}
		t.ID = now.nextID
		var streams []*stream
		if s != nil {
			t.StreamID = now.nextID
			if err := x.createStream(s, t, t.StreamID); err != nil {
				return err
			}
			streams = append(streams, s)
		}
		if err := x.createTable(t); err != nil {
			return err
		}
		x.commit = func() { e.catalog.Store(now.with([]*table{t}, streams)) }
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &createTableOutput{TableDescription: describe(t, s)}, nil
}

func (t *tx) createTable(made *table) error {
	made.prepare()
	statements := []string{made.sql.create, made.sql.createExpiry}
	for _, x := range made.Indexes {
		statements = append(statements, x.sql.create)
	}
	for _, sql := range statements {
		if err := t.exec(sql); err != nil {
			return err
		}
	}
	return saveMeta(t.conn, metaKey(metaTable, made.ID), made)
}

// namedTable returns the table that a request names or whose ARN it gives. The error is an
// *Error.
func (e *Engine) namedTable(name string) (*table, error) {
	name = bareName(name)
	if err := checkTableName(name); err != nil {
		return nil, err
	}
	t := e.catalog.Load().tables[name]
	if t == nil {
		return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: Table: " + name + " not found"}
	}
	return t, nil
}

func (e *Engine) describeTable(_ context.Context, in *tableInput) (*describeTableOutput, error) {
	t, err := e.namedTable(in.TableName)
	if err != nil {
		return nil, err
	}
	return &describeTableOutput{Table: describe(t, t.stream)}, nil
}

// deleteTable drops the table at once. Its stream stays readable until its records are a
// day old.
func (e *Engine) deleteTable(ctx context.Context, in *tableInput) (*createTableOutput, error) {
	t, err := e.namedTable(in.TableName)
	if err != nil {
		return nil, err
	}
	err = e.writeAlone(ctx, func(x *tx) error {
		now := e.catalog.Load()
		if t, err = e.namedTable(t.Name); err != nil {
			return err
		}
		if t.Protected {
			return validation("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
		}
		next := now.without(t.Name, 0)
		if t.stream != nil {
			closed := t.stream.closed(e.clock.Now(), x)
			if err := saveMeta(x.conn, metaKey(metaStream, closed.ID), closed); err != nil {
				return err
			}
			next = next.with(nil, []*stream{closed})
		}
		for _, sql := range t.sql.drop {
			if err := x.exec(sql); err != nil {
				return err
			}
		}
		x.commit = func() { e.catalog.Store(next) }
		return deleteMeta(x.conn, metaKey(metaTable, t.ID))
	})
	if err != nil {
		return nil, err
	}
	out := &createTableOutput{TableDescription: describe(t, t.stream)}
	out.TableDescription.TableStatus = statusDeleting
	return out, nil
}

func (e *Engine) listTables(_ context.Context, in *listTablesInput) (*listTablesOutput, error) {
	limit, err := pageLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listTablesOutput{TableNames: []string{}}
	for _, t := range e.catalog.Load().sortedTables() {
		if t.Name <= in.ExclusiveStartTableName {
			continue
		}
		if len(out.TableNames) == limit {
			out.LastEvaluatedTableName = out.TableNames[limit-1]
			break
		}
		out.TableNames = append(out.TableNames, t.Name)
	}
	return out, nil
}

// epoch returns a time as the protocol writes it: seconds since 1970, with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
