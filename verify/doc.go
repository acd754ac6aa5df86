// Package verify compares what follows from the table's items with what they
// say: each room's last message, each place in a room list, members and
// participations, connections and presence, and what should have expired.
//
// It reads the table once, while traffic goes on. Such a reading is never of one
// moment, and consumers of the stream are seconds behind, so what does not fit
// is only suspected: it is looked at again after a settle time, twice, with
// strong and transactional reads, against what is older than that time. Only
// what differs each time is reported.
//
// Memory is flat in the number of items: a segment of the scan keeps one room's
// members, at most some thousands, and suspects are settled whenever there are
// many.
package verify
