package fanout

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
)

// Charging has a Fanout charge posts to the users who caused them, beyond those that each
// action counts for already. Of a user who has spent their limit others are not notified any
// more when they type, come and go. Call it before the first Handle.
func (f *Fanout) Charging(charges Charges) *Fanout {
	f.charging.charges = charges
	return f
}

// charging charges users.
type charging struct {
	table   *table
	charges Charges // nil: users are not charged
	now     func() time.Time
}

// chargeTime is how long an invocation takes to charge users, after all else.
const chargeTime = 2 * time.Second

// spent reports whether a user is known to have spent their limit.
func (c *charging) spent(userID string) bool { return c.charges != nil && c.charges.Spent(userID) > 0 }

// worthTelling leaves out that users type who have spent their limit.
func (c *charging) worthTelling(records []changes.Record) []changes.Record {
	spent := func(r changes.Record) bool {
		noted, types := r.Change.(changes.TypingNoted)
		return types && c.spent(noted.UserID)
	}
	if !slices.ContainsFunc(records, spent) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), spent)
}

// cause is a user, and the room in which they do something, "" for none.
type cause struct{ userID, roomID string }

// caused are posts that users have caused, beyond those that go with each of their actions.
type caused map[cause]float64

func (c caused) add(by cause, posts float64) {
	if posts > 0 {
		c[by] += posts
	}
}

// plus returns both together.
func (c caused) plus(more caused) caused {
	sum := maps.Clone(c)
	if sum == nil {
		return more
	}
	for by, posts := range more {
		sum.add(by, posts)
	}
	return sum
}

// caused returns who caused the posts of a round, and how many; nil if no one is charged.
// What comes again, as some of it failed, is charged then.
func (c *charging) caused(r round, d devices, unnotified map[int]error) caused {
	if c.charges == nil {
		return nil
	}
	all := caused{}
	for i := range r.broadcasts {
		b := &r.broadcasts[i]
		if cmp.Or(b.err, d.errorOf(b.audience.recipients), unnotified[i]) != nil {
			continue
		}
		for by, posts := range b.caused(d) {
			all.add(by, posts)
		}
	}
	for i := range r.people {
		if p := &r.people[i]; p.err == nil {
			all.add(cause{userID: p.userID}, float64(d.count(p.recipients))+float64(len(p.recipients))/chat.ReadsPerPost)
		}
	}
	return all
}

// sharers are how many groups of users share what is posted together to all members: those of
// each message, those who read and who type in a small room, and those who changed the
// room, who are charged by their request. What concerns single members alone goes to these.
func (b *broadcast) sharers() int {
	e, now := b.events, &b.snapshot
	n := len(now.messages) + len(now.changed) + len(now.reacted)
	if b.audience.isSmall() {
		n += min(1, len(e.reads)) + min(1, len(e.typing))
	}
	if e.renamedAt != 0 {
		n++
	}
	return n
}

// caused returns who caused the posts of a broadcast, and how many. What is posted together
// is shared by those who caused it, as what is read is. The content of a message makes each
// post more expensive. What happened in a room that slices serve is charged by these.
func (b *broadcast) caused(d devices) caused {
	e, now, c := b.events, &b.snapshot, caused{}
	if b.audience.large || e.replay != "" {
		return c
	}
	whole := b.audience.within == (MemberRange{})
	posts := float64(d.count(b.audience.recipients))
	read := float64(max(len(b.audience.members), len(b.audience.recipients))) / chat.ReadsPerPost
	act := func(userID string, content, weight, actors int) {
		covered := 0
		if whole {
			covered = chat.ReachWeight * weight
		}
		each := 1 + float64(content)/chat.MaxContent
		c.add(cause{userID, e.roomID}, (posts*each+read)/float64(b.sharers()*actors)-float64(covered))
	}
	for _, m := range now.messages {
		act(m.SenderID, len(m.Content), m.Weight(), 1)
	}
	for _, m := range now.changed {
		act(cmp.Or(m.DeletedBy, m.SenderID), len(m.Content), 1+len(m.Content)/chat.ContentWeight, 1)
	}
	for _, m := range now.reacted {
		for _, r := range e.reacted[m.ID] {
			act(r.UserID, 0, 1, len(e.reacted[m.ID]))
		}
	}
	if b.audience.isSmall() {
		for user := range e.reads {
			act(user, 0, 1, len(e.reads))
		}
		for user := range e.typing {
			act(user, 0, 0, len(e.typing))
		}
	}
	return c
}

// charge takes what users have caused out of their limits. What fails is charged with what
// they cause next. Who has spent their limit is paused in the room by which this shows: each
// instance of a function that admits what they do finds out by itself only after a hundred
// actions, which may be a hundred times as expensive there.
func (c *charging) charge(ctx context.Context, all caused, log *zerolog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, chargeTime)
	defer cancel()
	for by, posts := range all {
		spent, err := c.charges.Add(ctx, by.userID, int(math.Ceil(posts)))
		if err == nil && spent > 0 && by.roomID != "" {
			log.Warn().Str("user_id", by.userID).Str("room_id", by.roomID).Dur("paused_ms", spent).Msg("a user has spent their limit over time")
			err = c.table.store.PauseMember(ctx, by.roomID, by.userID, c.now().Add(spent).UnixMilli())
		}
		if err != nil {
			log.Warn().Err(err).Str("user_id", by.userID).Msg("charge a user")
		}
	}
}
