package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/fanout"
)

// tellsAllReactions reports whether all members' devices get reactions: in larger
// rooms only those of the user who reacts.
func (r *run) tellsAllReactions(room *room) bool {
	return room.index > 0 || r.config.Crowd < fanout.SliceAbove
}

// besideContent is where what a message has beside its content, whom it answers and
// mentions, is not as stored; "" if nowhere. An own message may be shown with the quote that
// it was composed with: what it answers may have been changed since.
func besideContent(shown, stored client.HistoryMessage, own bool) string {
	quote := func(m client.HistoryMessage) (q client.Quote) {
		if m.ReplyTo != nil {
			q = *m.ReplyTo
		}
		if own {
			q.Preview, q.Attachments = "", 0
		}
		return q
	}
	switch mentions := [2][]string{slices.Sorted(slices.Values(shown.Mentions)), slices.Sorted(slices.Values(stored.Mentions))}; {
	case quote(shown) != quote(stored):
		return fmt.Sprintf("it is shown with the quote %+v, stored is %+v", quote(shown), quote(stored))
	case !slices.Equal(mentions[0], mentions[1]):
		return fmt.Sprintf("it is shown to mention %q, stored are %q", mentions[0], mentions[1])
	}
	return ""
}

// compareReactions compares the reactions to messages that are shown with those that the
// server has, for a user's own reader.
func compareReactions(room string, shown opened, history []client.HistoryMessage) (found []difference) {
	all := map[string]client.HistoryMessage{}
	for i, m := range history {
		if m.DeletedAt == 0 && (shown.Fresh == 0 || i >= len(history)-shown.Fresh) {
			all[m.MessageID] = m
		}
	}
	var counts, own difference
	for _, g := range shown.Messages {
		w, judged := all[g.MessageID]
		if !judged || g.DeletedAt != 0 {
			continue
		}
		got, want := reactionsOf(g), reactionsOf(w)
		if !maps.Equal(got.Counts, want.Counts) {
			counts.add(room, g, "it is shown with the reactions %v, the server has %v", got.Counts, want.Counts)
		} else if !slices.Equal(got.Mine, want.Mine) {
			own.add(room, g, "it is shown with one's own reactions %q, the server has %q", got.Mine, want.Mine)
		}
	}
	for _, x := range []difference{counts, own} {
		if x.detail != "" {
			found = append(found, x)
		}
	}
	return found
}

// reactionsOf are the reactions to a message in a form that can be compared.
func reactionsOf(m client.HistoryMessage) (r client.Reactions) {
	if m.Reactions != nil {
		r.Counts, r.Mine = m.Reactions.Counts, slices.Sorted(slices.Values(m.Reactions.Mine))
	}
	return r
}

// comparePresence compares who is shown as online with what the server says, in rooms that
// are shown.
func comparePresence(got holdings, want truth) (found []difference) {
	seen := map[string]bool{want.user: true, want.leaving: true}
	for room, members := range want.members {
		if _, shown := got.Opened[room]; !shown {
			continue
		}
		for _, m := range members {
			if shown := got.Online[m.UserID]; !seen[m.UserID] && shown != m.Online {
				found = append(found, difference{room: room, detail: fmt.Sprintf("%s is shown as online: %t, by the server: %t", m.UserID, shown, m.Online)})
			}
			seen[m.UserID] = true
		}
	}
	return found
}

// ownDifferences compares the reactions that devices show with what the server says to
// each device's user.
func (r *run) ownDifferences(ctx context.Context, shown map[*device]holdings, when string) (found []Violation, err error) {
	devices := map[string][]*device{} // by user
	for d := range shown {
		devices[d.user] = append(devices[d.user], d)
	}
	for user, devices := range devices {
		for _, room := range r.rooms {
			if !r.tellsAllReactions(room) {
				continue
			}
			histories := map[int][]client.HistoryMessage{} // by how much of them has to be fresh
			for _, d := range devices {
				opened, shows := shown[d].Opened[room.id]
				if !shows {
					continue
				}
				history, read := histories[opened.Fresh]
				if !read {
					if history, err = r.historyFor(ctx, user, room, opened.Fresh); err != nil {
						return nil, err
					}
					histories[opened.Fresh] = history
				}
				for _, x := range compareReactions(room.id, opened, history) {
					found = append(found, Violation{Promise: Differs, Room: x.room, Client: d.name, IDs: x.ids, Detail: when + ": " + x.detail})
				}
			}
		}
	}
	return found, nil
}

// historyFor reads the newest messages of a room as a user, oldest first: some at least; 0
// is all.
func (r *run) historyFor(ctx context.Context, user string, room *room, newest int) ([]client.HistoryMessage, error) {
	reader, err := r.reader(user)
	if err != nil {
		return nil, err
	}
	all := []client.HistoryMessage{}
	for page := (client.Page{Limit: client.MaxPage}); ; {
		asking, cancel := r.timeout(ctx)
		got, err := reader.History(asking, room.id, page)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("read a history as %s: %w", user, err)
		}
		all = append(all, got.Messages...)
		if page.Before = got.Cursor; got.Cursor == "" || newest > 0 && len(all) >= newest {
			slices.Reverse(all)
			return all, nil
		}
	}
}

// checkReactions looks for counts that are not the sum of what users say are their own,
// for reactions that were acknowledged and are not there, and for the reverse.
func (r *run) checkReactions(ctx context.Context, room *room) error {
	own := map[string]map[string]int{} // by message and reaction
	for _, user := range room.users {
		if !room.isMember(user) {
			return nil // their own can't be read
		}
		history, err := r.historyFor(ctx, user, room, 0)
		if err != nil {
			return err
		}
		for _, m := range history {
			if own[m.MessageID] == nil {
				own[m.MessageID] = map[string]int{}
			}
			mine := reactionsOf(m).Mine
			for _, reaction := range mine {
				own[m.MessageID][reaction]++
			}
			for _, reaction := range soakReactions {
				want, sure := r.ledger.reactedWith([4]string{room.id, m.MessageID, user, reaction})
				if has := slices.Contains(mine, reaction); sure && m.DeletedAt == 0 && has != want {
					r.ledger.violate(Violation{
						Promise: Reaction, Room: room.id, Client: user, IDs: []string{m.MessageID},
						Detail: fmt.Sprintf("%s is there: %t, by what was acknowledged: %t", reaction, has, want),
					})
				}
			}
			if user == room.users[len(room.users)-1] && !maps.Equal(own[m.MessageID], reactionsOf(m).Counts) && len(own[m.MessageID])+len(reactionsOf(m).Counts) > 0 {
				r.ledger.violate(Violation{
					Promise: Reaction, Room: room.id, IDs: []string{m.MessageID},
					Detail: fmt.Sprintf("the counts are %v, and members' own %v", reactionsOf(m).Counts, own[m.MessageID]),
				})
			}
		}
	}
	return nil
}

// reacting notes a change of a reaction that begins; reacted, its outcome.
func (l *ledger) reacting(key [4]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reactions == nil {
		l.reactions = map[[4]string]*outcome{}
	}
	if l.reactions[key] == nil {
		l.reactions[key] = &outcome{}
	}
	o := l.reactions[key]
	o.doubtful = o.doubtful || o.under > 0
	o.under++
}

func (l *ledger) reacted(key [4]string, add, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.reactions[key]
	o.under--
	o.known, o.added = acknowledged, add
	if acknowledged && add {
		l.added = append(l.added, key)
	}
	o.doubtful = o.doubtful || !acknowledged
}

// anyReaction is a reaction of a user's in a room that was acknowledged, and may have been
// taken back since; of no message, if there is none.
func (l *ledger) anyReaction(room, user string, random *rand.Rand) (messageID, reaction string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own [][4]string
	for _, key := range l.added {
		if key[0] == room && key[2] == user {
			own = append(own, key)
		}
	}
	if len(own) == 0 {
		return "", ""
	}
	key := own[random.IntN(len(own))]
	return key[1], key[3]
}

// outcome is what is known of a user's reaction to a message.
type outcome struct {
	under    int  // changes that are under way
	doubtful bool // two were at a time, or one was not answered
	known    bool
	added    bool
}

// reactedWith is whether a user has a reaction, by what was acknowledged, where that is sure.
func (l *ledger) reactedWith(key [4]string) (added, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.reactions[key]
	if o == nil {
		return false, true // no one has asked for it
	}
	return o.added, o.known && !o.doubtful && o.under == 0
}

// visitor is a user of all small rooms who says nothing, and is online or not.
const visitor = "visitor"

// presentVisitor is the visitor's client, while it runs.
type presentVisitor struct {
	end   context.CancelFunc
	ended sync.WaitGroup
}

// comeVisitor has the visitor come online.
func (r *run) comeVisitor(ctx context.Context) error {
	reader, err := r.reader(visitor)
	if err != nil {
		return err
	}
	ctx, r.visitor.end = context.WithCancel(context.WithoutCancel(ctx))
	r.visitor.ended.Go(func() {
		_ = reader.Run(ctx, func(context.Context, client.Event) {}) // its error is ctx's
	})
	return nil
}

// leaveVisitor has the visitor go.
func (r *run) leaveVisitor() {
	if r.visitor.end != nil {
		r.visitor.end()
		r.visitor.ended.Wait()
		delete(r.readers, visitor) // a client runs once
	}
}

// visited is a room that the visitor is in; nil: there is none.
func (r *run) visited() *room {
	i := slices.IndexFunc(r.rooms, r.isVisited)
	if i < 0 {
		return nil
	}
	return r.rooms[i]
}

func (r *run) isVisited(room *room) bool {
	return r.asks && len(room.users) < markedMembers && (room.index > 0 || r.config.Crowd == 0) && (room.index != 1 || r.config.Group == 0)
}

// awaitPresence waits until the server says that a user is online, or is not.
func (r *run) awaitPresence(ctx context.Context, user string, in *room, online bool) error {
	reader, err := r.reader(in.owner())
	if err != nil {
		return err
	}
	var failed error
	err = r.await(ctx, func() bool {
		members, _, err := r.members(ctx, reader, in, markedMembers)
		failed = err
		i := slices.IndexFunc(members, func(m client.RoomMember) bool { return m.UserID == user })
		return err == nil && i >= 0 && members[i].Online == online
	})
	if errors.Is(err, errTimeout) && failed == nil {
		r.ledger.violate(Violation{Promise: Differs, Room: in.id, Client: user, Detail: fmt.Sprintf("the server does not say that the user is online: %t", online)})
		return nil
	}
	return errors.Join(err, failed)
}

// people are all whom devices may show as online.
func (r *run) people() (all []string) {
	for user := range r.users() {
		all = append(all, user)
	}
	return append(all, visitor)
}
