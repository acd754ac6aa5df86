// Package fanout sends what happened in rooms to the devices of their members.
// It reads the changes of the table's stream, and posts frames to connections.
//
//	records of a batch
//	   │  changes.Decode
//	   v
//	changes ───────────────────────────────┬──────────────┐
//	   │  group             (events.go)    │              │
//	   v                                   v              v
//	events of a room                   slices        replaced connections
//	   │  planReads          (reads.go)    │              │ closeReplaced
//	   v                                   │ readSources  v  (cleanup.go)
//	reads: what must be read               │ (source.go)  push
//	   │  readSnapshot    (snapshot.go)    │
//	   v                                   v
//	snapshot: the table's state     events and snapshot,
//	   │                            read once for a run
//	   │  readAudience    (audience.go)    │
//	   v                                   │ a range of members
//	audience <─────────────────────────────┘
//	   │         \
//	   │          `── too many members: storeSlices (slice.go) ──> table ──> stream
//	   │  readDevices      (devices.go)   (members in the index: online.go)
//	   │  encodeFor         (frames.go)
//	   │  buildPosts         (posts.go)
//	   v
//	posts ──> push ──> connections
//	   │
//	   │  after them: gaps to connections that lack frames (missed.go),
//	   │  members put into the index of large or busy rooms (online.go),
//	   │  posts charged to the users who caused them       (charges.go),
//	   │  events to the bus                                (announce.go),
//	   │  among them who is notified                  (notifications.go)
//	   v
//	report: records that failed    (rounds.go)
//
// That a user comes or goes is no event of a room: people.go finds who is told, whose
// devices are read and posted to with those of the batch's rooms.
//
// Each step takes the value of the step before and returns a new one. A room and
// a slice of a room differ in where their events come from, and in the range of
// members; from "audience" on they are the same. broadcast.go puts the steps up to
// "audience" in order, rounds.go those from readDevices on.
//
// An event is what happened in a room. What the bus calls an event, too, is an announcement
// here, and what Lambda hands over is the input. A broadcast is a room, or a range of its
// members, on its way through the steps; a round is what is posted at once.
//
// # Ordering
//
//  1. Ids, not records. The stream orders the records of one item only, so
//     messages are sorted by id within a batch, and each message frame carries the
//     id before it: a client that misses one notices.
//  2. Current state. Edits, deletions and names are sent as the table has them
//     now, not as the record has them. A message that was deleted in the meantime
//     is not sent, only its deletion. So a late or repeated record never shows
//     what was taken back, and the last frame that a client gets is right.
//     That a user has come or gone is sent as it is now.
//  3. Rejoined. A member who left and is back is not said to have left: the frame
//     of another record might have arrived before.
//
// Frames may reach a connection in any order, and more than once. Every frame
// has what a client needs to drop duplicates and older states.
//
// # Retries
//
//  4. Per record. A room or slice whose reads fail has its records answered as
//     failed. The mapping delivers these and all behind them in the batch again.
//
//  5. Posts are not retried by record. A post whose attempts have all failed is
//     given up (metric "undelivered"): history has the message, and the connection
//     is sent a gap once it takes frames again (missed.go): by a later invocation of the
//     same process, after pauses of up to a minute, and for at most maxMissed
//     connections. The others notice by the room's next message. Only posts that
//     the deadline cuts off (push.Delivery.Cut) come again, with all of their
//     rooms: an overloaded function must not lose them. A connection that is slow
//     or dead makes no room fail.
//
//  6. Repeats. After a failed slice, the rest of the batch is left for the next
//     delivery. A run of slices is stored under a hash of its content, so
//     a second try finds it stored, and no records follow from it.
//
//  7. Stale. A message's record older than staleAfter is not sent, but announced
//     by a gap: the client reads the history. Reads, reactions, joins, leaves and
//     names that old are left out, and that a user types after chat.TypingLife. A
//     failure drops that, and that users come and go: it never has a batch delivered
//     again. Records of a replay are never stale. A slice is dropped
//     after sliceLife.
//
//  8. Events. What is not a frame, an event of the bus, never has a record delivered again
//     while its Keeper takes it: chat does not wait for the bus. See docs/adr/0027.
//
// # Back-pressure
//
//  9. Rounds. An invocation serves rooms, and then people, in rounds of some thousand
//     connections, and slices a few at a time. After half of its deadline it begins no further
//     round, and answers the rest as failed. The first round is always served, so
//     each delivery makes progress.
//  10. Bounds. Table reads, deletes and posts in flight are bounded by named
//     constants, and everything ends with the deadline, long before the function's
//     timeout.
//  11. Large rooms. A range of over SliceAbove members is cut into slices, which
//     are items of the table: their records spread over shards and are retried
//     one by one. One cut makes at most SlicesPerCut slices and a rest, which is
//     cut in its turn.
//  12. The index. In a room of over chat.IndexAbove members the connections of those who
//     are in its index are read by one query, after the members, so that a mark that is
//     read has its rows. In a room of over chat.LongIndexAbove one message of IndexEvery
//     puts more members there, in a smaller one that is busy one of chat.BusyEvery, after all
//     posts of the invocation and if there is time. See docs/adr/0020.
//  13. Quadratic growth. What grows with the square of a room is bounded by its size:
//     joins and leaves are announced in rooms of up to announcedRoom members, reads in
//     rooms of up to chat.SmallRoom, typing in those of up to chat.TypingRoom, reactions
//     in those of up to reactedRoom, that users come and go in their chat.PresenceRooms
//     newest ones of up to chat.PresenceRoom members.
//
// # Clean-up
//
//  14. A post that is answered with 410 removes the connection, unless it is so
//     young that its handshake may not be over. A removal that fails is left to
//     the item's expiry.
//
//  15. A connection that newer ones of its user replaced is told so, and closed,
//     beside the batch's other work, each for closeTime at most. If that fails, its
//     row says so to its next ping or send.
//
// # Debugging
//
// Each invocation leaves one line, "fanned out", with the metrics, and one, "posts given
// up", that counts these and names the first connections; each room or slice that failed
// one line, "room served", with its room id and message ids. At level debug each room that
// was served has that, too, and each post that was given up one line, "post". No line has
// content.
package fanout
