// Package lambda stands in for AWS Lambda in one process.
//
// An Invoker runs handlers made by aws-lambda-go: JSON bytes in, JSON bytes
// out, one execution environment per concurrent invocation, timeouts, and
// errors and panics in the shapes that Lambda answers with. A panic or a timeout
// ends its environment with all of its state, and the next invocation starts in
// another one.
//
// A Mapping is Lambda's event source mapping for DynamoDB Streams. What it does
// to a batch (filters, encoding, retries, bisection) is shared/eventsource; here
// are reading the shards, gathering batches, and checkpoints.
//
//	stream ─▶ shard ─▶ filter, encode ─▶ lane ─▶ batch ─▶ Invoker
//	            │            │             │         │
//	            │            └── position  │         └─▶ Bucket (on failure)
//	            └── checkpoint ◀───────────┘ processed
//
// Page names are those of the Lambda and DynamoDB developer guides. What AWS
// does not document was recorded against AWS by localstack's tests.
//
// # Ordering
//
//  1. A shard is read after its parent was processed to its end ("Change data
//     capture for DynamoDB Streams").
//  2. Records of one item, by partition and sort key, go to one lane of their shard
//     and are delivered in their order; a lane has one batch in flight ("Process
//     DynamoDB records with Lambda", concurrent batches per shard). Between lanes,
//     as between shards, there is no order.
//  3. A checkpoint moves over a record once it and all before it in the shard are
//     processed or given up, whichever lane they went to. It is written up to 200
//     ms later. After a restart, what follows it is delivered again.
//
// # Retries
//
//  4. Delivery is at least once, by the rules in the doc of shared/eventsource.
//  5. Pauses between attempts grow from half a second to a minute, jittered:
//     eight attempts in the first minute, as recorded.
//  6. What was retried MaximumRetryAttempts times, or is older than
//     MaximumRecordAge, is given up: its metadata goes to the failure destination,
//     like AWS's record for SQS ("Retain discarded records for a DynamoDB event
//     source in Lambda"). If that fails, too, it is logged.
//  7. A read that fails is retried in the same pauses. If the stream no longer has
//     the records behind the checkpoint, the shard goes on with its oldest.
//
// # Back-pressure
//
//  8. A batch that fails holds up its lane, and by 9 its shard; other shards go on.
//  9. A shard reads no further while one of its lanes has a full batch pending. So
//     a lane holds at most a batch and a page of GetRecords.
//  10. An idle shard is polled four times a second ("Using AWS Lambda with Amazon
//     DynamoDB", polling and batching streams), or when Wake is signalled.
//  11. A batch waits up to BatchWindow for more records, unless it is full. The
//     window begins with its first record, or when the invocation before it ends.
//
// # Not reproduced
//
// Cold starts, memory limits, tumbling windows, and starting positions other than
// TRIM_HORIZON.
package lambda
