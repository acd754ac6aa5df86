// Package verify compares derived items with their sources: each room's last
// message in its last state, each place in a room list, members and
// participations, a room's description, number of members and owner, read
// cursors, connections, presence, what others have learned of it and the connections that
// rooms keep, attachments, the messages that name them and their files in the bucket, the
// counts of reactions, places and their rooms, and what should have expired. With Repair
// it makes the derived item follow its source.
//
// Unread counts are not stored, so they are not checked: a listing counts them from the
// read cursors, which are. A room whose last member left has no description any more, and
// keeps its messages and the last of them: that is not a difference.
//
// # How
//
//  1. A scan reads the table once, while traffic goes on. Such a read is never of
//     one moment, and consumers of the stream are seconds behind, so what does not
//     fit is only a candidate.
//  2. Candidates are rechecked after the time that consumers may be behind
//     (Config.Settle), twice, with strong and transactional reads, against what is
//     older than that time. Only what differs each time is reported.
//  3. A repair is conditional: what has changed since it was read is left alone.
//
// Memory is flat in the number of items: a segment of the scan keeps one room's
// members, at most some thousands, and candidates are rechecked whenever there
// are many.
//
// # Why a repair is not a replay
//
// replay --source table rebuilds the same projections, by sending a room's
// records to the consumer, which moves them forward only. A repair can't be made
// of it: it also moves back or removes what is ahead of its source (a LASTMESSAGE
// of a message that is gone, a place in a list that is too new, a participation
// without its member), repairs items that no consumer writes (numbers of members,
// cursors, presence, what expired), and reads nothing but the room that differs.
// Nor can a replay be made of repairs: it fills a projection that is new, for any
// consumer, without knowing what the projection should say.
package verify
