// Package changes reads the records of the table's stream: each becomes one
// typed Change. Both readers of the stream, shared/fanout and shared/roomlist,
// begin here, so that a record means the same to both.
//
//	Event ──> record ──> Change ──> fanout, roomlist ──> Response
//	          │ key      MessageSent                     records that
//	          │ images   MessageEdited                   failed
//	          │          MessageDeleted
//	          v          ReadMoved, TypingNoted, PresenceTold
//	      malformed:     MemberJoined, MemberLeft
//	      logged,        RoomRenamed
//	      counted,       SliceStored
//	      skipped        ConnectionReplaced
//
// # Properties
//
//  1. Tolerance. A record that cannot be read is logged, counted and skipped,
//     and never fails its batch: it would be no more readable the next time, and
//     must not hold up its shard. The log names it by its keys, never by content.
//  2. Order. Changes come in the order of their records. The stream orders the
//     records of one item only, so a reader compares ids and versions, never the
//     order of changes.
//  3. Delivery. At least once: a record comes again after a failure, and after a
//     replay. Readers are idempotent.
//  4. Replays. A record that a replay made carries the name of its run. It may
//     insert a message in a later state than the one in which it was sent.
//  5. Partial failure. A reader answers with the records that failed. The mapping
//     continues from the first of them, see "Configuring partial batch response
//     with DynamoDB and Lambda" in AWS Lambda's developer guide.
//
// # Limits
//
// A change that no reader needs is left out, such as a room's new member count. A new kind of
// change is a type in change.go, its case in decode.go, and a filter in shared/topology.
package changes
