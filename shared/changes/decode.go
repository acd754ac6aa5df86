package changes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// Operations of records.
const (
	inserted = "INSERT"
	modified = "MODIFY"
	removed  = "REMOVE"
)

// Decode reads the records of an event, in their order. Records that cannot be
// read are logged and counted; those and records without a Change are left out.
func Decode(event Event, log *zerolog.Logger) (records []Record, malformed int) {
	records = make([]Record, 0, len(event.Records))
	for _, raw := range event.Records {
		it, err := decodeItem(raw)
		var change Change
		if err == nil {
			change, err = it.change()
		}
		switch {
		case err != nil:
			malformed++
			logMalformed(log, it, err)
		case change != nil:
			records = append(records, Record{Sequence: it.sequence, At: it.at, Replay: it.replay, Change: change})
		}
	}
	return records, malformed
}

// logMalformed names the record by what could be read of it, never by content.
func logMalformed(log *zerolog.Logger, it item, err error) {
	log.Error().Err(err).
		Str("sequence_number", it.sequence).
		Str("room_id", it.key.RoomID).
		Str("message_id", it.key.MessageID).
		Str("connection_id", it.key.ConnectionID).
		Str("run_id", it.key.RunID).
		Str("outcome", "malformed_record_skipped").
		Msg("a stream record could not be read")
}

// item is an item of the table before and after the change of a record.
type item struct {
	sequence  string
	operation string
	key       table.Identity
	at        time.Time // to the second
	replay    string
	before    image
	after     image
}

func decodeItem(raw json.RawMessage) (item, error) {
	in, err := unmarshal(raw)
	if err != nil {
		return item{sequence: in.Change.SequenceNumber}, fmt.Errorf("decode record: %w", err)
	}
	it := item{
		sequence:  in.Change.SequenceNumber,
		operation: in.EventName,
		at:        in.Change.ApproximateCreationDateTime.Time,
		before:    in.Change.OldImage,
		after:     in.Change.NewImage,
	}
	if in.EventSource == ReplaySource {
		it.replay = cmp.Or(in.EventSourceArn, ReplaySource)
	}
	pk, err := textOf(in.Change.Keys, table.PK)
	if err != nil {
		return it, err
	}
	sk, err := textOf(in.Change.Keys, table.SK)
	if err != nil {
		return it, err
	}
	it.key, err = table.Parse(table.Key{PK: pk, SK: sk})
	return it, err
}

// unmarshal parses a record.
func unmarshal(raw json.RawMessage) (in events.DynamoDBEventRecord, err error) {
	if in, ok := read(raw); ok {
		return in, nil
	}
	err = recovered(func() error { return json.Unmarshal(raw, &in) })
	return in, err
}

// recovered returns parse's error, or its panic as one: aws-lambda-go v1.55.1
// panics at some malformed attribute values, and one record must not end its
// batch.
func recovered(parse func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("unmarshal attributes: %v", r)
		}
	}()
	return parse()
}

// change returns what the record means, nil if nothing to any reader.
func (it item) change() (Change, error) {
	switch kind := it.key.Kind; {
	case kind == table.KindMessage && it.operation != removed:
		return it.messageChange()
	case kind == table.KindRoom && it.operation == modified:
		return it.roomChange()
	case kind == table.KindRead && it.operation != removed:
		return it.readChange()
	case kind == table.KindTyping && it.operation != removed:
		at, err := numberOf(it.after, table.At)
		return TypingNoted{it.key.RoomID, it.key.UserID, at}, err
	case kind == table.KindReacted && !it.expired():
		return it.reactedChange()
	case kind == table.KindReport && it.operation != removed:
		return it.reportChange()
	case kind == table.KindSeen && it.operation != removed:
		return PresenceTold{it.key.UserID}, nil
	case kind == table.KindMember && it.operation == inserted:
		joinedAt, err := numberOf(it.after, table.JoinedAt)
		return MemberJoined{it.key.RoomID, chat.Member{UserID: it.key.UserID, JoinedAt: joinedAt}}, err
	case kind == table.KindMember && it.operation == modified:
		return it.memberChange()
	case kind == table.KindMember && it.operation == removed:
		return MemberLeft{it.key.RoomID, it.key.UserID}, nil
	case kind == table.KindRoom && it.operation == removed:
		return RoomEnded{it.key.RoomID}, nil
	case kind == table.KindAttachment && it.operation == removed:
		if _, ok := it.before[table.MessageID]; ok && !it.expired() {
			return nil, nil // who removed the item has removed the object before
		}
		return AttachmentExpired{it.key.RoomID, it.key.AttachmentID}, nil
	case kind == table.KindSlice && it.operation == inserted:
		return it.slice()
	case kind == table.KindConnection && it.operation == modified:
		return it.connectionChange()
	}
	return nil, nil // most records of the table say nothing to a reader
}

// connectionChange returns nothing where a record does not end a connection.
func (it item) connectionChange() (Change, error) {
	replacedAt, err := optionalNumber(it.after, table.ReplacedAt)
	if err != nil || replacedAt == 0 {
		return nil, err
	}
	tokenEnd, err := optionalNumber(it.after, table.TokenExpiresAt)
	if err != nil {
		return nil, err
	}
	c := ConnectionReplaced{ConnectionID: it.key.ConnectionID}
	_, c.Flooded = it.after[table.Flooded]
	_, c.Disconnected = it.after[table.Disconnected]
	_, c.Banned = it.after[table.Banned]
	if c.Flooded && tokenEnd != 0 && tokenEnd+chat.TokenGrace.Milliseconds() <= replacedAt {
		c.Flooded, c.Expired = false, true
	}
	c.UserID, err = textOf(it.after, table.UserID)
	return c, err
}

// expired reports whether a record removed an item whose time was over: a reaction or a
// file of a message that has expired, most likely.
func (it item) expired() bool {
	ttl, err := optionalNumber(it.before, table.TTL)
	return it.operation == removed && err == nil && ttl != 0 && ttl <= it.at.Unix()
}

func (it item) messageChange() (Change, error) {
	m, err := it.message()
	if err != nil {
		return nil, err
	}
	if it.operation == inserted {
		return MessageSent{m}, nil
	}
	editedAt, err := it.edited()
	switch {
	case err != nil || editedAt == 0:
		return nil, err
	case m.DeletedAt != 0:
		return MessageDeleted{m}, nil
	}
	return MessageEdited{m}, nil
}

// readChange returns nothing for the cursor that a member got when they joined: they
// have read nothing. A record changes how far they have read, or what they are notified of.
func (it item) readChange() (Change, error) {
	if c, err := it.notifyChange(); c != nil || err != nil {
		return c, err
	}
	upTo, err := textOf(it.after, table.UpTo)
	if err != nil {
		return nil, err
	}
	moved := ReadMoved{RoomID: it.key.RoomID, UserID: it.key.UserID, UpTo: upTo}
	for name, text := range map[string]*string{table.From: &moved.From, table.Since: &moved.Since, table.Known: &moved.Known} {
		if *text, err = optionalText(it.after, name); err != nil {
			return nil, err
		}
	}
	if moved.From == upTo {
		return nil, err
	}
	return moved, nil
}

// notifyChange returns nothing where a read cursor was moved, or a replay inserts one that
// has read something.
func (it item) notifyChange() (Change, error) {
	at, err := optionalNumber(it.after, table.NotifyAt)
	if err != nil || at == 0 {
		return nil, err
	}
	before, err := optionalNumber(it.before, table.NotifyAt)
	_, hasRead := it.after[table.UpTo]
	if err != nil || before == at || it.operation == inserted && hasRead {
		return nil, err
	}
	notify, err := optionalText(it.after, table.Notify)
	return NotifyChanged{it.key.RoomID, it.key.UserID, chat.Notify(notify), at}, err
}

func (it item) reportChange() (Change, error) {
	c := MessageReported{RoomID: it.key.RoomID, MessageID: it.key.MessageID, UserID: it.key.UserID}
	var err error
	if c.SenderID, err = textOf(it.after, table.SenderID); err != nil {
		return nil, err
	}
	if c.Reason, err = optionalText(it.after, table.Reason); err != nil {
		return nil, err
	}
	c.At, err = numberOf(it.after, table.At)
	return c, err
}

// reactedChange returns nothing where a record changes no reaction.
func (it item) reactedChange() (Change, error) {
	before, err := setOf(it.before, table.Reactions)
	if err != nil {
		return nil, err
	}
	after, err := setOf(it.after, table.Reactions)
	if err != nil {
		return nil, err
	}
	c := Reacted{
		RoomID: it.key.RoomID, MessageID: it.key.MessageID, UserID: it.key.UserID,
		Added: without(after, before), Removed: without(before, after),
	}
	if _, err := chat.MessageTime(c.MessageID); err != nil {
		return nil, fmt.Errorf("a reaction to what is no message: %w", err)
	}
	if len(c.Added)+len(c.Removed) == 0 {
		return nil, nil
	}
	return c, nil
}

// memberChange returns nothing where a record changes neither role nor muting.
func (it item) memberChange() (Change, error) {
	at, err := it.edited()
	if err != nil || at == 0 {
		return nil, err
	}
	c := MemberChanged{RoomID: it.key.RoomID, UserID: it.key.UserID, At: at}
	role, err := textOf(it.after, table.Role)
	if err != nil {
		return nil, err
	}
	c.Role = chat.Role(role)
	c.MutedUntil, err = optionalNumber(it.after, table.MutedUntil)
	return c, err
}

func (it item) roomChange() (Change, error) {
	editedAt, err := it.edited()
	if err != nil || editedAt == 0 {
		return nil, err
	}
	return RoomRenamed{it.key.RoomID, editedAt}, nil
}

// edited returns when a record's change to a message or a room took place, 0 if
// it was another: for example, that the message was read.
func (it item) edited() (at int64, err error) {
	if at, err = optionalNumber(it.after, table.EditedAt); err != nil {
		return 0, err
	}
	before, err := optionalNumber(it.before, table.EditedAt)
	if err != nil || before == at {
		return 0, err
	}
	return at, nil
}

// message reads the message that a record inserted or changed, as it was then.
func (it item) message() (chat.Message, error) {
	ms, err := chat.MessageTime(it.key.MessageID)
	if err != nil || ms != it.key.MS {
		return chat.Message{}, fmt.Errorf("message id %q does not carry the time of its key", it.key.MessageID)
	}
	m := chat.Message{RoomID: it.key.RoomID, ID: it.key.MessageID, SentAt: ms}
	if m.SenderID, err = textOf(it.after, table.SenderID); err != nil {
		return chat.Message{}, err
	}
	if m.DeletedAt, err = optionalNumber(it.after, table.DeletedAt); err != nil {
		return chat.Message{}, err
	}
	ttl, err := optionalNumber(it.after, table.TTL)
	if err != nil {
		return chat.Message{}, err
	}
	m.ExpiresAt = ttl * 1000
	if m.DeletedAt != 0 {
		if m.DeletedBy, err = optionalText(it.after, table.DeletedBy); err != nil {
			return chat.Message{}, err
		}
		if m.Reactions.Version, err = optionalNumber(it.after, table.ReactionVersion); err != nil {
			return chat.Message{}, err
		}
		m.Removed, err = removedOf(it.after)
		return m, err
	}
	if m.EditedAt, err = optionalNumber(it.after, table.EditedAt); err != nil {
		return chat.Message{}, err
	}
	if m.Content, err = textOf(it.after, table.Content); err != nil {
		return chat.Message{}, err
	}
	if m.Attachments, err = filesOf(it.after); err != nil {
		return chat.Message{}, err
	}
	if m.ReplyTo, err = quoteOf(it.after); err != nil {
		return chat.Message{}, err
	}
	if m.Mentions, err = textsOf(it.after, table.Mentions); err != nil {
		return chat.Message{}, err
	}
	if m.ClientMessageID, err = optionalText(it.after, table.ClientMessageID); err != nil {
		return chat.Message{}, err
	}
	if m.Origin, err = optionalText(it.after, table.Origin); err != nil {
		return chat.Message{}, err
	}
	if m.Previous, err = optionalText(it.after, table.Previous); err != nil {
		return chat.Message{}, err
	}
	return m, nil
}

// slice reads the part of a fan-out that a record inserted.
func (it item) slice() (Change, error) {
	roomID, err := textOf(it.after, table.RoomID)
	if err != nil {
		return nil, err
	}
	ttl, err := optionalNumber(it.after, table.TTL)
	if err != nil {
		return nil, err
	}
	s := SliceStored{
		RunID: it.key.RunID, RoomID: roomID, ExpiresAt: ttl * 1000,
		Gap: isTrue(it.after, table.Gap), Renamed: isTrue(it.after, table.Renamed), Replayed: isTrue(it.after, table.Replayed),
	}
	for name, bound := range map[string]*string{table.FromMember: &s.FromMember, table.ToMember: &s.ToMember} {
		if *bound, err = optionalText(it.after, name); err != nil { // absent: the side is open
			return nil, err
		}
	}
	if s.MessageIDs, err = messageIDsOf(it.after); err != nil {
		return nil, err
	}
	return s, nil
}
