package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// staleAfter is the age from which a message's record is not broadcast any
	// more but announced by a gap: a mapping that is made anew starts at the
	// beginning of the stream and would send a day of chat again.
	staleAfter = 5 * time.Minute

	// devicesPerUser is how many of a user's connections are served, the newest.
	devicesPerUser = 20

	// announcedRoom is the size up to which everybody in a room learns who came
	// and went. Beyond it, n members joining would cost n² frames.
	announcedRoom = 100

	// handshakeGrace is how old a connection must be before a 410 counts as its
	// end: API Gateway answers 410 until the handshake is over.
	handshakeGrace = 60 * time.Second

	// wholePage is how many messages are read at once at least, if there are as
	// many: a page has 1 MB, and a message some 20 KB with its readers.
	wholePage = 48

	// readsInFlight bounds the table reads of one invocation at a time.
	readsInFlight = 64

	// reapsInFlight bounds the clean-up's deletes.
	reapsInFlight = 16
)

// FanoutStore is what fanout needs of the table. Reads are strong.
type FanoutStore interface {
	// Members reads a room's members; limit 0 reads all.
	Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error)
	// UserConnections reads a user's newest connections, expired ones left out.
	UserConnections(ctx context.Context, userID string, limit int) ([]chat.Connection, error)
	// MessageIDsUpTo reads the ids of the newest messages up to and with one,
	// newest first.
	MessageIDsUpTo(ctx context.Context, roomID, messageID string, limit int) ([]string, error)
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (chat.Room, bool, error)
	// ForgetUserConnection removes a connection from its user's list.
	ForgetUserConnection(ctx context.Context, userID, connectionID string) error
	// DropConnection removes exactly this connection, by its connectedAt.
	DropConnection(ctx context.Context, c chat.Connection) error
}

// Pusher posts frames to connections. The result has one delivery for each
// post, in order, by the time ctx is done.
type Pusher interface {
	Push(ctx context.Context, posts []chat.Post) []chat.Delivery
}

// Fanout broadcasts what happened in rooms to the devices of their members and
// removes connections that have ended.
type Fanout struct {
	store    FanoutStore
	push     Pusher
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger
}

// NewFanout returns a Fanout whose invocations work for at most deadline.
func NewFanout(store FanoutStore, push Pusher, deadline time.Duration, now func() time.Time, log zerolog.Logger) *Fanout {
	return &Fanout{store: store, push: push, deadline: deadline, now: now, log: log}
}

// Handle serves one batch of records. Records of rooms that could not be read
// from the table are answered as failed, to be delivered again; a post that
// fails is not, as history has the message.
func (f *Fanout) Handle(ctx context.Context, event Event) (Response, error) {
	started := f.now()
	ctx, cancel := context.WithTimeout(ctx, f.deadline)
	defer cancel()
	log := requestLogger(ctx, f.log)

	records, malformed := decode(event, &log)
	rooms, ended, unread := f.sort(records, &log)
	malformed += unread

	var failed failures
	f.forget(ctx, ended, &failed, &log)
	devices := f.audience(ctx, rooms)
	posts, targets := compose(rooms, devices)
	counts := f.deliver(ctx, posts, targets, &log)

	for _, room := range rooms {
		room.report(&failed, &log)
	}
	metrics.Line(
		&log, f.now(),
		metrics.Delivered, metrics.Gone, metrics.Undelivered, metrics.FailedRecords, metrics.MalformedRecord,
	).
		Int("records", len(event.Records)).
		Int(metrics.MalformedRecord, malformed).
		Int("rooms", len(rooms)).
		Int("posts", len(posts)).
		Int(metrics.Delivered, counts.delivered).
		Int(metrics.Gone, counts.gone).
		Int(metrics.Undelivered, counts.undelivered).
		Int(metrics.FailedRecords, len(failed.sequences)).
		Dur("duration_ms", f.now().Sub(started)).
		Str("outcome", outcome(len(failed.sequences) == 0)).
		Msg("fanned out")
	return failed.response(), nil
}

// roomNews is what a batch says of one room, and who is to know.
type roomNews struct {
	id        string
	messages  []chat.Message
	joined    []chat.Member
	left      []string
	gap       bool // messages too old to be broadcast
	sequences []string

	members  []string
	previous map[string]*string // a message's id to the id before it
	together map[string]bool    // who joined at the room's creation
	err      error              // why the room could not be read
}

// endedConnection is a connection whose row was removed.
type endedConnection struct {
	connectionID, userID, sequence string
}

// sort puts a batch's records to the rooms and connections that they concern.
func (f *Fanout) sort(records []record, log *zerolog.Logger) (rooms []*roomNews, ended []endedConnection, malformed int) {
	var byRoom grouped[roomNews]
	room := func(r record) *roomNews {
		news := byRoom.of(r)
		news.id, news.sequences = r.key.RoomID, append(news.sequences, r.sequence)
		return news
	}
	for _, r := range records {
		var err error
		stale := !r.replayed && f.now().Sub(r.at) > staleAfter
		switch {
		case r.key.Kind == table.KindMessage && r.operation == inserted:
			var m chat.Message
			if m, err = r.message(); err == nil {
				news := room(r)
				news.gap = news.gap || stale
				if !stale {
					news.messages = append(news.messages, m)
				}
			}
		case r.key.Kind == table.KindMember && r.operation == inserted:
			var joinedAt int64
			if joinedAt, err = numberOf(r.after, table.JoinedAt); err == nil && !stale {
				news := room(r)
				news.joined = append(news.joined, chat.Member{UserID: r.key.UserID, JoinedAt: joinedAt})
			}
		case r.key.Kind == table.KindMember && r.operation == removed:
			if !stale {
				news := room(r)
				news.left = append(news.left, r.key.UserID)
			}
		case r.key.Kind == table.KindConnection && r.operation == removed:
			var userID string
			if userID, err = textOf(r.before, table.UserID); err == nil {
				ended = append(ended, endedConnection{r.key.ConnectionID, userID, r.sequence})
			}
		}
		if err != nil {
			malformed++
			logMalformed(log, r, err)
		}
	}
	return byRoom.rooms, ended, malformed
}

// forget deletes what is left of connections whose row is gone, whatever the
// records' age.
func (f *Fanout) forget(ctx context.Context, ended []endedConnection, failed *failures, log *zerolog.Logger) {
	errs := make([]error, len(ended))
	each(len(ended), reapsInFlight, func(i int) {
		errs[i] = f.store.ForgetUserConnection(ctx, ended[i].userID, ended[i].connectionID)
	})
	for i, err := range errs {
		if err != nil {
			failed.add(ended[i].sequence)
			log.Error().Err(err).Str("connection_id", ended[i].connectionID).Msg("clean up after a connection")
		}
	}
}

// audience reads, for all rooms at once, who is to know, and returns the
// devices of each user. Each user is read once, however many rooms they are in.
func (f *Fanout) audience(ctx context.Context, rooms []*roomNews) map[string][]chat.Connection {
	each(len(rooms), readsInFlight/2, func(i int) { // each room has two reads at a time
		room := rooms[i]
		if room.err = f.readRoom(ctx, room); room.err != nil {
			room.members = nil // nothing is told of it now: its records come again
		}
	})

	var names []string
	for _, room := range rooms {
		names = append(names, room.recipients()...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	found := make([][]chat.Connection, len(names))
	errs := make([]error, len(names))
	each(len(names), readsInFlight, func(i int) {
		found[i], errs[i] = f.store.UserConnections(ctx, names[i], devicesPerUser)
	})

	devices := make(map[string][]chat.Connection, len(names))
	unread := map[string]error{}
	for i, user := range names {
		devices[user] = found[i]
		if errs[i] != nil {
			unread[user] = errs[i]
		}
	}
	if len(unread) > 0 {
		for _, room := range rooms {
			for _, user := range room.recipients() {
				if err := unread[user]; err != nil && room.err == nil {
					room.err = fmt.Errorf("read the connections of a member: %w", err)
				}
			}
		}
	}
	return devices
}

// readRoom reads what is to be known of a room before anybody is told.
func (f *Fanout) readRoom(ctx context.Context, room *roomNews) error {
	var group errgroup.Group
	group.Go(func() error {
		members, _, err := f.store.Members(ctx, room.id, "", 0)
		if err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		room.members = make([]string, len(members))
		for i, m := range members {
			room.members[i] = m.UserID
		}
		return nil
	})
	group.Go(func() error { return f.readPrevious(ctx, room) })
	if err := group.Wait(); err != nil {
		return err
	}
	if len(room.joined) == 0 || len(room.members) > announcedRoom {
		return nil
	}
	description, _, err := f.store.Room(ctx, room.id)
	if err != nil {
		return fmt.Errorf("read the room: %w", err)
	}
	room.together = map[string]bool{}
	for _, m := range room.joined {
		room.together[m.UserID] = m.JoinedAt == description.CreatedAt
	}
	return nil
}

// readPrevious finds the id before each message. One read serves the batch,
// unless it is older than what others have written since.
func (f *Fanout) readPrevious(ctx context.Context, room *roomNews) error {
	if len(room.messages) == 0 {
		return nil
	}
	slices.SortFunc(room.messages, func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) })
	room.messages = slices.CompactFunc(room.messages, func(a, b chat.Message) bool { return a.ID == b.ID })
	first, last := room.messages[0].ID, room.messages[len(room.messages)-1].ID

	limit := 2*len(room.messages) + 8 // leaves room for messages of other batches in between
	ids, err := f.store.MessageIDsUpTo(ctx, room.id, last, limit)
	if err != nil {
		return fmt.Errorf("read previous messages: %w", err)
	}
	if len(ids) >= min(limit, wholePage) && ids[len(ids)-1] >= first { // the read ended before the first's predecessor
		older, err := f.store.MessageIDsUpTo(ctx, room.id, first, 2)
		if err != nil {
			return fmt.Errorf("read previous messages: %w", err)
		}
		ids = append(ids, older...)
		for _, m := range room.messages {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	room.previous = make(map[string]*string, len(room.messages))
	for _, m := range room.messages {
		if i, _ := slices.BinarySearch(ids, m.ID); i > 0 {
			room.previous[m.ID] = &ids[i-1]
		}
	}
	return nil
}

// recipients are all who are to know something of the room.
func (r *roomNews) recipients() []string {
	if len(r.left) == 0 {
		return r.members
	}
	users := slices.Clone(r.members)
	for _, user := range r.left {
		if !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	return users
}

// report logs what became of the room's news and adds its records to failed if
// it could not be read.
func (r *roomNews) report(failed *failures, log *zerolog.Logger) {
	ids := make([]string, len(r.messages))
	for i, m := range r.messages {
		ids[i] = m.ID
	}
	line := log.Info()
	if r.err != nil {
		failed.add(r.sequences...)
		line = log.Error().Err(r.err)
	}
	line.Str("room_id", r.id).Strs("message_ids", ids).Int("members", len(r.members)).
		Bool("gap", r.gap).Str("outcome", outcome(r.err == nil)).Msg("room served")
}

// deliveryCounts is what became of a batch's posts.
type deliveryCounts struct{ delivered, gone, undelivered int }

// deliver posts, and drops the connections that turn out to have ended.
func (f *Fanout) deliver(ctx context.Context, posts []chat.Post, targets []chat.Connection, log *zerolog.Logger) deliveryCounts {
	var counts deliveryCounts
	if len(posts) == 0 {
		return counts
	}
	var gone []chat.Connection
	for i, d := range f.push.Push(ctx, posts) {
		switch d.Outcome {
		case chat.Delivered:
			counts.delivered++
		case chat.Gone:
			counts.gone++
			if f.now().UnixMilli()-targets[i].ConnectedAt > handshakeGrace.Milliseconds() {
				gone = append(gone, targets[i])
			}
		case chat.Undelivered:
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
	each(len(gone), reapsInFlight, func(i int) {
		err := f.store.DropConnection(ctx, gone[i])
		log.Info().Err(err).Str("connection_id", gone[i].ID).Str("outcome", outcome(err == nil)).Msg("drop an ended connection")
	})
}

// compose encodes what there is to tell and addresses it: one post for each
// connection, or as few as fit a frame's size. target i is where post i goes.
func compose(rooms []*roomNews, devices map[string][]chat.Connection) (posts []chat.Post, targets []chat.Connection) {
	frames := map[string][][]byte{} // by user, but for nobody twice
	for _, room := range rooms {
		room.address(frames)
	}
	var last, joined [][]byte // most users are told the same: it is joined, and hashed by push, once
	for user, mine := range frames {
		if len(mine) == 0 {
			continue
		}
		if !slices.EqualFunc(mine, last, same) {
			last, joined = mine, wire.Join(mine, wire.MaxFrame)
		}
		for _, device := range devices[user] {
			for _, data := range joined {
				posts = append(posts, chat.Post{ConnectionID: device.ID, Data: data})
				targets = append(targets, device)
			}
		}
	}
	return posts, targets
}

// same says whether two frames are one.
func same(a, b []byte) bool { return &a[0] == &b[0] }
