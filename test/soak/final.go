package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/test/rig"
)

// holdings is what an application shows.
type holdings struct {
	Rooms  []client.RoomSummary // in the order in which they are shown
	Opened map[string]opened    // the rooms whose messages are shown, by id
	Read   map[string]string    // how far the user has read, by room, where the application knows it
	Online map[string]bool      // whom it shows as online; nil: no one is asked for
	Unsent int                  // messages of the user's that wait to be sent
}

// opened is a room whose messages are shown.
type opened struct {
	Messages []client.HistoryMessage // oldest first
	Whole    bool                    // there are no older ones

	// Fresh is how many of the room's newest messages have to be shown as they are
	// now; 0 is all of them.
	Fresh int `json:"-"`
	// Cursors are how far each member has read; nil: the messages say in ReadBy who
	// has read them.
	Cursors map[string]string `json:"-"`
}

// truth is what the server answers to a fresh reader: a user who has just signed in
// and asks the HTTP API.
type truth struct {
	user      string
	leaving   string // a user whose presence is not judged
	rooms     []client.RoomSummary
	histories map[string][]client.HistoryMessage // by room, oldest first
	members   map[string][]client.RoomMember     // by room; absent where read marks aren't told to all
}

// markedMembers is how many members a room may have for reads to be told to others.
const markedMembers = 20

// difference is where holdings don't equal the truth.
type difference struct {
	room   string
	ids    []string
	detail string
}

// add adds a message to a difference, whose detail is of the first one.
func (x *difference) add(room string, m client.HistoryMessage, format string, arguments ...any) {
	x.ids = append(x.ids, m.MessageID)
	if x.detail == "" {
		x.room, x.detail = room, fmt.Sprintf(format, arguments...)
	}
}

// compare finds out where what an application shows differs from what the server has.
func compare(got holdings, want truth) (found []difference) {
	differ := func(room string, ids []string, format string, arguments ...any) {
		found = append(found, difference{room, ids, fmt.Sprintf(format, arguments...)})
	}
	if got.Unsent > 0 {
		differ("", nil, "%d messages wait to be sent", got.Unsent)
	}
	found = append(found, compareRooms(got.Rooms, want.rooms)...)
	for room, shown := range got.Opened {
		history, ok := want.histories[room]
		if !ok {
			differ(room, nil, "it is shown, and the user is not a member")
			continue
		}
		found = append(found, compareMessages(room, shown, history, want)...)
	}
	found = append(found, comparePresence(got, want)...)
	for _, room := range want.rooms {
		if upTo, known := got.Read[room.ChatRoomID]; known && upTo != room.ReadUpTo {
			differ(room.ChatRoomID, []string{upTo, room.ReadUpTo}, "the user has read up to the first of these as shown, to the second by the server")
		}
	}
	return found
}

// compareRooms compares lists of rooms: which there are, their order, names, last
// messages and counts.
func compareRooms(got, want []client.RoomSummary) (found []difference) {
	differ := func(room, format string, arguments ...any) {
		found = append(found, difference{room: room, detail: fmt.Sprintf(format, arguments...)})
	}
	held := map[string]client.RoomSummary{}
	for _, g := range got {
		held[g.ChatRoomID] = g
	}
	if len(held) != len(got) {
		differ("", "the list of rooms has one twice")
	}
	for _, w := range want {
		g, ok := held[w.ChatRoomID]
		delete(held, w.ChatRoomID)
		switch {
		case !ok:
			differ(w.ChatRoomID, "the room is not in the list")
			continue
		case g.Name != w.Name:
			differ(w.ChatRoomID, "the list has the name %q, the server %q", g.Name, w.Name)
		case lastOf(g) != lastOf(w):
			differ(w.ChatRoomID, "the list has the last message %+v, the server %+v", lastOf(g), lastOf(w))
		}
		exact := !w.UnreadMore && w.Unread < client.MaxPage
		if exact && g.Unread != w.Unread || g.Unread < w.Unread {
			differ(w.ChatRoomID, "the list has %d unread, the server %d (more: %t)", g.Unread, w.Unread, w.UnreadMore)
		}
		if exact && g.Mentions != w.Mentions {
			differ(w.ChatRoomID, "the list has %d unread mentions, the server %d", g.Mentions, w.Mentions)
		}
	}
	for room := range held {
		differ(room, "the room is in the list, and the user is not a member")
	}
	if len(found) == 0 {
		for i, w := range ordered(want) {
			if got[i].ChatRoomID != w.ChatRoomID {
				differ(w.ChatRoomID, "the room is not at place %d of the list", i)
			}
		}
	}
	return found
}

// lastOf is the part of a room's last message that is shown.
func lastOf(s client.RoomSummary) (last client.LastMessage) {
	if s.LastMessage != nil {
		last = *s.LastMessage
	}
	if last.DeletedAt != 0 {
		last.EditedAt, last.DeletedAt = 0, 1 // when is not shown
	}
	return last
}

// ordered is the order in which rooms are shown, which is not quite that of the
// pages: newest message first.
func ordered(rooms []client.RoomSummary) []client.RoomSummary {
	return slices.SortedFunc(slices.Values(rooms), func(a, b client.RoomSummary) int {
		return cmp.Or(cmp.Compare(b.LastMessageAt, a.LastMessageAt), cmp.Compare(a.ChatRoomID, b.ChatRoomID))
	})
}

// compareMessages compares what is shown of a room with its history: which messages
// there are from the first one shown on, their order, content and readers.
func compareMessages(room string, shown opened, history []client.HistoryMessage, want truth) (found []difference) {
	if len(shown.Messages) > 0 && !shown.Whole {
		first := shown.Messages[0].MessageID
		history = slices.DeleteFunc(slices.Clone(history), func(m client.HistoryMessage) bool { return m.MessageID < first })
	}
	id := func(m client.HistoryMessage) string { return m.MessageID }
	// A message that was deleted before it was delivered is never shown.
	hidden := without(history, shown.Messages, id)
	history = slices.DeleteFunc(slices.Clone(history), func(m client.HistoryMessage) bool {
		return m.DeletedAt != 0 && slices.Contains(hidden, m.MessageID)
	})
	missing, extra := without(history, shown.Messages, id), without(shown.Messages, history, id)
	if len(missing) > 0 {
		found = append(found, difference{room, missing, "these are not shown"})
	}
	if len(extra) > 0 {
		found = append(found, difference{room, extra, "these are shown, and not stored"})
	}
	if len(found) > 0 {
		return found
	}
	_, marked := want.members[room]
	composed := func(m client.HistoryMessage) bool { return m.SenderID == want.user && shown.Cursors == nil }
	var misplaced, changed, beside, read difference
	for i, w := range history {
		g := shown.Messages[i]
		switch {
		case g.MessageID != w.MessageID:
			misplaced.add(room, g, "it is shown at place %d", i)
		case shown.Fresh > 0 && i < len(history)-shown.Fresh:
		case g.Content != w.Content || (g.DeletedAt != 0) != (w.DeletedAt != 0) || w.DeletedAt == 0 && g.EditedAt != w.EditedAt:
			changed.add(room, g, "it is shown as %q, edited at %d, deleted at %d; stored are %q, %d, %d",
				g.Content, g.EditedAt, g.DeletedAt, w.Content, w.EditedAt, w.DeletedAt)
		case w.DeletedAt == 0 && besideContent(g, w, composed(g)) != "":
			beside.add(room, g, "%s", besideContent(g, w, composed(g)))
		case marked && shown.Cursors == nil && w.DeletedAt == 0 && !slices.Equal(readers(g, want.user), readers(w, want.user)):
			read.add(room, g, "it is shown as read by %v, by the server by %v", readers(g, want.user), readers(w, want.user))
		}
	}
	for _, x := range []difference{misplaced, changed, beside, read} {
		if x.detail != "" {
			found = append(found, x)
		}
	}
	if marked && shown.Cursors != nil {
		for _, m := range want.members[room] {
			if got := shown.Cursors[m.UserID]; got != m.ReadUpTo {
				found = append(found, difference{room, []string{got, m.ReadUpTo}, "by the first of these as shown, by the second in the server: read by " + m.UserID})
			}
		}
	}
	return found
}

// without are the ids that are in one list of messages and not in another.
func without(all, other []client.HistoryMessage, id func(client.HistoryMessage) string) (ids []string) {
	there := map[string]bool{}
	for _, m := range other {
		there[id(m)] = true
	}
	for _, m := range all {
		if !there[id(m)] {
			ids = append(ids, id(m))
		}
	}
	return ids
}

// readers are those of a message who are shown: neither its sender nor the user.
func readers(m client.HistoryMessage, user string) []string {
	all := slices.DeleteFunc(slices.Clone(m.ReadBy), func(reader string) bool { return reader == m.SenderID || reader == user })
	slices.Sort(all)
	return all
}

// awaitSame waits until every device shows what the server has, and reports where
// that is not so in the end.
func (r *run) awaitSame(ctx context.Context, when string) error {
	var left []Violation
	var failed error
	err := r.awaitWithin(ctx, max(r.poll, compareInterval), max(r.poll, growth*compareInterval), r.config.StepTimeout, func() bool {
		left, failed = r.differences(ctx, when)
		return failed == nil && len(left) == 0
	})
	if failed != nil {
		return fmt.Errorf("compare with the server: %w", failed)
	}
	return r.violations(err, left)
}

// differences compares all devices with the server.
func (r *run) differences(ctx context.Context, when string) ([]Violation, error) {
	whole, err := r.readAll(ctx)
	if err != nil {
		return nil, err
	}
	var found []Violation
	shown := map[*device]holdings{}
	for _, d := range r.present() {
		want := truth{user: d.user, leaving: r.leaving, histories: map[string][]client.HistoryMessage{}, members: map[string][]client.RoomMember{}}
		if want.rooms, err = r.roomList(ctx, d.user); err != nil {
			return nil, err
		}
		for _, room := range r.rooms {
			if !room.isMember(d.user) {
				continue
			}
			want.histories[room.id] = r.withoutExpired(room, whole.histories[room.id])
			if members := whole.members[room.id]; members != nil {
				want.members[room.id] = members
			}
		}
		got, err := d.holds(ctx)
		if err != nil {
			return nil, fmt.Errorf("ask %s what it shows: %w", d.name, err)
		}
		shown[d] = got
		for _, room := range r.rooms {
			if opened, ok := got.Opened[room.id]; ok {
				opened.Messages = r.withoutExpired(room, opened.Messages)
				got.Opened[room.id] = opened
			}
			if _, ok := got.Opened[room.id]; !ok && room.isMember(d.user) && d.shows(room) {
				found = append(found, Violation{Promise: Differs, Room: room.id, Client: d.name, Detail: when + ": its messages are not shown"})
			}
		}
		for _, x := range compare(got, want) {
			found = append(found, Violation{Promise: Differs, Room: x.room, Client: d.name, IDs: x.ids, Detail: when + ": " + x.detail})
		}
	}
	if len(found) == 0 {
		return r.ownDifferences(ctx, shown, when)
	}
	return found, nil
}

// readAll reads all rooms' histories, from the oldest message on that a device shows, and
// members.
func (r *run) readAll(ctx context.Context) (truth, error) {
	all := truth{histories: map[string][]client.HistoryMessage{}, members: map[string][]client.RoomMember{}}
	for _, room := range r.rooms {
		history, err := r.historyFrom(ctx, room, r.oldestShown(room))
		if err != nil {
			return all, err
		}
		all.histories[room.id] = make([]client.HistoryMessage, len(history))
		for i, m := range history {
			all.histories[room.id][i] = m.message
		}
		reader, err := r.reader(room.owner())
		if err != nil {
			return all, err
		}
		if !r.asks {
			continue
		}
		if all.members[room.id], _, err = r.members(ctx, reader, room, markedMembers); err != nil {
			return all, err
		}
	}
	return all, nil
}

// oldestShown is the oldest message of a room that some device shows; zero where one shows
// all, or may do so.
func (r *run) oldestShown(room *room) (oldest ulid.ULID) {
	for _, d := range r.present() {
		if !room.isMember(d.user) {
			continue
		}
		first := d.firstShown(room.id)
		if first.IsZero() {
			return first
		}
		if oldest.IsZero() || first.Compare(oldest) < 0 {
			oldest = first
		}
	}
	return oldest
}

// holds is what the device's application shows.
func (d *device) holds(ctx context.Context) (got holdings, err error) {
	ctx, cancel := d.run.timeout(ctx)
	defer cancel()
	if d.browser {
		return got, d.run.browsers.call(ctx, d, "holds", map[string]any{"users": d.run.people()}, &got)
	}
	if got.Rooms, err = d.current().Rooms(ctx); err != nil {
		return got, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	got.Opened, got.Online = map[string]opened{}, d.showsOnline()
	for room, v := range d.lives[len(d.lives)-1].visits {
		shown := opened{Whole: v.whole, Fresh: backlog, Cursors: map[string]string{}}
		for _, s := range v.log {
			m := v.shownMessage(s.id.String())
			shown.Messages = append(shown.Messages, m)
		}
		slices.SortFunc(shown.Messages, func(a, b client.HistoryMessage) int { return cmp.Compare(a.MessageID, b.MessageID) })
		for user, upTo := range v.read {
			shown.Cursors[user] = upTo
		}
		got.Opened[room] = shown
	}
	return got, nil
}

// reader is a client of a user that holds nothing, and asks the HTTP API.
func (r *run) reader(user string) (*client.Client, error) {
	if r.readers[user] == nil {
		c, err := client.New(client.Options{
			WebSocketURL: r.host.WebSocketURL(), APIURL: r.host.APIURL(), HTTPClient: &http.Client{Transport: patient{r}},
			Token: func(ctx context.Context) (string, error) {
				return rig.SignIn(ctx, r.direct, r.host.URL(), user, tokenLife)
			},
		})
		if err != nil {
			return nil, err
		}
		r.readers[user] = c
	}
	return r.readers[user], nil
}

// patient makes requests again that the user's limit refused: who judges reads more than
// people do.
type patient struct{ run *run }

func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	for {
		resp, err := p.run.direct.Transport.RoundTrip(request)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		_ = resp.Body.Close() // the status says all
		if !p.run.pause(request.Context(), time.Second) {
			return nil, request.Context().Err()
		}
		request = request.Clone(request.Context())
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}
