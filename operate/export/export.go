// Package export writes all that a Streamroom holds of a user or of a room, as JSON lines:
// the answer to a request for access.
//
// Of a user it is what erase would remove, found by the same rules in a scan of the whole
// table, so that the one is as complete as the other. Others' messages that mention or
// quote the user are named, and not shown: they are theirs. Of a room it is the room's
// partition.
//
// A line is an item: its kind, the ids of its key, and its attributes as the table has
// them. Times are ms since 1970, ttl is in seconds. What is derived from other items is
// left out: connections of large rooms, and a room's last message.
package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
)

// Config says what to export.
type Config struct {
	DB             *dynamodb.Client
	Table          string // its name
	UserID, RoomID string // one of them
	Out            io.Writer
	Now            func() time.Time

	ReadRate float64         // read units a second; 0 is as fast as it goes
	Progress func(items int) // gets the number of items read after each page; may be nil
}

// Report is the result of a run.
type Report struct {
	Items     int            `json:"items"` // read
	Kinds     map[string]int `json:"kinds"` // lines, by kind
	ReadUnits float64        `json:"readUnits"`
}

// Run writes what there is. After an error what was written is not complete.
func Run(ctx context.Context, c Config) (Report, error) {
	x := exporter{config: c, reads: throttle.New(c.ReadRate), out: json.NewEncoder(c.Out), report: Report{Kinds: map[string]int{}}}
	x.out.SetEscapeHTML(false)
	if (c.UserID == "") == (c.RoomID == "") {
		return x.report, errors.New("invalid export: want one of a user and a room")
	}
	if c.UserID != "" {
		if err := chat.ValidateUserID(c.UserID); err != nil {
			return x.report, err
		}
		err := x.user(ctx)
		return x.report, err
	}
	if err := chat.ValidateRoomID(c.RoomID); err != nil {
		return x.report, err
	}
	err := x.room(ctx)
	return x.report, err
}

type item = attribute.Item

type exporter struct {
	config Config
	reads  throttle.Throttle
	out    *json.Encoder
	report Report
}

// user writes what the whole table has of the user.
func (x *exporter) user(ctx context.Context) error {
	for page, err := range x.reads.Scan(ctx, x.config.DB, &dynamodb.ScanInput{TableName: aws.String(x.config.Table)}) {
		if err != nil {
			return err
		}
		if err := x.take(page.Items, page.ConsumedCapacity, x.ofUser); err != nil {
			return err
		}
	}
	return nil
}

// room writes the room's partition, in the order of its keys: messages in theirs.
func (x *exporter) room(ctx context.Context) error {
	for page, err := range x.reads.Query(ctx, x.config.DB, "read the room", &dynamodb.QueryInput{
		TableName:                 aws.String(x.config.Table),
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK},
		ExpressionAttributeValues: item{":pk": attribute.Text(table.Room(x.config.RoomID).PK)},
	}) {
		if err != nil {
			return err
		}
		if err := x.take(page.Items, page.ConsumedCapacity, x.ofRoom); err != nil {
			return err
		}
	}
	return nil
}

// take writes what some items have.
func (x *exporter) take(items []item, used *types.ConsumedCapacity, lines func(item) []line) error {
	for _, it := range items {
		if attribute.Expired(it, x.config.Now()) {
			continue // DynamoDB has not deleted it yet
		}
		x.hideQuote(it)
		for _, l := range lines(it) {
			if err := x.out.Encode(l); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			x.report.Kinds[l["kind"].(string)]++ //nolint:forcetypeassert // each line has one
		}
	}
	x.report.Items += len(items)
	x.report.ReadUnits += throttle.Units(used)
	if x.config.Progress != nil {
		x.config.Progress(x.report.Items)
	}
	return nil
}

// hideQuote takes the beginning of a message that has expired out of one that answers it.
func (x *exporter) hideQuote(it item) {
	quoted, ok := attribute.GetMap(it, table.ReplyTo)
	if ok && attribute.Expired(quoted, x.config.Now()) {
		quoted[table.Preview] = attribute.Text("")
	}
}

// derived are kinds of items that follow from others.
var derived = []table.Kind{table.KindLastMessage, table.KindOnline, table.KindSlice}

func (x *exporter) ofRoom(it item) []line {
	if id, err := table.Parse(attribute.KeyOf(it)); err == nil && slices.Contains(derived, id.Kind) {
		return nil
	}
	return []line{whole(it)}
}

// ofUser returns the item's line if it is the user's, and one for each way in which
// another one's message names them.
func (x *exporter) ofUser(it item) []line {
	what, known := erase.Concerns(it, x.config.UserID, x.config.Now)
	id, err := table.Parse(attribute.KeyOf(it))
	switch {
	case known && len(what) == 0, err == nil && slices.Contains(derived, id.Kind):
		return nil
	case (id.Kind == table.KindBlock || id.Kind == table.KindReport) && id.UserID != x.config.UserID:
		return nil // who blocks or reports the user is not for them to know
	case id.Kind == table.KindBan && id.UserID == x.config.UserID:
		l := whole(it)
		delete(l, table.By) // what moderators decide, they decide for the room
		return []line{l}
	case id.Kind == table.KindMember:
		l := whole(it)
		delete(l, table.Blocked) // as above
		return []line{l}
	case id.Kind != table.KindMessage || slices.Contains(what, id.Kind.String()):
		return []line{whole(it)}
	}
	lines := make([]line, len(what))
	for i, name := range what {
		lines[i] = keyed(name, id)
	}
	return lines
}

// line is an item as JSON.
type line map[string]any

// whole is a line with all that an item has.
func whole(it item) line {
	k := attribute.KeyOf(it)
	id, err := table.Parse(k)
	l := keyed(id.Kind.String(), id)
	if err != nil {
		l["pk"], l["sk"] = k.PK, k.SK
	}
	for name, value := range it {
		switch name {
		case table.PK, table.SK, table.GSI1PK, table.GSI1SK, table.GSI2PK, table.GSI2SK:
			continue
		case table.PushKey, table.PushAuth: // secrets of a browser, which has them
			continue
		}
		l[name] = plain(value)
	}
	if id.Kind == table.KindAttachment {
		l["object"] = objects.Key(id.RoomID, id.AttachmentID)
	}
	return l
}

// keyed is a line with the ids of an item's key.
func keyed(kind string, id table.Identity) line {
	l := line{"kind": kind}
	for name, text := range map[string]string{
		"userId": id.UserID, "chatRoomId": id.RoomID, "messageId": id.MessageID, "attachmentId": id.AttachmentID,
		"connectionId": id.ConnectionID, "clientMessageId": id.ClientMessageID, "idempotencyKey": id.IdempotencyKey, "limit": id.Limit,
	} {
		if text != "" {
			l[name] = text
		}
	}
	if id.MS != 0 {
		l["timestamp"] = id.MS
	}
	return l
}

// plain is an attribute's value as JSON.
func plain(value types.AttributeValue) any {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return json.Number(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return v.Value
	case *types.AttributeValueMemberSS:
		return v.Value
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, one := range v.Value {
			list[i] = plain(one)
		}
		return list
	case *types.AttributeValueMemberM:
		m := make(map[string]any, len(v.Value))
		for name, one := range v.Value {
			m[name] = plain(one)
		}
		return m
	}
	return nil
}
