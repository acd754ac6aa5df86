package dynamodb

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

// iteratorLife is how long a shard iterator can be used (API_streams_GetShardIterator: 15
// minutes).
const iteratorLife = 15 * time.Minute

// The limits of a GetRecords: records, and bytes of them.
const (
	maxRecords     = 1000
	maxRecordBytes = 1 << 20
)

// The parameters and answers of the stream operations, as the protocol spells them.
type (
	listStreamsInput struct {
		TableName               string
		ExclusiveStartStreamArn string
		Limit                   *int64
	}
	streamSummary     struct{ StreamArn, TableName, StreamLabel string }
	listStreamsOutput struct {
		Streams                []streamSummary
		LastEvaluatedStreamArn string `json:",omitempty"`
	}
	shardFilter struct {
		Type    string
		ShardID string `json:"ShardId"`
	}
	describeStreamInput struct {
		StreamArn             string
		ExclusiveStartShardID string `json:"ExclusiveStartShardId"`
		Limit                 *int64
		ShardFilter           *shardFilter
	}
	sequenceRange struct {
		StartingSequenceNumber string
		EndingSequenceNumber   string `json:",omitempty"`
	}
	shardDescription struct {
		ShardID             string `json:"ShardId"`
		ParentShardID       string `json:"ParentShardId,omitempty"`
		SequenceNumberRange sequenceRange
	}
	streamDescription struct {
		StreamArn               string
		StreamLabel             string
		StreamStatus            string
		StreamViewType          string
		CreationRequestDateTime float64
		TableName               string
		KeySchema               []keySchemaElement
		Shards                  []shardDescription
		LastEvaluatedShardID    string `json:"LastEvaluatedShardId,omitempty"`
	}
	describeStreamOutput struct{ StreamDescription streamDescription }
	shardIteratorInput   struct {
		StreamArn         string
		ShardID           string `json:"ShardId"`
		ShardIteratorType string
		SequenceNumber    string
	}
	shardIteratorOutput struct{ ShardIterator string }
)

// pageLimit is the Limit of a list, 100 by default and at most. The error is an *Error.
func pageLimit(given *int64) (int, error) {
	if given == nil {
		return 100, nil
	}
	return int(*given), outside(*given, 1, 100)
}

func (e *Engine) stream(arn string) (*stream, error) {
	if arn == "" {
		return nil, missing("streamArn")
	}
	for _, s := range e.catalog.Load().streams {
		if s.arn == arn {
			return s, nil
		}
	}
	return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: Stream: " + arn + " not found"}
}

func (e *Engine) listStreams(_ context.Context, in *listStreamsInput) (*listStreamsOutput, error) {
	limit, err := pageLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	streams := e.catalog.Load().sortedStreams()
	if in.ExclusiveStartStreamArn != "" {
		i := slices.IndexFunc(streams, func(s *stream) bool { return s.arn == in.ExclusiveStartStreamArn })
		if i < 0 {
			return nil, validation("Invalid ExclusiveStartStreamArn: " + in.ExclusiveStartStreamArn)
		}
		streams = streams[i+1:]
	}
	out := &listStreamsOutput{Streams: []streamSummary{}}
	for _, s := range streams {
		if in.TableName != "" && in.TableName != s.Table {
			continue
		}
		if len(out.Streams) == limit {
			out.LastEvaluatedStreamArn = out.Streams[limit-1].StreamArn
			break
		}
		out.Streams = append(out.Streams, streamSummary{StreamArn: s.arn, TableName: s.Table, StreamLabel: s.Label})
	}
	return out, nil
}

func (e *Engine) describeStream(_ context.Context, in *describeStreamInput) (*describeStreamOutput, error) {
	limit, err := pageLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	s, err := e.stream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	out := streamDescription{
		StreamArn: s.arn, StreamLabel: s.Label, StreamStatus: "ENABLED", StreamViewType: s.View, CreationRequestDateTime: epoch(s.Created),
		TableName: s.Table, KeySchema: schemaOf(s.Hash, s.Range), Shards: []shardDescription{},
	}
	if !s.Disabled.IsZero() {
		out.StreamStatus = "DISABLED"
	}
	shards := s.Shards
	if f := in.ShardFilter; f != nil {
		if f.Type == "" || f.ShardID == "" {
			return nil, missing("shardFilter")
		}
		if err := oneOf("shardFilter.type", f.Type, "CHILD_SHARDS"); err != nil {
			return nil, err
		}
		shards = nil
		for _, h := range s.Shards {
			if h.Parent == f.ShardID {
				shards = append(shards, h)
			}
		}
	}
	if in.ExclusiveStartShardID != "" {
		i := slices.IndexFunc(shards, func(h *shard) bool { return h.ID == in.ExclusiveStartShardID })
		shards = shards[i+1:] // an unknown one starts from the beginning
	}
	if len(shards) > limit {
		shards = shards[:limit]
		out.LastEvaluatedShardID = shards[limit-1].ID
	}
	for _, h := range shards {
		d := shardDescription{ShardID: h.ID, ParentShardID: h.Parent}
		d.SequenceNumberRange.StartingSequenceNumber = formatSequence(h.First)
		if !h.open() {
			d.SequenceNumberRange.EndingSequenceNumber = formatSequence(h.Last)
		}
		out.Shards = append(out.Shards, d)
	}
	return &describeStreamOutput{StreamDescription: out}, nil
}

// SplitShard closes a shard and opens two children, each with half of its hash range, as
// DynamoDB does when a partition grows or after some hours. It fails for an unknown
// stream or shard, and for a closed shard.
func (e *Engine) SplitShard(ctx context.Context, streamARN, shardID string) error {
	return e.writeAlone(ctx, func(t *tx) error {
		s, err := e.stream(streamARN)
		if err != nil {
			return err
		}
		split, err := s.split(shardID, e.clock.Now(), t)
		if err != nil {
			return err
		}
		t.commit = func() { e.catalog.Store(e.catalog.Load().with(nil, []*stream{split})) }
		return saveMeta(t.conn, metaKey(metaStream, split.ID), split)
	})
}

func (s *stream) split(shardID string, at time.Time, t *tx) (*stream, error) {
	parent := s.shard(shardID)
	switch {
	case parent == nil:
		return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: Shard: " + shardID + " not found"}
	case !parent.open():
		return nil, validation("Shard " + shardID + " is closed already")
	case s.NextID > maxShards-2:
		return nil, validation("the stream has had as many shards as it can have")
	}
	out := *s
	out.Shards = slices.Clone(s.Shards)
	out.Shards[slices.Index(out.Shards, parent)] = parent.closed(at, t)
	t.seq++
	middle := parent.From + (parent.To-parent.From)/2
	out.Shards = append(out.Shards, out.newShard(at, parent.ID, parent.From, middle, t.seq))
	if middle < parent.To {
		out.Shards = append(out.Shards, out.newShard(at, parent.ID, middle+1, parent.To, t.seq))
	}
	return &out, nil
}

// rollShards has another shard follow each open one that is older than ShardLife, for the
// same hashes.
func (e *Engine) rollShards(ctx context.Context) error {
	if e.life == 0 {
		return nil
	}
	before := e.clock.Now().Add(-e.life)
	for _, s := range e.catalog.Load().sortedStreams() {
		if !s.Disabled.IsZero() || !slices.ContainsFunc(s.Shards, func(h *shard) bool { return h.open() && h.Opened.Before(before) }) {
			continue
		}
		err := e.writeAlone(ctx, func(t *tx) error {
			now, err := e.stream(s.arn)
			if err != nil {
				return nil //nolint:nilerr // it is gone since
			}
			rolled := *now
			rolled.Shards = slices.Clone(now.Shards)
			for i, h := range now.Shards {
				if h.open() && h.Opened.Before(before) && rolled.NextID < maxShards {
					rolled.Shards[i] = h.closed(e.clock.Now(), t)
					t.seq++
					rolled.Shards = append(rolled.Shards, rolled.newShard(e.clock.Now(), h.ID, h.From, h.To, t.seq))
				}
			}
			t.commit = func() { e.catalog.Store(e.catalog.Load().with(nil, []*stream{&rolled})) }
			return saveMeta(t.conn, metaKey(metaStream, rolled.ID), &rolled)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// iterator is a position in a shard. Clients see it as an opaque string.
type iterator struct {
	stream *stream
	shard  *shard
	from   uint64 // sequence number
	issued time.Time
}

func (it *iterator) String() string {
	var b []byte
	b = binary.AppendUvarint(b, uint64(it.shard.Number)) //nolint:gosec // positive
	b = binary.AppendUvarint(b, it.from)
	b = binary.AppendVarint(b, it.issued.UnixMilli())
	return it.stream.arn + "|1|" + base64.StdEncoding.EncodeToString(b)
}

// iterator reads what String wrote. The error is an *Error.
func (e *Engine) iterator(text string) (*iterator, error) {
	invalid := validation("Invalid ShardIterator")
	arn, encoded, ok := strings.Cut(text, "|1|")
	if !ok {
		return nil, invalid
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, invalid
	}
	number, n := binary.Uvarint(b)
	from, m := binary.Uvarint(b[max(n, 0):])
	issued, k := binary.Varint(b[max(n, 0)+max(m, 0):])
	if n <= 0 || m <= 0 || k <= 0 || n+m+k != len(b) || from > maxSequence {
		return nil, invalid
	}
	s, err := e.stream(arn)
	if err != nil {
		return nil, err
	}
	it := &iterator{stream: s, from: from, issued: time.UnixMilli(issued)}
	for _, h := range s.Shards {
		if uint64(h.Number) == number { //nolint:gosec // positive
			it.shard = h
		}
	}
	switch {
	case it.shard == nil:
		return nil, &Error{Code: codeTrimmed, Message: "The operation attempted to read past the oldest stream record in a shard."}
	case e.clock.Since(it.issued) > iteratorLife:
		return nil, &Error{Code: codeExpiredIterator, Message: "Iterator expired. The iterator was created at time " +
			it.issued.UTC().Format(time.RFC1123) + " while right now it is " + e.clock.Now().UTC().Format(time.RFC1123)}
	}
	return it, nil
}

func (e *Engine) getShardIterator(_ context.Context, in *shardIteratorInput) (*shardIteratorOutput, error) {
	s, err := e.stream(in.StreamArn)
	if err != nil {
		return nil, err
	}
	h := s.shard(in.ShardID)
	if h == nil {
		return nil, &Error{Code: codeNotFound, Message: "Requested resource not found: Shard does not exist"}
	}
	it := &iterator{stream: s, shard: h, issued: e.clock.Now()}
	switch in.ShardIteratorType {
	case "TRIM_HORIZON":
	case "LATEST":
		it.from = e.seq.Load() + 1
	case "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER":
		seq, ok := parseSequence(in.SequenceNumber)
		if !ok {
			return nil, validation("Invalid SequenceNumber: it must be one that a record of the shard had")
		}
		if seq < h.First || (!h.open() && seq > h.Last) {
			return nil, validation("Invalid SequenceNumber: " + in.SequenceNumber + " is outside the range of shard " + h.ID)
		}
		it.from = seq
		if in.ShardIteratorType == "AFTER_SEQUENCE_NUMBER" {
			it.from++
		}
	case "":
		return nil, missing("shardIteratorType")
	default:
		return nil, oneOf("shardIteratorType", in.ShardIteratorType, "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST")
	}
	return &shardIteratorOutput{ShardIterator: it.String()}, nil
}

func (e *Engine) getRecords(ctx context.Context, r *jsonio.Reader) ([]byte, error) {
	var text string
	limit := int64(maxRecords)
	err := r.Document(func(name string) (err error) {
		switch name {
		case "ShardIterator":
			text, err = r.String()
		case "Limit":
			limit, err = r.Int()
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := outside(limit, 1, maxRecords); err != nil {
		return nil, err
	}
	it, err := e.iterator(text)
	if err != nil {
		return nil, err
	}
	dst := append(make([]byte, 0, 512), `{"Records":[`...)
	dst, full, err := it.collect(ctx, e, dst, int(limit))
	if err != nil {
		return nil, err
	}
	dst = append(dst, ']')
	// a shard that was closed before the read had all its records: after them nothing
	// follows
	if it.shard.open() || full {
		it.issued = e.clock.Now()
		dst = jsonio.AppendName(dst, "NextShardIterator")
		dst = jsonio.AppendString(dst, it.String())
	}
	return append(dst, '}'), nil
}

// collect appends up to limit records and moves the iterator behind them; full reports
// that there may be more. Records past their retention are skipped, whether or not they
// are trimmed yet.
func (it *iterator) collect(ctx context.Context, e *Engine, dst []byte, limit int) (_ []byte, full bool, err error) {
	var records []storedRecord
	var bodies []byte // as they grow, records before keep what had room until then
	size, horizon := 0, e.clock.Now().Add(-retention).Unix()
	err = e.storage.read(ctx, func(c *conn) error {
		if _, err := e.stream(it.stream.arn); err != nil {
			return err // deleted since
		}
		return it.stream.readRecords(c, it.shard, it.from, func(r storedRecord) (bool, error) {
			it.from = r.seq + 1
			if r.at >= horizon {
				size += len(r.body)
				bodies = append(bodies, r.body...)
				r.body = bodies[len(bodies)-len(r.body):]
				records = append(records, r)
			}
			full = len(records) >= limit || size >= maxRecordBytes
			return !full, nil
		})
	})
	if err != nil {
		return dst, false, err
	}
	dst = slices.Grow(dst, 2*size+256*len(records))
	for i := range records {
		dst = jsonio.AppendComma(dst)
		if dst, err = records[i].appendJSON(dst, it.stream); err != nil {
			return dst, false, err
		}
	}
	return dst, full, nil
}
