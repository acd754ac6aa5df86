package chat_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/streamroom/streamroom/shared/chat"
)

// one are spellings of one user, and what they are in a deployment that folds case.
var one = map[string][]string{
	"bob":                        {"bob", "Bob", "BOB", "bOb"},
	"jos\u00e9":                  {"jos\u00e9", "jose\u0301", "JOS\u00c9", "JOSE\u0301"},
	"kim":                        {"kim", "\u212aim"}, // the sign for Kelvin is a K
	"stra\u00dfe":                {"stra\u00dfe", "STRA\u1e9eE"},
	"i\u0307nci":                 {"\u0130nci", "I\u0307nci"},
	"佐藤 春香":                      {"佐藤 春香"},
	"a b/c?d%41":                 {"a b/c?d%41", "A B/C?D%41"},
	"ශ්":                         {"ශ්"}, // a letter and a mark
	strings.Repeat("\u00e9", 64): {strings.Repeat("E\u0301", 64)},
}

func TestUserIDsHaveOneForm(t *testing.T) {
	fold := chat.UserIDs{FoldCase: true}
	for want, spellings := range one {
		for _, id := range spellings {
			if got, err := fold.Normalize(id); got != want || err != nil {
				t.Errorf("%+q is %+q, %v; want %+q", id, got, err, want)
			}
		}
	}
	for id, want := range map[string]string{"Bob": "Bob", "bob": "bob", "Jose\u0301": "Jos\u00e9", "İ": "İ"} {
		if got, err := (chat.UserIDs{}).Normalize(id); got != want || err != nil {
			t.Errorf("where case counts, %q is %q, %v; want %q", id, got, err, want)
		}
	}
}

// What the pool tells apart stays apart.
func TestUserIDs_FoldNoMoreThanCase(t *testing.T) {
	fold := chat.UserIDs{FoldCase: true}
	seen := map[string]string{}
	for _, id := range []string{"strasse", "stra\u00dfe", "inci", "\u0131nci", "i\u0307nci", "b\u043eb", "bob", "ab", "a b", "o\ufb03ce", "office", "\u017fam", "sam"} {
		got, err := fold.Normalize(id)
		if err != nil || seen[got] != "" {
			t.Errorf("%+q is %+q, %v, like %+q", id, got, err, seen[got])
		}
		seen[got] = id
	}
}

func TestUserIDs_Refused(t *testing.T) {
	for id, says := range map[string]string{
		"":                           "missing",
		" bob":                       "white space",
		"bob ":                       "white space",
		"\tbob":                      "control",
		"bob\u3000":                  "white space",
		"bo\u200bb":                  "U+200B",
		"bob\u200d":                  "U+200D",
		"\ufeffbob":                  "U+FEFF",
		"bo\u00adb":                  "U+00AD",
		"bo\u00a0b":                  "U+00A0",
		"bo\u2028b":                  "U+2028",
		"bob\ufe0f":                  "U+FE0F",
		"\u3164":                     "U+3164",
		"\u2800":                     "U+2800",
		"bob\u061c":                  "U+061C",
		"bob\u202e":                  "U+202E",
		"\u034fbob":                  "mark",
		"bo\u034fb":                  "U+034F",
		"\u0301bob":                  "mark",
		"bob\U000e0041":              "U+E0041",
		"a#b":                        "'#'",
		"a\x00b":                     "control",
		"a\xff":                      "UTF-8",
		"a\ufffd":                    "U+FFFD",
		strings.Repeat("x", 129):     "128 bytes",
		strings.Repeat("x", 100_000): "128 bytes",
	} {
		for _, ids := range []chat.UserIDs{{}, {FoldCase: true}} {
			got, err := ids.Normalize(id)
			refused(t, id, err, chat.CodeInvalidRequest)
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%+q is %+q, %v; want an error with %s", id, got, err, says)
			}
		}
	}
}

// Two people may have two spellings with an issuer: a token names one of them.
func TestUserIDs_OfAClaimAreInNormalForm(t *testing.T) {
	fold := chat.UserIDs{FoldCase: true}
	for _, id := range []string{"jose\u0301", "JOSE\u0301", "\u212aim"} {
		got, err := fold.OfClaim(id)
		refused(t, id, err, chat.CodeInvalidRequest)
		if got != "" {
			t.Errorf("%+q is %q", id, got)
		}
	}
	if got, err := fold.OfClaim("Jos\u00c9"); got != "jos\u00e9" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzUserIDs(f *testing.F) {
	for _, spellings := range one {
		for _, id := range spellings {
			f.Add(id)
		}
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, ids := range []chat.UserIDs{{}, {FoldCase: true}} {
			normal, err := ids.Normalize(id)
			if err != nil {
				continue
			}
			if again, err := ids.Normalize(normal); again != normal || err != nil {
				t.Errorf("%+q is %+q, and that is %+q, %v", id, normal, again, err)
			}
			if claimed, err := ids.OfClaim(normal); claimed != normal || err != nil {
				t.Errorf("%+q, of a claim, is %+q, %v", normal, claimed, err)
			}
			if chat.ValidateUserID(normal) != nil || !utf8.ValidString(normal) {
				t.Errorf("%+q is not a valid user id", normal)
			}
		}
	})
}
