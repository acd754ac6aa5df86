// Package client is a Go client for Streamroom: one user's connection, which
// heals itself.
//
//	c, err := client.New(client.Options{WebSocketURL: …, APIURL: …, Token: …})
//	err = c.Run(ctx, func(ctx context.Context, e client.Event) { … })
//
// # What it guarantees
//
// Messages of a room come once each and in the order of their ids, with one
// exception that [Message] marks as Late. They come live where possible. What
// the broadcast lost, or sent while there was no connection, is fetched from
// the room's history: after each reconnect, when a message names a predecessor
// that doesn't come within a second, when an acked message doesn't come, when
// the server says that it left some out, and every five minutes.
//
// A [Client.Send] that returns an ack is stored, once, however often the
// connection broke meanwhile.
//
// The connection is checked by a ping every few minutes, replaced before it or
// its token ends, and reopened with growing, random pauses after a failure.
//
// # What it doesn't
//
// A client remembers nothing beyond its own life. A room begins with its
// newest messages when it is first heard of: read further back with
// [Client.History], and [Client.Follow] the rooms that matter at the start.
//
// Edits and deletions come as events while there is a connection. What was
// edited or deleted meanwhile comes if a sync goes over the message, or if it is
// among the newest of a room that Follow was called for; what became of older
// ones [Client.History] tells. Readers, other members and names that changed
// meanwhile don't come: [Client.Room] and [Client.ListRooms] have them.
//
// What a room remembers is bounded: a message that comes when 7,000 with
// greater ids have come already is taken for one of those that came.
package client
