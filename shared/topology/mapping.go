package topology

import (
	"encoding/json"
	"time"

	"github.com/streamroom/streamroom/shared/table"
)

// StreamMapping is one Lambda event source mapping on the table's stream. It
// starts at TRIM_HORIZON: a mapping takes minutes to come up, and one that
// starts at LATEST loses the changes of that time.
type StreamMapping struct {
	Function              string
	BatchSize             int
	BatchWindow           time.Duration // how long to gather a batch; 0 takes what is there
	ParallelizationFactor int           // concurrent batches per shard, 1 to 10; order holds per item
	MaximumRetryAttempts  int           // further tries after the first
	MaximumRecordAge      time.Duration
	BisectOnError         bool // split a batch that failed as a whole
	ReportItemFailures    bool // the function answers with batchItemFailures
	Filters               []Pattern
}

// Pattern is one event filter of a mapping, by the fields that ours match.
// Values within a field are alternatives; fields are all required.
type Pattern struct {
	EventNames []string // INSERT, MODIFY, REMOVE
	PKPrefixes []string
	SKPrefixes []string
	// Number, if set, is a number that the item must have after the change.
	Number string
}

// FailurePrefix begins the keys under which mappings keep what they give up in a bucket
// ("Retain discarded records for a DynamoDB event source in Lambda").
const FailurePrefix = "aws/lambda/"

// MaxFilters is how many filters AWS allows on one mapping without a quota
// increase.
const MaxFilters = 5

// StreamMappings lists the two readers of the table's stream. A shard allows
// no more than two, so there is never a third.
func StreamMappings() []StreamMapping {
	return []StreamMapping{fanoutMapping(), lastMessageMapping()}
}

func fanoutMapping() StreamMapping {
	return StreamMapping{
		Function:              Fanout,
		BatchSize:             100,
		ParallelizationFactor: 2,
		MaximumRetryAttempts:  5,
		MaximumRecordAge:      6 * time.Hour,
		BisectOnError:         true,
		ReportItemFailures:    true,
		Filters: []Pattern{
			// Messages, members, read cursors, typing notes, reports of messages and
			// members' first reactions to a message that were added, parts of a large room's
			// fan-out, and users who are online at first.
			{
				EventNames: []string{"INSERT"},
				PKPrefixes: []string{table.RoomPrefix, table.FanoutPrefix, table.UserPrefix},
				SKPrefixes: []string{table.MessagePrefix, table.MemberPrefix, table.ReadPrefix, table.TypingPrefix, table.ReactedPrefix, table.ReportPrefix, table.SliceKey, table.SeenKey},
			},
			// Read cursors that moved, users who go on typing, come or have gone,
			// reactions, and reports with another reason. Notes of typing end
			// by their ttl, which no filter passes.
			{
				EventNames: []string{"MODIFY"},
				PKPrefixes: []string{table.RoomPrefix, table.UserPrefix},
				SKPrefixes: []string{table.ReadPrefix, table.TypingPrefix, table.ReactedPrefix, table.ReportPrefix, table.SeenKey},
			},
			// Messages that were edited or deleted, rooms that were renamed, shared or
			// placed, and members with another role or muted; not rooms whose number of
			// members changed.
			{
				EventNames: []string{"MODIFY"},
				PKPrefixes: []string{table.RoomPrefix},
				SKPrefixes: []string{table.MessagePrefix, table.MetadataKey, table.MemberPrefix},
				Number:     table.EditedAt,
			},
			// Connections that are to be closed: newer ones of their user have replaced
			// them, a service or an operator has ended them, their user was banned, or too
			// many of their frames were refused, or one after their token had ended. Also
			// those that could not be closed, when a later frame marks them again.
			{
				EventNames: []string{"MODIFY"},
				PKPrefixes: []string{table.ConnectionPrefix},
				SKPrefixes: []string{table.MetadataKey},
				Number:     table.ReplacedAt,
			},
			// Members who left or took their last reaction to a message back; not
			// connections that ended, each of which would cost an invocation. Whatever
			// removes a row removes its entry, too, and what stays ends by its own ttl, see
			// dynamo.Store.PutConnection.
			{
				EventNames: []string{"REMOVE"},
				PKPrefixes: []string{table.RoomPrefix},
				SKPrefixes: []string{table.MemberPrefix, table.ReactedPrefix},
			},
		},
	}
}

func lastMessageMapping() StreamMapping {
	return StreamMapping{
		Function: LastMessage,
		// Large batches and a window: a busy room costs one update a window.
		BatchSize:             10_000,
		BatchWindow:           5 * time.Second,
		ParallelizationFactor: 1,
		MaximumRetryAttempts:  20,
		MaximumRecordAge:      24 * time.Hour,
		BisectOnError:         true,
		ReportItemFailures:    true,
		Filters: []Pattern{
			{
				EventNames: []string{"INSERT"},
				PKPrefixes: []string{table.RoomPrefix},
				SKPrefixes: []string{table.MessagePrefix, table.MemberPrefix},
			},
			{
				EventNames: []string{"MODIFY"},
				PKPrefixes: []string{table.RoomPrefix},
				SKPrefixes: []string{table.MessagePrefix},
				Number:     table.EditedAt,
			},
			// Attachments that no message got, and rooms that ended. Here, so that a
			// bucket that is slow delays no delivery.
			{
				EventNames: []string{"REMOVE"},
				PKPrefixes: []string{table.RoomPrefix},
				SKPrefixes: []string{table.AttachmentPrefix, table.MetadataKey},
			},
		},
	}
}

// JSON renders the pattern in the filter language of event source mappings,
// as FilterCriteria wants it. Of a number it asks only whether it is there, at
// the leaf below its type: numeric operators do not work on DynamoDB's numbers,
// which are strings, and above the type an attribute is never absent.
func (p Pattern) JSON() string {
	type prefix struct {
		Prefix string `json:"prefix"`
	}
	prefixes := func(values []string) map[string][]prefix {
		out := make([]prefix, len(values))
		for i, v := range values {
			out[i] = prefix{v}
		}
		return map[string][]prefix{"S": out}
	}
	change := map[string]any{"Keys": map[string]any{
		table.PK: prefixes(p.PKPrefixes),
		table.SK: prefixes(p.SKPrefixes),
	}}
	if p.Number != "" {
		exists := []map[string]bool{{"exists": true}}
		change["NewImage"] = map[string]any{p.Number: map[string]any{"N": exists}}
	}
	text, err := json.Marshal(map[string]any{"eventName": p.EventNames, "dynamodb": change})
	if err != nil {
		panic("topology: a pattern of strings does not marshal: " + err.Error())
	}
	return string(text)
}
