package local_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

const bot = "service:bot"

// What is about no room, by the HTTP API: a service and a user. What is about one is in the
// table of package rig.
func TestServices_WhoMayDoWhat(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	name := "Bot"
	for _, c := range []struct {
		what, method, path string
		body               any
		service, user      int
	}{
		{"make a room for others", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "Tea", Members: []string{"dave", "erin"}}, 201, 201},
		{"end connections", "POST", "/users/zoe/disconnect", nil, 200, 403},
		{"have a name", "PUT", "/me", wire.NameChange{DisplayName: &name}, 200, 200},
		{"read profiles", "POST", "/profiles", wire.ProfilesRequest{Users: []string{bot}}, 200, 200},
		{"list one's rooms", "GET", "/rooms", nil, 403, 200},
		{"sync", "POST", "/sync", wire.SyncRequest{Rooms: map[string]string{}}, 403, 200},
		{"list whom one blocks", "GET", "/me/blocks", nil, 403, 200},
		{"find rooms", "GET", "/nearby?lat=52.5&lon=13.4", nil, 200, 200},
	} {
		for by, want := range map[string]int{"bob": c.user, bot: c.service} {
			if got := s.API(by, c.method, c.path, c.body, nil); got != want {
				t.Errorf("%s by %s is answered with %d, want %d", c.what, by, got, want)
			}
		}
	}
}

func TestServices_ARoomThatDoesNotExist(t *testing.T) {
	answerNoRoom(t, start(t, local.Config{LogLevel: "warn"}))
}

// answerNoRoom checks that a room that does not exist is not_found to a service, whatever it
// asks. Each answer is in the description, to which the rig holds it.
func answerNoRoom(t *testing.T, s *rig.Rig) {
	t.Helper()
	none := place{"none", "01B3F2133F0000000000000000", "bob"}
	for _, o := range operations {
		path := o.path
		if !strings.Contains(path, "{room}") {
			continue
		}
		if strings.HasSuffix(path, "/members") || strings.HasSuffix(path, "/bans") {
			path += "?userId=bob"
		}
		var body any
		if o.body != "" {
			body = json.RawMessage(none.in(o.body))
		}
		var problem wire.Problem
		status := s.API(bot, o.method, none.in(path), body, &problem)
		if usersOnly := problem.Code == "forbidden" && status == 403; !usersOnly && (problem.Code != "not_found" || status != 404) {
			t.Errorf("%s %s is answered with %d %s", o.method, o.path, status, problem.Code)
		}
	}
}

// A token that is not accepted has one answer, whatever it is used for.
func TestServices_Tokens(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	if status, problem := bad(s, s.Token(bot, -time.Hour), badInput{method: "GET", path: "/me"}); status != 401 || problem.Title != `{"message":"Unauthorized"}` && problem.Code != "" {
		t.Errorf("an expired one: %d %+v", status, problem)
	}
	for name, c := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"without its scope": {token(t, s, `{"service":"bot","scope":"streamroom/other"}`), 403, "forbidden"},
		"without any scope": {token(t, s, `{"service":"bot","scope":""}`), 403, "forbidden"},
		"a user's":          {s.Token("alice", 0), 403, "forbidden"},
	} {
		if status, problem := bad(s, c.token, badInput{method: "POST", path: "/users/bob/disconnect"}); status != c.status || problem.Code != c.code {
			t.Errorf("a token %s: %d %+v", name, status, problem)
		}
	}
	for _, body := range []string{
		`{"service":"unknown"}`, `{"service":"bot","user":"alice"}`, `{"user":"alice","scope":"x"}`, `{"user":"service:bot"}`, `{"user":"Service:Bot"}`,
	} {
		if got := token(t, s, body); got != "" {
			t.Errorf("%s gets a token", body)
		}
	}
	// No service opens a socket.
	if status := s.Handshake(s.Token(bot, 0)); status != http.StatusUnauthorized {
		t.Errorf("a service's handshake is answered with %d", status)
	}
}

// token asks for one as body has it; "" if it is refused.
func token(t *testing.T, s *rig.Rig, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/token", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &answer); err != nil || (answer.Token == "") != (response.StatusCode == http.StatusBadRequest) {
		t.Fatalf("%s: %s %s", body, response.Status, text.String())
	}
	return answer.Token
}

// What a service sends reaches the room's members as any message, once.
func TestServices_SendAsThemselves(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	asked, _ := alice.Deliver(room, "what time is it?", "")
	path := "/rooms/" + room + "/messages"
	send := wire.SendRequest{Content: "noon", ClientMessageID: "c-1", ReplyTo: asked.MessageID, Mentions: []string{"Alice"}}
	var sent, again wire.Sent
	if status := s.API(bot, "POST", path, send, &sent); status != http.StatusCreated || sent.SenderID != bot || sent.Duplicate {
		t.Errorf("sent: %d %+v", status, sent)
	}
	if status := s.API(bot, "POST", path, send, &again); status != http.StatusOK || !again.Duplicate || again.MessageID != sent.MessageID {
		t.Errorf("sent again: %d %+v", status, again)
	}
	got := alice.Expect(wire.TypeMessage)
	if got.MessageID != sent.MessageID || got.SenderID != bot || got.Content != "noon" || got.ReplyTo == nil || got.ClientMessageID != "" || len(got.Mentions) != 1 || got.Mentions[0] != "alice" {
		t.Errorf("alice got %+v", got)
	}
	alice.ExpectNone(wire.TypeMessage)
	if status := s.API(bot, "POST", "/rooms/nowhere/messages", send, nil); status != http.StatusNotFound {
		t.Errorf("to no room: %d", status)
	}
	// A user's own devices learn by which send.
	if status := s.API("alice", "POST", path, wire.SendRequest{Content: "thanks", ClientMessageID: "c-2"}, nil); status != http.StatusCreated {
		t.Errorf("alice sends: %d", status)
	}
	if got := alice.Expect(wire.TypeMessage); got.Content != "thanks" || got.ClientMessageID != "c-2" {
		t.Errorf("alice got %+v", got)
	}
}

// A service makes rooms of others: the first of them owns a group, and a dm is theirs.
func TestServices_MakeRooms(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	var group, direct, same wire.Room
	s.API(bot, "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "Tea", Members: []string{"zoe", "alice"}}, &group)
	var seen wire.Room
	if s.API("zoe", "GET", "/rooms/"+group.ChatRoomID, nil, &seen); group.MemberCount != 2 || seen.Role != "owner" || len(seen.Members) != 2 {
		t.Errorf("made %+v, zoe sees %+v", group, seen)
	}
	s.API(bot, "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"alice", "zoe"}}, &direct)
	if status := s.API("zoe", "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"alice"}}, &same); status != http.StatusOK || same.ChatRoomID != direct.ChatRoomID {
		t.Errorf("zoe's dm: %d %+v, the service's %+v", status, same, direct)
	}
	var list wire.RoomList
	s.API("alice", "GET", "/rooms", nil, &list)
	for _, r := range list.Rooms {
		if r.Type == "dm" && (r.With == nil || r.With.UserID != "zoe") {
			t.Errorf("alice lists %+v", r)
		}
	}
	for _, members := range [][]string{nil, {"alice"}, {"alice", "bob", "carol"}} {
		if status := s.API(bot, "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: members}, nil); status != http.StatusBadRequest {
			t.Errorf("a dm of %q is answered with %d", members, status)
		}
	}
	// A service that names itself is a member, and can be mentioned.
	var own wire.Room
	s.API(bot, "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "Help", Members: []string{"alice", bot}}, &own)
	if status := s.API("alice", "POST", "/rooms/"+own.ChatRoomID+"/messages", wire.SendRequest{Content: "hi", Mentions: []string{bot}}, nil); status != http.StatusCreated {
		t.Errorf("a mention of the service is answered with %d", status)
	}
}

// A user's sockets end without a wait, so by a clock that stands, and others are told that
// they have gone.
func TestDisconnect_EndsAllOfAUsersSockets(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn", Clock: clockwork.NewFakeClockAt(time.Now())})
	s.Room("alice", "bob")
	bob := s.Connect("bob")
	first, second := s.Connect("alice"), s.Connect("alice")
	var ended wire.Disconnected
	if status := s.API(bot, "POST", "/users/Alice/disconnect", nil, &ended); status != http.StatusOK || ended.Connections != 2 {
		t.Errorf("answered %d, %+v", status, ended)
	}
	for _, socket := range []*rig.Socket{first, second} {
		if got := socket.Expect(wire.TypeError); got.Code != "disconnected" {
			t.Errorf("got %+v", got)
		}
		socket.ExpectEnd()
	}
	for gone := bob.Expect(wire.TypePresence); gone.UserID != "alice" || gone.Online; gone = bob.Expect(wire.TypePresence) {
	}
	s.Connect("alice") // a token that has not ended opens another one
}

// Ids that a path can't hold are named by the query.
func TestDisconnect_TakesEveryID(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	for _, user := range []string{"a/b", "a?b=c&d", "50%", "ö ö"} {
		socket := s.Connect(user)
		var ended wire.Disconnected
		path := "/users/disconnect?userId=" + url.QueryEscape(user)
		if status := s.API(bot, "POST", path, nil, &ended); status != http.StatusOK || ended.Connections != 1 {
			t.Errorf("%s is answered %d, %+v", path, status, ended)
		}
		if got := socket.Expect(wire.TypeError); got.Code != "disconnected" {
			t.Errorf("%s got %+v", user, got)
		}
	}
}
