// Package replay sends changes of the table to a consumer of its stream again:
// after a bug in it, after an outage, or to fill a projection that is new.
//
// Records come from a Source: the table (rebuilt from messages and members, of
// any age), the stream (a day), the bucket of failures, or a file saved earlier.
// They go to a deployed function by the rules of a stream mapping, which are
// those of shared/eventsource: filtered, in batches of at most the mapping's size
// and 6 MB, in order, with partial failures honoured. They carry the eventSource
// changes.ReplaySource and the run's id. Unlike a mapping, a run gives up single
// records: what is left of a batch is sent.
//
// Consumers are idempotent and projections only move forward, so sending a
// record twice does no harm. The checkpoint is therefore written behind: a run
// that was killed repeats a little, and skips nothing.
//
// A Run reads everything once to make a Plan, and changes nothing before that
// is done. Memory is flat in the number of records: what is kept is a few dozen
// bytes for each room.
//
// Rebuilding a projection from the table is not the repair of operate/verify; the
// doc there says why neither can serve both.
package replay
