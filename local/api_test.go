package local_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestAPIRefusals(t *testing.T) {
	s := start(t, local.Config{})
	room, foreign := s.Room("alice", "bob"), s.Room("carol")
	var dm wire.Room
	s.API("alice", http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}, &dm)
	many := make([]string, 49)
	for i := range many {
		many[i] = fmt.Sprintf("user-%d", i)
	}
	sync101 := wire.SyncRequest{Rooms: map[string]string{}}
	for i := range 101 {
		sync101.Rooms[fmt.Sprintf("r%d", i)] = "01HQZ6T0T0ABCDEFGHJKMNPQRS"
	}
	tests := map[string]struct {
		user, method, path string
		body               any
		status             int
		code               string
	}{
		"no name":                    {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group"}, 400, "invalid_request"},
		"a name too long":            {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: strings.Repeat("é", 101)}, 400, "invalid_request"},
		"a control character":        {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "a\nb"}, 400, "invalid_request"},
		"no such type":               {"alice", "POST", "/rooms", wire.RoomRequest{Type: "channel", Name: "x"}, 400, "invalid_request"},
		"49 members":                 {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "x", Members: many}, 400, "invalid_request"},
		"a forged member":            {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "x", Members: []string{"a#b"}}, 400, "invalid_request"},
		"a dm with oneself":          {"alice", "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"alice"}}, 400, "invalid_request"},
		"a dm of three":              {"alice", "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob", "carol"}}, 400, "invalid_request"},
		"a dm with a name":           {"alice", "POST", "/rooms", wire.RoomRequest{Type: "dm", Name: "x", Members: []string{"bob"}}, 400, "invalid_request"},
		"an unknown field":           {"alice", "POST", "/rooms", map[string]any{"type": "group", "name": "x", "color": "red"}, 400, "invalid_request"},
		"a field of another type":    {"alice", "POST", "/rooms", map[string]any{"type": "group", "name": 7}, 400, "invalid_request"},
		"an array":                   {"alice", "POST", "/rooms", []string{"x"}, 400, "invalid_request"},
		"a body too large":           {"alice", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: strings.Repeat("x", 70_000)}, 413, "too_large"},
		"a limit of 0":               {"alice", "GET", "/rooms?limit=0", nil, 400, "invalid_request"},
		"a limit of 101":             {"alice", "GET", "/rooms/" + room + "/messages?limit=101", nil, 400, "invalid_request"},
		"a limit in words":           {"alice", "GET", "/rooms/" + room + "?limit=all", nil, 400, "invalid_request"},
		"a cursor of nothing":        {"alice", "GET", "/rooms?cursor=abc", nil, 400, "invalid_request"},
		"a cursor of a foreign list": {"alice", "GET", "/rooms/" + room + "?cursor=I2I", nil, 400, "invalid_request"},
		"before and after":           {"alice", "GET", "/rooms/" + room + "/messages?before=01HQZ6T0T0ABCDEFGHJKMNPQRS&after=01HQZ6T0T0ABCDEFGHJKMNPQRS", nil, 400, "invalid_request"},
		"before what":                {"alice", "GET", "/rooms/" + room + "/messages?before=yesterday", nil, 400, "invalid_request"},
		"a lower-case message id":    {"alice", "GET", "/rooms/" + room + "/messages?after=01hqz6t0t0abcdefghjkmnpqrs", nil, 400, "invalid_request"},
		"a foreign room":             {"alice", "GET", "/rooms/" + foreign, nil, 403, "not_a_member"},
		"a foreign room's history":   {"alice", "GET", "/rooms/" + foreign + "/messages", nil, 403, "not_a_member"},
		"a room that is none":        {"alice", "GET", "/rooms/nowhere", nil, 403, "not_a_member"},
		"no owner adds":              {"bob", "POST", "/rooms/" + room + "/members", wire.MemberRequest{UserID: "carol"}, 403, "forbidden"},
		"no owner removes":           {"bob", "DELETE", "/rooms/" + room + "/members/alice", nil, 403, "forbidden"},
		"a foreigner adds oneself":   {"mallet", "POST", "/rooms/" + room + "/members", wire.MemberRequest{UserID: "mallet"}, 403, "not_a_member"},
		"a dm grows":                 {"alice", "POST", "/rooms/" + dm.ChatRoomID + "/members", wire.MemberRequest{UserID: "carol"}, 403, "forbidden"},
		"a dm loses its other":       {"alice", "DELETE", "/rooms/" + dm.ChatRoomID + "/members/bob", nil, 403, "forbidden"},
		"a dm with a typo":           {"alice", "POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bbo"}, OnlySignedIn: true}, 409, "never_signed_in"},
		"who is not there is gone":   {"alice", "DELETE", "/rooms/" + room + "/members/stranger", nil, 404, "not_found"},
		"101 rooms to sync":          {"alice", "POST", "/sync", sync101, 400, "invalid_request"},
		"sync after what":            {"alice", "POST", "/sync", wire.SyncRequest{Rooms: map[string]string{room: "x"}}, 400, "invalid_request"},
		"no such path":               {"alice", "GET", "/everything", nil, 404, "not_found"},
		"no such method":             {"alice", "PUT", "/rooms", nil, 405, "invalid_request"},
	}
	for _, user := range []string{"bob", "mallet"} {
		s.Token(user, 0) // signing in adds to the lobby
	}
	before := s.CountItems("")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var problem wire.Problem
			status := s.API(tt.user, tt.method, tt.path, tt.body, &problem)
			if status != tt.status || problem.Code != tt.code || problem.Status != tt.status {
				t.Errorf("answered %d, %+v; want %d %s", status, problem, tt.status, tt.code)
			}
			if problem.Detail == "" {
				t.Error("the problem says nothing")
			}
		})
	}
	if after := s.CountItems(""); after != before {
		t.Errorf("the table had %d items and has %d", before, after)
	}
}

func TestAPIWantsJSON(t *testing.T) {
	s := start(t, local.Config{})
	for name, tt := range map[string]struct{ contentType, body string }{
		"a form":       {"application/x-www-form-urlencoded", `{"type":"group","name":"x"}`},
		"no type":      {"", `{"type":"group","name":"x"}`},
		"half of it":   {"application/json", `{"type":"group","name":`},
		"two of it":    {"application/json", `{"type":"group","name":"x"}{}`},
		"none of it":   {"application/json", ``},
		"deeply of it": {"application/json", strings.Repeat("[", 20_000)},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/api/rooms", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+s.Token("alice", 0))
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"code":"invalid_request"`) ||
				response.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("answered %s, %s", response.Status, body)
			}
		})
	}
}

func TestADirectMessageRoomExistsOnce(t *testing.T) {
	s := start(t, local.Config{})
	s.Token("alice", 0)
	s.Token("bob", 0)
	var mu sync.Mutex
	ids, created := map[string]bool{}, 0
	var all sync.WaitGroup
	for i := range 10 {
		users := []string{"alice", "bob"}
		if i%2 == 1 {
			slices.Reverse(users)
		}
		all.Go(func() {
			var room wire.Room
			status := s.API(users[0], http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: users[1:]}, &room)
			mu.Lock()
			defer mu.Unlock()
			ids[room.ChatRoomID] = true
			if status == http.StatusCreated {
				created++
			} else if status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
			if room.MemberCount != 2 || room.Type != "dm" || room.Name != "" {
				t.Errorf("made %+v", room)
			}
		})
	}
	all.Wait()
	if len(ids) != 1 || created != 1 {
		t.Errorf("%d rooms, created %d times", len(ids), created)
	}
}

func TestMembersAreCountedOnce(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob", "bob", "alice")
	add := func(user string) int {
		return s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: user}, nil)
	}
	for i, want := range []int{http.StatusCreated, http.StatusOK} {
		if got := add("carol"); got != want {
			t.Errorf("adding carol the %d. time answers %d", i+1, got)
		}
	}
	if got := s.API("alice", http.MethodDelete, "/rooms/"+room+"/members/bob", nil, nil); got != http.StatusNoContent {
		t.Errorf("removing bob answers %d", got)
	}
	var description wire.Room
	s.API("alice", http.MethodGet, "/rooms/"+room, nil, &description)
	if description.MemberCount != 2 || len(description.Members) != 2 ||
		description.Members[0].UserID != "alice" || description.Members[0].Role != "owner" ||
		description.Members[1].UserID != "carol" || description.Members[1].Role != "member" {
		t.Errorf("the room is %+v", description)
	}
}

func TestListsComeInPages(t *testing.T) {
	s := start(t, local.Config{})
	users := []string{"alice"}
	for i := range 6 {
		users = append(users, fmt.Sprintf("user-%d", i))
	}
	room := s.Room(users...)
	var want []string
	alice := s.Connect("alice")
	for i := range 7 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		want = append(want, ack.MessageID)
	}
	newestFirst := slices.Clone(want)
	slices.Reverse(newestFirst)

	history := func(direction, bound string) (ids []string) {
		for range 10 {
			query := "?limit=3"
			if bound != "" {
				query += "&" + direction + "=" + bound
			}
			var page wire.History
			if status := s.API("alice", http.MethodGet, "/rooms/"+room+"/messages"+query, nil, &page); status != http.StatusOK {
				t.Fatalf("status %d", status)
			}
			for _, m := range page.Messages {
				ids = append(ids, m.MessageID)
			}
			if bound = page.Cursor; bound == "" {
				return ids
			}
		}
		t.Fatal("the pages do not end")
		return nil
	}
	if diff := cmp.Diff(newestFirst, history("before", "")); diff != "" {
		t.Errorf("newest first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, history("after", "00000000000000000000000000")); diff != "" {
		t.Errorf("oldest first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(newestFirst[4:], history("before", newestFirst[3])); diff != "" {
		t.Errorf("before the fourth (-want +got):\n%s", diff)
	}

	var members []string
	for cursor, more := "", true; more; more = cursor != "" {
		var page wire.Room
		s.API("alice", http.MethodGet, "/rooms/"+room+"?limit=3&cursor="+cursor, nil, &page)
		for _, m := range page.Members {
			members = append(members, m.UserID)
		}
		cursor = page.Cursor
	}
	if diff := cmp.Diff(users, members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}

	rooms := map[string]bool{local.Lobby: true, room: true}
	for range 5 {
		rooms[s.Room("alice")] = true
	}
	listed := 0
	for cursor, more := "", true; more; more = cursor != "" {
		var page wire.RoomList
		s.API("alice", http.MethodGet, "/rooms?limit=2&cursor="+cursor, nil, &page)
		for _, r := range page.Rooms {
			if !rooms[r.ChatRoomID] {
				t.Errorf("the list has %s, twice or by mistake", r.ChatRoomID)
			}
			delete(rooms, r.ChatRoomID)
			listed++
		}
		cursor = page.Cursor
	}
	if len(rooms) != 0 {
		t.Errorf("%d rooms are not listed", len(rooms))
	}
}

func TestSyncGivesWhatWasMissed(t *testing.T) {
	s := start(t, local.Config{})
	room, foreign := s.Room("alice"), s.Room("bob")
	alice := s.Connect("alice")
	var ids []string
	for i := range 15 {
		ack, _ := alice.Deliver(room, fmt.Sprint(i), "")
		ids = append(ids, ack.MessageID)
	}
	var got wire.SyncResponse
	status := s.Request(http.MethodPost, "/api/sync", s.Token("alice", 0), wire.SyncRequest{Rooms: map[string]string{
		room: ids[4], foreign: ids[4], "nowhere": ids[4],
	}}, &got)
	if status != http.StatusOK || len(got.Rooms) != 1 {
		t.Fatalf("answered %d with %d rooms", status, len(got.Rooms))
	}
	var synced []string
	for _, m := range got.Rooms[room].Messages {
		synced = append(synced, m.MessageID)
		if m.SenderID != "alice" || m.Content == "" || len(m.ReadBy) != 0 {
			t.Errorf("synced %+v", m)
		}
	}
	if diff := cmp.Diff(ids[5:], synced); diff != "" || got.Rooms[room].More {
		t.Errorf("more is %t; (-want +got):\n%s", got.Rooms[room].More, diff)
	}
}

// A load test signs its users in all at once.
func TestManySignInAtOnce(t *testing.T) {
	s := start(t, local.Config{})
	const users = 100
	var crowd sync.WaitGroup
	for i := range users {
		crowd.Go(func() {
			if status := s.Request(http.MethodPost, "/token", "", map[string]any{"user": fmt.Sprint("user-", i)}, nil); status != http.StatusOK {
				t.Errorf("token: status %d", status)
			}
		})
	}
	crowd.Wait()
	var room wire.Room
	if s.API("user-0", http.MethodGet, "/rooms/"+local.Lobby, nil, &room); room.MemberCount != users {
		t.Errorf("the lobby counts %d members, want %d", room.MemberCount, users)
	}
}
