// Package operate has no code: its folders are the tools with which operators
// work on a deployed Streamroom, or on the local one, by AWS's own clients. The
// commands replay, failures, verify, restore, erase, export and cost of cmd/streamroom
// call them.
//
//   - replay sends changes of the table to a consumer of the stream again.
//   - verify compares derived items with their sources, and repairs them.
//   - restore copies what a table lacks from one that was restored from a backup.
//   - erase removes a user, and what they wrote.
//   - export writes what is held of a user or of a room.
//   - throttle limits what they take of the table, so that they do not starve live
//     traffic; every tool here must use it.
//   - progress shows how far long work has come.
//   - cli has the flags and errors that command lines share, those of test/ too.
//   - cost estimates what a workload costs, and asks AWS nothing.
//
// None of them keeps a rule of its own: what a mapping does to a batch is
// shared/eventsource, what records say is shared/changes, keys are shared/table.
package operate
