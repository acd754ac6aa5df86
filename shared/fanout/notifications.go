package fanout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// notifiedRoom is the size up to which all members who are offline are named.
const notifiedRoom = 100

// notifiedWithin is the age up to which a message notifies: a replay of a day's messages must
// not have each of them pushed to phones.
const notifiedWithin = time.Hour

// Reasons of a notification.
const (
	becauseDirect  = "dm"
	becauseMention = "mention"
	becauseRoom    = "room"
)

// notifications returns those of broadcasts that were served, and why some could not be
// found, by the broadcast's index.
func (a *announcer) notifications(ctx context.Context, broadcasts []broadcast, d devices) (found []announcement, failed map[int]error) {
	if !a.hasBus() {
		return nil, nil
	}
	failed = map[int]error{}
	for i := range broadcasts {
		b := &broadcasts[i]
		if b.err != nil || d.errorOf(b.audience.recipients) != nil {
			continue
		}
		offline, err := a.notificationsOf(ctx, b, d)
		if err != nil {
			failed[i] = err
			continue
		}
		found = append(found, offline...)
	}
	return found, failed
}

// notificationsOf returns who of the recipients of messages is offline, once they were
// posted, and wants to be notified of them: an event for each message that has any. In rooms
// of more than notifiedRoom members these are the users whom it mentions. Messages older than
// notifiedWithin, which a replay brings, have none.
func (a *announcer) notificationsOf(ctx context.Context, b *broadcast, d devices) (found []announcement, err error) {
	online, wants := func(user string) bool { return len(d.byUser[user]) > 0 }, b.audience.notify
	if b.audience.large {
		if online, wants, err = a.table.readMentioned(ctx, b.events.roomID, b.snapshot.messages); err != nil {
			return nil, err
		}
	}
	oldest := a.now().Add(-notifiedWithin).UnixMilli()
	for _, m := range b.snapshot.messages {
		if m.SentAt < oldest {
			continue
		}
		data := a.messageData(m)
		for _, user := range b.notified(m) {
			told := wants[user].Tells(slices.Contains(m.Mentions, user))
			if user != m.SenderID && !chat.IsService(user) && told && !online(user) {
				data.Offline = append(data.Offline, user)
			}
		}
		if len(data.Offline) > 0 {
			data.Reason = b.reason(m)
			found = append(found, announcement{newEvent(notification, m.ID, m.SentAt, data), b.sequences})
		}
	}
	return found, nil
}

// notified returns who is to be notified of a message, if they are offline.
func (b *broadcast) notified(m chat.Message) []string {
	if b.small() {
		return b.audience.members
	}
	return slices.Sorted(slices.Values(m.Mentions))
}

func (b *broadcast) small() bool { return !b.audience.large && len(b.audience.members) <= notifiedRoom }

func (b *broadcast) reason(m chat.Message) string {
	switch {
	case chat.IsDirectRoom(m.RoomID):
		return becauseDirect
	case b.small():
		return becauseRoom
	}
	return becauseMention
}

// readMentioned reads who of those that messages mention is online, and what they are
// notified of, for a room whose members slices serve.
func (t *table) readMentioned(ctx context.Context, roomID string, messages []chat.Message) (online func(string) bool, wants map[string]chat.Notify, err error) {
	var users []string
	for _, m := range messages {
		users = append(users, m.Mentions...)
	}
	slices.Sort(users)
	present := map[string]bool{}
	wants = map[string]chat.Notify{}
	for batch := range slices.Chunk(slices.Compact(users), presenceBatch) {
		found, err := t.store.Presence(ctx, batch, 1)
		if err != nil {
			return nil, nil, err
		}
		for user := range found {
			present[user] = true
		}
		chosen, err := t.store.NotifyAmong(ctx, roomID, batch)
		if err != nil {
			return nil, nil, fmt.Errorf("read what those who are mentioned are notified of: %w", err)
		}
		maps.Copy(wants, chosen)
	}
	return func(user string) bool { return present[user] }, wants, nil
}
