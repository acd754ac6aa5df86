package dynamo

import (
	"cmp"
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
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
)

// A room's index has the connections of members, each in a row of its own. Three items
// say that a member is in it (docs/adr/0020):
//
//   - the user's presence: until when $connect writes a row for each new connection;
//   - the rows, of those that there were when this was noted, and of all since;
//   - the member: until when fanout reads the rows instead of the presence.
//
// IndexMember writes them in this order. A connection's entry and the note are in one
// item, so that one of both writers sees the other's.
const (
	// indexMargin is for how much longer $connect writes rows than fanout reads them: more
	// than clocks differ.
	indexMargin = time.Hour

	// noticesAtOnce is how many notes of rooms that have ended are removed together: each
	// time is a write.
	noticesAtOnce = 8
)

// indexedRooms are the rooms that a presence says to write rows in, and the notes that
// have ended.
func (s *Store) indexedRooms(presence item) (rooms, ended []string) {
	now := s.now().Unix()
	for name := range presence {
		roomID, ok := table.RoomOfPresence(name)
		switch {
		case !ok:
		case attribute.GetNumber(presence, name) > now:
			rooms = append(rooms, roomID)
		default:
			ended = append(ended, name)
		}
	}
	slices.Sort(rooms)
	slices.Sort(ended)
	return rooms, ended
}

// putOnline stores a connection's rows in the rooms that its user's presence says.
func (s *Store) putOnline(ctx context.Context, c chat.Connection, ttl int64, presence item) error {
	rooms, ended := s.indexedRooms(presence)
	if len(rooms) > 0 {
		writes := make([]types.WriteRequest, len(rooms))
		for i, roomID := range rooms {
			writes[i].PutRequest = &types.PutRequest{Item: onlineItem(roomID, c, ttl)}
		}
		if err := s.batchWrite(ctx, writes); err != nil {
			return err
		}
	}
	if len(ended) < noticesAtOnce {
		return nil
	}
	return s.removeNotes(ctx, c.UserID, presence, ended)
}

func onlineItem(roomID string, c chat.Connection, ttl int64) item {
	it := attribute.Key(table.Online(roomID, c.UserID, c.ID))
	it[table.ConnectedAt], it[table.TTL] = attribute.Number(c.ConnectedAt), attribute.Number(ttl)
	return it
}

// removeNotes removes notes of rooms from a presence, unless one has changed.
func (s *Store) removeNotes(ctx context.Context, userID string, presence item, notes []string) error {
	var removed, same []string
	names, values := map[string]string{}, item{}
	for i, note := range notes {
		n := strconv.Itoa(i)
		removed, same = append(removed, "#n"+n), append(same, "#n"+n+" = :n"+n)
		names["#n"+n], values[":n"+n] = note, presence[note]
	}
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Presence(userID)),
		ConditionExpression:      aws.String(strings.Join(same, " AND ")),
		UpdateExpression:         aws.String("REMOVE " + strings.Join(removed, ", ")),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	if _, failed := conditionFailed(err); failed {
		return nil
	}
	return err
}

// deleteOnline removes a connection's rows in the rooms that its user's presence names,
// in one request that is not retried: rows that stay are met by a post, or expire.
func (s *Store) deleteOnline(ctx context.Context, userID, connectionID string, presence item) error {
	rooms, _ := s.indexedRooms(presence)
	if _, again := presence[table.PresenceEntry(connectionID)]; again || len(rooms) == 0 {
		return nil
	}
	writes := make([]types.WriteRequest, 0, len(rooms))
	for _, roomID := range rooms[:min(writeSize, len(rooms))] {
		key := attribute.Key(table.Online(roomID, userID, connectionID))
		writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}})
	}
	_, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{*s.table: writes},
	}, once)
	return err
}

// IndexMember has a room keep the connections of a member for the time of a lease. It gives
// up on a user who has never signed in for as long, and on one who is in
// chat.MaxIndexedRooms others for chat.BusyLease at most, the time of the shortest of these.
func (s *Store) IndexMember(ctx context.Context, roomID, userID string, lease time.Duration) error {
	until := s.now().Add(lease).Unix()
	presence, err := s.get(ctx, table.Presence(userID))
	if err != nil {
		return err
	}
	rooms, _ := s.indexedRooms(presence)
	if !slices.Contains(rooms, roomID) && len(rooms) >= chat.MaxIndexedRooms {
		presence = nil
		until = s.now().Add(min(lease, chat.BusyLease)).Unix()
	}
	if presence != nil {
		if presence, err = s.noteRoom(ctx, roomID, userID, until+int64(indexMargin.Seconds())); err != nil {
			return fmt.Errorf("note the room in the presence: %w", err)
		}
	}
	if presence == nil {
		return s.markIndexed(ctx, roomID, userID, -until)
	}
	if err := s.putRows(ctx, roomID, userID, presence); err != nil {
		return fmt.Errorf("put the rows of connections: %w", err)
	}
	return s.markIndexed(ctx, roomID, userID, until)
}

// markIndexed notes in a member until when the room has their connections, or, negative,
// until when not to try.
func (s *Store) markIndexed(ctx context.Context, roomID, userID string, until int64) error {
	condition := "attribute_exists(#pk)"
	values := item{":until": attribute.Number(until)}
	if until < 0 { // another invocation may have succeeded
		condition += " AND (attribute_not_exists(#indexed) OR #indexed <= :now)"
		values[":now"] = attribute.Number(s.now().Unix())
	}
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Member(roomID, userID)),
		ConditionExpression:       aws.String(condition),
		UpdateExpression:          aws.String("SET #indexed = :until"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#indexed": table.Indexed},
		ExpressionAttributeValues: values,
	}, once)
	if _, failed := conditionFailed(err); err != nil && !failed {
		return fmt.Errorf("note the index in the member: %w", err)
	}
	return nil
}

// noteRoom notes in a presence until when to write rows in a room, and returns the
// presence; nil if there is none. A note of a longer lease, which another invocation took
// as the room was larger, stays: its mark may be yet to come.
func (s *Store) noteRoom(ctx context.Context, roomID, userID string, until int64) (item, error) {
	out, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: s.table, Key: attribute.Key(table.Presence(userID)),
		ConditionExpression:       aws.String("attribute_exists(#pk) AND (attribute_not_exists(#room) OR #room < :until)"), // without #pk it would say that the user has signed in
		UpdateExpression:          aws.String("SET #room = :until"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#room": table.PresenceRoom(roomID)},
		ExpressionAttributeValues: item{":until": attribute.Number(until)},
		ReturnValues:              types.ReturnValueAllNew,

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, once)
	if old, failed := conditionFailed(err); failed && len(old) > 0 {
		return old, nil
	} else if failed {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// putRows stores rows of all connections that a presence has.
func (s *Store) putRows(ctx context.Context, roomID, userID string, presence item) error {
	var writes []types.WriteRequest
	for _, c := range s.connectionsOf(userID, presence) {
		entry, _ := attribute.GetMap(presence, table.PresenceEntry(c.ID))
		row := onlineItem(roomID, c, attribute.GetNumber(entry, table.TTL))
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: row}})
	}
	return s.batchWrite(ctx, writes)
}

// Online reads, strongly, the connections of the members in a range that a room keeps:
// of each user the newest, at most limit. They have no TokenExpiresAt.
func (s *Store) Online(ctx context.Context, roomID string, r fanout.MemberRange, limit int) (map[string][]chat.Connection, error) {
	p := page{pk: table.RoomPrefix + roomID}
	p.from, p.to = prefixed(table.OnlinePrefix)
	if r.From != "" {
		p.from = table.OnlinePrefix + r.From
	}
	if r.To != "" {
		p.to = table.OnlinePrefix + lastOnline(r.To)
	}
	p.project = []string{table.SK, table.ConnectedAt, table.TTL}
	rows, err := s.queryRows(ctx, p)
	if err != nil {
		return nil, err
	}
	online := map[string][]chat.Connection{}
	for _, row := range rows {
		id, err := table.Parse(table.Key{PK: p.pk, SK: row.text(table.SK)})
		if err != nil || s.isPast(row.number(table.TTL)) || id.UserID < r.From || r.To != "" && id.UserID >= r.To {
			continue
		}
		c := chat.Connection{ID: id.ConnectionID, UserID: id.UserID, ConnectedAt: row.number(table.ConnectedAt)}
		online[id.UserID] = append(online[id.UserID], c)
	}
	for userID, connections := range online {
		slices.SortFunc(connections, newestFirst)
		online[userID] = connections[:min(limit, len(connections))]
	}
	return online, nil
}

func newestFirst(a, b chat.Connection) int {
	return cmp.Or(cmp.Compare(b.ConnectedAt, a.ConnectedAt), cmp.Compare(a.ID, b.ID))
}

// lastOnline is a text at or behind the rows of all users before one. Rows are in the
// order of "userId#connectionId", so those of a user whose id is the beginning of another
// one may stand behind that: "al#" is behind "al b#".
func lastOnline(to string) string {
	for i := 1; i < len(to); i++ {
		if to[i] < '#' {
			return to[:i] + "$"
		}
	}
	return to
}
