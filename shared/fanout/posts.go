package fanout

import (
	"cmp"
	"context"
	"slices"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/wire"
)

// buildPosts encodes a round: one post for each connection, or as few as fit
// a frame's size. Post i goes to targets[i]. A broadcast that failed has none. at is the
// time, in ms.
func buildPosts(r round, devices map[string][]chat.Connection, at int64) (posts []push.Post, targets []chat.Connection) {
	encoded := newFrames()
	for i := range r.broadcasts {
		if r.broadcasts[i].err == nil {
			r.broadcasts[i].encodeFor(encoded, at)
		}
	}
	for i := range r.people {
		if r.people[i].err == nil {
			r.people[i].encodeFor(encoded)
		}
	}
	posts, targets = make([]push.Post, 0, len(encoded.byUser)), make([]chat.Connection, 0, len(encoded.byUser))
	var last, joined [][]byte // most users get the same: it is joined, and hashed by push, once
	for user, own := range encoded.byUser {
		if len(own) == 0 || len(devices[user]) == 0 {
			continue
		}
		if !slices.EqualFunc(own, last, same) {
			last, joined = own, wire.Join(own, wire.MaxFrame)
		}
		for _, device := range devices[user] {
			data := joined
			if left := encoded.without(own, device.ID); len(left) < len(own) {
				data = wire.Join(left, wire.MaxFrame)
			}
			for _, data := range data {
				posts = append(posts, push.Post{ConnectionID: device.ID, Data: data})
				targets = append(targets, device)
			}
		}
	}
	return posts, targets
}

// same reports whether two frames are one.
func same(a, b []byte) bool { return &a[0] == &b[0] }

// counts are the results of posts, and the records to be delivered again.
type counts struct {
	posts, delivered, gone, undelivered int

	failed    []string
	times     []int64 // ms from each message's time to the end of its posts
	unindexed []unindexed

	notifications []announcement

	caused  caused
	givenUp givenUp
}

// givenUp are posts that are not made: how many attempts one had at most, the error of the
// first, and the connections of the first, namedConnections at most.
type givenUp struct {
	attempts    int
	err         error
	connections []string
}

// namedConnections is how many connections one line names: a throttled account gives up
// those of whole rooms.
const namedConnections = 5

func (g givenUp) plus(more givenUp) givenUp {
	connections := slices.Concat(g.connections, more.connections)
	return givenUp{
		attempts: max(g.attempts, more.attempts), err: cmp.Or(g.err, more.err),
		connections: connections[:min(len(connections), namedConnections)],
	}
}

// logGivenUp writes one line about all posts of an invocation that were given up.
func (c counts) logGivenUp(log *zerolog.Logger) {
	if c.undelivered == 0 {
		return
	}
	log.Warn().Err(c.givenUp.err).Int("given_up", c.undelivered).Strs("connection_ids", c.givenUp.connections).
		Int("attempts", c.givenUp.attempts).Str("outcome", "undelivered").Msg("posts given up")
}

func (c counts) plus(more counts) counts {
	return counts{
		posts: c.posts + more.posts, delivered: c.delivered + more.delivered, gone: c.gone + more.gone,
		undelivered: c.undelivered + more.undelivered, failed: append(c.failed, more.failed...),
		times: append(c.times, more.times...), unindexed: append(c.unindexed, more.unindexed...),
		notifications: append(c.notifications, more.notifications...), caused: c.caused.plus(more.caused),
		givenUp: c.givenUp.plus(more.givenUp),
	}
}

// posted is what became of a round's posts.
type posted struct {
	counts counts
	gone   []chat.Connection // those that have ended
	cut    []string          // users with a connection that there was no time for
}

// post sends a round to devices, and drops the connections that turn out to
// have ended.
func (f *Fanout) post(ctx context.Context, r round, d devices, log *zerolog.Logger) posted {
	posts, targets := buildPosts(r, d.byUser, f.now().UnixMilli())
	c := counts{posts: len(posts)}
	for i := range r.broadcasts {
		c.unindexed = append(c.unindexed, r.broadcasts[i].toIndex()...)
	}
	if len(posts) == 0 {
		return posted{counts: c}
	}
	var gone []chat.Connection
	var cut []string
	for i, delivery := range f.push.Push(ctx, posts) {
		switch delivery.Outcome {
		case push.Delivered:
			c.delivered++
		case push.Gone:
			c.gone++
			if f.now().UnixMilli()-targets[i].ConnectedAt > handshakeGrace.Milliseconds() {
				gone = append(gone, targets[i])
			}
		case push.Undelivered:
			if delivery.Cut {
				cut = append(cut, targets[i].UserID)
				continue
			}
			c.undelivered++
			f.missed.note(r.broadcasts, targets[i])
			c.givenUp = c.givenUp.plus(givenUp{delivery.Attempts, delivery.Err, []string{posts[i].ConnectionID}})
			log.Debug().Err(delivery.Err).Str("connection_id", posts[i].ConnectionID).Int("attempts", delivery.Attempts).
				Str("outcome", "undelivered").Msg("post")
		}
	}
	c.times = deliveryTimes(r.broadcasts, f.now().UnixMilli())
	f.table.drop(ctx, gone, log)
	return posted{counts: c, gone: gone, cut: cut}
}

// deliveryTimes returns how long ago each message of the broadcasts was sent, in ms.
// Those of a replay tell nothing. Each slice of a large room counts, as its posts end when they do.
func deliveryTimes(broadcasts []broadcast, now int64) (times []int64) {
	for _, b := range broadcasts {
		if b.err != nil || b.events.replay != "" {
			continue
		}
		for _, m := range b.events.messages {
			times = append(times, max(now-m.SentAt, 0)) // another machine's clock gave SentAt
		}
	}
	return times
}
