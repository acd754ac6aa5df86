package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/client"
)

// shownWell is what a device of alice's shows, and what the server has, which is the
// same: two rooms, of which one is open and has three messages, one of them edited and
// one deleted.
func shownWell() (holdings, truth) {
	message := func(id, content string, readBy ...string) client.HistoryMessage {
		return client.HistoryMessage{ChatRoomID: "tea", MessageID: id, SenderID: "bob", Content: content, ReadBy: readBy}
	}
	messages := func() []client.HistoryMessage {
		all := []client.HistoryMessage{message("1", "hello", "bob", "carol"), message("2", "well", "bob"), message("3", "")}
		all[1].EditedAt, all[2].DeletedAt = 7, 8
		all[1].ReplyTo, all[1].Mentions = &client.Quote{MessageID: "1", SenderID: "bob"}, []string{"alice"}
		return all
	}
	rooms := func() []client.RoomSummary {
		last := func(id string) *client.LastMessage { return &client.LastMessage{MessageID: id, Preview: "p"} }
		return []client.RoomSummary{
			{ChatRoomID: "tea", Name: "Tea", LastMessageAt: 3, LastMessage: last("3"), Unread: 1, ReadUpTo: "1"},
			{ChatRoomID: "cake", Name: "Cake", LastMessageAt: 2, LastMessage: last("x"), Unread: 2, Mentions: 1},
		}
	}
	got := holdings{
		Rooms: rooms(), Read: map[string]string{"tea": "1"}, Online: map[string]bool{"carol": true},
		Opened: map[string]opened{"tea": {Messages: messages(), Whole: true}},
	}
	want := truth{
		user: "alice", rooms: rooms(),
		histories: map[string][]client.HistoryMessage{"tea": messages(), "cake": nil},
		members:   map[string][]client.RoomMember{"tea": {{UserID: "alice", ReadUpTo: "1"}, {UserID: "carol", ReadUpTo: "1", Online: true}}},
	}
	return got, want
}

// Bugs that clients have had, as their users see them.
func TestCompare_FindsWhatDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*holdings, *truth)
		want   string // of the detail; "" for no difference
	}{
		"nothing": {func(*holdings, *truth) {}, ""},
		"a count that ended early is a lower bound": {func(g *holdings, w *truth) {
			w.rooms[1].UnreadMore, g.Rooms[1].Unread = true, 12
		}, ""},
		"older messages are left to be read when they are wanted": {func(g *holdings, _ *truth) {
			tea := g.Opened["tea"]
			g.Opened["tea"] = opened{Messages: tea.Messages[1:]}
		}, ""},
		"a missed edit": {func(g *holdings, _ *truth) {
			g.Opened["tea"].Messages[1].Content, g.Opened["tea"].Messages[1].EditedAt = "wel", 0
		}, `shown as "wel"`},
		"an edit without its mark": {func(g *holdings, _ *truth) { g.Opened["tea"].Messages[1].EditedAt = 0 }, "edited at 0"},
		"a missed deletion": {func(g *holdings, _ *truth) {
			g.Opened["tea"].Messages[2].Content, g.Opened["tea"].Messages[2].DeletedAt = "a secret", 0
		}, `shown as "a secret"`},
		"a missing message": {func(g *holdings, _ *truth) {
			tea := g.Opened["tea"]
			tea.Messages = slices.Delete(tea.Messages, 1, 2)
			g.Opened["tea"] = tea
		}, "not shown"},
		"a message that isn't there": {func(_ *holdings, w *truth) { w.histories["tea"] = w.histories["tea"][:2] }, "not stored"},
		"messages in another order": {func(g *holdings, _ *truth) {
			slices.Reverse(g.Opened["tea"].Messages)
		}, "shown at place 0"},
		"a reader too few":          {func(g *holdings, _ *truth) { g.Opened["tea"].Messages[0].ReadBy = []string{"bob"} }, "by the server by [carol]"},
		"a reader who left":         {func(g *holdings, _ *truth) { g.Opened["tea"].Messages[1].ReadBy = []string{"bob", "dave"} }, "read by [dave]"},
		"a stale badge":             {func(g *holdings, _ *truth) { g.Rooms[1].Unread = 4 }, "has 4 unread, the server 2"},
		"no badge":                  {func(g *holdings, _ *truth) { g.Rooms[1].Unread = 0 }, "has 0 unread, the server 2"},
		"a stale cursor":            {func(g *holdings, _ *truth) { g.Read["tea"] = "0" }, "the user has read up to"},
		"a stale count of mentions": {func(g *holdings, _ *truth) { g.Rooms[1].Mentions = 0 }, "has 0 unread mentions, the server 1"},
		"no quote":                  {func(g *holdings, _ *truth) { g.Opened["tea"].Messages[1].ReplyTo = nil }, "shown with the quote {"},
		"no mention":                {func(g *holdings, _ *truth) { g.Opened["tea"].Messages[1].Mentions = nil }, "shown to mention []"},
		"who is online":             {func(g *holdings, _ *truth) { g.Online = nil }, "carol is shown as online: false"},
		"who is about to go":        {func(g *holdings, w *truth) { g.Online, w.leaving = nil, "carol" }, ""},
		"a stale preview":           {func(g *holdings, _ *truth) { g.Rooms[0].LastMessage.Preview = "q" }, "the last message"},
		"a stale name":              {func(g *holdings, _ *truth) { g.Rooms[0].Name = "Coffee" }, `the name "Coffee"`},
		"rooms in bad order":        {func(g *holdings, _ *truth) { slices.Reverse(g.Rooms) }, "not at place 0"},
		"a room that is lost":       {func(g *holdings, _ *truth) { g.Rooms = g.Rooms[:1] }, "not in the list"},
		"a room twice":              {func(g *holdings, _ *truth) { g.Rooms = append(g.Rooms, g.Rooms[0]) }, "twice"},
		"a room that was left": {func(_ *holdings, w *truth) {
			w.rooms = w.rooms[1:]
			delete(w.histories, "tea")
		}, "the user is not a member"},
		"a message that is never sent": {func(g *holdings, _ *truth) { g.Unsent = 1 }, "wait to be sent"},
		"a Go client's stale read mark": {func(g *holdings, _ *truth) {
			tea := g.Opened["tea"]
			tea.Cursors = map[string]string{"alice": "1"}
			g.Opened["tea"] = tea
		}, "read by carol"},
	} {
		got, want := shownWell()
		test.change(&got, &want)
		found := compare(got, want)
		switch {
		case test.want == "" && len(found) > 0:
			t.Errorf("%s: found %+v, want nothing", name, found)
		case test.want != "" && !slices.ContainsFunc(found, func(x difference) bool { return strings.Contains(x.detail, test.want) }):
			t.Errorf("%s: found %+v, want %q", name, found, test.want)
		}
	}
}

// Bugs of what is shown of reactions.
func TestCompareReactions_FindsWhatDiffers(t *testing.T) {
	message := func(id string, mine ...string) client.HistoryMessage {
		return client.HistoryMessage{MessageID: id, Reactions: &client.Reactions{Version: 3, Counts: map[string]int{"👍": 2}, Mine: mine}}
	}
	history := []client.HistoryMessage{message("1"), message("2", "👍"), {MessageID: "3"}}
	for name, test := range map[string]struct {
		change func(*opened)
		want   string // of the detail; "" for no difference
	}{
		"nothing":                     {func(*opened) {}, ""},
		"a missed reaction":           {func(o *opened) { o.Messages[1].Reactions = nil }, "with the reactions map[], the server has map[👍:2]"},
		"one's own is not known":      {func(o *opened) { o.Messages[1] = message("2") }, "one's own reactions [], the server has"},
		"a reaction that isn't there": {func(o *opened) { o.Messages[2] = message("3") }, "with the reactions map[👍:2], the server has map[]"},
		"one of an old message":       {func(o *opened) { o.Messages[0].Reactions, o.Fresh = nil, 2 }, ""},
	} {
		shown := opened{Messages: slices.Clone(history)}
		test.change(&shown)
		found := compareReactions("tea", shown, history)
		if ok := len(found) == 1 && strings.Contains(found[0].detail, test.want); ok != (test.want != "") || !ok && len(found) > 0 {
			t.Errorf("%s: found %+v, want %q", name, found, test.want)
		}
	}
}

// A frame that overtakes what is fetched after an absence hides nothing of that which is the
// user's own, and is not hidden by it.
func TestReactions_OvertakenAfterAnAbsence(t *testing.T) {
	d := &device{run: &run{}, user: "alice"}
	fetched := func(version int64, mine ...string) func(*visit) {
		return func(v *visit) {
			d.noteReacted(v, "1", client.Reactions{Version: version, Counts: map[string]int{"👍": int(version)}, Mine: append([]string{}, mine...)}, nil)
		}
	}
	told := func(version int64, user, reaction string, added bool) func(*visit) {
		return func(v *visit) {
			d.noteReacted(v, "1", client.Reactions{Version: version, Counts: map[string]int{"👍": int(version)}}, []client.ReactionChange{{UserID: user, Reaction: reaction, Added: added}})
		}
	}
	for name, test := range map[string]struct {
		steps []func(*visit)
		want  []string
	}{
		"one's own on another device, before the frame":  {[]func(*visit){fetched(1), told(3, "bob", "👍", true), fetched(2, "👍")}, []string{"👍"}},
		"taken back on another device, before the frame": {[]func(*visit){fetched(1, "👍"), told(3, "bob", "👍", true), fetched(2)}, nil},
		"one's own, in the frame":                        {[]func(*visit){fetched(1), told(3, "alice", "👍", true), fetched(2, ":tada:")}, []string{":tada:", "👍"}},
		"taken back, in the frame":                       {[]func(*visit){fetched(1, "👍"), told(3, "alice", "👍", false), fetched(2, "👍")}, nil},
		"a frame that comes late":                        {[]func(*visit){fetched(3, "👍"), told(2, "alice", "👍", false)}, []string{"👍"}},
		"an answer that comes late":                      {[]func(*visit){fetched(3, "👍"), fetched(2)}, []string{"👍"}},
	} {
		v := &visit{reacted: map[string]*reactions{}}
		for _, step := range test.steps {
			step(v)
		}
		got := v.shownReactions("1")
		slices.Sort(got.Mine)
		if got.Version != 3 || got.Counts["👍"] != 3 || !slices.Equal(got.Mine, test.want) {
			t.Errorf("%s: %+v, want those of version 3, and %q", name, got, test.want)
		}
	}
}

func TestReader_WaitsForItsUsersLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		direct := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			body, err := readBody(r)
			bodies = append(bodies, string(body))
			status := http.StatusTooManyRequests
			if len(bodies) == 3 {
				status = http.StatusOK
			}
			return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, err
		})}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/sync", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := patient{&run{config: Config{Clock: clockwork.NewRealClock()}, direct: direct}}.RoundTrip(request)
		if err != nil || resp.StatusCode != http.StatusOK || !slices.Equal(bodies, []string{"{}", "{}", "{}"}) {
			t.Errorf("%+v, %v after the bodies %q; want the third answer to the same request", resp, err, bodies)
		}
		_ = resp.Body.Close() // it is empty
	})
}
