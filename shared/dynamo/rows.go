package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/schemas"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/streamroom/streamroom/shared/attribute"
)

// rows are what a page of a query has of some attributes, which are texts or numbers. fanout
// reads hundreds of items for a message: as maps of attributes they take most of what a
// delivery allocates beside its post.
type rows struct {
	names  []string // of the attributes
	values []string // of each row one for each name; "" if it has none
	next   item     // where the next page starts; nil if there is none
	value  string   // that is read
}

// row is one of the rows.
type row struct{ names, values []string }

// errNoRow says that an answer has more than texts and numbers.
var errNoRow = errors.New("read rows: the answer has more than texts and numbers")

// queryRows reads page after page of the attributes that p names, until p's limit of rows
// (0: all) has come. An attribute that is neither a text nor a number counts as none.
func (s *Store) queryRows(ctx context.Context, p page) ([]row, error) {
	return readAll(ctx, p, s.rowsPage)
}

// rowsPage reads one page, and whether DynamoDB has more behind it.
func (s *Store) rowsPage(ctx context.Context, p page, start item) ([]row, item, error) {
	page, next, err := s.readPage(ctx, s.queryInput(p, start), p.project)
	if err != nil {
		return nil, nil, fmt.Errorf("query %s %s…: %w", p.pk, p.from, err)
	}
	return page, next, nil
}

// readPage reads attributes of a query's page, and where the next one starts.
func (s *Store) readPage(ctx context.Context, in *dynamodb.QueryInput, names []string) ([]row, item, error) {
	got, err := s.readRows(ctx, in, names)
	if err != nil {
		return nil, nil, err
	}
	page := make([]row, 0, len(got.values)/len(got.names))
	for values := range slices.Chunk(got.values, len(got.names)) {
		page = append(page, row{got.names, values})
	}
	return page, got.next, nil
}

func (s *Store) readRows(ctx context.Context, in *dynamodb.QueryInput, names []string) (*rows, error) {
	if d, ok := s.db.(*direct); ok {
		got, err := d.queryRows(ctx, in, names)
		if !errors.Is(err, errNoRow) {
			return got, err
		}
	}
	out, err := s.db.Query(ctx, in)
	if err != nil {
		return nil, err
	}
	return rowsOf(names, out), nil
}

// queryRows is Query, with the answer's rows.
func (d *direct) queryRows(ctx context.Context, in *dynamodb.QueryInput, names []string) (*rows, error) {
	again := func(ctx context.Context, in *dynamodb.QueryInput, options ...func(*dynamodb.Options)) (*rows, error) {
		out, err := d.sdk.Query(ctx, in, options...)
		if err != nil {
			return nil, err
		}
		return rowsOf(names, out), nil
	}
	return call(ctx, d, query, in, &rows{names: names}, again, nil)
}

// rowsOf returns the rows of an answer.
func rowsOf(names []string, out *dynamodb.QueryOutput) *rows {
	r := &rows{names: names, next: out.LastEvaluatedKey}
	for _, it := range out.Items {
		for _, name := range names {
			switch v := it[name].(type) {
			case *types.AttributeValueMemberS:
				r.values = append(r.values, v.Value)
			case *types.AttributeValueMemberN:
				r.values = append(r.values, v.Value)
			default:
				r.values = append(r.values, "")
			}
		}
	}
	return r
}

// Deserialize implements smithy.Deserializable.
func (r *rows) Deserialize(d smithy.ShapeDeserializer) error {
	r.values, r.next = nil, nil
	return smithy.ReadStruct(d, schemas.QueryOutput, func(member *smithy.Schema) error {
		switch member {
		case schemas.QueryOutput_Items:
			return smithy.ReadList(d, member, func() error { return r.addRow(d, member.ListMember()) })
		case schemas.QueryOutput_LastEvaluatedKey:
			r.next = item{}
			return r.readItem(d, member, func(name string) { r.next[name] = attribute.Text(r.value) })
		case schemas.QueryOutput_Count, schemas.QueryOutput_ScannedCount:
			var n int32
			return d.ReadInt32(member, &n)
		case schemas.QueryOutput_ConsumedCapacity:
			return new(types.ConsumedCapacity).Deserialize(d)
		}
		return errNoRow
	})
}

func (r *rows) addRow(d smithy.ShapeDeserializer, s *smithy.Schema) error {
	first := len(r.values)
	for range r.names {
		r.values = append(r.values, "")
	}
	return r.readItem(d, s, func(name string) {
		if i := slices.Index(r.names, name); i >= 0 {
			r.values[first+i] = r.value
		}
	})
}

// readItem reads an item of texts and numbers, and has each of them taken.
func (r *rows) readItem(d smithy.ShapeDeserializer, s *smithy.Schema, take func(name string)) error {
	return smithy.ReadMap(d, s, func(name string) error {
		return smithy.ReadUnion(d, s.MapValue(), func(member *smithy.Schema) error {
			if member != schemas.AttributeValue_S && member != schemas.AttributeValue_N {
				return errNoRow
			}
			if err := d.ReadString(member, &r.value); err != nil {
				return err
			}
			take(name)
			return nil
		})
	})
}

// text returns an attribute, "" if the row has none.
func (r row) text(name string) string {
	if i := slices.Index(r.names, name); i >= 0 {
		return r.values[i]
	}
	return ""
}

// number returns an attribute, 0 if the row has none.
func (r row) number(name string) int64 {
	text := r.text(name)
	if text == "" {
		return 0 // without the error of strconv
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
