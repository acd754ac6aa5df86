// Package dynamodb is an embedded DynamoDB: tables, indexes, conditions, transactions, streams
// and expiry behind DynamoDB's own JSON protocol, over HTTP or inside the process. It is built
// to be exact, so that what passes here passes on AWS: the same errors with the same texts,
// the same capacity units, the same records on the same shards.
//
// # Usage
//
//	go get github.com/streamroom/streamroom/local/dynamodb
//
// This brings SQLite in Go (modernc.org/sqlite), and no SDK: bring your own.
//
// Open an [Engine] and give it to an SDK client as its HTTP client, or serve it over HTTP: an
// Engine is an [net/http.Handler], an [net/http.RoundTripper] and an SDK's HTTPClient. Tables
// and streams share one endpoint. Any region and any credentials will do. See the example.
//
// Tests that need time to pass give [Options] a fake clock. [Engine.Subscribe] wakes stream
// readers without polling, and [Engine.SplitShard] splits a shard when the test wants it.
//
// # Guarantees
//
//   - A write that was acknowledged on a file survives the death of the process (kill -9). A
//     power cut can lose the last moments, never consistency.
//   - Reads see every write that was acknowledged before, also on indexes. DynamoDB's
//     eventually consistent reads may lag; code that relies on that here fails there.
//   - All records of a partition key are on one open shard, those of an item in order. Across
//     items there is no order.
//   - A transaction that meets another write of its items is cancelled, as on AWS.
//
// # Limits
//
//   - One process at a time opens a file.
//   - Throughput is never limited. Tables and indexes become active and disappear at once.
//   - Left out are PartiQL, backups, exports and imports, global tables, Kinesis streams,
//     resource policies and contributor insights. Each answers UnknownOperationException.
//     Point-in-time recovery is reported as off.
//   - Item counts and sizes of tables are always 0.
package dynamodb
