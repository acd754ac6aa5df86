package chat_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestIDsThatAreRefused(t *testing.T) {
	room := func(id string) error { return chat.ValidateRoomID(id) }
	user := func(id string) error { return chat.ValidateUserID(id) }
	send := func(id string) error { return chat.ValidateClientMessageID(id) }
	tests := map[string]struct {
		validate func(string) error
		id       string
		ok       bool
	}{
		"a room":                     {room, "room-xyz_1.2@3", true},
		"the longest room":           {room, strings.Repeat("r", 128), true},
		"a room too long":            {room, strings.Repeat("r", 129), false},
		"no room":                    {room, "", false},
		"a room that forges a key":   {room, "a#b", false},
		"a room with a blank":        {room, "a b", false},
		"a room with a letter of ä":  {room, "ä", false},
		"a room with a line end":     {room, "a\n", false},
		"a send":                     {send, "c-1", true},
		"no send id is none":         {send, "", true},
		"a send that forges a key":   {send, "c#1", false},
		"a user":                     {user, "alice", true},
		"a user in Japanese":         {user, "花子", true},
		"a user with a blank":        {user, "Alice B", true},
		"the longest user":           {user, strings.Repeat("é", 64), true},
		"a user too long":            {user, strings.Repeat("é", 65), false},
		"no user":                    {user, "", false},
		"a user that forges a key":   {user, "alice#", false},
		"a user with a control byte": {user, "alice\x00", false},
		"a user with a C1 control":   {user, "alice\u0085", false},
		"a user in broken UTF-8":     {user, "al\xffice", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.validate(tt.id)
			if (err == nil) != tt.ok {
				t.Errorf("validating %q: %v", tt.id, err)
			}
			if err != nil && chat.Reason(err).Code != chat.CodeInvalidRequest {
				t.Errorf("the code is %s", chat.Reason(err).Code)
			}
		})
	}
}

func TestMessageIDsCarryTheirTime(t *testing.T) {
	now := time.UnixMilli(1709136000123)
	id, ms, err := chat.NewIDs(func() time.Time { return now }, rand.Reader).Message()
	if err != nil {
		t.Fatal(err)
	}
	if ms != now.UnixMilli() {
		t.Errorf("minted at %d, want %d", ms, now.UnixMilli())
	}
	if got, err := chat.MessageTime(id); err != nil || got != ms {
		t.Errorf("MessageTime(%s) = %d, %v", id, got, err)
	}
	for _, bad := range []string{"", "x", strings.ToLower(id), id + "0", id[1:], "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", strings.Replace(id, id[:1], "I", 1)} {
		if _, err := chat.MessageTime(bad); err == nil {
			t.Errorf("MessageTime(%q) is no error", bad)
		}
	}
}

func TestADirectRoomBelongsToItsPair(t *testing.T) {
	id := chat.DirectRoomID("alice", "bob")
	if id != chat.DirectRoomID("bob", "alice") {
		t.Error("it depends on who asks")
	}
	for _, pair := range [][2]string{{"alice", "bo"}, {"aliceb", "ob"}, {"alic", "ebob"}} {
		if id == chat.DirectRoomID(pair[0], pair[1]) {
			t.Errorf("%v have the same", pair)
		}
	}
	if err := chat.ValidateRoomID(id); err != nil {
		t.Errorf("%s is no room id: %v", id, err)
	}
}

func TestPreviewsAreCutBetweenCharacters(t *testing.T) {
	for _, length := range []int{0, 1, 139, 140, 141, 500} {
		got := chat.Message{Content: strings.Repeat("語", length)}.Preview().Preview
		if want := strings.Repeat("語", min(length, 140)); got != want {
			t.Errorf("the preview of %d characters has %d", length, len([]rune(got)))
		}
	}
}
