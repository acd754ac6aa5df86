package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Operations of records.
const (
	eventInserted = "INSERT"
	eventModified = "MODIFY"
)

// Record is one change of the table in the form that Lambda gives to functions.
type Record struct {
	Change   events.DynamoDBEventRecord
	Key      table.Identity
	Position Position // behind it, a source goes on when a run is resumed
}

// at is when the change was made: to the ms where it is a message's or a
// member's insertion, to the second otherwise.
func (r *Record) at() time.Time { return r.Change.Change.ApproximateCreationDateTime.Time }

func (r *Record) sequence() string { return r.Change.Change.SequenceNumber }

// encode renders the record as part of an event of a run.
func (r *Record) encode(runID string) ([]byte, error) {
	change := r.Change
	change.EventSource, change.EventSourceArn = changes.ReplaySource, changes.ReplaySource+":"+runID
	// Streams know seconds.
	change.Change.ApproximateCreationDateTime.Time = change.Change.ApproximateCreationDateTime.Truncate(time.Second)
	text, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("encode the record %s: %w", r.sequence(), err)
	}
	return text, nil
}

// tellDeletion makes the insertion of a message that has been deleted since its
// deletion. There is nothing left to deliver of it.
func (r *Record) tellDeletion() {
	if r.Key.Kind == table.KindMessage && r.Change.EventName == eventInserted && hasNumber(r.Change.Change.NewImage, table.DeletedAt) {
		r.Change.EventName = eventModified
	}
}

// errUnreadable says that a record's key is none of ours, or its item lacks
// what every such item has.
var errUnreadable = errors.New("unreadable")

// fromItem rebuilds the record of an item's insertion. number counts the records
// of a run: sequence numbers name records within a batch.
func fromItem(it map[string]dbtypes.AttributeValue, number int, region string) (Record, error) {
	image, err := imageOf(it)
	if err != nil {
		return Record{}, err
	}
	key, id, err := keyOf(image)
	if err != nil {
		return Record{}, err
	}
	ms := id.MS
	switch id.Kind { //nolint:exhaustive // nothing else is rebuilt
	case table.KindMessage:
		if carried, err := chat.MessageTime(id.MessageID); err != nil || carried != ms {
			return Record{}, fmt.Errorf("%w: the message's id does not carry the time of its key", errUnreadable)
		}
	case table.KindMember:
		if ms, err = integerOf(image, table.JoinedAt); err != nil {
			return Record{}, err
		}
	}
	keys := map[string]events.DynamoDBAttributeValue{table.PK: image[table.PK], table.SK: image[table.SK]}
	sum := sha256.Sum256([]byte(key.PK + "\x00" + key.SK))
	return Record{
		Key:      id,
		Position: Position{Part: key.PK, After: key.SK},
		Change: events.DynamoDBEventRecord{
			AWSRegion: region, EventID: hex.EncodeToString(sum[:16]), EventName: eventInserted, EventVersion: "1.1",
			Change: events.DynamoDBStreamRecord{
				ApproximateCreationDateTime: events.SecondsEpochTime{Time: time.UnixMilli(ms)},
				Keys:                        keys, NewImage: image,
				// 21 digits, as the shortest of a stream's have.
				SequenceNumber: fmt.Sprintf("9%020d", number),
				SizeBytes:      sizeOf(keys) + sizeOf(image),
				StreamViewType: string(streamtypes.StreamViewTypeNewAndOldImages),
			},
		},
	}, nil
}

// fromStream turns what GetRecords gives into what Lambda gives.
func fromStream(r streamtypes.Record, region, shardID string) (Record, error) {
	if r.Dynamodb == nil {
		return Record{}, fmt.Errorf("%w: it has no body", errUnreadable)
	}
	change := events.DynamoDBStreamRecord{
		ApproximateCreationDateTime: events.SecondsEpochTime{Time: aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)},
		SequenceNumber:              aws.ToString(r.Dynamodb.SequenceNumber),
		SizeBytes:                   aws.ToInt64(r.Dynamodb.SizeBytes),
		StreamViewType:              string(r.Dynamodb.StreamViewType),
	}
	out := Record{Position: Position{Part: shardID, After: change.SequenceNumber}}
	for _, image := range []struct {
		from map[string]streamtypes.AttributeValue
		to   *map[string]events.DynamoDBAttributeValue
	}{{r.Dynamodb.Keys, &change.Keys}, {r.Dynamodb.NewImage, &change.NewImage}, {r.Dynamodb.OldImage, &change.OldImage}} {
		converted, err := streamImageOf(image.from)
		if err != nil {
			return out, err
		}
		*image.to = converted
	}
	out.Change = events.DynamoDBEventRecord{
		AWSRegion: region, Change: change, EventID: aws.ToString(r.EventID),
		EventName: string(r.EventName), EventVersion: aws.ToString(r.EventVersion),
	}
	if r.UserIdentity != nil {
		out.Change.UserIdentity = &events.DynamoDBUserIdentity{
			Type: aws.ToString(r.UserIdentity.Type), PrincipalID: aws.ToString(r.UserIdentity.PrincipalId),
		}
	}
	var err error
	_, out.Key, err = keyOf(change.Keys)
	return out, err
}

// fromJSON reads a record as it was saved.
func fromJSON(text []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(text, &r.Change); err != nil {
		return r, err
	}
	if r.sequence() == "" || r.Change.EventName == "" {
		return r, errors.New("it is no stream record: SequenceNumber or eventName is missing")
	}
	var err error
	_, r.Key, err = keyOf(r.Change.Change.Keys)
	return r, err
}

func keyOf(image map[string]events.DynamoDBAttributeValue) (table.Key, table.Identity, error) {
	k := table.Key{PK: textOf(image, table.PK), SK: textOf(image, table.SK)}
	id, err := table.Parse(k)
	if err != nil {
		return k, id, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return k, id, nil
}

// textOf returns a string attribute, "" where there is none.
func textOf(image map[string]events.DynamoDBAttributeValue, name string) string {
	if v := image[name]; v.DataType() == events.DataTypeString {
		return v.String()
	}
	return ""
}

func integerOf(image map[string]events.DynamoDBAttributeValue, name string) (int64, error) {
	v := image[name]
	if v.DataType() != events.DataTypeNumber {
		return 0, fmt.Errorf("%w: attribute %s is no number", errUnreadable, name)
	}
	n, err := strconv.ParseInt(v.Number(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: attribute %s is no integer", errUnreadable, name)
	}
	return n, nil
}
