package main

import (
	"context"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// Some rooms keep their messages for a day: one room of this number.
const (
	retainedRooms = 5
	retainedOne   = 2 // which of them
	retainedDays  = 1

	// hidesExpired is how long after its time a message may still be read: by the second,
	// and by clocks that differ.
	hidesExpired = time.Minute
)

// retainRooms bounds for how long those rooms keep messages.
func (d *days) retainRooms(ctx context.Context) error {
	for _, room := range d.groups() {
		if room.index%retainedRooms != retainedOne {
			continue
		}
		retaining, cancel := d.timeout(ctx)
		_, err := d.deviceOf(room.owner()).current().RetainRoom(retaining, room.id, retainedDays)
		cancel()
		if err != nil {
			return fmt.Errorf("bound for how long a room keeps messages: %w", err)
		}
		room.keeps = retainedDays * day
	}
	return nil
}

// mayBeExpired reports whether a message of the room may be past its time by now, and so
// need not be read; isExpired, whether it must not be.
func (r *run) mayBeExpired(room *room, id ulid.ULID) bool {
	return room.keeps > 0 && r.config.Clock.Now().After(id.Timestamp().Add(room.keeps-hidesExpired))
}

func (r *run) isExpired(room *room, id ulid.ULID) bool {
	return room.keeps > 0 && r.config.Clock.Now().After(id.Timestamp().Add(room.keeps+hidesExpired))
}

// checkExpired looks for messages in a history that are past their time.
func (r *run) checkExpired(room *room, history []stored) {
	for _, m := range history {
		if r.isExpired(room, m.id) {
			r.ledger.violate(Violation{Promise: Outlives, Room: room.id, IDs: []string{m.id.String()}, Detail: fmt.Sprintf("it is in the history, and the room keeps messages for %s", room.keeps)})
		}
	}
}

// withoutExpired are the messages of a room that are not past their time, and what they
// quote without the text of those that are.
func (r *run) withoutExpired(room *room, messages []client.HistoryMessage) (kept []client.HistoryMessage) {
	if room.keeps == 0 {
		return messages
	}
	past := func(messageID string) bool {
		id, err := ulid.ParseStrict(messageID)
		return err == nil && r.mayBeExpired(room, id)
	}
	for _, m := range messages {
		if past(m.MessageID) {
			continue
		}
		if m.ReplyTo != nil && past(m.ReplyTo.MessageID) {
			quote := *m.ReplyTo
			quote.Preview, quote.Attachments = "", 0
			m.ReplyTo = &quote
		}
		kept = append(kept, m)
	}
	return kept
}
