package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// What those who own rooms do on a day to keep order in them, of all together: for each
// some users, at least one.
const (
	usersAMute    = 8
	usersABan     = 12
	usersADelete  = 6
	usersAReport  = 4
	usersAHiding  = 10
	usersAPlace   = 2
	usersABlock   = 4
	dismissShare  = 0.3 // of reports are dismissed
	liftShare     = 0.5 // of bans are lifted; the others end
	shortSentence = 30 * time.Minute
	longSentence  = 4 * time.Hour
)

// sentence is a time in which something holds of a user. What comes between a call and its
// answer, or the other way round at its end, is uncertain.
type sentence struct{ begins, surelyBegins, ends, surelyEnds int64 }

// mayHold reports whether one of the all may have held at some time from one moment to
// another; holds, whether one surely held throughout.
func mayHold(all []sentence, from, to int64) bool {
	return slices.ContainsFunc(all, func(s sentence) bool { return s.begins <= to && s.surelyEnds >= from })
}

func holds(all []sentence, from, to int64) bool {
	return slices.ContainsFunc(all, func(s sentence) bool { return s.surelyBegins <= from && s.ends >= to })
}

// mayBeMuted reports whether a user may have been muted at some time from one moment to
// another; isMuted, whether surely throughout.
func (m *room) mayBeMuted(user string, from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mayHold(m.mutes[user], from, to)
}

func (m *room) isMuted(user string, from, to int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return holds(m.mutes[user], from, to)
}

// sentenced reports whether a user may be muted or banned at a time: who leaves then can't
// be added before it is over.
func (m *room) sentenced(user string, at int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mayHold(m.mutes[user], at, at) || mayHold(m.bans[user], at, at)
}

// noteSentence notes that a user is muted, or banned, from a call on until a time.
func (r *run) noteSentence(room *room, of map[string][]sentence, user string, called int64, acknowledged bool, until time.Time) {
	room.mu.Lock()
	defer room.mu.Unlock()
	if n := len(of[user]); n > 0 { // which this one replaces
		last := &of[user][n-1]
		last.ends = min(last.ends, called)
	}
	s := sentence{called, never, r.at(until) - int64(clockError), r.at(until) + int64(clockError)}
	if acknowledged {
		s.surelyBegins = r.now()
	}
	of[user] = append(of[user], s)
}

// moderation is how owners keep order in the course of a day.
func (d *days) moderation() (events []event) {
	random, groups := d.random(fmt.Sprint("moderation ", d.done)), d.groups()
	some := func(users int, do func(ctx context.Context, room *room, owner *device, random *rand.Rand)) {
		for range max(1, len(d.people)/users) {
			at := d.from.Add(time.Duration(d.done)*day + judged + part(random, day-2*quietBefore))
			room := groups[random.IntN(len(groups))]
			plan := rand.New(rand.NewPCG(random.Uint64(), random.Uint64())) //nolint:gosec // not for secrets
			events = append(events, event{at, func(ctx context.Context) {
				if owner := d.deviceOf(room.owner()); !owner.absent.Load() {
					do(ctx, room, owner, plan)
				}
			}})
		}
	}
	some(usersAMute, d.mute)
	some(usersADelete, func(ctx context.Context, room *room, owner *device, random *rand.Rand) {
		if number, id := d.ledger.anyMessage(room.id, "", random); id != "" {
			owner.eraseMessage(ctx, room, number, id)
		}
	})
	some(usersAReport, d.reportOrDismiss)
	some(usersAPlace, d.placeRoom)
	some(usersAHiding, func(ctx context.Context, _ *room, _ *device, random *rand.Rand) {
		d.people[random.IntN(len(d.people))].hide(ctx)
	})
	some(usersABlock, func(ctx context.Context, _ *room, _ *device, random *rand.Rand) { d.toggleBlock(ctx, random) })
	if d.config.happens(faultMembers) {
		some(usersABan, d.ban)
	}
	return events
}

// mute mutes a member for some time.
func (d *days) mute(ctx context.Context, room *room, owner *device, random *rand.Rand) {
	user := room.users[1+random.IntN(len(room.users)-1)]
	if !room.isMember(user) {
		return
	}
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	called, until := d.now(), d.run.config.Clock.Now().Add(shortSentence+part(random, longSentence))
	d.chargeMembers(room)
	_, err := owner.current().Mute(ctx, room.id, user, until)
	d.noteSentence(room, room.mutes, user, called, err == nil, until)
	d.tally.did(&d.tally.Moderations, err)
}

// ban removes a member for some time, in which they can't be added, and adds them again
// after it.
func (d *days) ban(ctx context.Context, room *room, owner *device, random *rand.Rand) {
	user := room.users[1+random.IntN(len(room.users)-1)]
	if !room.isMember(user) || d.now()-room.unsure[user] < int64(lateEffect) || room.sentenced(user, d.now()) || d.mayBlock(user, room.owner()) {
		return
	}
	until := d.run.config.Clock.Now().Add(shortSentence + part(random, longSentence))
	called := d.now()
	d.banned.Store(user, called)
	d.changeMemberBy(ctx, room, user, func(ctx context.Context, c *client.Client) error {
		_, err := c.Ban(ctx, room.id, user, until, "")
		return err
	})
	d.noteSentence(room, room.bans, user, called, true, until)
	d.tally.add(&d.tally.Moderations)
	d.addBanned(ctx, room, owner, user, until)
	if random.Float64() < liftShare {
		d.lift(ctx, room, owner, user)
	}
}

// bannedSince reports whether a ban of a user, which ends their connections, may have been
// carried out since a time.
func (r *run) bannedSince(user string, at int64) bool {
	asked, ok := r.banned.Load(user)
	return ok && asked.(int64) >= at-int64(lateEffect)
}

// addBanned tries to add a user who is banned until a time.
func (d *days) addBanned(ctx context.Context, room *room, owner *device, user string, until time.Time) {
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	err := owner.current().AddMember(ctx, room.id, user)
	var refusal *client.Error
	if d.run.config.Clock.Until(until) > clockError && (err == nil || errors.As(err, &refusal) && refusal.Code != client.CodeBanned && !refusal.Retryable()) {
		d.ledger.violate(Violation{Promise: Unauthorized, Room: room.id, Client: user, Detail: fmt.Sprintf("was added while banned: %v", err)})
	}
}

// lift ends a ban, if that is answered: else it ends by itself.
func (d *days) lift(ctx context.Context, room *room, owner *device, user string) {
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	if owner.current().Unban(ctx, room.id, user) != nil {
		return
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	last := &room.bans[user][len(room.bans[user])-1]
	last.ends, last.surelyEnds = min(last.ends, d.now()), min(last.surelyEnds, d.now())
}

// reports are what is known of the reports of a room's messages: by message and who reported
// it, whether that is sure; absent: it was not reported, or is dismissed.
type reports map[[2]string]bool

// reportOrDismiss has a member report a message of someone else's, or the owner dismiss
// what was reported of one.
func (d *days) reportOrDismiss(ctx context.Context, room *room, owner *device, random *rand.Rand) {
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	number, id := d.ledger.anyMessage(room.id, "", random)
	if id == "" {
		return
	}
	if random.Float64() < dismissShare {
		d.dismiss(ctx, room, owner, random)
		return
	}
	sends, _ := d.ledger.all()
	by := d.deviceOf(room.users[random.IntN(len(room.users))])
	if by.user == sends[number].user || by.absent.Load() || !room.isMember(by.user) {
		return
	}
	err := by.current().Report(ctx, room.id, id, "")
	room.mu.Lock()
	defer room.mu.Unlock()
	key := [2]string{id, by.user}
	room.reports[key] = room.reports[key] || err == nil
	d.tally.did(&d.tally.Moderations, err)
}

// dismiss dismisses the reports of a message.
func (d *days) dismiss(ctx context.Context, room *room, owner *device, random *rand.Rand) {
	room.mu.Lock()
	var ids []string
	for key := range room.reports {
		ids = append(ids, key[0])
	}
	room.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	id := ids[random.IntN(len(ids))]
	err := owner.current().DismissReports(ctx, room.id, id)
	room.mu.Lock()
	defer room.mu.Unlock()
	for key := range room.reports {
		switch {
		case key[0] != id:
		case err == nil:
			delete(room.reports, key)
		default:
			room.reports[key] = false
		}
	}
	d.tally.did(&d.tally.Moderations, err)
}

// checkReports compares the lists of reports with what was reported and dismissed.
func (d *days) checkReports(ctx context.Context) error {
	for _, room := range d.groups() {
		reader, err := d.reader(room.owner())
		if err != nil {
			return err
		}
		listed := map[[2]string]bool{}
		for cursor := ""; ; {
			asking, cancel := d.timeout(ctx)
			page, err := reader.Reports(asking, room.id, cursor)
			cancel()
			if err != nil {
				return fmt.Errorf("read reports: %w", err)
			}
			for _, r := range page.Reports {
				listed[[2]string{r.MessageID, r.UserID}] = true
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		d.compareReports(room, listed)
	}
	return nil
}

func (d *days) compareReports(room *room, listed map[[2]string]bool) {
	room.mu.Lock()
	defer room.mu.Unlock()
	for key, sure := range room.reports {
		if id, err := ulid.ParseStrict(key[0]); err == nil && d.mayBeExpired(room, id) {
			continue // it goes with its message
		}
		if sure && !listed[key] {
			d.ledger.violate(Violation{Promise: Reported, Room: room.id, Client: key[1], IDs: key[:1], Detail: "a report is not in the list"})
		}
	}
	for key := range listed {
		if _, tried := room.reports[key]; !tried {
			d.ledger.violate(Violation{Promise: Reported, Room: room.id, Client: key[1], IDs: key[:1], Detail: "a report is in the list that was dismissed, or never made"})
		}
	}
}

// visibility is whether others learn when a person is online.
type visibility int

const (
	presenceShown visibility = iota
	presenceHidden
	presenceDoubtful
)

// hide has a person hide whether they are online, or show it again.
func (p *person) hide(ctx context.Context) {
	phone := p.phone()
	if phone.absent.Load() {
		return
	}
	ctx, cancel := p.days.timeout(ctx)
	defer cancel()
	next := presenceHidden
	if p.hides == presenceHidden {
		next = presenceShown
	}
	p.hides = presenceDoubtful
	p.days.bill.hide(p.user, false)
	p.days.chargeTold(p.user) // of both
	p.days.bill.hide(p.user, next == presenceHidden)
	_, err := phone.current().HidePresence(ctx, next == presenceHidden)
	if err == nil {
		p.hides = next
	}
	p.days.tally.did(&p.days.tally.Moderations, err)
}

// judgeHidden waits until who is connected is said to be online, unless they hide it.
func (d *days) judgeHidden(ctx context.Context) error {
	var left []Violation
	var failed error
	err := d.await(ctx, func() bool {
		left, failed = d.wrongPresence(ctx)
		return failed == nil && len(left) == 0
	})
	if failed != nil {
		return failed
	}
	return d.violations(err, left)
}

// wrongPresence finds who is said to be online and hides it, and the reverse.
func (d *days) wrongPresence(ctx context.Context) (found []Violation, err error) {
	people := map[string]*person{}
	for _, p := range d.people {
		people[p.user] = p
	}
	for _, room := range d.rooms {
		reader, err := d.reader(room.owner())
		if err != nil {
			return nil, err
		}
		members, _, err := d.members(ctx, reader, room, markedMembers)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			p := people[m.UserID]
			if p == nil || m.UserID == room.owner() {
				continue
			}
			there := slices.ContainsFunc(p.devices, func(d *device) bool {
				id, _ := d.connection()
				return id != "" && !d.absent.Load()
			})
			v := Violation{Promise: Hidden, Room: room.id, Client: m.UserID}
			switch {
			case p.hides == presenceHidden && (m.Online || m.LastSeenAt != 0):
				v.Detail = fmt.Sprintf("is said to be online: %t, seen at %d, and hides it", m.Online, m.LastSeenAt)
				found = append(found, v)
			case p.hides == presenceShown && there && !m.Online:
				v.Detail = "is connected, and said to be offline"
				found = append(found, v)
			}
		}
	}
	return found, nil
}
