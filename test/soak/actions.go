package main

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
)

// talk sends messages until ctx ends, and waits for the last one's outcome.
func (d *device) talk(ctx context.Context) {
	random := d.run.random("talk " + d.name)
	d.run.every(ctx, 60*d.run.config.Sends/float64(len(d.run.devices)), random, func() {
		if room := d.run.busyRoom(random, d.user); room != nil {
			d.sayMore(ctx, room, random)
		}
	})
}

// say sends one message and notes what becomes of it.
func (d *device) say(ctx context.Context, room *room) (acked bool) {
	_, acked = d.sayNumber(ctx, room)
	return acked
}

// sayNumber is say, and gives the message's number.
func (d *device) sayNumber(ctx context.Context, room *room) (number int, acked bool) {
	return d.sayWith(ctx, room, callTimeout, extras{})
}

// sayWith is sayNumber with more than content; the client waits for the ack for some time.
func (d *device) sayWith(ctx context.Context, room *room, patience time.Duration, x extras) (number int, acked bool) {
	ctx, cancel := clockwork.WithTimeout(context.WithoutCancel(ctx), d.run.config.Clock, patience)
	defer cancel()
	number, content := d.run.ledger.sending(room.id, d.user, d.name, d.run.now())
	d.run.ledger.attaching(number, x.files)
	ack, err := d.send(ctx, room.id, content, x)
	var refusal *client.Error
	d.run.chargeSend(room, d, len(content), len(x.files), errors.As(err, &refusal))
	d.hears()
	d.run.ledger.sent(number, d.run.now(), ack, err)
	return number, err == nil
}

func (d *device) send(ctx context.Context, room, content string, x extras) (ack client.Ack, err error) {
	if !d.browser {
		var options []client.SendOption
		if x.replyTo != "" {
			options = append(options, client.InReplyTo(x.replyTo))
		}
		return d.current().Send(ctx, room, content, append(options, client.Mentioning(x.mentions...), client.WithAttachments(x.files...))...)
	}
	err = d.run.browsers.call(ctx, d, "send", map[string]any{"room": room, "content": content, "replyTo": x.replyTo, "mentions": x.mentions}, &ack)
	return ack, err
}

// Of the changes that devices make, by share. The others are deletions.
const (
	markShare  = 0.5
	editShare  = 0.3
	olderShare = 0.05

	// Most cursors move to a room's newest message, the others to any.
	newestShare = 0.7
)

// change edits, deletes, reads and reacts to messages until ctx ends.
func (d *device) change(ctx context.Context) {
	random := d.run.random("change " + d.name)
	d.run.every(ctx, 60*d.run.config.Changes/float64(len(d.run.devices)), random, func() {
		room := d.run.rooms[random.IntN(len(d.run.rooms))]
		if !room.isMember(d.user) {
			return
		}
		if random.Float64() < reactShare {
			d.react(ctx, room, random)
			return
		}
		switch share := random.Float64(); {
		case share < markShare:
			d.mark(ctx, room, random)
		case share < markShare+editShare:
			d.edit(ctx, room, random)
		case share < markShare+editShare+olderShare && d.browser:
			d.showOlder(ctx, room)
		default:
			d.erase(ctx, room, random)
		}
	})
}

// mark moves the user's read cursor.
func (d *device) mark(ctx context.Context, room *room, random *rand.Rand) {
	upTo := d.run.ledger.newest(room.id)
	if random.Float64() >= newestShare {
		_, upTo = d.run.ledger.anyMessage(room.id, "", random)
	}
	if upTo != "" {
		d.readUpTo(ctx, room, upTo)
	}
}

// readUpTo moves the user's read cursor to a message.
func (d *device) readUpTo(ctx context.Context, room *room, upTo string) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	var err error
	d.run.ledger.marking(room.id, d.user, upTo)
	d.run.chargeRead(room, d.user)
	if d.browser {
		err = d.run.browsers.call(ctx, d, "read", map[string]any{"room": room.id, "id": upTo}, nil)
	} else {
		err = d.current().MarkRead(ctx, room.id, upTo)
	}
	if err == nil {
		d.run.ledger.marked(room.id, d.user, upTo)
	}
	d.run.tally.did(&d.run.tally.Marks, err)
}

// edit edits one of the user's messages.
func (d *device) edit(ctx context.Context, room *room, random *rand.Rand) {
	if number, id := d.run.ledger.anyMessage(room.id, d.user, random); id != "" {
		d.editMessage(ctx, room, number, id)
	}
}

func (d *device) editMessage(ctx context.Context, room *room, number int, id string) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	content := d.run.ledger.editing(number)
	d.run.chargeChange(room)
	var err error
	if d.browser {
		err = d.run.browsers.call(ctx, d, "edit", map[string]any{"room": room.id, "id": id, "content": content}, nil)
	} else {
		_, err = d.current().Edit(ctx, room.id, id, content)
	}
	d.run.tally.did(&d.run.tally.Edits, err)
}

// erase deletes one of the user's messages.
func (d *device) erase(ctx context.Context, room *room, random *rand.Rand) {
	if number, id := d.run.ledger.anyMessage(room.id, d.user, random); id != "" {
		d.eraseMessage(ctx, room, number, id)
	}
}

func (d *device) eraseMessage(ctx context.Context, room *room, number int, id string) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	d.run.ledger.erasing(number)
	d.run.chargeChange(room)
	var err error
	if d.browser {
		err = d.run.browsers.call(ctx, d, "delete", map[string]any{"room": room.id, "id": id}, nil)
	} else {
		err = d.current().Delete(ctx, room.id, id)
	}
	if err == nil {
		d.run.ledger.erased(number)
	}
	d.run.tally.did(&d.run.tally.Deletions, err)
}

// showOlder has a browser show an older page of a room.
func (d *device) showOlder(ctx context.Context, room *room) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	_ = d.run.browsers.call(ctx, d, "older", map[string]any{"room": room.id}, nil) // may fail like any request
}

// wake tells the application that the network is back, as devices do.
func (d *device) wake(ctx context.Context) {
	if id, _ := d.connection(); id != "" { // it is pinged
		d.wakes.Add(1)
	}
	if !d.browser {
		d.current().Wake()
		return
	}
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	_ = d.run.browsers.call(ctx, d, "wake", nil, nil) // fails if Node.js has ended, which is reported
}

// timeout is the context of a call, which goes on when the load ends.
func (r *run) timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return clockwork.WithTimeout(context.WithoutCancel(ctx), r.config.Clock, callTimeout)
}

// content is what message number n says: its number, and something that is easily
// altered on its way. Each edit says something else; 0 is the message as it was sent.
func content(seed uint64, n, edit int) string {
	const letters = "aä日😀 <&>\"\\\n\t\u2028'{}"
	random := newRandom(seed+uint64(edit), uint64(n)) //nolint:gosec // numbers that count up
	runes := []rune(letters)
	first := strconv.Itoa(n)
	if edit > 0 {
		first += "." + strconv.Itoa(edit)
	}
	text := []rune(first + " ")
	for range int(math.Abs(random.NormFloat64()) * 40) {
		text = append(text, runes[random.IntN(len(runes))])
	}
	return string(text)
}
