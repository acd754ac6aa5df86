package client_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestNewRefuses(t *testing.T) {
	get := func(context.Context) (string, error) { return "", nil }
	for name, o := range map[string]client.Options{
		"wss://":   {WebSocketURL: "http://h/local", APIURL: "http://h/api", Token: get},
		"APIURL":   {WebSocketURL: "ws://h/local", APIURL: "h/api", Token: get},
		"https://": {WebSocketURL: "ws://h/local", APIURL: "http://", Token: get},
		"Token":    {WebSocketURL: "ws://h/local", APIURL: "http://h/api"},
		"Backlog":  {WebSocketURL: "ws://h/local", APIURL: "http://h/api", Token: get, Backlog: 101},
	} {
		if _, err := client.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestAPI(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		var ids []string
		for _, content := range []string{"0", "1", "2"} {
			ids = append(ids, r.store("general", "bob", content).MessageID)
		}
		ctx := t.Context()

		room, err := r.client.CreateRoom(ctx, wire.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob"}})
		if want := (wire.Room{ChatRoomID: "room-1", Name: "Tea", Type: "group", MemberCount: 2}); err != nil || !cmp.Equal(room, want) {
			t.Errorf("CreateRoom: %+v, %v", room, err)
		}
		if err := r.client.AddMember(ctx, "room-1", "carol"); err != nil {
			t.Errorf("AddMember: %v", err)
		}
		room, err = r.client.Room(ctx, "room-1", "")
		if err != nil || room.ChatRoomID != "room-1" || len(room.Members) != 1 || room.Members[0].UserID != "alice" {
			t.Errorf("Room: %+v, %v", room, err)
		}
		room, err = r.client.Room(ctx, "room-1", room.Cursor)
		if err != nil || len(room.Members) != 1 || room.Members[0].UserID != "after next/page" || room.Cursor != "" {
			t.Errorf("Room, second page: %+v, %v", room, err)
		}
		if err := r.client.RemoveMember(ctx, "room-1", "c/rol@home"); err != nil {
			t.Errorf("RemoveMember: %v", err)
		}
		if err := r.client.RemoveMember(ctx, "room-1", "dave"); code(err) != client.CodeNotFound {
			t.Errorf("RemoveMember of someone else: %v", err)
		}
		list, err := r.client.ListRooms(ctx, "")
		if err != nil || len(list.Rooms) != 0 || list.Cursor != "next" {
			t.Errorf("ListRooms: %+v, %v", list, err)
		}
		list, err = r.client.ListRooms(ctx, list.Cursor)
		if err != nil || len(list.Rooms) != 1 || list.Rooms[0].ChatRoomID != "general" || list.Cursor != "" {
			t.Errorf("ListRooms, second page: %+v, %v", list, err)
		}
		for _, test := range []struct {
			page   client.Page
			want   string
			cursor string
		}{
			{client.Page{}, "2 1 0 ", ""},
			{client.Page{Limit: 2}, "2 1 ", ids[1]},
			{client.Page{Limit: 2, Before: ids[1]}, "0 ", ""},
			{client.Page{Limit: 1, After: ids[0]}, "1 ", ids[1]},
		} {
			history, err := r.client.History(ctx, "general", test.page)
			got := said(history.Messages, func(m wire.HistoryMessage) string { return m.Content })
			if err != nil || got != test.want || history.Cursor != test.cursor {
				t.Errorf("History of %+v: %q, cursor %q, %v", test.page, got, history.Cursor, err)
			}
		}
		if r.calls != 1 {
			t.Errorf("%d tokens for all of it, want 1", r.calls)
		}
	})
}

func TestAPIErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		code   string
		status int
	}{
		{"problem", func(w http.ResponseWriter) { refuse(w, 403, "not_a_member") }, client.CodeNotAMember, 403},
		{"gateway", func(w http.ResponseWriter) { answer(w, 403, map[string]string{"message": "Forbidden"}) }, client.CodeForbidden, 403},
		{"throttled", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, client.CodeRateLimited, http.StatusTooManyRequests},
		{"broken", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, client.CodeInternal, http.StatusBadGateway},
		{"not found", func(w http.ResponseWriter) { http.NotFound(w, nil) }, client.CodeNotFound, 404},
		{"bad", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }, client.CodeInvalidRequest, http.StatusBadRequest},
		{"large", func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestEntityTooLarge) }, client.CodeTooLarge, http.StatusRequestEntityTooLarge},
		{"token", func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, client.CodeUnauthorized, http.StatusUnauthorized},
		{"no JSON", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, "decode the API's answer: invalid character '<' looking for beginning of value", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				t := r.t
				r.onAPI = func(w http.ResponseWriter, _ *http.Request) bool { test.answer(w); return true }
				_, err := r.client.History(t.Context(), "general", client.Page{})
				if code(err) != test.code {
					t.Errorf("the error is %v, want code %s", err, test.code)
				}
				if e, ok := err.(*client.Error); ok && e.Status != test.status { //nolint:errorlint // it's what is promised
					t.Errorf("the status is %d, want %d", e.Status, test.status)
				}
			})
		})
	}
}

// A refused token is replaced once; one that ends soon before it's used.
func TestAPITokens(t *testing.T) {
	calls := 0
	get := func(context.Context) (string, error) {
		calls++
		return token(time.Now().Add(time.Hour), "one"), nil
	}
	bubbleWith(t, client.Options{Token: get}, func(r *rig) {
		t := r.t
		ask := func(wantErr string, wantCalls int) {
			t.Helper()
			_, err := r.client.ListRooms(t.Context(), "")
			if (err != nil || wantErr != "") && code(err) != wantErr {
				t.Errorf("the error is %v, want %q", err, wantErr)
			}
			if calls != wantCalls {
				t.Errorf("%d tokens so far, want %d", calls, wantCalls)
			}
		}
		ask("", 1)
		ask("", 1)
		r.pass(time.Hour - 20*time.Second)
		ask("", 2)
		refusals := 1
		r.onAPI = func(w http.ResponseWriter, _ *http.Request) bool {
			if refusals--; refusals >= 0 {
				refuse(w, http.StatusUnauthorized, client.CodeTokenExpired)
			}
			return refusals >= 0
		}
		ask("", 3)
		refusals = 2
		ask(client.CodeTokenExpired, 4)
	})
}
