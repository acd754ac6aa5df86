// Package stream takes the table's stream records in: Fanout tells clients of
// them, LastMessage keeps the projections that room lists are read from.
//
// Delivery is at least once and ordered per item only, so both are idempotent
// and look at ids, never at the order of records. A record that cannot be read
// is logged and skipped: it would be no more readable the next time, and must
// not hold the shard.
package stream

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// ReplaySource is the eventSource of records that a replay made. They are
// delivered whatever their age. Their eventSourceARN is ReplaySource, a colon
// and the replay's run id: what another run delivered is delivered again.
const ReplaySource = "streamroom:replay"

// Event is what a stream mapping invokes a function with. Records are decoded
// one by one, so that one that is broken does not fail the others.
type Event struct {
	Records []json.RawMessage `json:"Records"`
}

// Response is what a function answers: the records to deliver again.
type Response = events.DynamoDBEventResponse

// Operations of records.
const (
	inserted = "INSERT"
	modified = "MODIFY"
	removed  = "REMOVE"
)

type image = map[string]events.DynamoDBAttributeValue

// record is one change of the table.
type record struct {
	sequence  string
	operation string
	key       table.Identity
	at        time.Time // to the second
	replayed  bool
	replay    string // the replay's eventSourceARN
	before    image
	after     image
}

// decode reads the records of an event and logs those that cannot be read.
func decode(event Event, log *zerolog.Logger) (records []record, malformed int) {
	records = make([]record, 0, len(event.Records))
	for _, raw := range event.Records {
		r, err := decodeRecord(raw)
		if err != nil {
			malformed++
			logMalformed(log, r, err)
			continue
		}
		records = append(records, r)
	}
	return records, malformed
}

// logMalformed names the record by what could be read of it, never by content.
func logMalformed(log *zerolog.Logger, r record, err error) {
	log.Error().Err(err).
		Str("sequence_number", r.sequence).
		Str("room_id", r.key.RoomID).
		Str("message_id", r.key.MessageID).
		Str("connection_id", r.key.ConnectionID).
		Str("run_id", r.key.RunID).
		Str("outcome", "malformed_record_skipped").
		Msg("a stream record could not be read")
}

func decodeRecord(raw json.RawMessage) (record, error) {
	var in events.DynamoDBEventRecord
	if err := json.Unmarshal(raw, &in); err != nil {
		return record{sequence: in.Change.SequenceNumber}, fmt.Errorf("decode record: %w", err)
	}
	r := record{
		sequence:  in.Change.SequenceNumber,
		operation: in.EventName,
		at:        in.Change.ApproximateCreationDateTime.Time,
		replayed:  in.EventSource == ReplaySource,
		before:    in.Change.OldImage,
		after:     in.Change.NewImage,
	}
	if r.replayed {
		r.replay = in.EventSourceArn
	}
	pk, err := textOf(in.Change.Keys, table.PK)
	if err != nil {
		return r, err
	}
	sk, err := textOf(in.Change.Keys, table.SK)
	if err != nil {
		return r, err
	}
	r.key, err = table.Parse(table.Key{PK: pk, SK: sk})
	return r, err
}

// message reads the message that a record inserted or changed, as it was then.
func (r record) message() (chat.Message, error) {
	ms, err := chat.MessageTime(r.key.MessageID)
	if err != nil || ms != r.key.MS {
		return chat.Message{}, fmt.Errorf("message id %q does not carry the time of its key", r.key.MessageID)
	}
	m := chat.Message{RoomID: r.key.RoomID, ID: r.key.MessageID, SentAt: ms}
	if m.SenderID, err = textOf(r.after, table.SenderID); err != nil {
		return chat.Message{}, err
	}
	if m.DeletedAt, err = timeIn(r.after, table.DeletedAt); err != nil || m.DeletedAt != 0 {
		return m, err
	}
	if m.EditedAt, err = timeIn(r.after, table.EditedAt); err != nil {
		return chat.Message{}, err
	}
	if m.Content, err = textOf(r.after, table.Content); err != nil {
		return chat.Message{}, err
	}
	if _, ok := r.after[table.ClientMessageID]; ok {
		if m.ClientMessageID, err = textOf(r.after, table.ClientMessageID); err != nil {
			return chat.Message{}, err
		}
	}
	return m, nil
}

// edited says when a record's change to a message or a room took place, 0 if it
// was another: say, that the message was read.
func (r record) edited() (at int64, err error) {
	if at, err = timeIn(r.after, table.EditedAt); err != nil {
		return 0, err
	}
	before, err := timeIn(r.before, table.EditedAt)
	if err != nil || before == at {
		return 0, err
	}
	return at, nil
}

// slice reads the part of a fan-out that a record inserted.
func (r record) slice() (chat.Slice, error) {
	roomID, err := textOf(r.after, table.RoomID)
	if err != nil {
		return chat.Slice{}, err
	}
	ttl, err := timeIn(r.after, table.TTL)
	if err != nil {
		return chat.Slice{}, err
	}
	part := chat.Slice{RoomID: roomID, ExpiresAt: ttl * 1000}
	for name, bound := range map[string]*string{table.FromMember: &part.Members.From, table.ToMember: &part.Members.To} {
		if _, ok := r.after[name]; !ok {
			continue // the side is open
		}
		if *bound, err = textOf(r.after, name); err != nil {
			return chat.Slice{}, err
		}
	}
	part.Gap, part.Renamed = isTrue(r.after, table.Gap), isTrue(r.after, table.Renamed)
	ids, ok := r.after[table.MessageIDs]
	if !ok || ids.DataType() != events.DataTypeList {
		return chat.Slice{}, fmt.Errorf("attribute %s is no list", table.MessageIDs)
	}
	for _, id := range ids.List() {
		if id.DataType() != events.DataTypeString {
			return chat.Slice{}, fmt.Errorf("attribute %s is no list of strings", table.MessageIDs)
		}
		if _, err := chat.MessageTime(id.String()); err != nil {
			return chat.Slice{}, fmt.Errorf("attribute %s: %w", table.MessageIDs, err)
		}
		part.MessageIDs = append(part.MessageIDs, id.String())
	}
	return part, nil
}

// textOf returns a string attribute that must be there.
func textOf(attributes image, name string) (string, error) {
	v, ok := attributes[name]
	if !ok {
		return "", fmt.Errorf("attribute %s is missing", name)
	}
	if v.DataType() != events.DataTypeString {
		return "", fmt.Errorf("attribute %s is no string", name)
	}
	return v.String(), nil
}

// numberOf returns an integer attribute that must be there.
func numberOf(attributes image, name string) (int64, error) {
	v, ok := attributes[name]
	if !ok {
		return 0, fmt.Errorf("attribute %s is missing", name)
	}
	if v.DataType() != events.DataTypeNumber {
		return 0, fmt.Errorf("attribute %s is no number", name)
	}
	n, err := strconv.ParseInt(v.Number(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attribute %s is no integer", name)
	}
	return n, nil
}

// timeIn returns a time, 0 where it is absent.
func timeIn(attributes image, name string) (int64, error) {
	if _, ok := attributes[name]; !ok {
		return 0, nil
	}
	return numberOf(attributes, name)
}

func isTrue(attributes image, name string) bool {
	v, ok := attributes[name]
	return ok && v.DataType() == events.DataTypeBoolean && v.Boolean()
}

// grouped puts what records say to their rooms, in the order in which the rooms
// first come.
type grouped[T any] struct {
	rooms []*T
	byID  map[string]*T
}

// of returns what is known of the record's room so far.
func (g *grouped[T]) of(r record) *T {
	room, ok := g.byID[r.key.RoomID]
	if !ok {
		if g.byID == nil {
			g.byID = map[string]*T{}
		}
		room = new(T)
		g.byID[r.key.RoomID] = room
		g.rooms = append(g.rooms, room)
	}
	return room
}

// failures collects the records that must be delivered again.
type failures struct{ sequences []string }

func (f *failures) add(sequences ...string) { f.sequences = append(f.sequences, sequences...) }

// response lists the failures. The mapping goes back to the lowest of them.
func (f *failures) response() Response {
	var out Response
	for _, sequence := range f.sequences {
		out.BatchItemFailures = append(out.BatchItemFailures, events.DynamoDBBatchItemFailure{ItemIdentifier: sequence})
	}
	return out
}
