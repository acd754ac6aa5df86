package fanout

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/eventbus"
)

// Announcements say which events a Fanout puts to a bus, after the posts.
type Announcements struct {
	Bus Bus
	// Content has events of messages carry what these say.
	Content bool
	// Keeper takes the records whose events no bus has, so that no message waits for the
	// bus. Without one they are delivered again, and what follows in their shard waits for
	// them.
	Keeper Keeper
	// NotificationsOnly leaves out all events but those for users who are offline.
	NotificationsOnly bool
}

// Announcing has a Fanout put events to a bus: of messages, of members, and for users who
// are offline. Call it before the first Handle.
func (f *Fanout) Announcing(a Announcements) *Fanout {
	f.announcer.to = a
	return f
}

// announcer puts the events of what a Fanout served.
type announcer struct {
	to    Announcements // with no bus there are no events
	table *table
	now   func() time.Time

	restsUntil atomic.Int64 // when the bus is asked again, ms
}

func (a *announcer) hasBus() bool { return a.to.Bus != nil }

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
func (a *announcer) announce(ctx context.Context, input changes.Event, records []changes.Record, served counts, log *zerolog.Logger) (kept int, failed []string) {
	all := a.announcements(records, served)
	if len(all) == 0 {
		return 0, nil
	}
	if failed = a.put(ctx, all, log); len(failed) == 0 || a.to.Keeper == nil {
		return 0, failed
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	unannounced := input.Of(failed)
	if err := a.to.Keeper.Keep(ctx, unannounced); err != nil {
		log.Error().Err(err).Str("outcome", "failed").Msg("keep records whose events no bus has")
		return 0, failed
	}
	return len(unannounced), nil
}

// announcements returns the events of records that were served.
func (a *announcer) announcements(records []changes.Record, served counts) []announcement {
	if !a.hasBus() {
		return nil
	}
	again := make(map[string]bool, len(served.failed))
	for _, sequence := range served.failed {
		again[sequence] = true
	}
	var all []announcement
	for _, r := range records {
		if e, ok := a.eventOf(r); ok && !a.to.NotificationsOnly && !again[r.Sequence] {
			all = append(all, announcement{e, []string{r.Sequence}})
		}
	}
	return append(all, served.notifications...)
}

// put puts events, and returns the records of those that no bus has.
func (a *announcer) put(ctx context.Context, all []announcement, log *zerolog.Logger) (failed []string) {
	if a.to.Keeper != nil && a.now().UnixMilli() < a.restsUntil.Load() {
		for _, one := range all {
			failed = append(failed, one.sequences...)
		}
		log.Error().Int("events", len(all)).Str("outcome", "failed").Msg("the bus did not answer a moment ago: its events are kept")
		return failed
	}
	events := make([]eventbus.Event, len(all))
	for i, one := range all {
		events[i] = one.event
	}
	ctx, cancel := context.WithTimeout(ctx, announceTime)
	defer cancel()
	for i, err := range a.to.Bus.Put(ctx, events) {
		if err != nil {
			log.Error().Err(err).Str("event", events[i].ID).Str("outcome", "failed").Msg("put an event")
			failed = append(failed, all[i].sequences...)
		}
	}
	if ctx.Err() != nil {
		a.restsUntil.Store(a.now().Add(restTime).UnixMilli())
	}
	log.Debug().Int("events", len(events)).Msg("events put")
	return failed
}

// eventOf returns the event of a record, if there is one.
func (a *announcer) eventOf(r changes.Record) (eventbus.Event, bool) {
	switch c := r.Change.(type) {
	case changes.MessageSent:
		if c.Message.DeletedAt != 0 { // replayed after it was deleted
			return eventbus.Event{}, false
		}
		return newEvent(messageSent, c.Message.ID, c.Message.SentAt, a.messageData(c.Message)), true
	case changes.MessageEdited:
		return newEvent(messageEdited, c.Message.ID+"-"+strconv.FormatInt(c.Message.EditedAt, 10), c.Message.EditedAt, a.messageData(c.Message)), true
	case changes.MessageDeleted:
		return newEvent(messageDeleted, c.Message.ID, c.Message.DeletedAt, a.messageData(c.Message)), true
	case changes.MessageReported:
		return newEvent(messageReport, c.MessageID+"-"+c.UserID+"-"+strconv.FormatInt(c.At, 10), c.At, a.reportData(c)), true
	case changes.MemberJoined:
		// Not the sequence: a record that is rebuilt from the table has one of its run.
		id := c.RoomID + ":" + c.Member.UserID + ":" + strconv.FormatInt(c.Member.JoinedAt, 10)
		return newEvent(memberJoined, id, c.Member.JoinedAt, memberData{c.RoomID, c.Member.UserID, c.Member.JoinedAt}), true
	case changes.MemberLeft:
		return newEvent(memberLeft, r.Sequence, r.At.UnixMilli(), memberData{ChatRoomID: c.RoomID, UserID: c.UserID}), true
	}
	return eventbus.Event{}, false
}

func newEvent(kind, id string, ms int64, data any) eventbus.Event {
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

func (a *announcer) messageData(m chat.Message) messageData {
	d := messageData{
		ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, Timestamp: m.SentAt, EditedAt: m.EditedAt, DeletedAt: m.DeletedAt,
		Mentions: m.Mentions, Attachments: len(m.Attachments),
	}
	if m.ReplyTo != nil {
		d.ReplyTo = m.ReplyTo.MessageID
	}
	if a.to.Content {
		d.Content = m.Content
	}
	return d
}

func (a *announcer) reportData(c changes.MessageReported) reportData {
	d := reportData{ChatRoomID: c.RoomID, MessageID: c.MessageID, SenderID: c.SenderID, UserID: c.UserID, ReportedAt: c.At}
	if a.to.Content {
		d.Reason = c.Reason
	}
	return d
}
