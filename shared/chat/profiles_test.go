package chat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestSetDisplayName_Rules(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name, want string
		code       chat.Code
	}{
		{"  Ann\t", "Ann", ""},
		{strings.Repeat("é", chat.MaxDisplayName+1), "Ann", chat.CodeInvalidRequest},
		{"a\u202eb", "Ann", chat.CodeInvalidRequest},
		{" " + strings.Repeat("é", chat.MaxDisplayName) + " ", strings.Repeat("é", chat.MaxDisplayName), ""},
		{" \u3164", strings.Repeat("é", chat.MaxDisplayName), chat.CodeInvalidRequest},
		{"e" + strings.Repeat("\u0301", 60), strings.Repeat("é", chat.MaxDisplayName), chat.CodeInvalidRequest},
		{" ", "", ""}, // removes it
	} {
		got, err := w.profiles.SetDisplayName(t.Context(), "alice", test.name)
		answers(t, fmt.Sprintf("%q", test.name), err, test.code)
		names, err := w.profiles.DisplayNames(t.Context(), []string{"alice"})
		ok(t, err)
		if names["alice"] != test.want || (test.code == "" && got != test.want) {
			t.Errorf("%q: returned %q, stored %q; want %q", test.name, got, names["alice"], test.want)
		}
	}
}

func TestDisplayNames_UpTo100Users(t *testing.T) {
	w := newWorld(t)
	_, err := w.profiles.SetDisplayName(t.Context(), "user0", "Zoe")
	ok(t, err)
	users := make([]string, chat.MaxProfiles+1)
	for i := range users {
		users[i] = fmt.Sprint("user", i%50) // a user may be named twice
	}
	for _, test := range []struct {
		name  string
		users []string
		code  chat.Code
	}{
		{"none", nil, chat.CodeInvalidRequest},
		{"too many", users, chat.CodeInvalidRequest},
		{"a forged one", []string{"user0", "a#b"}, chat.CodeInvalidRequest},
		{"one", users[:1], ""},
		{"as many as there may be", users[:chat.MaxProfiles], ""},
	} {
		names, err := w.profiles.DisplayNames(t.Context(), test.users)
		answers(t, test.name, err, test.code)
		if test.code == "" {
			if diff := cmp.Diff(map[string]string{"user0": "Zoe"}, names); diff != "" {
				t.Errorf("%s: %s", test.name, diff)
			}
		}
	}
	for method, call := range map[string]func() error{
		"DisplayNames":   func() error { _, err := w.profiles.DisplayNames(t.Context(), users[:1]); return err },
		"SetDisplayName": func() error { _, err := w.profiles.SetDisplayName(t.Context(), "alice", "x"); return err },
	} {
		w.breakOn(method)
		internal(t, method, call())
	}
}

func TestReason_HidesWhatIsNotForClients(t *testing.T) {
	cause := errors.New("cause")
	mine := &chat.Error{Code: chat.CodeForbidden, Message: "not you", Err: cause}
	if got := chat.Reason(fmt.Errorf("wrapped: %w", mine)); got != mine || !errors.Is(got, cause) {
		t.Errorf("reason %v, want %v", got, mine)
	}
	got := chat.Reason(cause)
	if got.Code != chat.CodeInternal || strings.Contains(got.Message, "cause") || !errors.Is(got, cause) {
		t.Errorf("reason %+v, want an internal one with the cause for the log", got)
	}
	for text, err := range map[string]error{
		"forbidden: not you: cause": mine, "forbidden: not you": chat.Errorf(chat.CodeForbidden, "not %s", "you"),
	} {
		if err.Error() != text {
			t.Errorf("text %q, want %q", err, text)
		}
	}
}
