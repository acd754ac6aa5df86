// Package lambda stands in for AWS Lambda in one process.
//
// An Invoker runs handlers made by aws-lambda-go: JSON bytes in, JSON bytes
// out, one execution environment per concurrent invocation, timeouts, and
// errors and panics in the shapes that Lambda answers with.
//
// A Mapping is Lambda's event source mapping for DynamoDB Streams: it reads the
// shards of a stream, parents before children, filters, batches, invokes and
// checkpoints. Delivery is at least once and ordered per item. What a function
// keeps refusing goes to a Queue, as metadata only, like AWS's records for SQS.
//
// Not reproduced: cold starts, memory limits, tumbling windows, and starting
// positions other than TRIM_HORIZON.
package lambda
