package local_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// However a user is spelled, in a token, a body, a query or a path, it is one user.
func TestAUserIsOneInEverySpelling(t *testing.T) {
	s := start(t, local.Config{})
	var first wire.Room
	if status := s.API("Alice", http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"jos\u00e9"}}, &first); status != http.StatusCreated {
		t.Fatalf("create: %d", status)
	}
	for _, spelling := range []string{"Jos\u00e9", "JOSE\u0301", "jose\u0301"} {
		for me, other := range map[string]string{"alice": spelling, spelling: "ALICE"} {
			var again wire.Room
			status := s.API(me, http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{other}}, &again)
			if status != http.StatusOK || again.ChatRoomID != first.ChatRoomID {
				t.Errorf("%s and %s: %d, another room", me, other, status)
			}
		}
		var me wire.Me
		if s.API(spelling, http.MethodGet, "/me", nil, &me); me.UserID != "jos\u00e9" {
			t.Errorf("%+q is signed in as %+q", spelling, me.UserID)
		}
	}

	room := s.Room("alice", "Bob")
	bob := s.ConnectWith("bob", s.Token("BOB", 0))
	var member wire.MemberRequest
	if s.API("alice", http.MethodPost, "/rooms/"+room+"/members", wire.MemberRequest{UserID: "Carol"}, &member); member.UserID != "carol" {
		t.Errorf("added %q", member.UserID)
	}
	joined := bob.ExpectIn(room, wire.TypeMemberJoined)
	for joined.UserID == "bob" { // he gets his own, too
		joined = bob.ExpectIn(room, wire.TypeMemberJoined)
	}
	if joined.UserID != "carol" {
		t.Errorf("joined: %+v", joined)
	}
	if status := s.API("alice", http.MethodDelete, "/rooms/"+room+"/members?userId=CAROL", nil, nil); status != http.StatusNoContent {
		t.Errorf("removed by the query: %d", status)
	}
	if status := s.API("Bob", http.MethodDelete, "/rooms/"+room+"/members/BOB", nil, nil); status != http.StatusNoContent {
		t.Errorf("removed by the path: %d", status)
	}

	s.API("bob", http.MethodPut, "/me", map[string]string{"displayName": "Robert"}, nil)
	var got wire.Profiles
	s.API("alice", http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{"bob", "Bob", "carol"}}, &got)
	want := map[string]wire.Profile{"bob": {DisplayName: "Robert"}, "Bob": {DisplayName: "Robert"}}
	if diff := cmp.Diff(want, got.Profiles); diff != "" {
		t.Errorf("profiles, by the ids asked for (-want +got):\n%s", diff)
	}
}

// What looks like a user and is not is refused wherever an id is read.
func TestIDsWithInvisibleCharactersAreRefused(t *testing.T) {
	s := start(t, local.Config{})
	room := s.Room("alice", "bob")
	for id, says := range map[string]string{"\u0020bob": "white space", "bob\u3164": "invisible", "bo\u200bb": "invisible", "bo\u00a0b": "invisible"} {
		for _, request := range []struct {
			method, path string
			body         any
		}{
			{http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{id}}},
			{http.MethodPost, "/rooms", wire.RoomRequest{Type: "group", Name: "x", Members: []string{"carol", id}}},
			{http.MethodPost, "/rooms/" + room + "/members", wire.MemberRequest{UserID: id}},
			{http.MethodDelete, "/rooms/" + room + "/members?userId=" + url.QueryEscape(id), nil},
			{http.MethodPost, "/profiles", wire.ProfilesRequest{Users: []string{id}}},
		} {
			var problem wire.Problem
			status := s.API("alice", request.method, request.path, request.body, &problem)
			if status != http.StatusBadRequest || problem.Code != string(chat.CodeInvalidRequest) || !strings.Contains(problem.Detail, says) {
				t.Errorf("%s %s with %+q: %d %+v", request.method, request.path, id, status, problem)
			}
		}
		var problem wire.Problem
		if status := s.Request(http.MethodPost, "/token", "", map[string]string{"user": id}, &problem); status != http.StatusBadRequest || !strings.Contains(problem.Detail, says) {
			t.Errorf("a token for %+q: %d %+v", id, status, problem)
		}
	}
}
