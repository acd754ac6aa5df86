package httpapi_test

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestPublicRooms_JoinAndPlace(t *testing.T) {
	a := newAPI(t)
	var room, got wire.Room
	a.answer("alice", "POST /rooms", `{"type":"group","name":"Tea","visibility":"public"}`, 201, &room)
	want := wire.Room{ChatRoomID: room.ChatRoomID, Name: "Tea", Type: "group", MemberCount: 1, Visibility: "public"}
	same(t, "created", want, room)
	path := "/rooms/" + room.ChatRoomID
	var place wire.Place
	a.answer("alice", "PUT "+path+"/place", `{"lat":52.520000049,"lon":-13,"address":"Mitte","endsAt":9000000000000}`, 200, &place)
	stored := wire.Place{Lat: 52.52, Lon: -13, Address: "Mitte", EndsAt: 9e12}
	same(t, "the place", stored, place)

	a.answer("carol", "GET "+path, "", 200, &got)
	want.Place = &stored
	same(t, "a stranger's view", want, got)
	if body := a.do("carol", "GET "+path, "").Body.String(); strings.Contains(body, "alice") || strings.Contains(body, "members") {
		t.Errorf("a stranger sees %s", body)
	}
	want.Place, want.MemberCount = nil, 2
	for _, status := range []int{201, 200} {
		got = wire.Room{}
		a.answer("carol", "POST "+path+"/join", "", status, &got)
		same(t, "joined", want, got)
	}
	a.answer("alice", "DELETE "+path+"/place", "", 204, nil)
	got = wire.Room{}
	a.answer("alice", "PATCH "+path, `{"name":"Coffee","visibility":"private"}`, 200, &got)
	same(t, "changed", wire.Room{ChatRoomID: room.ChatRoomID, Name: "Coffee", Type: "group", MemberCount: 2}, got)
	a.refused("a stranger", a.do("dave", "GET "+path, ""), 403, chat.CodeNotAMember)
	a.refused("a stranger joins", a.do("dave", "POST "+path+"/join", ""), 403, chat.CodeNotAMember)
	for _, body := range []string{`{"lat":"1","lon":2}`, `{"lat":1,"lon":{}}`, `{"lat":1}`, `{"lat":null,"lon":2}`, `{"lat":1,"lon":2,"endsAt":1.5}`} {
		detail := a.refused(body, a.do("alice", "PUT "+path+"/place", body), 400, chat.CodeInvalidRequest)
		if !strings.Contains(detail, "want") || !strings.Contains(detail, "number") && !strings.Contains(detail, "missing") {
			t.Errorf("%s: %s", body, detail)
		}
	}
}
