package httpapi_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
	"github.com/streamroom/streamroom/shared/gateway"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/shared/wire"
)

const (
	epoch    = 1_709_136_000_000 // ms: the time of all tests
	jsonType = "application/json"
)

func clock() time.Time { return time.UnixMilli(epoch) }

// api is the API on a store in memory, with a room of alice and bob.
type api struct {
	*testing.T
	*httpapi.API
	store *memory.Store
	log   *bytes.Buffer
	room  string
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{T: t, store: memory.New(clock), log: &bytes.Buffer{}}
	fits := func(m chat.Message) error {
		if m.Content == "does not fit" {
			return chat.Errorf(chat.CodeTooLarge, "does not fit")
		}
		return nil
	}
	a.API = httpapi.New(httpapi.Domain{
		Rooms:     chat.NewRooms(a.store, chat.NewIDs(clock, rand.Reader), clock),
		Histories: chat.NewHistories(a.store),
		Editor:    chat.NewEditor(a.store, clock, fits),
		Readers:   chat.NewReaders(a.store, clock),
		Reactors:  chat.NewReactors(a.store, clock),
		Profiles:  chat.NewProfiles(a.store, clock),
		Blocks:    chat.NewBlocks(a.store, clock),
		Pushes:    chat.NewPushes(a.store, "KEY", clock),
		Presences: chat.NewPresences(a.store, chat.NewRooms(a.store, chat.NewIDs(clock, rand.Reader), clock), clock),
		Users:     chat.NewUsers(a.store, clock),
	}, gateway.Status, zerolog.New(a.log))
	var room wire.Room
	a.answer("alice", "POST /rooms", `{"type":"group","name":"Team","members":["bob"]}`, 201, &room)
	a.room = room.ChatRoomID
	return a
}

// messageID returns the id of the n-th message.
func messageID(n int) string { return fmt.Sprintf("01HQR73D00000000000000%04d", n) }

// put stores the n-th message.
func (a *api) put(room, sender string, n int) string {
	a.Helper()
	id := messageID(n)
	ms, err := chat.MessageTime(id)
	if err != nil {
		a.Fatal(err)
	}
	err = a.store.PutMessage(a.Context(), chat.Message{
		RoomID: room, ID: id, SenderID: sender, SentAt: ms, Content: fmt.Sprint("message ", n),
	})
	if err != nil {
		a.Fatal(err)
	}
	return id
}

// do makes a request, such as "GET /rooms", with a JSON body unless it is "".
func (a *api) do(user, request, body string, headers ...string) *httptest.ResponseRecorder {
	a.Helper()
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(a.Context(), method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", jsonType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeUser(w, r, user)
	if w.Header().Get("Cache-Control") != "no-store" {
		a.Errorf("%s: Cache-Control %q", request, w.Header().Get("Cache-Control"))
	}
	return w
}

// answer checks the status of a request and decodes its answer strictly.
func (a *api) answer(user, request, body string, status int, into any, headers ...string) {
	a.Helper()
	w := a.do(user, request, body, headers...)
	if w.Code != status {
		a.Fatalf("%s: status %d, %s; want %d", request, w.Code, w.Body, status)
	}
	if into == nil {
		if w.Body.Len() > 0 {
			a.Errorf("%s: body %s, want none", request, w.Body)
		}
		return
	}
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || w.Header().Get("Content-Type") != jsonType {
		a.Fatalf("%s: %v, Content-Type %s", request, err, w.Header().Get("Content-Type"))
	}
}

// refused checks that an answer is a problem with a code, and returns its detail.
func (a *api) refused(what string, w *httptest.ResponseRecorder, status int, code chat.Code) string {
	a.Helper()
	var problem wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		a.Errorf("%s: %v", what, err)
	}
	if w.Code != status || problem.Status != status || problem.Code != string(code) || problem.Title == "" || problem.Detail == "" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		a.Errorf("%s: status %d, %s, %s; want %d %s", what, w.Code, w.Header().Get("Content-Type"), w.Body, status, code)
	}
	return problem.Detail
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRooms_CreateListGetRename(t *testing.T) {
	a := newAPI(t)
	room := wire.Room{ChatRoomID: a.room, Name: "Team", Type: "group", MemberCount: 2}
	var dm, again, keyed, repeated, got, renamed wire.Room
	a.answer("alice", "POST /rooms", `{"type":"dm","members":["bob"]}`, 201, &dm)
	a.answer("bob", "POST /rooms", `{"type":"dm","members":["alice"]}`, 200, &again)
	same(t, "who has never signed in", []string{"bob"}, dm.NeverSignedIn)
	dm.NeverSignedIn = nil
	same(t, "the direct message", dm, again)
	a.answer("carol", "POST /rooms", `{"type":"group","name":"x"}`, 201, &keyed, "Idempotency-Key", "k")
	a.answer("carol", "POST /rooms", `{"type":"group","name":"x"}`, 201, &repeated, "Idempotency-Key", "k")
	same(t, "the room of a key", keyed, repeated)

	a.answer("bob", "GET /rooms/"+a.room+"?limit=1", "", 200, &got)
	cursor := got.Cursor
	want := room
	want.Role, want.Members, want.Cursor = "member", []wire.RoomMember{{UserID: "alice", Role: "owner", JoinedAt: epoch}}, cursor
	same(t, "the first page of members", want, got)
	a.answer("bob", "PUT /me", `{"displayName":"Bob"}`, 200, &wire.Me{})
	got = wire.Room{}
	a.answer("alice", "GET /rooms/"+a.room+"?limit=1&cursor="+cursor, "", 200, &got)
	want.Role, want.Cursor = "owner", ""
	want.Members = []wire.RoomMember{{UserID: "bob", Role: "member", JoinedAt: epoch, DisplayName: "Bob"}}
	same(t, "the last page of members", want, got)

	a.answer("alice", "PATCH /rooms/"+a.room, `{"name":"New"}`, 200, &renamed)
	room.Name = "New"
	same(t, "the renamed room", room, renamed)
}

func TestListRooms_LastMessageAndPages(t *testing.T) {
	a := newAPI(t)
	var dm wire.Room
	a.answer("alice", "POST /rooms", `{"type":"dm","members":["bob"]}`, 201, &dm)
	a.answer("bob", "PUT /me", `{"displayName":"Bob"}`, 200, &wire.Me{})
	id := a.put(a.room, "bob", 7)
	for _, err := range []error{
		a.store.AdvanceRoomOrder(t.Context(), "alice", a.room, epoch+5),
		func() error {
			_, err := a.store.AdvanceLastMessage(t.Context(), a.room, chat.LastMessage{
				MessageID: id, SenderID: "bob", Preview: "mess", SentAt: epoch + 9, DeletedAt: 3,
			})
			return err
		}(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var first, second wire.RoomList
	a.answer("alice", "GET /rooms?limit=1", "", 200, &first)
	a.answer("alice", "GET /rooms?limit=1&cursor="+first.Cursor, "", 200, &second)
	same(t, "the first page", wire.RoomList{Cursor: first.Cursor, Rooms: []wire.RoomSummary{{
		ChatRoomID: a.room, Name: "Team", Type: "group", LastMessageAt: epoch + 9, Unread: 1, // the order may be older than the message
		LastMessage: &wire.LastMessage{MessageID: id, SenderID: "bob", Preview: "mess", Timestamp: epoch + 9, DeletedAt: 3},
	}}}, first)
	same(t, "the last page", wire.RoomList{Rooms: []wire.RoomSummary{{
		ChatRoomID: dm.ChatRoomID, Type: "dm", LastMessageAt: epoch, With: &wire.Person{UserID: "bob", DisplayName: "Bob"},
	}}}, second)
	if w := a.do("stranger", "GET /rooms", ""); strings.TrimSpace(w.Body.String()) != `{"rooms":[]}` {
		t.Errorf("no rooms: %s", w.Body)
	}
}

// Who has never signed in is said, and kept out where that is asked for.
func TestWhoHasNeverSignedIn(t *testing.T) {
	a := newAPI(t)
	ok := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := a.store.PutConnection(t.Context(), chat.Connection{ID: "c", UserID: "bob", ConnectedAt: epoch, TokenExpiresAt: epoch}, chat.RateTake{})
	ok(err)
	a.answer("carol", "PUT /me", `{"displayName":""}`, 200, &wire.Me{})
	a.answer("dave", "GET /rooms", "", 200, &wire.RoomList{})

	var room wire.Room
	// The caller is here, though no one has noted them before their first room.
	a.answer("alice", "POST /rooms", `{"type":"group","name":"x","members":["alice","bob","carol","dave","bbo"]}`, 201, &room)
	same(t, "of a group", []string{"bbo", "dave"}, room.NeverSignedIn)
	refused := func(request, body string, users ...string) {
		t.Helper()
		w := a.do("alice", request, body)
		a.refused(request, w, 409, chat.CodeNeverSignedIn)
		var problem wire.Problem
		ok(json.Unmarshal(w.Body.Bytes(), &problem))
		same(t, body, users, problem.NeverSignedIn)
	}
	refused("POST /rooms", `{"type":"group","name":"y","members":["bob","bbo","carlo"],"onlySignedIn":true}`, "bbo", "carlo")
	refused("POST /rooms", `{"type":"dm","members":["bbo"],"onlySignedIn":true}`, "bbo")
	refused("POST /rooms/"+a.room+"/members", `{"userId":"bbo","onlySignedIn":true}`, "bbo")
	var list wire.RoomList
	a.answer("alice", "GET /rooms", "", 200, &list)
	if len(list.Rooms) != 2 {
		t.Errorf("alice has %d rooms, want the two that were created", len(list.Rooms))
	}

	// A room that is there is given.
	a.answer("alice", "POST /rooms", `{"type":"dm","members":["bbo"]}`, 201, &wire.Room{})
	var dm wire.Room
	a.answer("alice", "POST /rooms", `{"type":"dm","members":["bbo"],"onlySignedIn":true}`, 200, &dm)
	same(t, "of a direct message that exists", []string{"bbo"}, dm.NeverSignedIn)
	var fine wire.Room
	a.answer("alice", "POST /rooms", `{"type":"dm","members":["carol"],"onlySignedIn":true}`, 201, &fine)
	same(t, "of a direct message", []string(nil), fine.NeverSignedIn)
}

func TestMembers_AddAndRemove(t *testing.T) {
	a := newAPI(t)
	members := "/rooms/" + a.room + "/members"
	for i, status := range []int{201, 200} {
		var added wire.AddedMember
		a.answer("alice", "POST "+members, `{"userId":"a/b"}`, status, &added)
		same(t, fmt.Sprint("call ", i), wire.AddedMember{UserID: "a/b", NeverSignedIn: []string{"a/b"}}, added)
	}
	for _, request := range []string{
		members + "?userId=a%2Fb", members + "/bob", members + "/alice?userId=alice",
	} {
		a.answer("alice", "DELETE "+request, "", 204, nil)
	}
	a.refused("the deleted room", a.do("alice", "GET /rooms/"+a.room, ""), 403, chat.CodeNotAMember)
}

func TestMessages_ReadEditDelete(t *testing.T) {
	a := newAPI(t)
	for n := range 3 {
		a.put(a.room, "alice", n)
	}
	messages := "/rooms/" + a.room + "/messages"
	page := func(query string) (ids []string, cursor string) {
		t.Helper()
		var history wire.History
		a.answer("bob", "GET "+messages+query, "", 200, &history)
		for _, m := range history.Messages {
			ids = append(ids, m.MessageID)
		}
		return ids, history.Cursor
	}
	for _, test := range []struct {
		query  string
		ids    []int
		cursor int // -1: none
	}{
		{"", []int{2, 1, 0}, -1},
		{"?limit=2", []int{2, 1}, 1},
		{"?limit=2&before=" + messageID(1), []int{0}, -1},
		{"?limit=1&after=" + messageID(0), []int{1}, 1},
	} {
		var want []string
		for _, n := range test.ids {
			want = append(want, messageID(n))
		}
		ids, cursor := page(test.query)
		same(t, test.query, want, ids)
		if wanted := test.cursor >= 0; (cursor != "") != wanted || (wanted && cursor != messageID(test.cursor)) {
			t.Errorf("%s: cursor %q", test.query, cursor)
		}
	}

	var edited wire.HistoryMessage
	a.answer("alice", "PATCH "+messages+"/"+messageID(1), `{"content":"new"}`, 200, &edited)
	same(t, "edited", wire.HistoryMessage{
		ChatRoomID: a.room, MessageID: messageID(1), SenderID: "alice", Content: "new", Timestamp: edited.Timestamp,
		EditedAt: edited.EditedAt,
	}, edited)
	a.answer("alice", "DELETE "+messages+"/"+messageID(2), "", 204, nil)
	a.answer("bob", "POST /rooms/"+a.room+"/read", `{"upTo":"`+messageID(1)+`"}`, 204, nil)
	var history wire.History
	a.answer("bob", "GET "+messages, "", 200, &history)
	if m := history.Messages; m[0].DeletedAt == 0 || m[0].Content != "" || m[1].Content != "new" || len(m[1].ReadBy) != 2 {
		t.Errorf("messages %+v", m)
	}
	var sync wire.SyncResponse
	a.answer("bob", "POST /sync", `{"rooms":{"`+a.room+`":"`+messageID(0)+`","nowhere":"`+messageID(0)+`"}}`, 200, &sync)
	history.Messages[1].ReadBy = nil // in history alone
	same(t, "synced", wire.SyncResponse{Rooms: map[string]wire.SyncRoom{
		a.room: {Messages: []wire.HistoryMessage{history.Messages[1], history.Messages[0]}},
	}}, sync)
}

// A sender whose ack was lost knows the message by it; no one else needs it.
func TestMessages_TellTheirSenderByWhichSend(t *testing.T) {
	a := newAPI(t)
	err := a.store.PutMessage(t.Context(), chat.Message{
		ID: messageID(1), RoomID: a.room, SenderID: "alice", Content: "hi", SentAt: 1, ClientMessageID: "c-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"alice": "c-1", "bob": ""} {
		var history wire.History
		a.answer(user, "GET /rooms/"+a.room+"/messages", "", 200, &history)
		var sync wire.SyncResponse
		a.answer(user, "POST /sync", `{"rooms":{"`+a.room+`":"`+messageID(0)+`"}}`, 200, &sync)
		same(t, user, []string{want, want}, []string{history.Messages[0].ClientMessageID, sync.Rooms[a.room].Messages[0].ClientMessageID})
	}
}

func TestProfiles_MeAndOthers(t *testing.T) {
	a := newAPI(t)
	for _, step := range []struct{ body, name string }{{`{"displayName":" Ann "}`, "Ann"}, {`{"displayName":""}`, ""}} {
		var changed, me wire.Me
		var profiles wire.Profiles
		a.answer("alice", "PUT /me", step.body, 200, &changed)
		a.answer("alice", "GET /me", "", 200, &me)
		a.answer("bob", "POST /profiles", `{"users":["alice","bob"]}`, 200, &profiles)
		same(t, "changed", wire.Me{UserID: "alice", DisplayName: step.name}, changed)
		same(t, "me", changed, me)
		if profiles.Profiles["alice"].DisplayName != step.name || profiles.Profiles["bob"].DisplayName != "" {
			t.Errorf("profiles %+v", profiles)
		}
	}
}

func TestDescription_IsServed(t *testing.T) {
	a := newAPI(t)
	var got, want map[string]any
	a.answer("alice", "GET /openapi.json", "", 200, &got)
	if err := json.Unmarshal(httpapi.Description, &want); err != nil {
		t.Fatal(err)
	}
	same(t, "description", want, got)
}

// Every refusal has the status of its code and a text that names the field.
func TestRefusals(t *testing.T) {
	a := newAPI(t)
	id := a.put(a.room, "alice", 1)
	room, message := "/rooms/"+a.room, "/rooms/"+a.room+"/messages/"+id
	var page wire.Room
	a.answer("alice", "GET "+room+"?limit=1", "", 200, &page)
	var other wire.Room
	a.answer("alice", "POST /rooms", `{"type":"group","name":"Other"}`, 201, &other)
	for _, test := range []struct {
		user, request, body string
		status              int
		code                chat.Code
		detail              string
	}{
		{"alice", "POST /rooms", `{"type":"channel"}`, 400, chat.CodeInvalidRequest, `want "group" or "dm", got "channel"`},
		{"alice", "POST /rooms", `{"type":7}`, 400, chat.CodeInvalidRequest, "invalid type: want string, got number"},
		{"alice", "POST /rooms", `{"type":"group","members":"bob"}`, 400, chat.CodeInvalidRequest, "invalid members: want array, got string"},
		{"alice", "PUT /me", `{"displayName":{}}`, 400, chat.CodeInvalidRequest, "invalid displayName: want string, got object"},
		{"alice", "POST /sync", `{"rooms":[]}`, 400, chat.CodeInvalidRequest, "invalid rooms: want object, got array"},
		{"alice", "POST /rooms", `{"color":"red"}`, 400, chat.CodeInvalidRequest, `unknown field "color"`},
		{"alice", "POST /rooms", `{"type":"dm"} {}`, 400, chat.CodeInvalidRequest, "want one JSON object"},
		{"alice", "POST /rooms", `{"type"`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"alice", "POST /rooms", `null`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"alice", "POST /rooms", `{"type":"dm"` + strings.Repeat(" ", 64<<10) + `}`, 413, chat.CodeTooLarge, "want at most 65536 bytes"},
		{"alice", "GET /rooms?limit=0", "", 400, chat.CodeInvalidRequest, `want a number from 1 to 100, got "0"`},
		{"alice", "GET /rooms?limit=101", "", 400, chat.CodeInvalidRequest, `got "101"`},
		{"alice", "GET " + room + "?limit=x", "", 400, chat.CodeInvalidRequest, `got "x"`},
		{"alice", "GET " + room + "/messages?limit=-1", "", 400, chat.CodeInvalidRequest, `got "-1"`},
		{"alice", "GET /rooms?cursor=x", "", 400, chat.CodeInvalidRequest, "invalid cursor"},
		{"alice", "GET " + room + "?cursor=x", "", 400, chat.CodeInvalidRequest, "invalid cursor"},
		{"alice", "GET /rooms/" + other.ChatRoomID + "?cursor=" + page.Cursor, "", 400, chat.CodeInvalidRequest, "invalid cursor"},
		{"alice", "GET " + room + "/messages?cursor=x", "", 400, chat.CodeInvalidRequest, "before="},
		{"alice", "GET " + room + "/messages?before=x", "", 400, chat.CodeInvalidRequest, `got "x"`},
		{"carol", "GET " + room + "/messages", "", 403, chat.CodeNotAMember, "not a member"},
		{"carol", "GET " + room, "", 403, chat.CodeNotAMember, "not a member"},
		{"bob", "PATCH " + room, `{"name":"x"}`, 403, chat.CodeForbidden, "only owners can rename the room; your role is member"},
		{"bob", "PATCH " + room, `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "POST " + room + "/members", `{"userId":"carol"}`, 403, chat.CodeForbidden, "only owners can add members; your role is member"},
		{"alice", "POST " + room + "/members", `{}`, 400, chat.CodeInvalidRequest, "userId is missing"},
		{"alice", "POST " + room + "/members", `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"alice", "DELETE " + room + "/members", "", 400, chat.CodeInvalidRequest, "userId is missing"},
		{"alice", "DELETE " + room + "/members/bob?userId=carol", "", 400, chat.CodeInvalidRequest, "want one member"},
		{"alice", "DELETE " + room + "/members?userId=bob&userId=carol", "", 400, chat.CodeInvalidRequest, "want one member"},
		{"alice", "DELETE " + room + "/members/carol", "", 404, chat.CodeNotFound, "carol is not a member"},
		{"bob", "PATCH " + message, `{"content":"x"}`, 403, chat.CodeForbidden, "only the sender of a message edits it"},
		{"alice", "PATCH " + message, `{"content":"does not fit"}`, 413, chat.CodeTooLarge, "does not fit"},
		{"alice", "PATCH " + message, `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "DELETE " + message, "", 403, chat.CodeForbidden, "only owners and moderators can delete messages of others"},
		{"bob", "POST " + room + "/read", `{"upTo":"` + messageID(2) + `"}`, 400, chat.CodeInvalidRequest, "want a message of this room"},
		{"bob", "POST " + room + "/read", `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "PUT /me", `{}`, 400, chat.CodeInvalidRequest, "displayName is missing"},
		{"bob", "PUT /me", `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "PUT /me", `{"displayName":"a\u202eb"}`, 400, chat.CodeInvalidRequest, "direction"},
		{"bob", "POST /profiles", `{"users":[]}`, 400, chat.CodeInvalidRequest, "want 1 to 100 user ids, got 0"},
		{"bob", "POST /profiles", `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "POST /sync", `x`, 400, chat.CodeInvalidRequest, "want a JSON object"},
		{"bob", "POST /sync", `{"rooms":{"r":"x"}}`, 400, chat.CodeInvalidRequest, "invalid message id"},
		{"bob", "GET /nothing", "", 404, chat.CodeNotFound, "openapi.json"},
	} {
		detail := a.refused(test.request, a.do(test.user, test.request, test.body), test.status, test.code)
		if !strings.Contains(detail, test.detail) {
			t.Errorf("%s %.40s: detail %q, want %q in it", test.request, test.body, detail, test.detail)
		}
	}
}

func TestRefusals_OfHeadersAndMethods(t *testing.T) {
	a := newAPI(t)
	body := `{"type":"group","name":"x"}`
	for _, contentType := range []string{"", "text/plain", "application/json; =", "application/jsonx"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/rooms", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		a.ServeUser(w, r, "alice")
		a.refused("Content-Type "+contentType, w, 400, chat.CodeInvalidRequest)
	}
	for _, keys := range [][]string{
		{"Idempotency-Key", ""}, {"Idempotency-Key", "a b"}, {"Idempotency-Key", "a", "Idempotency-Key", "b"},
	} {
		a.refused(fmt.Sprint(keys), a.do("alice", "POST /rooms", body, keys...), 400, chat.CodeInvalidRequest)
	}
	var room wire.Room
	a.answer("alice", "POST /rooms", body, 201, &room, "Content-Type", jsonType+"; charset=utf-8")
	w := a.do("alice", "PUT /rooms", body)
	a.refused("PUT /rooms", w, 405, chat.CodeInvalidRequest)
	same(t, "Allow", []string{"GET", "POST"}, w.Header().Values("Allow"))
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("broken") }

// An internal error is logged and its text is not shown.
func TestInternalErrorsAreHidden(t *testing.T) {
	a := newAPI(t)
	a.store.Before(func(string) error { return errors.New("broken") })
	for _, call := range [][2]string{
		{"POST /rooms", `{"type":"group","name":"x"}`},
		{"GET /rooms", ""},
		{"GET /rooms/" + a.room, ""},
		{"GET /rooms/" + a.room + "/messages", ""},
		{"DELETE /rooms/" + a.room + "/messages/" + messageID(1), ""},
		{"GET /me", ""},
		{"POST /sync", `{"rooms":{}}`},
	} {
		request, body := call[0], call[1]
		a.log.Reset()
		detail := a.refused(request, a.do("alice", request, body), 500, chat.CodeInternal)
		if strings.Contains(detail, "broken") || !strings.Contains(a.log.String(), "broken") {
			t.Errorf("%s: detail %q, log %s; want the cause in the log alone", request, detail, a.log)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/rooms", brokenBody{})
	r.Header.Set("Content-Type", jsonType)
	w := httptest.NewRecorder()
	a.ServeUser(w, r, "alice")
	a.refused("a body that breaks off", w, 400, chat.CodeInvalidRequest)
}
