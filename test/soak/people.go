package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/streamroom/streamroom/client"
)

// Of what devices do beside sending: of the messages, and of the changes.
const (
	typeShare     = 0.3 // of messages are typed: others are told
	replyShare    = 0.15
	mentionShare  = 0.2
	reactShare    = 0.4 // of changes are reactions, or take one back
	takeBackShare = 0.3 // of those take one back
	newestReact   = 0.5 // of the others are to the room's newest message
)

// soakReactions are few, so that users react alike.
var soakReactions = []string{"👍", "❤️", "👩‍👩‍👧", ":tada:"}

// extras are what a message has beside its content.
type extras struct {
	replyTo  string
	mentions []string
	files    []string // ids
}

// extras decides what a message has beside its content; of messages that were acknowledged
// and users who are members.
func (d *device) extras(room *room, random *rand.Rand) (x extras) {
	if random.Float64() < replyShare {
		_, x.replyTo = d.run.ledger.anyMessage(room.id, "", random)
	}
	if random.Float64() < mentionShare {
		for _, i := range random.Perm(len(room.users))[:1+random.IntN(2)] {
			if room.isMember(room.users[i]) {
				x.mentions = append(x.mentions, room.users[i])
			}
		}
	}
	return x
}

// sayMore sends a message as people do: typing before, in answer to another one, to someone.
func (d *device) sayMore(ctx context.Context, room *room, random *rand.Rand) (acked bool) {
	if random.Float64() < typeShare {
		d.typeIn(ctx, room)
	}
	x := d.extras(room, random)
	if !d.browser && random.Float64() < fileShare {
		x.files = d.attach(ctx, room, random)
	}
	_, acked = d.sayWith(ctx, room, callTimeout, x)
	return acked
}

// typeIn has the others learn that the user types.
func (d *device) typeIn(ctx context.Context, room *room) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	d.run.chargeTyping(room, d)
	if d.browser {
		_ = d.run.browsers.call(ctx, d, "type", map[string]any{"room": room.id}, nil) // a hint
		return
	}
	_ = d.current().Typing(ctx, room.id) // the same
}

// react adds a reaction to a message, or takes one back.
func (d *device) react(ctx context.Context, room *room, random *rand.Rand) {
	if random.Float64() < takeBackShare {
		if id, reaction := d.run.ledger.anyReaction(room.id, d.user, random); id != "" {
			d.reactTo(ctx, room, id, reaction, false)
			return
		}
	}
	id := d.run.ledger.newest(room.id)
	if random.Float64() >= newestReact {
		_, id = d.run.ledger.anyMessage(room.id, "", random)
	}
	if id == "" {
		return
	}
	d.reactTo(ctx, room, id, soakReactions[random.IntN(len(soakReactions))], true)
}

func (d *device) reactTo(ctx context.Context, room *room, id, reaction string, add bool) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	d.run.chargeReaction(room)
	key := [4]string{room.id, id, d.user, reaction}
	d.run.ledger.reacting(key)
	var err error
	if d.browser {
		err = d.run.browsers.call(ctx, d, "react", map[string]any{"room": room.id, "id": id, "reaction": reaction, "add": add}, nil)
	} else {
		var now client.Reactions
		if c := d.current(); add {
			now, err = c.React(ctx, room.id, id, reaction)
		} else {
			now, err = c.TakeBack(ctx, room.id, id, reaction)
		}
		if err == nil {
			d.reacted(room.id, id, now, []client.ReactionChange{{UserID: d.user, Reaction: reaction, Added: add}})
		}
	}
	d.run.ledger.reacted(key, add, err == nil)
	d.run.tally.did(&d.run.tally.Reactions, err)
}

// reactions are those of a message as a Go device shows them.
type reactions struct {
	version int64
	counts  map[string]int   // of run.shared
	mine    map[string]bool  // nil: none
	own     int64            // as of which version all of the user's own are known
	since   map[string]int64 // the versions at which frames told of the user's own since; nil: none did
}

// reacted takes the reactions to a message: the newer counts, and of the user's own the
// newer ones of each, as docs/protocol.md says. After an absence a frame may overtake what
// is fetched: its counts are newer than that, which has the user's own all the same.
func (d *device) reacted(room, messageID string, now client.Reactions, changed []client.ReactionChange) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v := d.ongoing(room); v != nil {
		d.noteReacted(v, messageID, now, changed)
	}
}

// noteReacted is reacted with d.mu held.
func (d *device) noteReacted(v *visit, messageID string, now client.Reactions, changed []client.ReactionChange) {
	held := v.reacted[messageID]
	if held == nil {
		held = &reactions{}
		v.reacted[messageID] = held
	}
	if now.Version >= held.version {
		held.version, held.counts = now.Version, d.run.shared.counts(messageID, now.Counts)
	}
	if now.Mine != nil && now.Version >= held.own {
		held.own = now.Version
		for _, reaction := range soakReactions {
			if held.since[reaction] <= now.Version {
				held.setMine(reaction, slices.Contains(now.Mine, reaction))
			}
		}
	}
	for _, c := range changed {
		if c.UserID == d.user && now.Version > held.own && now.Version >= held.since[c.Reaction] {
			if held.since == nil {
				held.since = map[string]int64{}
			}
			held.since[c.Reaction] = now.Version
			held.setMine(c.Reaction, c.Added)
		}
	}
}

// setMine notes whether a reaction is the user's own.
func (r *reactions) setMine(reaction string, mine bool) {
	switch {
	case !mine:
		delete(r.mine, reaction)
	case r.mine == nil:
		r.mine = map[string]bool{reaction: true}
	default:
		r.mine[reaction] = true
	}
}

// shownReactions is what a Go device shows of a message's reactions; nil for none.
func (v *visit) shownReactions(messageID string) *client.Reactions {
	held := v.reacted[messageID]
	if held == nil {
		return nil
	}
	shown := &client.Reactions{Version: held.version, Counts: held.counts}
	shown.Mine = slices.AppendSeq(shown.Mine, maps.Keys(held.mine))
	return shown
}

// goneAfter is how long a user is shown as online whose last connection has ended: who
// reconnects is back by then.
const goneAfter = 15 * time.Second

// sighting is whether a Go device shows a user as online.
type sighting struct {
	online bool
	at     int64 // of what was told last, by the server's clock
	heard  int64 // when
	gone   int64 // when it was first heard that they have gone; 0: they have not
}

// told takes what a device hears of a user's presence.
func (d *device) told(p client.Presence) {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.people[p.UserID]
	if p.At <= held.at {
		return
	}
	held.at, held.heard = p.At, d.run.now()
	d.people[p.UserID] = held.become(p.Online, d.run.now())
}

// learned takes what an answer says of a user's presence, to what was asked at a time: what
// was told since is newer.
func (d *device) learned(user string, online bool, asked int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if held := d.people[user]; held.heard < asked {
		d.people[user] = held.become(online, d.run.now())
	}
}

func (s sighting) become(online bool, now int64) sighting {
	switch {
	case online:
		s.online, s.gone = true, 0
	case s.online && s.gone == 0:
		s.gone = now
	}
	return s
}

// showsOnline are the users whom a Go device shows as online.
func (d *device) showsOnline() map[string]bool {
	shown := map[string]bool{}
	for user, s := range d.people {
		shown[user] = s.online && (s.gone == 0 || d.run.now()-s.gone < int64(goneAfter))
	}
	return shown
}

// forgetPeople drops what was known of who is online, before it is asked for: what was
// told while there was no connection is lost.
func (d *device) forgetPeople() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.people)
}

// typed judges who is said to type: never the user, and only in rooms that they may be in.
func (d *device) typed(e client.Typing) {
	i := slices.IndexFunc(d.run.rooms, func(r *room) bool { return r.id == e.ChatRoomID })
	from := d.run.now() - int64(callTimeout)
	if d.tab.wasFrozen(from) { // which reads now what came then
		from = min(from, d.tab.frozenSince())
	}
	if e.UserID == d.user || i >= 0 && !d.authorized(d.run.rooms[i], from, d.run.now()) {
		d.run.ledger.violate(Violation{Promise: Foreign, Room: e.ChatRoomID, Client: d.name, Detail: "it says that " + e.UserID + " types"})
	}
	d.run.tally.add(&d.run.tally.Typings)
}
