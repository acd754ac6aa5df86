package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestUserIDs(t *testing.T) {
	for id, valid := range map[string]bool{
		"alice":                            true,
		"a b/c?d%41":                       true,
		strings.Repeat("\u00e9", 64):       true,
		"":                                 false,
		strings.Repeat("\u00e9", 64) + "x": false,
		"a#b":                              false,
		"a\x00b":                           false,
		"a\u0085b":                         false,
		"a\xff":                            false,
		"a\ufffd":                          false,
	} {
		if err := chat.ValidateUserID(id); (err == nil) != valid {
			t.Errorf("%q: %v, want valid %t", id, err, valid)
		}
	}
}

func TestRoomIDs_ClientMessageIDs_IdempotencyKeys(t *testing.T) {
	for id, valid := range map[string]bool{
		"room-01":                  true,
		"AZaz09_.@-":               true,
		strings.Repeat("x", 128):   true,
		strings.Repeat("x", 129):   false,
		"a b":                      false,
		"a#b":                      false,
		"a/b":                      false,
		"\u00e9":                   false,
		"a\x00":                    false,
		"a\xff":                    false,
		strings.Repeat("x", 4_000): false,
	} {
		for name, validate := range map[string]func(string) error{
			"room": chat.ValidateRoomID, "client message": chat.ValidateClientMessageID, "key": chat.ValidateIdempotencyKey,
		} {
			if err := validate(id); (err == nil) != valid {
				t.Errorf("%s %q: %v, want valid %t", name, id, err, valid)
			}
		}
	}
	if chat.ValidateRoomID("") == nil || chat.ValidateClientMessageID("") != nil || chat.ValidateIdempotencyKey("") != nil {
		t.Error("want that a room id is required, and the others are not")
	}
}

func TestMessageTime_CanonicalULIDs(t *testing.T) {
	for id, want := range map[string]int64{
		"01HQR73D040000000000000000":    1_709_136_000_004,
		"7ZZZZZZZZZZZZZZZZZZZZZZZZZ":    1<<48 - 1,
		"8ZZZZZZZZZZZZZZZZZZZZZZZZZ":    0, // overflows
		"01hqr73d040000000000000000":    0,
		"01HQR73D04000000000000000":     0,
		"01HQR73D0400000000000000000":   0,
		"01HQR73D04000000000000000U":    0,
		"":                              0,
		strings.Repeat("\u00e9", 5_000): 0,
	} {
		got, err := chat.MessageTime(id)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, error %v; want %d", id, got, err, want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func TestIDs_WithoutEntropy(t *testing.T) {
	ids := chat.NewIDs(time.Now, strings.NewReader(""))
	if _, _, err := ids.Message(); err == nil {
		t.Error("a message id without entropy")
	}
	if _, err := ids.Room(); err == nil {
		t.Error("a room id without entropy")
	}
}

// The limits are part of the protocol: clients rely on them.
func TestLimits_OfTheProtocol(t *testing.T) {
	for name, limit := range map[string]struct{ got, want int64 }{
		"bytes of content":          {chat.MaxContent, 16_384},
		"characters of a room name": {chat.MaxRoomName, 100},
		"members at creation":       {chat.MaxInitialMember, 48},
		"characters of a preview":   {chat.MaxPreview, 140},
		"characters of a name":      {chat.MaxDisplayName, 64},
		"unread":                    {chat.MaxUnread, 100},
		"bytes of a user id":        {chat.MaxUserID, 128},
		"profiles":                  {chat.MaxProfiles, 100},
		"mentions":                  {chat.MaxMentions, 20},
		"rooms of a sync":           {chat.MaxSyncRooms, 100},
		"messages of a sync":        {chat.MaxSyncMessages, 100},
		"members of a small room":   {chat.SmallRoom, 20},
		"counted readers":           {chat.CountedReaders, 100},
		"sends a second":            {chat.SendRate, 10},
		"sends in a burst":          {chat.SendBurst, 20},
		"hours of a send":           {int64(chat.SentMemory), int64(24 * time.Hour)},
		"hours of a creation":       {int64(chat.CreationMemory), int64(24 * time.Hour)},
	} {
		if limit.got != limit.want {
			t.Errorf("%s: %d, want %d", name, limit.got, limit.want)
		}
	}
}
