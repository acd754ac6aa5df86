package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventbus"
)

// Bus takes events. The result has one error for each of them, nil if it has it.
type Bus interface {
	Put(ctx context.Context, events []eventbus.Event) []error
}

// Announcing has a Fanout put events to a bus, after the posts: of messages, of members,
// and of who is offline. content has those of messages carry what they say. Call it
// before the first Handle.
func (f *Fanout) Announcing(bus Bus, content bool) *Fanout {
	f.bus, f.content = bus, content
	return f
}

// Keeper keeps records of the stream for an operator, who has them delivered again.
type Keeper interface {
	Keep(ctx context.Context, records []json.RawMessage) error
}

// Keeping has a Fanout hand records whose events no bus has to a Keeper, so that no
// message waits for the bus. Without one they are delivered again, and what follows in
// their shard waits for them. Call it before the first Handle.
func (f *Fanout) Keeping(k Keeper) *Fanout {
	f.keeper = k
	return f
}

// Notifying has a Fanout put no other events than those of who is offline. Call it before
// the first Handle.
func (f *Fanout) Notifying() *Fanout {
	f.notifying = true
	return f
}

// The types of events. docs/protocol.md describes them.
const (
	messageSent    = "message.sent"
	messageEdited  = "message.edited"
	messageDeleted = "message.deleted"
	messageReport  = "message.reported"
	memberJoined   = "member.joined"
	memberLeft     = "member.left"
	notification   = "notification"
)

// The next records of a shard wait for an invocation, and so for all that it waits for.
const (
	// announceTime is how long an invocation waits for the bus.
	announceTime = 2 * time.Second
	// restTime is how long no one asks a bus that did not answer in that time.
	restTime = 30 * time.Second
	// keepTime is how long an invocation tries to keep what no bus has.
	keepTime = 2 * time.Second
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

type messageData struct {
	ChatRoomID  string   `json:"chatRoomId"`
	MessageID   string   `json:"messageId"`
	SenderID    string   `json:"senderId"`
	Timestamp   int64    `json:"timestamp"` // ms, as the others
	EditedAt    int64    `json:"editedAt,omitempty"`
	DeletedAt   int64    `json:"deletedAt,omitempty"`
	ReplyTo     string   `json:"replyTo,omitempty"` // message id
	Mentions    []string `json:"mentions,omitempty"`
	Attachments int      `json:"attachments,omitempty"` // how many
	Content     string   `json:"content,omitempty"`

	Reason  string   `json:"reason,omitempty"`  // of a notification
	Offline []string `json:"offline,omitempty"` // who has no connection
}

type reportData struct {
	ChatRoomID string `json:"chatRoomId"`
	MessageID  string `json:"messageId"`
	SenderID   string `json:"senderId"` // the message's
	UserID     string `json:"userId"`   // who reported it
	ReportedAt int64  `json:"reportedAt"`
	Reason     string `json:"reason,omitempty"` // with the content of messages
}

type memberData struct {
	ChatRoomID string `json:"chatRoomId"`
	UserID     string `json:"userId"`
	JoinedAt   int64  `json:"joinedAt,omitempty"`
}

// announcement is an event, and the records that it comes from, which are delivered again
// if it could not be put.
type announcement struct {
	event     eventbus.Event
	sequences []string
}

// announce puts the events of records that were served. What no bus has is kept, and
// counted; if that fails, too, its records are returned, to be delivered again, with their
// frames, which clients drop.
func (f *Fanout) announce(ctx context.Context, event changes.Event, records []changes.Record, served counts, log *zerolog.Logger) (kept int, failed []string) {
	all := f.announcements(records, served)
	if len(all) == 0 {
		return 0, nil
	}
	if failed = f.put(ctx, all, log); len(failed) == 0 || f.keeper == nil {
		return 0, failed
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	unannounced := event.Of(failed)
	if err := f.keeper.Keep(ctx, unannounced); err != nil {
		log.Error().Err(err).Str("outcome", "failed").Msg("keep records whose events no bus has")
		return 0, failed
	}
	return len(unannounced), nil
}

// announcements returns the events of records that were served.
func (f *Fanout) announcements(records []changes.Record, served counts) []announcement {
	if f.bus == nil {
		return nil
	}
	again := make(map[string]bool, len(served.failed))
	for _, sequence := range served.failed {
		again[sequence] = true
	}
	var all []announcement
	for _, r := range records {
		if e, ok := f.eventOf(r); ok && !f.notifying && !again[r.Sequence] {
			all = append(all, announcement{e, []string{r.Sequence}})
		}
	}
	return append(all, served.notifications...)
}

// put puts events, and returns the records of those that no bus has.
func (f *Fanout) put(ctx context.Context, all []announcement, log *zerolog.Logger) (failed []string) {
	if f.keeper != nil && f.now().UnixMilli() < f.restsUntil.Load() {
		for _, a := range all {
			failed = append(failed, a.sequences...)
		}
		log.Error().Int("events", len(all)).Str("outcome", "failed").Msg("the bus did not answer a moment ago: its events are kept")
		return failed
	}
	events := make([]eventbus.Event, len(all))
	for i, a := range all {
		events[i] = a.event
	}
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	for i, err := range f.bus.Put(ctx, events) {
		if err != nil {
			log.Error().Err(err).Str("event", events[i].ID).Str("outcome", "failed").Msg("put an event")
			failed = append(failed, all[i].sequences...)
		}
	}
	if ctx.Err() != nil {
		f.restsUntil.Store(f.now().Add(restTime).UnixMilli())
	}
	log.Debug().Int("events", len(events)).Msg("events put")
	return failed
}

// eventOf returns the event of a record, if there is one.
func (f *Fanout) eventOf(r changes.Record) (eventbus.Event, bool) {
	switch c := r.Change.(type) {
	case changes.MessageSent:
		if c.Message.DeletedAt != 0 { // replayed after it was deleted
			return eventbus.Event{}, false
		}
		return event(messageSent, c.Message.ID, c.Message.SentAt, f.messageData(c.Message)), true
	case changes.MessageEdited:
		return event(messageEdited, c.Message.ID+"-"+strconv.FormatInt(c.Message.EditedAt, 10), c.Message.EditedAt, f.messageData(c.Message)), true
	case changes.MessageDeleted:
		return event(messageDeleted, c.Message.ID, c.Message.DeletedAt, f.messageData(c.Message)), true
	case changes.MessageReported:
		return event(messageReport, c.MessageID+"-"+c.UserID+"-"+strconv.FormatInt(c.At, 10), c.At, f.reportData(c)), true
	case changes.MemberJoined:
		// Not the sequence: a record that is rebuilt from the table has one of its run.
		id := c.RoomID + ":" + c.Member.UserID + ":" + strconv.FormatInt(c.Member.JoinedAt, 10)
		return event(memberJoined, id, c.Member.JoinedAt, memberData{c.RoomID, c.Member.UserID, c.Member.JoinedAt}), true
	case changes.MemberLeft:
		return event(memberLeft, r.Sequence, r.At.UnixMilli(), memberData{ChatRoomID: c.RoomID, UserID: c.UserID}), true
	}
	return eventbus.Event{}, false
}

func event(kind, id string, ms int64, data any) eventbus.Event {
	e := eventbus.Event{Type: kind, ID: kind + ":" + id, Time: time.UnixMilli(ms).UTC(), Data: data}
	switch d := data.(type) {
	case messageData:
		e.Subject = d.ChatRoomID
	case reportData:
		e.Subject = d.ChatRoomID
	case memberData:
		e.Subject = d.ChatRoomID
	}
	return e
}

func (f *Fanout) messageData(m chat.Message) messageData {
	d := messageData{
		ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, Timestamp: m.SentAt, EditedAt: m.EditedAt, DeletedAt: m.DeletedAt,
		Mentions: m.Mentions, Attachments: len(m.Attachments),
	}
	if m.ReplyTo != nil {
		d.ReplyTo = m.ReplyTo.MessageID
	}
	if f.content {
		d.Content = m.Content
	}
	return d
}

func (f *Fanout) reportData(c changes.MessageReported) reportData {
	d := reportData{ChatRoomID: c.RoomID, MessageID: c.MessageID, SenderID: c.SenderID, UserID: c.UserID, ReportedAt: c.At}
	if f.content {
		d.Reason = c.Reason
	}
	return d
}

// notifications returns those of rooms that were served, and why some could not be found,
// by room.
func (f *Fanout) notifications(ctx context.Context, rooms []broadcast, d devices) (found []announcement, failed map[int]error) {
	if f.bus == nil {
		return nil, nil
	}
	failed = map[int]error{}
	for i := range rooms {
		b := &rooms[i]
		if b.err != nil || d.errorOf(b.audience.recipients) != nil {
			continue
		}
		offline, err := f.notificationsOf(ctx, b, d)
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
func (f *Fanout) notificationsOf(ctx context.Context, b *broadcast, d devices) (found []announcement, err error) {
	online, wants := func(user string) bool { return len(d.byUser[user]) > 0 }, b.audience.notify
	if b.audience.large {
		if online, wants, err = f.readMentioned(ctx, b.events.roomID, b.snapshot.messages); err != nil {
			return nil, err
		}
	}
	oldest := f.now().Add(-notifiedWithin).UnixMilli()
	for _, m := range b.snapshot.messages {
		if m.SentAt < oldest {
			continue
		}
		data := f.messageData(m)
		for _, user := range b.notified(m) {
			told := wants[user].Tells(slices.Contains(m.Mentions, user))
			if user != m.SenderID && !chat.IsService(user) && told && !online(user) {
				data.Offline = append(data.Offline, user)
			}
		}
		if len(data.Offline) > 0 {
			data.Reason = b.reason(m)
			found = append(found, announcement{event(notification, m.ID, m.SentAt, data), b.sequences})
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
func (f *Fanout) readMentioned(ctx context.Context, roomID string, messages []chat.Message) (online func(string) bool, wants map[string]chat.Notify, err error) {
	var users []string
	for _, m := range messages {
		users = append(users, m.Mentions...)
	}
	slices.Sort(users)
	present := map[string]bool{}
	wants = map[string]chat.Notify{}
	for batch := range slices.Chunk(slices.Compact(users), presenceBatch) {
		found, err := f.store.Presence(ctx, batch, 1)
		if err != nil {
			return nil, nil, err
		}
		for user := range found {
			present[user] = true
		}
		chosen, err := f.store.NotifyAmong(ctx, roomID, batch)
		if err != nil {
			return nil, nil, fmt.Errorf("read what those who are mentioned are notified of: %w", err)
		}
		maps.Copy(wants, chosen)
	}
	return func(user string) bool { return present[user] }, wants, nil
}
