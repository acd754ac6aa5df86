// Package eventsource does to a batch what Lambda's event source mapping for
// DynamoDB Streams does: it filters, encodes, delivers, and retries by the
// mapping's rules. local/lambda uses it as the local mapping, operate to send
// records to a deployed function again; eventsourcetest holds both to the same
// rules. Encoding is this package's side, decoding is that of shared/changes.
//
// What AWS documents is cited by its page in the Lambda or DynamoDB developer
// guide; the rest was recorded against AWS by the tests of localstack
// (test_dynamodb_report_batch_item_…).
//
// # Ordering
//
//  1. Shards gives parents before children, and ReadyShards no child whose parent
//     is not finished ("Change data capture for DynamoDB Streams"): changes of
//     one item are read in their order, also across a split.
//  2. Records of a batch, and of batches that one Delivery gets one after another,
//     are delivered in their order. A record may come again; nothing that
//     followed it comes before it alone.
//
// # Filters
//
//  3. A record passes if one filter matches (at most five, ORed); a filter matches
//     if all of its fields do (ANDed), each by one of its alternatives ("Control
//     which events Lambda sends to your function"). A batch has only records that
//     pass.
//
// # Retries
//
//  4. Delivery is at least once.
//  5. A failure before the function runs (throttled, not reached) does not
//     count as a try ("Retain discarded records for a DynamoDB event source in
//     Lambda"). The caller decides how long to go on.
//  6. With ReportItemFailures, the lowest sequence number that the function names
//     is where delivery continues: the records before it are processed; it and all
//     behind it come again, even those that had succeeded ("Configuring
//     partial batch response with DynamoDB and Lambda"). An answer that cannot be
//     read fails the whole batch.
//  7. After progress, the count of tries starts at zero (recorded: with three retries a
//     bad record came once in its batch and four times at the head of the rest).
//  8. With BisectOnError, a batch that failed as a whole is split in two, which
//     does not count as a try ("Retain discarded records for a DynamoDB event source
//     in Lambda"). A batch whose answer named records is cut at the lowest of them
//     instead.
//  9. When the tries are used up, a mapping gives up all records that are left,
//     with a Failure for its on-failure destination; operate gives up only those
//     that were named.
//  10. Pauses grow and are jittered (shared/backoff). AWS documents that there are
//     pauses, but no formula; see MappingBackoff.
//
// # Back-pressure
//
//  11. A Delivery has one invocation at a time. While it retries, nothing that
//     follows in its shard or lane is delivered: a failing record holds up those
//     behind it, until it is processed, given up, or too old.
//  12. An event has at most the mapping's batch size, and MaxEventBytes ("Lambda
//     quotas").
package eventsource

import (
	"time"

	"github.com/streamroom/streamroom/shared/backoff"
)

// MappingBackoff are a mapping's pauses: 375 to 625 ms after the first failure,
// doubling up to between 45 and 75 s. By that there are about eight attempts in
// the first minute, as localstack recorded of a mapping on AWS (for Kinesis).
var MappingBackoff = backoff.Policy{First: 625 * time.Millisecond, Max: 75 * time.Second, Jitter: 0.4}
