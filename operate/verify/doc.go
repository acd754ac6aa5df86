// Package verify compares what follows from the table's items with what they
// say: each room's last message in its last state, each place in a room list,
// members and participations, a room's description, number of members and owner,
// read cursors, connections and presence, and what should have expired.
//
// A room whose last member left has no description any more, and keeps its
// messages and the last of them: that is as it should be.
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
