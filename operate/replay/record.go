package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/table"
)

// Record is one change of the table, as the stream gives it.
type Record struct {
	Change   types.Record
	Key      table.Identity
	Position Position // behind it, a source continues when a run is resumed
}

// at is when the change was made: to the ms where it is a message's or a
// member's insertion, to the second otherwise.
func (r *Record) at() time.Time { return aws.ToTime(r.body().ApproximateCreationDateTime) }

func (r *Record) sequence() string { return aws.ToString(r.body().SequenceNumber) }

// body is the change itself; an empty one for a record that cannot be read.
func (r *Record) body() *types.StreamRecord {
	if r.Change.Dynamodb == nil {
		return &types.StreamRecord{}
	}
	return r.Change.Dynamodb
}

func (r *Record) key() table.Key {
	pk, _ := eventsource.Text(r.body().Keys, table.PK)
	sk, _ := eventsource.Text(r.body().Keys, table.SK)
	return table.Key{PK: pk, SK: sk}
}

// encode renders the record as part of an event of a run.
func (r *Record) encode(runID string) ([]byte, error) {
	text, err := eventsource.AppendRecord(nil, &r.Change, eventsource.Origin{
		Source: changes.ReplaySource, ARN: changes.ReplaySource + ":" + runID, Region: aws.ToString(r.Change.AwsRegion),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the record %s: %w", r.sequence(), err)
	}
	return text, nil
}

// insertionToDeletion turns the insertion of a message that has been deleted
// since into its deletion: there is no content left to deliver.
func (r *Record) insertionToDeletion() {
	_, deleted := eventsource.Number(r.Change.Dynamodb.NewImage, table.DeletedAt)
	if r.Key.Kind == table.KindMessage && r.Change.EventName == types.OperationTypeInsert && deleted {
		r.Change.EventName = types.OperationTypeModify
	}
}

// errUnreadable marks a record whose key is not one of shared/table, or whose
// item lacks what every such item has.
var errUnreadable = errors.New("unreadable")

// fromItem rebuilds the record of an item's insertion. number counts the records
// of a run: sequence numbers name records within a batch.
func fromItem(it map[string]dbtypes.AttributeValue, number int, region string) (Record, error) {
	image, err := imageOf(it)
	if err != nil {
		return Record{}, err
	}
	r := Record{Change: types.Record{
		AwsRegion: aws.String(region), EventName: types.OperationTypeInsert, EventVersion: aws.String("1.1"),
		Dynamodb: &types.StreamRecord{
			Keys: image, NewImage: image,
			// 21 digits, as the shortest of a stream's have.
			SequenceNumber: aws.String(fmt.Sprintf("9%020d", number)),
			StreamViewType: types.StreamViewTypeNewAndOldImages,
		},
	}}
	if err := r.identify(); err != nil {
		return Record{}, err
	}
	key, ms := r.key(), r.Key.MS
	switch r.Key.Kind { //nolint:exhaustive // nothing else is rebuilt
	case table.KindMessage:
		if carried, err := chat.MessageTime(r.Key.MessageID); err != nil || carried != ms {
			return Record{}, fmt.Errorf("%w: the message's id does not carry the time of its key", errUnreadable)
		}
	case table.KindMember:
		text, _ := eventsource.Number(image, table.JoinedAt)
		if ms, err = strconv.ParseInt(text, 10, 64); err != nil {
			return Record{}, fmt.Errorf("%w: invalid attribute %s: want an integer", errUnreadable, table.JoinedAt)
		}
	}
	sum := sha256.Sum256([]byte(key.PK + "\x00" + key.SK))
	keys := eventsource.Image{table.PK: image[table.PK], table.SK: image[table.SK]}
	r.Position = Position{Part: key.PK, After: key.SK}
	r.Change.EventID = aws.String(hex.EncodeToString(sum[:16]))
	r.Change.Dynamodb.Keys = keys
	r.Change.Dynamodb.ApproximateCreationDateTime = aws.Time(time.UnixMilli(ms))
	r.Change.Dynamodb.SizeBytes = aws.Int64(sizeOf(keys) + sizeOf(image))
	return r, nil
}

// fromStream takes a record as GetRecords gives it.
func fromStream(change types.Record, region, shardID string) (Record, error) {
	r := Record{Change: change}
	if change.Dynamodb == nil {
		return r, fmt.Errorf("%w: the record has no body", errUnreadable)
	}
	r.Change.AwsRegion = aws.String(region)
	r.Position = Position{Part: shardID, After: r.sequence()}
	return r, r.identify()
}

// fromJSON reads a record as it was saved.
func fromJSON(text []byte) (Record, error) {
	change, err := eventsource.ParseRecord(text)
	if err != nil {
		return Record{}, err
	}
	r := Record{Change: change}
	return r, r.identify()
}

// identify finds out of what a record is, by its key.
func (r *Record) identify() error {
	id, err := table.Parse(r.key())
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	r.Key = id
	return nil
}
