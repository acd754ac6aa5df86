package gateway_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/gateway"
)

func TestDefault_Typing(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	response, err := r.fallback.Handle(t.Context(), request("MESSAGE", "$default", "c", `{"action":"typing","chatRoomId":"`+r.room+`"}`))
	if err != nil || response.StatusCode != http.StatusOK || response.Body != "" {
		t.Errorf("answer %+v, error %v; want no frame", response, err)
	}
	for _, test := range []struct {
		name, body string
		code       chat.Code
	}{
		{"no room", `{"action":"typing"}`, chat.CodeInvalidRequest},
		{"a number for the room", `{"action":"typing","chatRoomId":7}`, chat.CodeInvalidRequest},
		{"a foreign room", `{"action":"typing","chatRoomId":"another"}`, chat.CodeNotAMember},
	} {
		response, err := r.fallback.Handle(t.Context(), request("MESSAGE", "$default", "c", test.body))
		refused(t, test.name, response, err, test.code)
		if frame := answered(t, response, err); frame.Action != "typing" {
			t.Errorf("%s: the refusal %+v does not say what it answers", test.name, frame)
		}
	}
}

func TestDefault_TypingSwitchedOff(t *testing.T) {
	r := newRoutes(t, false)
	r.open(t)
	off := gateway.NewDefault(chat.NewSessions(r.store, nil, clock), nil, false, clock, zerolog.New(io.Discard))
	response, err := off.Handle(t.Context(), request("MESSAGE", "$default", "c", `{"action":"typing","chatRoomId":"`+r.room+`"}`))
	refused(t, "switched off", response, err, chat.CodeUnknownAction)
	response, err = off.Handle(t.Context(), request("MESSAGE", "$default", "c", `{"action":"ping"}`))
	if pong := answered(t, response, err); !slices.Equal(pong.Off, []string{"typing", "presence"}) {
		t.Errorf("the pong is %+v, want it to say that both are off", pong)
	}
}
