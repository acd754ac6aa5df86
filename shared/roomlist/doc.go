// Package roomlist keeps what lists of rooms are read from: each room's last
// message, and for each member the room's place in the order of that list.
//
//	changes ──> update of a room ──> LASTMESSAGE ──> GSI1SK of its members
//	            newest message       the newest      the time of the last
//	            new members          one wins        message
//
// # Guarantee
//
// Whatever the order of records, the batches that they come in, and how often
// they come: once all have been handled, a room's last message is the newest
// one in its newest state, and the room stands in the list of each member at a
// message at most an interval older, except in very large rooms, below. On the way
// nothing moves back. A list's reader finds each room's true place by its last message.
//
// # Properties
//
//  1. Forward only. Each write is conditional: it moves an item forward, or
//     leaves it. So writes can be repeated and reordered.
//
//  2. Last message first, then the order. The batch that brings the last message
//     moves all members, even if an earlier try has stored it, since that try may
//     have ended in between. A batch that brings an older one
//     leaves them to that batch. New members it moves itself: they may have
//     joined after that.
//
//  3. One update a room and batch, of its newest message.
//
//  4. Retries. A room whose writes fail has its records delivered again; other
//     rooms don't wait for it.
//
//  5. Deadline. Rooms are handled in the order of their first records. What there
//     is no time for is delivered again, and begins with the first that failed,
//     so each delivery makes progress.
//
//  6. Files last. The same reader removes the attachments of deleted messages, of rooms
//     that ended, and those that no message got: not the one that posts, so that a
//     bucket that is slow or down delays no delivery. A tombstone keeps the ids of its
//     attachments, so that this can be repeated by a replay.
//
// # Limits
//
// Moving a room costs a write for each member and two for the index. It is done at
// most once an interval, and for each batch if that is 0; in rooms of over LargeRoom
// members at most once a LargeInterval, in rooms of over FrozenAbove for new members
// only. The last message says when it was done last, after it was.
//
// A member who has hidden the room gets it back with the next message: HideRoom notes
// that in the last message, which moves the room for the next one, however soon it is.
package roomlist
