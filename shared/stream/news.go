package stream

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
)

const (
	// announcedRoom is the size up to which everybody in a room learns who came
	// and went. Beyond it, n members joining would cost n² frames.
	announcedRoom = 100

	// wholePage is how many messages are read at once at least, if there are as
	// many: a page has 1 MB, and a message some 20 KB with its readers.
	wholePage = 48
)

// roomNews is what a batch says of one room, or of a range of its members, and
// who is to know.
type roomNews struct {
	id        string
	within    chat.MemberRange // of whom this is told
	messages  []chat.Message
	changed   map[string]int64  // messages that were edited or deleted, and when last
	reads     map[string]string // who has read up to which message
	renamed   int64             // when the room was; 0: it was not
	gap       bool              // there are messages too old to be broadcast
	stale     []string          // their ids
	joined    []chat.Member
	left      []string
	replay    string // the replay that this comes from
	sequences []string

	members  []string
	large    bool               // more members than are served at once: slices tell them
	back     map[string]bool    // who left and is a member nonetheless
	previous map[string]*string // a message's id to the id before it
	changes  []chat.Message     // those that changed, as they are now
	name     string             // the room's, as it is now, if it was renamed
	together map[string]bool    // who joined at the room's creation
	err      error              // why the room could not be served
}

// hear adds a message to the room's news.
func (r *roomNews) hear(m chat.Message, stale bool, replay string) {
	if stale {
		r.gap, r.stale = true, append(r.stale, m.ID)
		return
	}
	r.messages = append(r.messages, m)
	r.replay = replay
}

// change notes that a message was edited or deleted.
func (r *roomNews) change(messageID string, at int64, stale bool, replay string) {
	if stale {
		r.gap, r.stale = true, append(r.stale, messageID)
		return
	}
	if r.changed == nil {
		r.changed = map[string]int64{}
	}
	r.changed[messageID] = max(r.changed[messageID], at)
	r.replay = replay
}

// read notes how far a user has read.
func (r *roomNews) read(userID, upTo string) {
	if r.reads == nil {
		r.reads = map[string]string{}
	}
	r.reads[userID] = max(r.reads[userID], upTo)
}

// general says whether there is anything that everybody in the room, whatever
// its size, is to know.
func (r *roomNews) general() bool {
	return len(r.messages) > 0 || len(r.changed) > 0 || r.renamed != 0 || r.gap
}

// served is how many members are told by one invocation. Who else has read is
// told in small rooms only, so there is no need to read the members of others.
func (r *roomNews) served() int {
	if r.general() || len(r.joined) > 0 || len(r.left) > 0 {
		return SliceAbove
	}
	return chat.SmallRoom
}

// read reads what is to be known before anybody is told. What the members of a
// large range are to know is left to slices.
func (f *Fanout) read(ctx context.Context, room *roomNews) error {
	if room.err != nil {
		return room.err
	}
	served := room.served()
	var group errgroup.Group
	group.Go(func() error {
		members, more, err := f.store.MembersIn(ctx, room.id, room.within, served)
		if err != nil {
			return fmt.Errorf("read members: %w", err)
		}
		room.large = more
		room.members = make([]string, len(members))
		for i, m := range members {
			room.members[i] = m.UserID
		}
		return nil
	})
	group.Go(func() error {
		if room.previous == nil {
			if err := f.readPrevious(ctx, room); err != nil {
				return err
			}
		}
		return f.readChanges(ctx, room)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if room.large {
		if err := f.cut(ctx, room); err != nil {
			return err
		}
		room.members = []string{} // they are told by slices
	}
	return f.readMovers(ctx, room)
}

// settle puts the messages in order, each once.
func (r *roomNews) settle() {
	slices.SortFunc(r.messages, func(a, b chat.Message) int { return cmp.Compare(a.ID, b.ID) })
	r.messages = slices.CompactFunc(r.messages, func(a, b chat.Message) bool { return a.ID == b.ID })
}

// readMovers reads what is to be known of those who came and went.
func (f *Fanout) readMovers(ctx context.Context, room *roomNews) error {
	room.back = make(map[string]bool, len(room.left))
	for _, user := range room.left {
		back := slices.Contains(room.members, user)
		if room.large {
			var err error
			if back, err = f.store.IsMember(ctx, room.id, user); err != nil {
				return fmt.Errorf("read a member: %w", err)
			}
		}
		room.back[user] = back
	}
	if len(room.joined) == 0 || !room.announces() {
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

// readChanges reads what changed as it is now: told late or twice, a change does
// not bring back what was before the next one.
func (f *Fanout) readChanges(ctx context.Context, room *roomNews) (err error) {
	if len(room.changed) > 0 && room.changes == nil {
		room.changes, err = f.store.MessagesByID(ctx, room.id, slices.Sorted(maps.Keys(room.changed)))
		if err != nil {
			return fmt.Errorf("read changed messages: %w", err)
		}
		room.renew()
	}
	if room.renamed != 0 && room.name == "" {
		description, _, err := f.store.Room(ctx, room.id)
		if err != nil {
			return fmt.Errorf("read the room: %w", err)
		}
		room.name = description.Name
	}
	return nil
}

// renew says messages that have changed since as they are now: a record that
// comes late must not tell what was taken back meanwhile. The end of those that
// were deleted is told instead.
func (r *roomNews) renew() {
	for _, now := range r.changes {
		i, heard := r.heard(now.ID)
		switch {
		case !heard:
		case now.DeletedAt != 0:
			r.messages = slices.Delete(r.messages, i, i+1)
		default:
			r.messages[i].Content = now.Content
		}
	}
}

// heard finds a message in the room's news.
func (r *roomNews) heard(messageID string) (int, bool) {
	return slices.BinarySearchFunc(r.messages, messageID, func(m chat.Message, id string) int { return cmp.Compare(m.ID, id) })
}

// readPrevious finds the id before each message, and which have changed since.
// One read serves the batch, unless it is older than what others have written
// since.
func (f *Fanout) readPrevious(ctx context.Context, room *roomNews) error {
	if len(room.messages) == 0 {
		return nil
	}
	first, last := room.messages[0].ID, room.messages[len(room.messages)-1].ID

	limit := 2*len(room.messages) + 8 // leaves room for messages of other batches in between
	stored, err := f.store.MessagesUpTo(ctx, room.id, last, limit)
	if err != nil {
		return fmt.Errorf("read previous messages: %w", err)
	}
	if len(stored) >= min(limit, wholePage) && stored[len(stored)-1].ID >= first { // the read ended before the first's predecessor
		older, err := f.store.MessagesUpTo(ctx, room.id, first, 2)
		if err != nil {
			return fmt.Errorf("read previous messages: %w", err)
		}
		stored = append(append(stored, older...), room.messages...)
	}
	ids := make([]string, len(stored))
	for i, m := range stored {
		ids[i] = m.ID
		if _, heard := room.heard(m.ID); heard && m.Version() > room.changed[m.ID] {
			room.change(m.ID, m.Version(), false, room.replay)
			room.changes = nil // to be read, with this one
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

// announces says whether everybody in the room learns who came and went.
func (r *roomNews) announces() bool { return !r.large && len(r.members) <= announcedRoom }

// recipients are all who are to know something of the room.
func (r *roomNews) recipients() []string {
	forAll := r.general() || r.announces()
	if forAll && len(r.left) == 0 && !r.large {
		return r.members
	}
	users := slices.Clone(r.left)
	if forAll {
		users = append(users, r.members...)
	}
	for _, m := range r.joined {
		if r.large || slices.Contains(r.members, m.UserID) {
			users = append(users, m.UserID)
		}
	}
	for user := range r.reads {
		users = append(users, user)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// report logs what became of the room's news and adds its records to failed if
// it could not be served.
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
	line.Str("room_id", r.id).Strs("message_ids", ids).Int("changes", len(r.changed)).Int("reads", len(r.reads)).
		Int("members", len(r.members)).
		Bool("gap", r.gap).Bool("sliced", r.large && r.general()).Str("outcome", metrics.Outcome(r.err == nil)).Msg("room served")
}
