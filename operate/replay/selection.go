package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
)

// Selection says which records to replay.
type Selection struct {
	From     time.Time // the first; zero is the oldest that the source has
	To       time.Time // the first not any more; zero is when the run starts
	Room     string    // the records of one room
	User     string    // the records of the rooms that a user is a member of, and of the user's connections
	Entities []string  // names of Entities; none is what the source has by default
}

// Entities lists the names that a Selection takes.
func Entities() []string {
	var names []string
	for _, kind := range table.Kinds() {
		names = append(names, kind.String())
	}
	slices.Sort(names)
	return names
}

// kindOf is the kind with a name; false if there is none.
func kindOf(name string) (table.Kind, bool) {
	kinds := table.Kinds()
	i := slices.IndexFunc(kinds, func(k table.Kind) bool { return k.String() == name })
	if i < 0 {
		return table.KindUnknown, false
	}
	return kinds[i], true
}

// check returns an error for a selection that makes no sense on any table.
func (s Selection) check(source Source, now time.Time) error {
	if !s.From.IsZero() {
		if !s.From.Before(now) {
			return fmt.Errorf("invalid --from %s: want a time in the past", stamp(s.From))
		}
		if !s.To.IsZero() && !s.From.Before(s.To) {
			return fmt.Errorf("invalid --from %s: want a time before --to %s", stamp(s.From), stamp(s.To))
		}
		if source == FromStream && now.Sub(s.From) > streamRetention {
			return fmt.Errorf("--from %s is older than the stream, which keeps 24 hours; use --source table", stamp(s.From))
		}
	}
	if source == FromStream && !s.To.IsZero() && now.Sub(s.To) > streamRetention {
		return fmt.Errorf("--to %s is older than the stream, which keeps 24 hours; use --source table", stamp(s.To))
	}
	if s.Room != "" && s.User != "" {
		return errors.New("use --room or --user, not both")
	}
	if s.Room != "" && chat.ValidateRoomID(s.Room) != nil {
		return fmt.Errorf("invalid --room %q: want a room id", s.Room)
	}
	for _, name := range s.Entities {
		kind, ok := kindOf(name)
		if !ok {
			return fmt.Errorf("invalid --entity %q: want one of %s", name, strings.Join(Entities(), ", "))
		}
		if source == FromTable && kind != table.KindMessage && kind != table.KindMember {
			return fmt.Errorf("invalid --entity %q: want message or member, whose records alone --source table rebuilds", name)
		}
	}
	if source == FromFailures && (!s.From.IsZero() || !s.To.IsZero() || s.Room != "" || s.User != "" || len(s.Entities) > 0) {
		return errors.New("--source failures sends whole entries of the bucket: leave out --from, --to, --room, --user and --entity")
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// scope is a Selection whose names are resolved.
type scope struct {
	from, to time.Time // from is inclusive and may be zero, to is exclusive
	rooms    []string  // sorted; nil is all
	user     string
	kinds    map[table.Kind]bool // nil is all
}

// scope resolves what a Selection names.
func (s Selection) scope(ctx context.Context, db *dynamodb.Client, tableName string, source Source) (scope, error) {
	out := scope{from: s.From, to: s.To, user: s.User}
	names := s.Entities
	if len(names) == 0 && source == FromTable {
		names = []string{"message"}
	}
	if len(names) == 0 && source == FromStream {
		// A room's messages make its slices again.
		names = slices.DeleteFunc(Entities(), func(name string) bool { return name == table.KindSlice.String() })
	}
	if len(names) > 0 {
		out.kinds = map[table.Kind]bool{}
		for _, name := range names {
			kind, _ := kindOf(name) // checked before
			out.kinds[kind] = true
		}
	}
	switch {
	case s.Room != "":
		found, err := exists(ctx, db, tableName, table.Room(s.Room))
		if err != nil {
			return out, fmt.Errorf("read the room: %w", err)
		}
		if !found {
			return out, fmt.Errorf("no room %s in the table %s", s.Room, tableName)
		}
		out.rooms = []string{s.Room}
	case s.User != "":
		var err error
		if out.rooms, err = roomsOf(ctx, db, tableName, s.User); err != nil {
			return out, err
		}
		if len(out.rooms) == 0 {
			return out, fmt.Errorf("the user %s is not a member of any room in the table %s", s.User, tableName)
		}
	}
	return out, nil
}

// includes says whether a record is selected.
func (s *scope) includes(r *Record) bool {
	switch {
	case r.at().Before(s.from), !s.to.IsZero() && !r.at().Before(s.to):
		return false
	case s.kinds != nil && !s.kinds[r.Key.Kind]:
		return false
	case s.rooms == nil:
		return true
	}
	if r.Key.RoomID == "" {
		return s.user != "" && userOf(r) == s.user
	}
	_, found := slices.BinarySearch(s.rooms, r.Key.RoomID)
	return found
}

// userOf is whose record it is.
func userOf(r *Record) string {
	if r.Key.UserID != "" {
		return r.Key.UserID
	}
	if user, _ := eventsource.Text(r.body().NewImage, table.UserID); user != "" {
		return user
	}
	user, _ := eventsource.Text(r.body().OldImage, table.UserID)
	return user
}

func exists(ctx context.Context, db *dynamodb.Client, tableName string, k table.Key) (bool, error) {
	out, err := db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(tableName), Key: attribute.Key(k), ConsistentRead: aws.Bool(true),
	})
	return err == nil && len(out.Item) > 0, err
}

// roomsOf lists the rooms that a user is a member of, sorted.
func roomsOf(ctx context.Context, db *dynamodb.Client, tableName, userID string) ([]string, error) {
	var rooms []string
	pages := dynamodb.NewQueryPaginator(db, &dynamodb.QueryInput{
		TableName:                aws.String(tableName),
		KeyConditionExpression:   aws.String("#pk = :pk AND begins_with(#sk, :sk)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":pk": attribute.Text(table.UserPrefix + userID),
			":sk": attribute.Text(table.RoomPrefix),
		},
		ConsistentRead: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the rooms of the user: %w", err)
		}
		for _, it := range page.Items {
			if id, err := table.Parse(attribute.KeyOf(it)); err == nil {
				rooms = append(rooms, id.RoomID)
			}
		}
	}
	slices.Sort(rooms)
	return rooms, nil
}
