package local_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
)

// operation is one method of one path of the API, with what it takes.
type operation struct {
	method, path string // with {room}, {message} and {user} to fill in
	body         string // one that would be served; "" where none is read
}

// operations are all of them. TestEveryOperationIsInTheMatrix holds the list to
// the description.
var operations = []operation{
	{"GET", "/rooms", ""},
	{"POST", "/rooms", `{"type":"group","name":"x","members":["bob"]}`},
	{"GET", "/rooms/{room}", ""},
	{"PATCH", "/rooms/{room}", `{"name":"x"}`},
	{"GET", "/nearby", ""},
	{"POST", "/rooms/{room}/join", ""},
	{"GET", "/rooms/{room}/presence", ""},
	{"PUT", "/rooms/{room}/place", `{"lat":1,"lon":2,"address":"x"}`},
	{"DELETE", "/rooms/{room}/place", ""},
	{"POST", "/rooms/{room}/members", `{"userId":"dave"}`},
	{"PATCH", "/rooms/{room}/members", `{"role":"moderator"}`},
	{"DELETE", "/rooms/{room}/members", ""},
	{"GET", "/me/blocks", ""},
	{"PUT", "/me/blocks", ""},
	{"PUT", "/me/blocks/{user}", ""},
	{"DELETE", "/me/blocks", ""},
	{"DELETE", "/me/blocks/{user}", ""},
	{"GET", "/me/push", ""},
	{"PUT", "/me/push", `{"endpoint":"https://push.example.com/x","keys":` + pushKeys + `}`},
	{"DELETE", "/me/push", `{"endpoint":"https://push.example.com/x"}`},
	{"GET", "/rooms/{room}/bans", ""},
	{"PUT", "/rooms/{room}/bans", `{"reason":"spam"}`},
	{"DELETE", "/rooms/{room}/bans", ""},
	{"DELETE", "/rooms/{room}/members/{user}", ""},
	{"POST", "/rooms/{room}/read", `{"upTo":"{message}"}`},
	{"PUT", "/rooms/{room}/notify", `{"notify":"mentions"}`},
	{"GET", "/rooms/{room}/messages", ""},
	{"POST", "/rooms/{room}/messages", `{"content":"x"}`},
	{"PATCH", "/rooms/{room}/messages/{message}", `{"content":"x"}`},
	{"DELETE", "/rooms/{room}/messages/{message}", ""},
	{"POST", "/rooms/{room}/messages/{message}/report", `{"reason":"spam"}`},
	{"GET", "/rooms/{room}/reports", ""},
	{"DELETE", "/rooms/{room}/reports/{message}", ""},
	{"PUT", "/rooms/{room}/messages/{message}/reactions", `{"reaction":"👍"}`},
	{"DELETE", "/rooms/{room}/messages/{message}/reactions", ""},
	{"POST", "/rooms/{room}/attachments", `{"name":"a.png","contentType":"image/png","size":3}`},
	{"GET", "/rooms/{room}/attachments/{file}", ""},
	{"POST", "/sync", `{"rooms":{"{room}":"{message}"}}`},
	{"GET", "/me", ""},
	{"PUT", "/me", `{"displayName":"x"}`},
	{"POST", "/profiles", `{"users":["bob"]}`},
	{"POST", "/users/disconnect", ""},
	{"POST", "/users/{user}/disconnect", ""},
	{"GET", "/openapi.json", ""},
	{"GET", "/asyncapi.json", ""},
}

// pushKeys are those of a browser.
const pushKeys = `{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}`

// badInput is one request that must be refused.
type badInput struct {
	name, method, path, contentType, body string
	status                                int
	code                                  string
}

const jsonType = "application/json"

// place is what the parameters of the paths stand for.
type place struct{ room, message, user string }

func (p place) in(text string) string {
	return strings.NewReplacer("{room}", p.room, "{message}", p.message, "{file}", p.message, "{user}", p.user).Replace(text)
}

// bodies are the ways in which a body that would be served is spoilt.
func (o operation) bodies(p place) (bad []badInput) {
	good := p.in(o.body)
	with := func(name, contentType, body string, status int, code string) {
		bad = append(bad, badInput{name, o.method, p.in(o.path), contentType, body, status, code})
	}
	with("no content type", "", good, 400, "invalid_request")
	with("a form", "application/x-www-form-urlencoded", good, 400, "invalid_request")
	with("text", "text/plain", good, 400, "invalid_request")
	with("a broken content type", "application/json; =", good, 400, "invalid_request")
	for name, body := range map[string]string{
		"nothing":                "",
		"half of it":             good[:len(good)/2],
		"two of it":              good + good,
		"something behind it":    good + "x",
		"null":                   "null",
		"a number":               "7",
		"a list":                 "[" + good + "]",
		"deep lists":             strings.Repeat("[", 20_000),
		"deep objects":           strings.Repeat(`{"a":`, 5_000),
		"an unknown field":       `{"color":"red",` + good[1:],
		"a forged field":         `{"senderId":"bob",` + good[1:],
		"a field in capitals":    regexp.MustCompile(`"\w+":`).ReplaceAllStringFunc(good, strings.ToUpper),
		"a field twice":          good[:len(good)-1] + "," + good[1:],
		"a field of wrong type":  strings.Replace(good, `:"`, `:7,"x":"`, 1),
		"not UTF-8":              strings.Replace(good, `"}`, "\xff\"}", 1),
		"half a surrogate":       strings.Replace(good, `"}`, `\ud800"}`, 1),
		"an object in its place": strings.Replace(good, `":"`, `":{},"x":"`, 1),
	} {
		if body == good { // nothing to spoil
			continue
		}
		with(name, jsonType, body, 400, "invalid_request")
	}
	with("too much", jsonType, good+strings.Repeat(" ", 64<<10), 413, "too_large")
	return bad
}

// named is a path with a user, if it may take one.
func named(path string) string {
	if strings.HasSuffix(path, "/members") || strings.HasSuffix(path, "/bans") {
		path += "?userId=alice"
	}
	return path
}

// rooms are the rooms in which the operation must be refused.
func (o operation) rooms(p place, foreign string) (bad []badInput) {
	for name, room := range map[string]string{"a foreign room": foreign, "no such room": "nowhere"} {
		other := p
		other.room = room
		path := named(other.in(o.path))
		bad = append(bad, badInput{name, o.method, path, jsonType, other.in(o.body), 403, "not_a_member"})
	}
	other := p
	other.room = "a%23b"
	path := named(other.in(o.path))
	return append(bad, badInput{"a forged room", o.method, path, jsonType, p.in(o.body), 400, "invalid_request"})
}

func methods(path string) (allowed []string) {
	for _, o := range operations {
		if o.path == path {
			allowed = append(allowed, o.method)
		}
	}
	return allowed
}

// matrix is every way to ask for something wrong that all operations share.
func matrix(p place, foreign string) (bad []badInput) {
	for _, o := range operations {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			if !slices.Contains(methods(o.path), method) {
				bad = append(bad, badInput{"wrong method", method, p.in(o.path), jsonType, p.in(o.body), 405, "invalid_request"})
			}
		}
		if o.body != "" {
			bad = append(bad, o.bodies(p)...)
		}
		if strings.Contains(o.path, "{room}") {
			bad = append(bad, o.rooms(p, foreign)...)
		}
		bad = append(bad, badInput{"a path below", o.method, p.in(o.path) + "/x/y", jsonType, p.in(o.body), 404, "not_found"})
		bad = append(bad, badInput{"a slash at the end", o.method, p.in(o.path) + "/", jsonType, p.in(o.body), 404, "not_found"})
	}
	return bad
}

func TestEveryOperationIsInTheMatrix(t *testing.T) {
	paths, _ := described().doc["paths"].(map[string]any)
	names := strings.NewReplacer("{roomId}", "{room}", "{messageId}", "{message}", "{attachmentId}", "{file}", "{userId}", "{user}")
	var want []string
	for path, item := range paths {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				want = append(want, strings.ToUpper(method)+" "+names.Replace(path))
			}
		}
	}
	var got []string
	for _, o := range operations {
		got = append(got, o.method+" "+o.path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("the matrix has\n%q\nthe description\n%q", got, want)
	}
}

// everything is all that the table has, item by item.
func everything(s *rig.Rig) string {
	s.T.Helper()
	var items []string
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(s.AWS()), &dynamodb.ScanInput{
		TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.T.Context())
		if err != nil {
			s.T.Fatal(err)
		}
		for _, it := range page.Items {
			text, err := json.Marshal(it)
			if err != nil {
				s.T.Fatal(err)
			}
			items = append(items, string(text))
		}
	}
	slices.Sort(items)
	return strings.Join(items, "\n")
}

func TestBadInputIsRefusedAndNothingWritten(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn", Push: true, Wrap: func(d local.Deployment) local.Deployment {
		d.Unthrottled = true // what is refused counts, and would be refused for that
		return rig.Hasten(d)
	}})
	room, foreign := s.Room("alice", "bob", "carol"), s.Room("mallet", "bob")
	alice, mallet := s.Connect("alice"), s.Connect("mallet")
	mine, _ := alice.Deliver(room, "mine", "")
	theirs, _ := mallet.Deliver(foreign, "theirs", "")
	replied, _ := s.Connect("bob").Deliver(room, "bob's", "")
	gone, _ := alice.Deliver(room, "gone", "")
	s.API("alice", http.MethodDelete, messagePath(room, gone.MessageID), nil, nil)
	s.API("bob", http.MethodPut, "/me", map[string]string{"displayName": "Bob"}, nil)
	var rooms wire.RoomList
	s.API("bob", http.MethodGet, "/rooms?limit=1", nil, &rooms)
	var members wire.Room
	s.API("bob", http.MethodGet, "/rooms/"+foreign+"?limit=1", nil, &members)

	p := place{room: room, message: mine.MessageID, user: "carol"}
	cases := append(matrix(p, foreign), []badInput{
		{"another's room cursor", "GET", "/rooms?cursor=" + rooms.Cursor, "", "", 400, "invalid_request"},
		{"another list's cursor", "GET", "/rooms?cursor=" + members.Cursor, "", "", 400, "invalid_request"},
		{"another room's cursor", "GET", "/rooms/" + room + "?cursor=" + members.Cursor, "", "", 400, "invalid_request"},
		{"a cursor of nothing", "GET", "/rooms/" + room + "?cursor=x", "", "", 400, "invalid_request"},
		{"a cursor of a forged user", "GET", "/rooms/" + room + "?cursor=" + base64.RawURLEncoding.EncodeToString([]byte(room+"#a#b")), "", "", 400, "invalid_request"},
		{"before and after", "GET", "/rooms/" + room + "/messages?before=" + mine.MessageID + "&after=" + mine.MessageID, "", "", 400, "invalid_request"},
		{"a room cursor as before", "GET", "/rooms/" + room + "/messages?before=" + rooms.Cursor, "", "", 400, "invalid_request"},
		{"an overflowing id", "GET", "/rooms/" + room + "/messages?after=8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", "", 400, "invalid_request"},
		{"a negative limit", "GET", "/rooms?limit=-1", "", "", 400, "invalid_request"},
		{"an unknown member", "DELETE", "/rooms/" + room + "/members/stranger", "", "", 404, "not_found"},
		{"an unknown member by the query", "DELETE", "/rooms/" + room + "/members?userId=no/body", "", "", 404, "not_found"},
		{"a forged member", "DELETE", "/rooms/" + room + "/members?userId=a%23b", "", "", 400, "invalid_request"},
		{"no member", "DELETE", "/rooms/" + room + "/members", "", "", 400, "invalid_request"},
		{"two members", "DELETE", "/rooms/" + room + "/members/bob?userId=carol", "", "", 400, "invalid_request"},
		{"a forged new member", "POST", "/rooms/" + room + "/members", jsonType, `{"userId":"a\u0000b"}`, 400, "invalid_request"},
		{"a member's id too long", "POST", "/rooms/" + room + "/members", jsonType, `{"userId":"` + strings.Repeat("x", 129) + `"}`, 400, "invalid_request"},
		{"another's message", "PATCH", messagePath(room, replied.MessageID), jsonType, `{"content":"x"}`, 403, "forbidden"},
		{"no change of a member", "PATCH", "/rooms/" + room + "/members?userId=carol", jsonType, `{}`, 400, "invalid_request"},
		{"a role that is none", "PATCH", "/rooms/" + room + "/members?userId=carol", jsonType, `{"role":"king"}`, 400, "invalid_request"},
		{"a muting that is over", "PATCH", "/rooms/" + room + "/members?userId=carol", jsonType, `{"mutedUntil":1}`, 400, "invalid_request"},
		{"half a millisecond of muting", "PATCH", "/rooms/" + room + "/members?userId=carol", jsonType, `{"mutedUntil":1.5}`, 400, "invalid_request"},
		{"a change of no one", "PATCH", "/rooms/" + room + "/members", jsonType, `{"role":"moderator"}`, 400, "invalid_request"},
		{"a change of a user who is not a member", "PATCH", "/rooms/" + room + "/members?userId=nora", jsonType, `{"role":"moderator"}`, 404, "not_found"},
		{"a ban that is over", "PUT", "/rooms/" + room + "/bans?userId=carol", jsonType, `{"until":1}`, 400, "invalid_request"},
		{"a reason of two lines", "PUT", "/rooms/" + room + "/bans?userId=carol", jsonType, `{"reason":"a\nb"}`, 400, "invalid_request"},
		{"a reason too long", "PUT", "/rooms/" + room + "/bans?userId=carol", jsonType, `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "invalid_request"},
		{"a block of oneself", "PUT", "/me/blocks/alice", "", "", 400, "invalid_request"},
		{"a block of no one", "PUT", "/me/blocks", "", "", 400, "invalid_request"},
		{"a block of two", "PUT", "/me/blocks/bob?userId=carol", "", "", 400, "invalid_request"},
		{"a block of a forged user", "PUT", "/me/blocks?userId=a%23b", "", "", 400, "invalid_request"},
		{"a member's cursor of blocks", "GET", "/me/blocks?cursor=" + members.Cursor, "", "", 400, "invalid_request"},
		{"pushes over http", "PUT", "/me/push", jsonType, `{"endpoint":"http://push.example.com/x","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes to this machine", "PUT", "/me/push", jsonType, `{"endpoint":"https://127.0.0.1:9001/2018-06-01/runtime","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes to this machine by name", "PUT", "/me/push", jsonType, `{"endpoint":"https://localhost/x","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes to a private network", "PUT", "/me/push", jsonType, `{"endpoint":"https://[fd00::1]/x","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes to a link", "PUT", "/me/push", jsonType, `{"endpoint":"https://169.254.169.254/latest/meta-data","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes with a password", "PUT", "/me/push", jsonType, `{"endpoint":"https://a:b@push.example.com/x","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes to a long endpoint", "PUT", "/me/push", jsonType, `{"endpoint":"https://push.example.com/` + strings.Repeat("x", 2_048) + `","keys":` + pushKeys + `}`, 400, "invalid_request"},
		{"pushes without keys", "PUT", "/me/push", jsonType, `{"endpoint":"https://push.example.com/x"}`, 400, "invalid_request"},
		{"pushes with keys that are none", "PUT", "/me/push", jsonType, `{"endpoint":"https://push.example.com/x","keys":7}`, 400, "invalid_request"},
		{"pushes with a short key", "PUT", "/me/push", jsonType, `{"endpoint":"https://push.example.com/x","keys":{"p256dh":"AAAA","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}`, 400, "invalid_request"},
		{"the end of no pushes", "DELETE", "/me/push", jsonType, `{}`, 400, "invalid_request"},
		{"a report for a reason too long", "POST", messagePath(room, replied.MessageID) + "/report", jsonType, `{"reason":"` + strings.Repeat("x", 501) + `"}`, 400, "invalid_request"},
		{"another list's cursor of reports", "GET", "/rooms/" + room + "/reports?cursor=" + members.Cursor, "", "", 400, "invalid_request"},
		{"a ban of no one", "PUT", "/rooms/" + room + "/bans", jsonType, `{}`, 400, "invalid_request"},
		{"a ban of oneself", "PUT", "/rooms/" + room + "/bans?userId=alice", jsonType, `{}`, 403, "forbidden"},
		{"a ban of a forged user", "PUT", "/rooms/" + room + "/bans?userId=a%23b", jsonType, `{}`, 400, "invalid_request"},
		{"another room's cursor of bans", "GET", "/rooms/" + room + "/bans?cursor=" + members.Cursor, "", "", 400, "invalid_request"},
		{"the last owner steps down", "PATCH", "/rooms/" + room + "/members?userId=alice", jsonType, `{"role":"member"}`, 403, "forbidden"},
		{"another room's message", "PATCH", messagePath(room, theirs.MessageID), jsonType, `{"content":"x"}`, 404, "not_found"},
		{"a deleted message", "PATCH", messagePath(room, gone.MessageID), jsonType, `{"content":"x"}`, 404, "not_found"},
		{"a message that is none", "DELETE", messagePath(room, "nothing"), "", "", 400, "invalid_request"},
		{"content that shows nothing", "PATCH", messagePath(room, mine.MessageID), jsonType, `{"content":" \n\u200b\u3164\u2800\u061c\u0000"}`, 400, "invalid_request"},
		{"no content", "PATCH", messagePath(room, mine.MessageID), jsonType, `{"content":""}`, 400, "invalid_request"},
		{"content too long", "PATCH", messagePath(room, mine.MessageID), jsonType, `{"content":"` + strings.Repeat("x", 16_385) + `"}`, 413, "too_large"},
		{"content too long once encoded", "PATCH", messagePath(room, mine.MessageID), jsonType, `{"content":"x` + strings.Repeat(`\u0001`, 5_320) + `"}`, 413, "too_large"},
		{"a name too long", "PATCH", "/rooms/" + room, jsonType, `{"name":"` + strings.Repeat("é", 101) + `"}`, 400, "invalid_request"},
		{"a name of two lines", "PATCH", "/rooms/" + room, jsonType, `{"name":"a\nb"}`, 400, "invalid_request"},
		{"a name that shows nothing", "PATCH", "/rooms/" + room, jsonType, `{"name":"\u3164 \u2800"}`, 400, "invalid_request"},
		{"a name that covers others", "PATCH", "/rooms/" + room, jsonType, `{"name":"a` + strings.Repeat(`\u0301`, 9) + `"}`, 400, "invalid_request"},
		{"a new room's name that shows nothing", "POST", "/rooms", jsonType, `{"type":"group","name":"\u061c"}`, 400, "invalid_request"},
		{"no name", "PATCH", "/rooms/" + room, jsonType, `{}`, 400, "invalid_request"},
		{"no such visibility", "PATCH", "/rooms/" + room, jsonType, `{"visibility":"secret"}`, 400, "invalid_request"},
		{"no visibility", "PATCH", "/rooms/" + room, jsonType, `{"visibility":""}`, 400, "invalid_request"},
		{"a public dm", "POST", "/rooms", jsonType, `{"type":"dm","members":["zoe"],"visibility":"public"}`, 400, "invalid_request"},
		{"a place of a private room", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2}`, 403, "forbidden"},
		{"no latitude", "PUT", "/rooms/" + room + "/place", jsonType, `{"lon":2}`, 400, "invalid_request"},
		{"a latitude beyond the pole", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":90.1,"lon":2}`, 400, "invalid_request"},
		{"a longitude beyond the antimeridian", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":0,"lon":-181}`, 400, "invalid_request"},
		{"an infinite latitude", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1e999,"lon":2}`, 400, "invalid_request"},
		{"a latitude that is none", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":NaN,"lon":2}`, 400, "invalid_request"},
		{"an end before the start", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2,"startsAt":9000000000000,"endsAt":8000000000000}`, 400, "invalid_request"},
		{"an end that is over", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2,"endsAt":1}`, 400, "invalid_request"},
		{"a start that never comes", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2,"startsAt":-1}`, 400, "invalid_request"},
		{"an address of two lines", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2,"address":"a\nb"}`, 400, "invalid_request"},
		{"a search around nothing", "GET", "/nearby?lat=&lon=1", "", "", 400, "invalid_request"},
		{"a search beyond the pole", "GET", "/nearby?lat=-90.5&lon=1", "", "", 400, "invalid_request"},
		{"an infinite search", "GET", "/nearby?lat=1&lon=1&radius=Inf", "", "", 400, "invalid_request"},
		{"too small a search", "GET", "/nearby?lat=1&lon=1&radius=99", "", "", 400, "invalid_request"},
		{"a search with another's cursor", "GET", "/nearby?lat=1&lon=1&cursor=" + rooms.Cursor, "", "", 400, "invalid_request"},
		{"read up to another room's message", "POST", "/rooms/" + room + "/read", jsonType, `{"upTo":"` + theirs.MessageID + `"}`, 400, "invalid_request"},
		{"read up to nothing", "POST", "/rooms/" + room + "/read", jsonType, `{}`, 400, "invalid_request"},
		{"notified of what is unknown", "PUT", "/rooms/" + room + "/notify", jsonType, `{"notify":"some"}`, 400, "invalid_request"},
		{"notified of nothing said", "PUT", "/rooms/" + room + "/notify", jsonType, `{}`, 400, "invalid_request"},
		{"no display name", "PUT", "/me", jsonType, `{"displayName":null}`, 400, "invalid_request"},
		{"a display name too long", "PUT", "/me", jsonType, `{"displayName":"` + strings.Repeat("x", 65) + `"}`, 400, "invalid_request"},
		{"a display name of marks", "PUT", "/me", jsonType, `{"displayName":"` + strings.Repeat(`\u0301`, 60) + `"}`, 400, "invalid_request"},
		{"a display name that turns text", "PUT", "/me", jsonType, `{"displayName":"a\u202eb"}`, 400, "invalid_request"},
		{"profiles of no user", "POST", "/profiles", jsonType, `{"users":[]}`, 400, "invalid_request"},
		{"a forged user's profile", "POST", "/profiles", jsonType, `{"users":["a#b"]}`, 400, "invalid_request"},
		{"101 profiles", "POST", "/profiles", jsonType, `{"users":[` + strings.Repeat(`"x",`, 100) + `"x"]}`, 400, "invalid_request"},
		{"a file of no name", "POST", "/rooms/" + room + "/attachments", jsonType, `{"contentType":"image/png","size":3}`, 400, "invalid_request"},
		{"a file of no type", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","size":3}`, 400, "invalid_request"},
		{"a file of a type that is none", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image","size":3}`, 400, "invalid_request"},
		{"a file of two lines of type", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png\r\nx: y","size":3}`, 400, "invalid_request"},
		{"a file of no size", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png"}`, 400, "invalid_request"},
		{"an empty file", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":0}`, 400, "invalid_request"},
		{"a file of less than nothing", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":-1}`, 400, "invalid_request"},
		{"half a byte", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":1.5}`, 400, "invalid_request"},
		{"a file too large", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":26214401}`, 413, "too_large"},
		{"a picture of one side", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":3,"width":7}`, 400, "invalid_request"},
		{"a picture too wide", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":3,"width":65536,"height":1}`, 400, "invalid_request"},
		{"a picture of less than nothing", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"a","contentType":"image/png","size":3,"width":-1,"height":-1}`, 400, "invalid_request"},
		{"a file's name too long", "POST", "/rooms/" + room + "/attachments", jsonType, `{"name":"` + strings.Repeat("x", 4_097) + `","contentType":"image/png","size":3}`, 400, "invalid_request"},
		{"a file that is none", "GET", "/rooms/" + room + "/attachments/nothing", "", "", 400, "invalid_request"},
		{"a file that does not exist", "GET", "/rooms/" + room + "/attachments/" + mine.MessageID, "", "", 403, "not_a_member"},
		{"perhaps a redirect", "GET", "/rooms/" + room + "/attachments/" + mine.MessageID + "?redirect=maybe", "", "", 400, "invalid_request"},
		{"no content to send", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":""}`, 400, "invalid_request"},
		{"too much to send", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"` + strings.Repeat("x", 16_385) + `"}`, 413, "too_large"},
		{"a send by a forged id", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"x","clientMessageId":"a#b"}`, 400, "invalid_request"},
		{"a send without an echo", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"x","echo":false}`, 400, "invalid_request"},
		{"an answer to nothing", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"x","replyTo":"` + theirs.MessageID + `"}`, 404, "not_found"},
		{"a mention of a stranger", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"x","mentions":["zoe"]}`, 404, "not_found"},
		{"a file of no one", "POST", "/rooms/" + room + "/messages", jsonType, `{"content":"x","attachments":["` + theirs.MessageID + `"]}`, 400, "invalid_request"},
		{"a user ends another's connections", "POST", "/users/bob/disconnect", "", "", 403, "forbidden"},
		{"no such path", "GET", "/everything", "", "", 404, "not_found"},
		{"the API itself", "GET", "/", "", "", 404, "not_found"},
	}...)
	token := s.Token("alice", 0)
	var before string
	rig.Eventually(t, "lists show what was said, and that the last message is deleted", func() bool {
		last := before
		before = everything(s)
		return before == last && strings.Count(before, `{"Value":"LASTMESSAGE"}`) == 2 && strings.Count(before, `"deletedAt":{"Value":"0"}`) == 1
	})
	for _, c := range cases {
		if status, problem := bad(s, token, c); status != c.status || problem.Code != c.code || problem.Status != c.status || problem.Detail == "" {
			t.Errorf("%s: %s %s %.60q is answered with %d, %+v; want %d %s", c.name, c.method, c.path, c.body, status, problem, c.status, c.code)
		}
	}
	if after := everything(s); after != before {
		t.Errorf("the table was\n%s\nand is\n%s", before, after)
	}
	// What is no owner's to do.
	token = s.Token("carol", 0)
	for _, c := range []badInput{
		{"a member renames", "PATCH", "/rooms/" + room, jsonType, `{"name":"x"}`, 403, "forbidden"},
		{"a member makes public", "PATCH", "/rooms/" + room, jsonType, `{"visibility":"public"}`, 403, "forbidden"},
		{"a member places", "PUT", "/rooms/" + room + "/place", jsonType, `{"lat":1,"lon":2}`, 403, "forbidden"},
		{"a member removes a place", "DELETE", "/rooms/" + room + "/place", "", "", 403, "forbidden"},
		{"the end of another's message", "DELETE", messagePath(room, replied.MessageID), "", "", 403, "forbidden"},
		{"a member adds", "POST", "/rooms/" + room + "/members", jsonType, `{"userId":"dave"}`, 403, "forbidden"},
		{"a member removes", "DELETE", "/rooms/" + room + "/members?userId=bob", "", "", 403, "forbidden"},
	} {
		if status, problem := bad(s, token, c); status != c.status || problem.Code != c.code {
			t.Errorf("%s: answered %d, %+v", c.name, status, problem)
		}
	}
	if len(cases) < 300 {
		t.Errorf("only %d cases: the matrix is not whole", len(cases))
	}
}

// bad makes a request that must be refused.
func bad(s *rig.Rig, token string, c badInput) (int, wire.Problem) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(s.T.Context(), c.method, s.URL()+"/api"+c.path, strings.NewReader(c.body))
	if err != nil {
		s.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	described().check(s.T, r, []byte(c.body), response, body)
	if allow := response.Header.Values("Allow"); (response.StatusCode == http.StatusMethodNotAllowed) != (len(allow) > 0) {
		s.T.Errorf("%s %s: status %d allows %q", c.method, c.path, response.StatusCode, allow)
	}
	var problem wire.Problem
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&problem); err != nil {
		return response.StatusCode, wire.Problem{Title: fmt.Sprintf("%.100s", body)}
	}
	return response.StatusCode, problem
}
