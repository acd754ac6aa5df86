// Package client is a Go client for Streamroom: one user's connection, which
// reconnects and catches up by itself.
//
//	c, err := client.New(client.Options{WebSocketURL: …, APIURL: …, Token: …})
//	err = c.Run(ctx, func(ctx context.Context, e client.Event) { … })
//
// # What it guarantees
//
// Each message of a room is delivered once, and in the order of the ids, with one
// exception that [Message] marks as Late. Messages come live where possible. The
// client fetches from the room's history what the broadcast lost, or sent while
// there was no connection: after each reconnect, when a message names a
// predecessor that doesn't come within a second, when a send had to be repeated or was
// given up, when the server says that it left some out, and when the answer to a ping
// tells of something newer than what came. Rooms of which something came are read again
// once within half an hour or so, for what was stored late, and lost.
//
// A message whose [Client.Send] returned an ack is stored, once, however often the
// connection broke in between.
//
// The connection is checked by a ping after some minutes without a frame, and at once when the device
// slept, a send gets no answer, or [Client.Wake] is called; it is replaced before it or
// its token ends, and reopened with growing, random pauses after a failure.
//
// # Files
//
// [Client.Attach] announces and uploads a file, [WithAttachments] sends it with a
// message, and [Client.Download] reads it. A message's Attachments say what it has:
//
//	id, err := c.Attach(ctx, room, client.File{Name: "tea.png", ContentType: "image/png", Size: size, Content: file})
//	ack, err := c.Send(ctx, room, "", client.WithAttachments(id))
//	file, err := c.Download(ctx, room, id)
//
// # The life of a room
//
// A room is followed from [Client.Follow], or from its first frame, until the user
// is no longer a member. Some seconds after a reconnect the client reads the list of rooms,
// newest message first, as far as something came since it last asked for everything, and
// follows those that it doesn't know: someone may have added the user. One that was quiet
// in that time is followed from its next message on. Each room is a state machine, which
// docs/protocol.md, "Catching up", describes:
//
//	  Follow, first frame
//	          │
//	          ▼
//	        new ───────────────┐ newest page: deliver the backlog
//	                           ▼
//	      ┌────────────────▶ live ◀────────────────┐
//	      │ sync: complete     │                   │
//	      │                    │ reconnect, gap,   │
//	      │                    │ a message is late │ sync: complete
//	      │                    ▼                   │
//	      └───────────────── behind ──────────▶ degraded
//	                           ▲   no answer       │
//	                           └───────────────────┘
//	                                reconnect
//
//	MemberLeft with the user's own id ends a room in any state.
//
// Live: messages are delivered as they come, in order; one whose predecessor is
// missing waits for it, a second at most. Behind: messages wait for the sync, a
// request for all that came after a position. Degraded: the API fails, so messages
// are delivered as they come, and those that are missing follow, marked as Late.
//
// # What it doesn't
//
// A client remembers nothing beyond its own life. A room begins with its newest
// messages when it is first followed: read further back with [Client.History],
// and [Client.Follow] the rooms that matter at the start.
//
// Edits and deletions come as events while there is a connection. What was edited
// or deleted at other times comes if a sync goes over the message, or if it is
// among the newest of a room that Follow was called for; [Client.History] has the
// older ones as they are now. Readers, other members and names that changed without
// a connection don't come: [Client.Room] and [Client.Rooms] have them.
//
// What a room remembers is bounded: a message that comes when 7,000 with greater
// ids have come already is dropped as a duplicate.
package client
