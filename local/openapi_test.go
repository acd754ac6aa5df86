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
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/wire"
)

// answerRateLimited makes a request of each kind to a server whose user has used up
// their limits; its clock stands still.
func answerRateLimited(t *testing.T) {
	t.Helper()
	s := start(t, local.Config{LogLevel: "warn", Clock: clockwork.NewFakeClockAt(time.Now()), Wrap: func(d local.Deployment) local.Deployment {
		for _, f := range d.Functions {
			for _, name := range []string{config.ReadRate, config.ReadBurst, config.WriteRate, config.WriteBurst, config.SendRate, config.SendBurst, config.ReportRate, config.ReportBurst} {
				f.Environment[name] = "1"
			}
		}
		return d
	}})
	name := "Alice"
	s.API("alice", "PUT", "/me", wire.NameChange{DisplayName: &name}, nil)
	s.API("alice", "GET", "/rooms", nil, nil)
	s.API("alice", "POST", "/rooms/r/messages", wire.SendRequest{Content: "x"}, nil)
	s.API("alice", "POST", "/rooms/r/messages/m/report", wire.ReportRequest{}, nil)
	s.API("service:bot", "POST", "/users/bob/disconnect", nil, nil)
	for _, disconnect := range []string{"/users/bob/disconnect", "/users/disconnect?userId=bob"} {
		if got := s.API("service:bot", "POST", disconnect, nil, nil); got != http.StatusTooManyRequests {
			t.Errorf("a service's POST %s is answered with %d, want 429", disconnect, got)
		}
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}},
		{"GET", "/rooms", nil},
		{"GET", "/rooms/r", nil},
		{"PATCH", "/rooms/r", wire.NameRequest{Name: "Tea"}},
		{"GET", "/nearby?lat=1&lon=2", nil},
		{"GET", "/rooms/r/presence", nil},
		{"POST", "/rooms/r/join", nil},
		{"PUT", "/rooms/r/place", wire.Place{}},
		{"DELETE", "/rooms/r/place", nil},
		{"POST", "/rooms/r/members", wire.MemberRequest{UserID: "carol"}},
		{"PATCH", "/rooms/r/members?userId=carol", wire.MemberChange{}},
		{"GET", "/me/blocks", nil},
		{"PUT", "/me/blocks/carol", nil},
		{"PUT", "/me/blocks?userId=carol", nil},
		{"DELETE", "/me/blocks/carol", nil},
		{"DELETE", "/me/blocks?userId=carol", nil},
		{"PUT", "/me/push", wire.PushSubscription{}},
		{"DELETE", "/me/push", wire.PushEndpoint{}},
		{"GET", "/rooms/r/bans", nil},
		{"PUT", "/rooms/r/bans?userId=carol", wire.BanRequest{}},
		{"DELETE", "/rooms/r/bans?userId=carol", nil},
		{"DELETE", "/rooms/r/members/carol", nil},
		{"DELETE", "/rooms/r/members?userId=carol", nil},
		{"POST", "/rooms/r/read", wire.ReadRequest{UpTo: "01HQZ6T0T0ABCDEFGHJKMNPQRS"}},
		{"PUT", "/rooms/r/notify", wire.NotifyRequest{Notify: "none"}},
		{"GET", "/rooms/r/messages", nil},
		{"POST", "/rooms/r/messages", wire.SendRequest{Content: "x"}},
		{"PATCH", "/rooms/r/messages/m", wire.EditRequest{Content: "x"}},
		{"DELETE", "/rooms/r/messages/m", nil},
		{"POST", "/rooms/r/messages/m/report", wire.ReportRequest{}},
		{"GET", "/rooms/r/reports", nil},
		{"DELETE", "/rooms/r/reports/m", nil},
		{"PUT", "/rooms/r/messages/m/reactions", wire.ReactionRequest{Reaction: "👍"}},
		{"DELETE", "/rooms/r/messages/m/reactions?reaction=a", nil},
		{"POST", "/rooms/r/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1}},
		{"GET", "/rooms/r/attachments/x", nil},
		{"POST", "/sync", wire.SyncRequest{}},
		{"PUT", "/me", wire.NameChange{DisplayName: &name}},
		{"POST", "/profiles", wire.ProfilesRequest{Users: []string{"bob"}}},
	} {
		if got := s.API("alice", c.method, c.path, c.body, nil); got != http.StatusTooManyRequests {
			t.Errorf("%s %s is answered with %d, want 429", c.method, c.path, got)
		}
	}
}

// TestTheDescriptionIsWhatIsServed asks for every answer that is described; the
// harness holds each to the description.
func TestTheDescriptionIsWhatIsServed(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn", Push: true})
	room, foreign := s.Room("alice", "bob"), s.Room("mallet")
	alice := s.Connect("alice")
	ack, _ := alice.Deliver(room, "hello", "c-1")
	reply, _ := s.Connect("bob").Deliver(room, "hi", "c-2")
	file := sendFile(s, alice, room, "a.png", "image/png", []byte("png")).AttachmentID
	const nothing = "01HQZ6T0T0ABCDEFGHJKMNPQRS"
	public := wire.Public
	var shared wire.Room
	s.API("mallet", "POST", "/rooms", wire.RoomRequest{Type: "group", Name: "Open", Visibility: public}, &shared)
	open := "/rooms/" + shared.ChatRoomID
	s.API("mallet", "PUT", "/me/blocks/alice", nil, nil)
	s.API("alice", "GET", open, nil, nil)
	name, long := "Alice", strings.Repeat("x", 70_000)
	path, none := "/rooms/"+room, "/rooms/"+foreign
	for _, c := range []struct {
		method, path string
		body         any
		want         int
	}{
		{"POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}, 201},
		{"POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bob"}}, 200},
		{"POST", "/rooms", wire.RoomRequest{Type: "dm"}, 400},
		{"POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"bbo"}, OnlySignedIn: true}, 409},
		{"POST", "/rooms", wire.RoomRequest{Type: "dm", Members: []string{"mallet"}}, 403},
		{"POST", "/rooms", wire.RoomRequest{Name: long}, 413},
		{"GET", "/rooms?limit=1", nil, 200},
		{"GET", "/rooms?limit=0", nil, 400},
		{"POST", path + "/read", wire.ReadRequest{UpTo: reply.MessageID}, 204},
		{"POST", path + "/read", wire.ReadRequest{UpTo: nothing}, 400},
		{"POST", path + "/read", wire.ReadRequest{UpTo: long}, 413},
		{"POST", none + "/read", wire.ReadRequest{UpTo: nothing}, 403},
		{"PUT", path + "/notify", wire.NotifyRequest{Notify: "none"}, 200},
		{"PUT", path + "/notify", wire.NotifyRequest{Notify: "some"}, 400},
		{"PUT", path + "/notify", wire.NotifyRequest{Notify: long}, 413},
		{"PUT", none + "/notify", wire.NotifyRequest{Notify: "none"}, 403},
		{"PUT", "/me", wire.NameChange{DisplayName: &name}, 200},
		{"PUT", "/me", wire.Me{}, 400},
		{"PUT", "/me", wire.NameChange{DisplayName: &long}, 413},
		{"GET", "/me", nil, 200},
		{"POST", "/profiles", wire.ProfilesRequest{Users: []string{"alice", "bob"}}, 200},
		{"POST", "/profiles", wire.ProfilesRequest{}, 400},
		{"POST", "/profiles", wire.ProfilesRequest{Users: []string{long}}, 413},
		{"GET", path + "?limit=1", nil, 200},
		{"GET", path + "/presence", nil, 200},
		{"GET", none + "/presence", nil, 403},
		{"GET", "/rooms/" + url.PathEscape("a#b") + "/presence", nil, 400},
		{"GET", path + "?limit=x", nil, 400},
		{"GET", none, nil, 403},
		{"PATCH", path, wire.NameRequest{Name: "Tea"}, 200},
		{"PATCH", path, wire.NameRequest{}, 400},
		{"PATCH", path, wire.NameRequest{Name: long}, 413},
		{"PATCH", none, wire.NameRequest{Name: "Tea"}, 403},
		{"PATCH", path, wire.RoomChange{Visibility: &public}, 200},
		{"GET", path + "?limit=1", nil, 200},
		{"PUT", path + "/place", wire.Place{Lat: 52.5, Lon: 13.4, Address: "Mitte", StartsAt: 1, EndsAt: 9e12}, 200},
		{"PUT", path + "/place", wire.Place{Lat: 91}, 400},
		{"PUT", path + "/place", wire.Place{Address: long}, 413},
		{"PUT", none + "/place", wire.Place{}, 403},
		{"GET", path, nil, 200},
		{"GET", "/nearby?lat=52.5&lon=13.4&radius=100&limit=1", nil, 200},
		{"GET", "/nearby?lat=NaN&lon=13.4", nil, 400},
		{"POST", path + "/join", nil, 200},
		{"POST", open + "/join", nil, 201},
		{"GET", open, nil, 200},
		{"POST", none + "/join", nil, 403},
		{"POST", "/rooms/" + url.PathEscape("a#b") + "/join", nil, 400},
		{"DELETE", path + "/place", nil, 204},
		{"DELETE", none + "/place", nil, 403},
		{"DELETE", "/rooms/" + url.PathEscape("a#b") + "/place", nil, 400},
		{"POST", path + "/members", wire.MemberRequest{UserID: "carol"}, 201},
		{"POST", path + "/members", wire.MemberRequest{UserID: "carol"}, 200},
		{"POST", path + "/members", wire.MemberRequest{UserID: "a#b"}, 400},
		{"POST", path + "/members", wire.MemberRequest{UserID: "bbo", OnlySignedIn: true}, 409},
		{"POST", path + "/members", wire.MemberRequest{UserID: long}, 413},
		{"POST", none + "/members", wire.MemberRequest{UserID: "carol"}, 403},
		{"GET", path + "/messages?limit=1", nil, 200},
		{"GET", path + "/messages?before=x", nil, 400},
		{"GET", none + "/messages", nil, 403},
		{"POST", path + "/messages", wire.SendRequest{Content: "x", ClientMessageID: "h-1", ReplyTo: ack.MessageID, Mentions: []string{"bob"}}, 201},
		{"POST", path + "/messages", wire.SendRequest{Content: "x", ClientMessageID: "h-1"}, 200},
		{"POST", path + "/messages", wire.SendRequest{}, 400},
		{"POST", none + "/messages", wire.SendRequest{Content: "x"}, 403},
		{"POST", path + "/messages", wire.SendRequest{Content: "x", ReplyTo: nothing}, 404},
		{"POST", path + "/messages", wire.SendRequest{Content: long}, 413},
		{"POST", "/users/bob/disconnect", nil, 403},
		{"POST", "/users/disconnect?userId=bob", nil, 403},
		{"POST", path + "/messages", json.RawMessage(`{"content":"x","clientMessageId":""}`), 201},
		{"PATCH", path + "/messages/" + ack.MessageID, wire.EditRequest{Content: "Hello"}, 200},
		{"PATCH", path + "/messages/" + ack.MessageID, wire.EditRequest{}, 400},
		{"PATCH", path + "/messages/" + reply.MessageID, wire.EditRequest{Content: "mine"}, 403},
		{"PATCH", path + "/messages/" + nothing, wire.EditRequest{Content: "x"}, 404},
		{"PATCH", path + "/messages/" + ack.MessageID, wire.EditRequest{Content: long}, 413},
		{"PUT", path + "/messages/" + ack.MessageID + "/reactions", wire.ReactionRequest{Reaction: "👍"}, 200},
		{"GET", path + "/messages?limit=2", nil, 200},
		{"PUT", path + "/messages/" + ack.MessageID + "/reactions", wire.ReactionRequest{Reaction: "ab"}, 400},
		{"PUT", path + "/messages/" + ack.MessageID + "/reactions", wire.ReactionRequest{Reaction: long}, 413},
		{"PUT", path + "/messages/" + nothing + "/reactions", wire.ReactionRequest{Reaction: "👍"}, 404},
		{"PUT", none + "/messages/" + nothing + "/reactions", wire.ReactionRequest{Reaction: "👍"}, 403},
		{"DELETE", path + "/messages/" + ack.MessageID + "/reactions?reaction=%F0%9F%91%8D", nil, 200},
		{"DELETE", path + "/messages/" + ack.MessageID + "/reactions", nil, 400},
		{"DELETE", path + "/messages/" + nothing + "/reactions?reaction=a", nil, 404},
		{"DELETE", none + "/messages/" + nothing + "/reactions?reaction=a", nil, 403},
		{"POST", path + "/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1}, 201},
		{"POST", path + "/attachments", wire.AttachmentRequest{}, 400},
		{"POST", path + "/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1 << 30}, 413},
		{"POST", none + "/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1}, 403},
		{"GET", path + "/attachments/" + file, nil, 302},
		{"GET", path + "/attachments/" + file + "?redirect=false", nil, 200},
		{"GET", path + "/attachments/x", nil, 400},
		{"GET", path + "/attachments/" + nothing, nil, 403},
		{"DELETE", path + "/messages/x", nil, 400},
		{"DELETE", none + "/messages/" + nothing, nil, 403},
		{"DELETE", path + "/messages/" + nothing, nil, 404},
		{"DELETE", path + "/messages/" + ack.MessageID, nil, 204},
		{"GET", path + "/messages", nil, 200},
		{"POST", "/sync", wire.SyncRequest{Rooms: map[string]string{room: nothing, foreign: nothing}}, 200},
		{"POST", "/sync", wire.SyncRequest{Rooms: map[string]string{room: "x"}}, 400},
		{"POST", "/sync", wire.SyncRequest{Rooms: map[string]string{room: long}}, 413},
		{"PATCH", path + "/members?userId=carol", wire.MemberChange{Role: ptr("moderator"), MutedUntil: ptr(int64(9e12))}, 200},
		{"GET", path, nil, 200},
		{"PATCH", path + "/members?userId=carol", wire.MemberChange{Role: ptr("king")}, 400},
		{"PATCH", path + "/members?userId=dave", wire.MemberChange{Role: ptr("owner")}, 404},
		{"PATCH", path + "/members?userId=carol", wire.MemberChange{Role: &long}, 413},
		{"PATCH", none + "/members?userId=mallet", wire.MemberChange{Role: ptr("owner")}, 403},
		{"PUT", "/me/blocks/zoe", nil, 204},
		{"PUT", "/me/blocks?userId=zoe", nil, 204},
		{"PUT", "/me/blocks", nil, 400},
		{"PUT", "/me/blocks/" + url.PathEscape("a#b"), nil, 400},
		{"GET", "/me/blocks?limit=1", nil, 200},
		{"GET", "/me/blocks?limit=x", nil, 400},
		{"DELETE", "/me/blocks/zoe", nil, 204},
		{"DELETE", "/me/blocks?userId=zoe", nil, 204},
		{"DELETE", "/me/blocks", nil, 400},
		{"DELETE", "/me/blocks/" + url.PathEscape("a#b"), nil, 400},
		{"GET", "/me/push", nil, 200},
		{"PUT", "/me/push", json.RawMessage(`{"endpoint":"https://push.example.com/x","expirationTime":null,"keys":` + pushKeys + `}`), 204},
		{"PUT", "/me/push", wire.PushSubscription{}, 400},
		{"PUT", "/me/push", wire.PushEndpoint{Endpoint: long}, 413},
		{"DELETE", "/me/push", wire.PushEndpoint{Endpoint: "https://push.example.com/x"}, 204},
		{"DELETE", "/me/push", wire.PushEndpoint{}, 400},
		{"DELETE", "/me/push", wire.PushEndpoint{Endpoint: long}, 413},
		{"POST", path + "/messages/" + reply.MessageID + "/report", wire.ReportRequest{Reason: "spam"}, 204},
		{"POST", path + "/messages/" + ack.MessageID + "/report", wire.ReportRequest{Reason: long}, 413},
		{"POST", path + "/messages/" + ack.MessageID + "/report", wire.ReportRequest{Reason: "a\nb"}, 400},
		{"POST", path + "/messages/" + nothing + "/report", wire.ReportRequest{}, 404},
		{"POST", none + "/messages/" + nothing + "/report", wire.ReportRequest{}, 403},
		{"GET", path + "/reports?limit=1", nil, 200},
		{"GET", path + "/reports?limit=0", nil, 400},
		{"GET", none + "/reports", nil, 403},
		{"DELETE", path + "/reports/" + reply.MessageID, nil, 204},
		{"DELETE", path + "/reports/x", nil, 400},
		{"DELETE", none + "/reports/" + nothing, nil, 403},
		{"PUT", path + "/bans?userId=dora", wire.BanRequest{Until: 9e12, Reason: "spam"}, 200},
		{"PUT", path + "/bans?userId=dora", wire.BanRequest{Until: 1}, 400},
		{"PUT", path + "/bans?userId=dora", wire.BanRequest{Reason: long}, 413},
		{"PUT", none + "/bans?userId=dora", wire.BanRequest{}, 403},
		{"GET", path + "/bans?limit=1", nil, 200},
		{"GET", path + "/bans?limit=0", nil, 400},
		{"GET", none + "/bans", nil, 403},
		{"POST", path + "/members", wire.MemberRequest{UserID: "dora"}, 403},
		{"DELETE", path + "/bans?userId=dora", nil, 204},
		{"DELETE", path + "/bans", nil, 400},
		{"DELETE", none + "/bans?userId=dora", nil, 403},
		{"DELETE", path + "/members/carol", nil, 204},
		{"DELETE", path + "/members/carol", nil, 404},
		{"DELETE", path + "/members/" + url.PathEscape("a#b"), nil, 400},
		{"DELETE", none + "/members/mallet", nil, 403},
		{"DELETE", path + "/members?userId=bob", nil, 204},
		{"DELETE", path + "/members?userId=bob", nil, 404},
		{"DELETE", path + "/members", nil, 400},
		{"DELETE", none + "/members?userId=mallet", nil, 403},
		{"GET", "/openapi.json", nil, 200},
		{"GET", "/asyncapi.json", nil, 200},
	} {
		if got := s.API("alice", c.method, c.path, c.body, nil); got != c.want {
			t.Errorf("%s %s is answered with %d, want %d", c.method, c.path, got, c.want)
		}
		path, _, _ := strings.Cut(c.path, "?")
		if got := s.Request(c.method, "/api"+path, "", nil, nil); got != http.StatusUnauthorized {
			t.Errorf("%s %s without a token is answered with %d", c.method, c.path, got)
		}
	}
	for path, want := range map[string]int{
		"/users/bob/disconnect": 200, "/users/" + url.PathEscape("a#b") + "/disconnect": 400,
		"/users/disconnect?userId=bob": 200, "/users/disconnect": 400,
	} {
		if got := s.API("service:bot", "POST", path, nil, nil); got != want {
			t.Errorf("a service's POST %s is answered with %d, want %d", path, got, want)
		}
	}
	for _, c := range [][2]string{
		{"GET", "/rooms"},
		{"POST", "/sync"},
		{"GET", "/me/blocks"},
		{"PUT", "/me/blocks/bob"},
		{"DELETE", "/me/blocks/bob"},
		{"PUT", "/me/blocks?userId=bob"},
		{"DELETE", "/me/blocks?userId=bob"},
		{"GET", "/me/push"},
		{"PUT", "/me/push"},
		{"DELETE", "/me/push"},
	} {
		if got := s.API("service:bot", c[0], c[1], nil, nil); got != http.StatusForbidden {
			t.Errorf("a service's %s %s is answered with %d, want 403", c[0], c[1], got)
		}
	}
	answerRateLimited(t)
	answerNoRoom(t, s)
	without := start(t, local.Config{LogLevel: "warn"})
	for method, body := range map[string]any{"GET": nil, "PUT": wire.PushSubscription{}, "DELETE": wire.PushEndpoint{}} {
		if got := without.API("alice", method, "/me/push", body, nil); got != http.StatusNotFound {
			t.Errorf("%s /me/push where there is no Web Push is answered with %d", method, got)
		}
	}
	if missing := described().unanswered(); len(missing) > 0 {
		t.Errorf("described, but not answered: %q", missing)
	}
	for path, version := range map[string]string{"/openapi.json": `"openapi":"3.1.0"`, "/asyncapi.json": `"asyncapi":"3.0.0"`} {
		var given any
		if status := s.Request(http.MethodGet, path, "", nil, &given); status != http.StatusOK {
			t.Errorf("the local server gives %s with %d", path, status)
		}
		served, err := json.Marshal(given)
		if err != nil || !bytes.Contains(served, []byte(version)) {
			t.Errorf("the local server gives %.80s, %v, want %s", served, err, version)
		}
	}
}
