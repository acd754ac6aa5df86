package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/topology"
)

// The figures of one user's most expensive hour know every route of the HTTP API, every action
// of frames, and every route of the WebSocket API.
func TestCost_TheWorstHourKnowsEveryRoute(t *testing.T) {
	var frames struct{ Operations map[string]any }
	if err := json.Unmarshal(httpapi.Frames, &frames); err != nil {
		t.Fatal(err)
	}
	delete(frames.Operations, "notify") // what the server sends
	for _, route := range topology.Routes() {
		frames.Operations[route.Key] = nil
	}
	want := append(httpapi.Routes(), slices.Sorted(maps.Keys(frames.Operations))...)
	got := cost.Routes()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("operate/cost has the routes\n%q\nwant\n%q", got, want)
	}
}

// asked is a request of a route.
type asked struct {
	route string
	by    int    // user
	of    string // the message, the file or the user in its path, with the query
	body  string
}

// event is the event of the request.
func (a asked) event(d *deployed) []byte {
	method, path, _ := strings.Cut(a.route, " ")
	of, query, _ := strings.Cut(a.of, "?")
	path = strings.NewReplacer("{room}", room, "{message}", of, "{user}", of).Replace(path)
	return d.requestOf(user(a.by), method, path, query, a.body)
}

// content is how many bytes the message has that the request is about.
func (a asked) content(long string) int {
	if strings.HasPrefix(a.of, long) {
		return chat.MaxContent
	}
	return 300
}

// worstRequests are requests of each route that the figures bound one by one, in an order in
// which each finds what it changes: one at least of each asks for the most. A short and a long
// message are the room's, and the newest, from which chat.MaxKnown are a minute old at most.
func worstRequests(members int, short, long, newest string) []asked {
	const rooms, inRoom, messages = "POST /rooms", "/rooms/{room}", "/rooms/{room}/messages/{message}"
	query := func(i int) string { return "?userId=" + user(i) }
	others := make([]string, min(members-1, chat.MaxInitialMember))
	for i := range others {
		others[i] = user(i + 1)
	}
	all := []asked{
		{"POST " + inRoom + "/read", 0, "", fmt.Sprintf(`{"upTo":%q}`, newest)},
		{rooms, 0, "", `{"type":"group","name":"New","members":["` + strings.Join(others, `","`) + `"]}`},
		{"PATCH " + inRoom, 0, "", `{"retentionDays":7}`},
		{"PATCH " + inRoom + "/members", 0, query(1), `{"role":"owner"}`},
		{"PATCH " + inRoom + "/members", 0, query(4), `{"role":"moderator","mutedUntil":9000000000000}`},
		{"PUT " + inRoom + "/bans", 0, query(2), `{"reason":"Spam"}`},
		{"DELETE " + inRoom + "/bans", 0, query(2), ""},
		{"POST " + inRoom + "/members", 0, "", `{"userId":"` + user(2) + `"}`},
		{"DELETE " + inRoom + "/members/{user}", 3, user(3), ""},
		{"PATCH " + inRoom, 0, "", `{"visibility":"public"}`},
		{"POST " + inRoom + "/join", 3, "", ""},
		{"PUT " + inRoom + "/place", 0, "", `{"lat":1,"lon":2}`},
		{"PUT " + inRoom + "/place", 0, "", `{"lat":3,"lon":2}`},
		{"PATCH " + inRoom, 0, "", `{"name":"Other"}`},
		{"DELETE " + inRoom + "/place", 0, "", ""},
		{"PUT " + inRoom + "/notify", 0, "", `{"notify":"none"}`},
		{"PUT /me", 0, "", `{"displayName":"Ann","presence":"hidden"}`},
		{"PUT /me", 0, "", `{"displayName":"Anna","presence":"shown"}`},
		{rooms, 0, "", `{"type":"dm","members":["` + user(6) + `"]}`},
		{"PUT /me/blocks", 0, query(6), ""},
		{"DELETE /me/blocks", 0, query(6), ""},
		{"PUT /me/blocks/{user}", 0, user(6), ""},
		{"DELETE /me/blocks/{user}", 0, user(6), ""},
		{"PUT /me/push", 0, "", `{"endpoint":"https://push.example/1","keys":{"p256dh":"` + browserKey + `","auth":"tBHItJI5svbpez7KI4CCXg"}}`},
		{"DELETE /me/push", 0, "", `{"endpoint":"https://push.example/1"}`},
	}
	for id, content := range map[string]string{short: text(299), long: text(chat.MaxContent - 1)} {
		all = append(
			all,
			asked{"PATCH " + messages, 0, id, `{"content":"` + content + `"}`},
			asked{"PUT " + messages + "/reactions", 0, id, `{"reaction":"👍"}`},
			asked{"DELETE " + messages + "/reactions", 0, id + "?reaction=" + url.QueryEscape("👍"), ""},
			asked{"POST " + messages + "/report", 5, id, `{"reason":"Spam"}`},
			asked{"DELETE " + inRoom + "/reports/{message}", 0, id, ""},
			asked{"DELETE " + messages, 0, id, ""},
		)
	}
	return append(
		all,
		asked{"DELETE " + inRoom + "/members", 1, query(1), ""}, // user 0 is the last owner
		asked{"DELETE " + inRoom + "/members/{user}", 0, user(0), ""},
		asked{"DELETE " + inRoom + "/members", 4, query(4), ""}, // who came first of the moderators
	)
}

// browserKey is a browser's public key.
const browserKey = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"

// measuredElsewhere are routes whose units have tests of their own:
// TestCost_UnitsAreWhatTheFunctionsUse, and that of files.
var measuredElsewhere = []string{
	"sendMessage", "POST /rooms/{room}/messages", "POST /rooms/{room}/attachments", "GET /rooms/{room}/attachments/{file}",
}

// What the figures of one user's most expensive hour have a request of each route ask for is
// what the most expensive one asks for, in rooms all of whose members are connected once.
func TestCost_NoRequestAsksForMoreThanTheWorstHourHas(t *testing.T) {
	for _, members := range []int{10, chat.PresenceRoom, 100, 150} {
		t.Run(fmt.Sprintf("%d-members", members), func(t *testing.T) {
			d := newDeployed(t, members)
			_, err := d.store.Ban(t.Context(), room, chat.Ban{UserID: "sven", By: user(0), At: 1})
			d.must(err)
			d.do(cost.Action{}, topology.SendMessage, d.send(300)) // the room has its order
			short, long := d.message(300).ID, d.message(chat.MaxContent).ID
			d.clock.advance(chat.StoreWithin)
			var newest chat.Message
			for range chat.MaxKnown + 1 {
				newest = d.message(300)
			}
			measured := map[string]bool{}
			most := map[asked]cost.Action{} // by route, with the content
			for _, a := range worstRequests(members, short, long, newest.ID) {
				measured[a.route] = true
				d.handlers[topology.API] = d.wired(functions.API) // which has counted nothing that would be taken now
				got := d.do(cost.Action{Requests: 1}, topology.API, a.event(d))
				d.clock.advance(10 * time.Second) // which gives back what the request took out of its limit
				key := asked{route: a.route, by: a.content(long)}
				most[key] = larger(most[key], got)
			}
			for key, got := range most {
				want, known := cost.Asks(key.route, cost.Case{Members: members, Connected: members, Own: 1, Content: key.by})
				if !known {
					t.Errorf("the figures have no bound of %s", key.route)
					continue
				}
				d.expectMost(fmt.Sprintf("%s, %d bytes", key.route, key.by), want, got)
			}
			for _, route := range cost.Routes() {
				if _, bounded := cost.Asks(route, cost.Case{Members: 2, Connected: 2, Own: 1}); bounded && !measured[route] && !slices.Contains(measuredElsewhere, route) {
					t.Errorf("no request of %s is measured", route)
				}
			}
		})
	}
}

// larger is the larger of each number of two actions.
func larger(a, b cost.Action) cost.Action {
	a.Reads, a.Writes, a.Frames, a.Out = max(a.Reads, b.Reads), max(a.Writes, b.Writes), max(a.Frames, b.Frames), max(a.Out, b.Out)
	invocations := maps.Clone(b.Invocations)
	for function, n := range a.Invocations {
		invocations[function] = max(n, invocations[function])
	}
	a.Invocations = invocations
	return a
}

// expectMost compares the most that requests asked for with what operate/cost has: writes, posts
// and invocations, and reads, of which it may have a tenth more. The bytes are no more than it has.
func (d *deployed) expectMost(name string, want, got cost.Action) {
	d.t.Helper()
	if got.Writes != want.Writes || got.Frames != want.Frames || !maps.Equal(got.Invocations, want.Invocations) {
		d.t.Errorf("%s: %v write units, %v posts and the invocations %v, operate/cost has %v, %v and %v",
			name, got.Writes, got.Frames, got.Invocations, want.Writes, want.Frames, want.Invocations)
	}
	if got.Reads > want.Reads || want.Reads > 1.1*got.Reads+4 {
		d.t.Errorf("%s: %v read units, operate/cost has %v", name, got.Reads, want.Reads)
	}
	if got.Out > want.Out+500 { // an answer's
		d.t.Errorf("%s: %v bytes, operate/cost has %v", name, got.Out, want.Out)
	}
}

// A flood of frames that are refused costs what the figures have, and its end, too. What comes
// until the socket is closed is one write more at most, and none if the connection is read.
func TestCost_AFloodOfRefusedFrames(t *testing.T) {
	d := newDeployed(t, 2)
	faulty, ping := d.frame(connection(0), object{"action": "fly"}), d.frame(connection(0), object{"action": "ping"})
	const frames = chat.RefusedBurst + 1
	want := cost.Refused().Times(frames).Plus(cost.Flooded())
	got := d.do(cost.Action{Frames: 2 * frames}, topology.Default, slices.Repeat([][]byte{faulty}, frames)...)
	if fanout := topology.Fanout; got.Writes != want.Writes || got.Frames != want.Frames || got.Invocations[fanout] != want.Invocations[fanout] {
		t.Errorf("a flood: %+v, operate/cost has %+v", got, want)
	}
	if got.Reads > want.Reads || got.Out > want.Out {
		t.Errorf("a flood: %v read units and %v bytes, operate/cost has %v and %v", got.Reads, got.Out, want.Reads, want.Out)
	}
	for name, next := range map[string]struct {
		frame  []byte
		writes float64
	}{"a faulty frame": {faulty, 1}, "a ping": {ping, 0}} {
		got := d.do(cost.Action{}, topology.Default, next.frame)
		if got.Writes != next.writes || got.Invocations[topology.Fanout] != 0 {
			t.Errorf("%s on a socket that is being closed: %v write units and the invocations %v, want %v and none of fanout", name, got.Writes, got.Invocations, next.writes)
		}
	}
}

// No request for a list, a sync or a history reads more than the figures have, in a room of as
// many members as history counts readers of, with the longest messages, each with a reaction.
func TestCost_NoAnswerReadsMoreThanTheWorstHourHas(t *testing.T) {
	const page = 100
	d := newDeployed(t, chat.CountedReaders)
	d.do(cost.Action{}, topology.SendMessage, d.send(300))
	d.do(cost.Action{}, topology.API, d.request("PATCH", "/rooms/"+room, "", `{"visibility":"public"}`))
	d.do(cost.Action{}, topology.API, d.request("PUT", "/rooms/"+room+"/place", "", `{"lat":1,"lon":2}`))
	known := chat.ReadCursor{Since: d.message(300).ID}
	after := object{room: known.Since}
	for range page {
		m := d.otherMessageOf(room, chat.MaxContent)
		known.UpTo = m.ID
		known.Known += m.ID[len(m.ID)-6:]
		d.clock.advance(time.Second) // which gives back the limits
		_, err := d.handlers[topology.API].Invoke(t.Context(), d.reactEvent(user(0), m.ID, true))
		d.must(err)
		d.must(d.store.PutReport(t.Context(), room, chat.Report{MessageID: m.ID, SenderID: user(1), By: user(2), Reason: text(chat.MaxReason)}))
	}
	for i := range chat.CountedReaders {
		_, err := d.store.AdvanceReadCursor(t.Context(), room, user(i), known, 1)
		d.must(err)
		_, err = d.store.Ban(t.Context(), room, chat.Ban{UserID: fmt.Sprint("banned-", i), By: user(0), Reason: text(chat.MaxReason)})
		d.must(err)
		d.must(d.store.Block(t.Context(), user(0), fmt.Sprint("blocked-", i), 1))
	}
	limit, list := fmt.Sprint("limit=", page), "/rooms/"+room
	requests := map[string][]byte{
		"GET /rooms":                 d.request("GET", "/rooms", limit, ""),
		"GET /rooms/{room}":          d.request("GET", list, limit, ""),
		"GET /rooms/{room}/presence": d.request("GET", list+"/presence", "", ""),
		"GET /rooms/{room}/bans":     d.request("GET", list+"/bans", limit, ""),
		"GET /rooms/{room}/messages": d.request("GET", list+"/messages", limit, ""),
		"GET /rooms/{room}/reports":  d.request("GET", list+"/reports", limit, ""),
		"GET /nearby":                d.request("GET", "/nearby", "lat=1&lon=2&"+limit, ""),
		"GET /me":                    d.request("GET", "/me", "", ""),
		"GET /me/blocks":             d.request("GET", "/me/blocks", limit, ""),
		"GET /me/push":               d.request("GET", "/me/push", "", ""),
		"GET /openapi.json":          d.request("GET", "/openapi.json", "", ""),
		"GET /asyncapi.json":         d.request("GET", "/asyncapi.json", "", ""),
		"POST /profiles":             d.request("POST", "/profiles", "", string(d.encode(object{"users": users(0, chat.MaxProfiles)}))),
		"POST /sync":                 d.request("POST", "/sync", "", string(d.encode(object{"rooms": after}))),
	}
	for _, route := range cost.Answers() {
		event, there := requests[route]
		if !there {
			t.Errorf("no request of %s is measured", route)
			continue
		}
		got := d.do(cost.Action{Requests: 1}, topology.API, event)
		if t.Logf("%s: %v read units", route, got.Reads); got.Reads > cost.MostExpensiveRead {
			t.Errorf("%s: %v read units, operate/cost has %v at most", route, got.Reads, cost.MostExpensiveRead)
		}
		if len(got.Invocations) != 1 || got.Frames != 0 || got.Writes > 2 {
			t.Errorf("%s asks for more than an answer: %+v", route, got)
		}
	}
}

// A handshake of a user who has opened too many connections asks the table once, which
// changes nothing, and from then on, of the same instance, not at all.
func TestCost_ConnectsOverTheLimit(t *testing.T) {
	d := newDeployed(t, 2)
	token := d.token(user(0))
	for i := range chat.ConnectBurst {
		d.invoke(d.handlers[topology.Connect], d.handshake(connection(100+i), token), http.StatusOK)
	}
	other := d.wired(functions.Connect)
	d.records()
	for n, want := range []usage{{Requests: 1, Writes: 1, RoundTrips: 1, InFlight: 1, Refused: 1}, {}} {
		if got := d.metered.count(other, d.handshake(connection(1), token), http.StatusTooManyRequests); got != want {
			t.Errorf("refusal %d: %+v, want %+v", n+1, got, want)
		}
	}
	if written := d.records(); len(written) > 0 {
		t.Errorf("%d records, the first %v", len(written), written[0])
	}
}

// A handshake without a valid token asks nothing of the table, and logs one line, no longer than
// operate/cost has it.
func TestCost_RefusedHandshakes(t *testing.T) {
	d := newDeployed(t, 2)
	longest := 0.0
	for _, token := range []string{"", "x", d.token(user(0)) + "x"} {
		event := d.handshake(connection(1), token)
		d.log.Reset()
		if used := d.metered.count(d.handlers[topology.Connect], event, http.StatusUnauthorized); used.Requests != 0 {
			t.Errorf("the token %q asks the table for %+v", token, used)
		}
		if lines := bytes.Count(d.log.Bytes(), []byte("\n")); lines != 1 {
			t.Errorf("the token %q has %d lines: %s", token, lines, d.log)
		}
		longest = max(longest, float64(d.log.Len()))
	}
	if !within(longest, cost.RefusedHandshakeBytes) {
		t.Errorf("the longest line has %v bytes, operate/cost has %v", longest, cost.RefusedHandshakeBytes)
	}
}
