package dynamodb

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// The kinds of stream records. Their numbers are stored.
const (
	eventInsert = 1
	eventModify = 2
	eventRemove = 3
	eventExpiry = 8 // added where the service removed an expired item
)

// What else the first byte of a record says, if it is of format 4 or above.
const (
	recordKeyed = 16 // always
	recordNew   = 32 // it has the new image
	recordOld   = 64 // it has the old image
)

// record appends the stream record of a write that changed its item.
func (t *tx) record(w *write, f *effect) error {
	s := w.table.stream
	event := byte(eventModify)
	switch {
	case !f.old.exists():
		event = eventInsert
	case !f.new.exists():
		event = eventRemove
	}
	if w.expiry {
		event |= eventExpiry
	}
	// What is stored: the event; the storage key behind its hash, after its length; the new image,
	// after its length if there are both; the old image. Images lack key attributes, as rows do.
	event |= recordKeyed
	if f.new.exists() && (s.View == viewNew || s.View == viewBoth) {
		event |= recordNew
	}
	if f.old.exists() && (s.View == viewOld || s.View == viewBoth) {
		event |= recordOld
	}
	b := append(make([]byte, 0, len(w.storage)+len(f.new.stored)+len(f.old.stored)+16), event)
	b = appendPart(b, w.storage[hashBytes:])
	switch event & (recordNew | recordOld) {
	case recordNew | recordOld:
		b = append(appendPart(b, f.new.encoded()), f.old.encoded()...)
	case recordNew:
		b = append(b, f.new.encoded()...)
	case recordOld:
		b = append(b, f.old.encoded()...)
	}
	t.seq++
	to := s.shardOf(w.storage)
	t.appended = append(t.appended, to.ID)
	return t.exec(s.of(to).add, s.row(to, t.seq), t.e.clock.Now().Unix(), b)
}

func appendPart(dst, part []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(part)))
	return append(dst, part...)
}

// storedRecord is a stream record as stored.
type storedRecord struct {
	seq  uint64
	at   int64 // s
	body []byte
}

// The parts of a record, in the order in which GetRecords shows them.
const (
	partKeys = iota
	partNew
	partOld
	recordParts
)

var partNames = [recordParts]string{"Keys", "NewImage", "OldImage"}

// parts decodes the record, and returns the size in bytes that it reports.
func (r *storedRecord) parts(s *stream) (parts [recordParts]item.Item, size int, err error) {
	event, b := r.body[0], r.body[1:]
	if event&recordKeyed == 0 {
		return s.oldParts(b)
	}
	key, b := cutPart(b)
	if event&recordNew != 0 {
		image := b
		if event&recordOld != 0 {
			image, b = cutPart(b)
		}
		if parts[partNew], err = restoreItem(s.Hash, s.Range, nil, key, image); err != nil {
			return parts, 0, err
		}
	}
	if event&recordOld != 0 {
		if parts[partOld], err = restoreItem(s.Hash, s.Range, nil, key, b); err != nil {
			return parts, 0, err
		}
	}
	s.keysOfImages(&parts)
	if parts[partKeys] == nil {
		if parts[partKeys], err = restoreItem(s.Hash, s.Range, nil, key, noAttributes); err != nil {
			return parts, 0, err
		}
	}
	for _, part := range parts {
		size += part.Size()
	}
	return parts, size, nil
}

// noAttributes is the binary form of an item that has none but its key.
var noAttributes = item.Item{}.Append(nil)

// oldParts decodes a record of before format 4: the size, and keys, new and old image, each after
// its length. Since format 3 there are keys only where there is no image.
func (s *stream) oldParts(b []byte) (parts [recordParts]item.Item, size int, err error) {
	n, length := binary.Uvarint(b)
	b = b[length:]
	for i := range parts {
		var part []byte
		if part, b = cutPart(b); len(part) == 0 {
			continue
		}
		if parts[i], err = item.Decode(part); err != nil {
			return parts, 0, err
		}
	}
	s.keysOfImages(&parts)
	return parts, int(n), nil //nolint:gosec // as it was written
}

// keysOfImages fills in the keys if there is an image.
func (s *stream) keysOfImages(parts *[recordParts]item.Item) {
	for _, image := range parts[partNew:] {
		if parts[partKeys] == nil && image != nil {
			parts[partKeys] = image.Only([]string{s.Hash.Name, s.Range.Name})
		}
	}
}

// cutPart is the inverse of appendPart: it returns what follows the part, too.
func cutPart(b []byte) (part, rest []byte) {
	length, n := binary.Uvarint(b)
	b = b[n:]
	return b[:length], b[length:]
}

// appendJSON appends the record as GetRecords shows it. Its id follows from its place, so
// it stays the same over every read.
func (r *storedRecord) appendJSON(dst []byte, s *stream) ([]byte, error) {
	parts, size, err := r.parts(s)
	if err != nil {
		return dst, err
	}
	event := r.body[0]
	dst = append(dst, `{"eventID":"`...)
	dst = s.appendEventID(dst, r.seq)
	dst = append(dst, `","eventName":"`...)
	dst = append(dst, [...]string{eventInsert: "INSERT", eventModify: "MODIFY", eventRemove: "REMOVE"}[event&3]...)
	dst = append(dst, `","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"`+region+`","dynamodb":{"ApproximateCreationDateTime":`...)
	dst = strconv.AppendInt(dst, r.at, 10)
	for i, name := range partNames {
		if parts[i] != nil {
			dst = jsonio.AppendName(dst, name)
			dst = parts[i].AppendJSON(dst)
		}
	}
	dst = append(dst, `,"SequenceNumber":"`...)
	dst = appendSequence(dst, r.seq)
	dst = append(dst, `","SizeBytes":`...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, `,"StreamViewType":"`...)
	dst = append(dst, s.View...)
	dst = append(dst, `"}`...)
	if event&eventExpiry != 0 {
		dst = append(dst, `,"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`...)
	}
	return append(dst, '}'), nil
}

// appendEventID appends 32 hexadecimal digits: 16 that only this stream has, and 16 that
// only this record of it has.
func (s *stream) appendEventID(dst []byte, seq uint64) []byte {
	own := mix(uint64(s.Created.UnixNano())) // any bits do
	id := binary.BigEndian.AppendUint64(make([]byte, 0, 16), own)
	return hex.AppendEncode(dst, binary.BigEndian.AppendUint64(id, mix(own^seq)))
}
