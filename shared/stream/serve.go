package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/push"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// devicesPerUser is how many of a user's connections are served, the newest.
	devicesPerUser = 20

	// presenceBatch is how many users' connections are read in one request,
	// which is DynamoDB's limit.
	presenceBatch = 100

	// handshakeGrace is how old a connection must be before a 410 counts as its
	// end: API Gateway answers 410 until the handshake is over.
	handshakeGrace = 60 * time.Second
)

// serve tells the members of rooms what there is to know. Rooms that could not
// be read are added to failed.
func (f *Fanout) serve(ctx context.Context, rooms []*roomNews, failed *failures, log *zerolog.Logger) deliveryCounts {
	devices := f.audience(ctx, rooms)
	posts, targets := compose(rooms, devices)
	counts := f.deliver(ctx, posts, targets, log)
	for _, room := range rooms {
		room.report(failed, log)
	}
	return counts
}

// serveRooms serves a batch's rooms in rounds, as long as there is time for one
// more. The others come again: had all of their posts the same time, most of a
// backlog's would never be made.
func (f *Fanout) serveRooms(
	ctx context.Context, rooms []*roomNews, started time.Time, failed *failures, log *zerolog.Logger,
) deliveryCounts {
	var counts deliveryCounts
	devices := f.audience(ctx, rooms)
	for i, round := range rounds(rooms, devices) {
		if i > 0 && f.late(started) {
			for _, room := range round {
				room.postpone()
			}
			continue
		}
		posts, targets := compose(round, devices)
		counts.add(f.deliver(ctx, posts, targets, log))
	}
	for _, room := range rooms {
		room.report(failed, log)
	}
	return counts
}

// rounds cuts rooms, in their order, into rounds of about as many connections as
// a round of slices has members.
func rounds(rooms []*roomNews, devices map[string][]chat.Connection) (rounds [][]*roomNews) {
	begin, connections := 0, 0
	for i, room := range rooms {
		for _, user := range room.recipients() {
			connections += len(devices[user])
		}
		if connections >= SliceSize*SlicesAtOnce || i == len(rooms)-1 {
			rounds = append(rounds, rooms[begin:i+1])
			begin, connections = i+1, 0
		}
	}
	return rounds
}

// late says whether no further round is begun. The first needs no time to be
// left: each invocation gets on.
func (f *Fanout) late(started time.Time) bool { return f.now().Sub(started) > f.deadline/2 }

// postpone leaves the room to another invocation.
func (r *roomNews) postpone() {
	if r.err == nil {
		r.err = errors.New("no time is left in this invocation")
	}
}

// audience reads, for all rooms at once, who is to know, and returns the
// devices of each user. Each user is read once, however many rooms they are in.
func (f *Fanout) audience(ctx context.Context, rooms []*roomNews) map[string][]chat.Connection {
	parallel.Each(len(rooms), readsInFlight/2, func(i int) { // each room has two reads at a time
		room := rooms[i]
		if room.err = f.read(ctx, room); room.err != nil {
			room.members = nil // nothing is told of it now: its records come again
		}
	})

	var users []string
	for _, room := range rooms {
		if room.err == nil {
			users = append(users, room.recipients()...)
		}
	}
	slices.Sort(users)
	batches := slices.Collect(slices.Chunk(slices.Compact(users), presenceBatch))
	found := make([]map[string][]chat.Connection, len(batches))
	errs := make([]error, len(batches))
	parallel.Each(len(batches), readsInFlight, func(i int) {
		found[i], errs[i] = f.store.Presence(ctx, batches[i], devicesPerUser)
	})

	devices := make(map[string][]chat.Connection, len(users))
	unread := map[string]error{}
	for i, batch := range batches {
		for _, user := range batch {
			if errs[i] != nil {
				unread[user] = errs[i]
			} else {
				devices[user] = found[i][user]
			}
		}
	}
	if len(unread) > 0 {
		for _, room := range rooms {
			room.miss(unread)
		}
	}
	return devices
}

// miss notes that some users' connections could not be read. The others of the
// room are told nonetheless: they drop what comes again.
func (r *roomNews) miss(unread map[string]error) {
	for _, user := range r.recipients() {
		if err := unread[user]; err != nil && r.err == nil {
			r.err = fmt.Errorf("read the connections of a member: %w", err)
		}
	}
}

// deliveryCounts is what became of posts.
type deliveryCounts struct{ posts, delivered, gone, undelivered int }

func (c *deliveryCounts) add(more deliveryCounts) {
	c.posts += more.posts
	c.delivered += more.delivered
	c.gone += more.gone
	c.undelivered += more.undelivered
}

// deliver posts, and drops the connections that turn out to have ended.
func (f *Fanout) deliver(ctx context.Context, posts []push.Post, targets []chat.Connection, log *zerolog.Logger) deliveryCounts {
	counts := deliveryCounts{posts: len(posts)}
	if len(posts) == 0 {
		return counts
	}
	var gone []chat.Connection
	for i, d := range f.push.Push(ctx, posts) {
		switch d.Outcome {
		case push.Delivered:
			counts.delivered++
		case push.Gone:
			counts.gone++
			if f.now().UnixMilli()-targets[i].ConnectedAt > handshakeGrace.Milliseconds() {
				gone = append(gone, targets[i])
			}
		case push.Undelivered:
			counts.undelivered++
			log.Warn().Err(d.Err).Str("connection_id", posts[i].ConnectionID).Int("attempts", d.Attempts).
				Str("outcome", "undelivered").Msg("post")
		}
	}
	f.drop(ctx, gone, log)
	return counts
}

// drop removes ended connections. One that stays, stays until it expires.
func (f *Fanout) drop(ctx context.Context, gone []chat.Connection, log *zerolog.Logger) {
	parallel.Each(len(gone), reapsInFlight, func(i int) {
		err := f.store.DropConnection(ctx, gone[i])
		log.Info().Err(err).Str("connection_id", gone[i].ID).Str("outcome", metrics.Outcome(err == nil)).Msg("drop an ended connection")
	})
}

// compose encodes what there is to tell and addresses it: one post for each
// connection, or as few as fit a frame's size. target i is where post i goes.
func compose(rooms []*roomNews, devices map[string][]chat.Connection) (posts []push.Post, targets []chat.Connection) {
	frames := map[string][][]byte{} // by user, but for nobody twice
	for _, room := range rooms {
		room.address(frames)
	}
	var last, joined [][]byte // most users are told the same: it is joined, and hashed by push, once
	for user, mine := range frames {
		if len(mine) == 0 || len(devices[user]) == 0 {
			continue
		}
		if !slices.EqualFunc(mine, last, same) {
			last, joined = mine, wire.Join(mine, wire.MaxFrame)
		}
		for _, device := range devices[user] {
			for _, data := range joined {
				posts = append(posts, push.Post{ConnectionID: device.ID, Data: data})
				targets = append(targets, device)
			}
		}
	}
	return posts, targets
}

// same says whether two frames are one.
func same(a, b []byte) bool { return &a[0] == &b[0] }
