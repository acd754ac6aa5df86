package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func (w *world) react(userID, roomID, messageID, reaction string) chat.Reactions {
	w.Helper()
	now, err := w.reactors.React(w.Context(), userID, roomID, messageID, reaction, true)
	ok(w, err)
	return now
}

func TestReact(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id := w.say("alice", room, "tea?")
	w.react("alice", room, id, "👍")
	for range 2 { // the second changes nothing
		want := chat.Reactions{Version: 2, Counts: map[string]int{"👍": 2}, Mine: []string{"👍"}}
		if diff := cmp.Diff(want, w.react("bob", room, id, "👍")); diff != "" {
			t.Error(diff)
		}
	}
	for range 2 {
		got, err := w.reactors.React(t.Context(), "bob", room, id, "👍", false)
		ok(t, err)
		if diff := cmp.Diff(chat.Reactions{Version: 3, Counts: map[string]int{"👍": 1}, Mine: []string{}}, got); diff != "" {
			t.Error(diff)
		}
	}
	if m := w.message(room, id); m.Version() != 0 {
		t.Errorf("a reaction counts as an edit: %+v", m)
	}
}

// A page has the counts, and the reader's own reactions, which are read at once.
func TestReact_IsInHistoryAndSync(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	first, id, last := w.say("alice", room, "a"), w.say("alice", room, "b"), w.say("alice", room, "c")
	w.react("bob", room, id, "👍")
	reads := 0
	w.store.Before(func(method string) error {
		if method == "Reacted" {
			reads++
		}
		return nil
	})
	for user, mine := range map[string][]string{"alice": {}, "bob": {"👍"}} {
		messages, _, err := w.histories.Read(t.Context(), user, room, chat.Range{Limit: 10})
		ok(t, err)
		missed, err := w.histories.Sync(t.Context(), user, map[string]string{room: first})
		ok(t, err)
		for name, m := range map[string]chat.Message{"history": messages[1], "sync": missed[0].Messages[0]} {
			want := chat.Reactions{Version: 1, Counts: map[string]int{"👍": 1}, Mine: mine}
			if diff := cmp.Diff(want, m.Reactions); diff != "" || m.ID != id {
				t.Errorf("%s of %s: %s", name, user, diff)
			}
		}
	}
	if _, err := w.histories.Sync(t.Context(), "bob", map[string]string{room: last}); err != nil || reads != 4 {
		t.Errorf("%d reads of one's own, error %v; want 4: none for messages without reactions", reads, err)
	}
	w.breakOn("Reacted")
	if _, _, err := w.histories.Read(t.Context(), "bob", room, chat.Range{Limit: 10}); err == nil {
		t.Error("history says what it does not know")
	}
}

func TestReact_Refused(t *testing.T) {
	w := newWorld(t)
	room, other := w.group("alice", "bob"), w.group("alice", "bob")
	id, elsewhere, deleted := w.say("alice", room, "a"), w.say("alice", other, "b"), w.say("alice", room, "c")
	ok(t, w.editor.Delete(t.Context(), "alice", room, deleted))
	for i := range chat.MaxReactionKinds {
		w.react("alice", room, id, fmt.Sprintf(":%d:", i))
	}
	before := w.message(room, id).Reactions
	for name, test := range map[string]struct {
		user, room, message, reaction string
		code                          chat.Code
	}{
		"no reaction":            {"bob", room, id, "", chat.CodeInvalidRequest},
		"a kind too many":        {"bob", room, id, "👍", chat.CodeInvalidRequest},
		"another room's message": {"bob", room, elsewhere, "👍", chat.CodeNotFound},
		"a deleted message":      {"bob", room, deleted, "👍", chat.CodeNotFound},
		"no message":             {"bob", room, "01HQZ6T0T0ABCDEFGHJKMNPQRS", "👍", chat.CodeNotFound},
		"no id":                  {"bob", room, "last", "👍", chat.CodeInvalidRequest},
		"a stranger":             {"carol", room, id, "👍", chat.CodeNotAMember},
		"no room":                {"bob", "nowhere", id, "👍", chat.CodeNotAMember},
	} {
		_, err := w.reactors.React(t.Context(), test.user, test.room, test.message, test.reaction, true)
		refused(t, name, err, test.code)
	}
	if diff := cmp.Diff(before, w.message(room, id).Reactions); diff != "" {
		t.Errorf("something was stored: %s", diff)
	}
	// Another kind is there by the time of the write.
	free := w.say("alice", room, "d")
	w.once("ChangeReaction", func() { w.react("alice", room, free, "👍") })
	if got := w.react("bob", room, free, "👍"); got.Counts["👍"] != 2 {
		t.Errorf("overtaken by another one, it is %+v", got)
	}
	w.on("ChangeReaction", func() {
		_, err := w.reactors.React(t.Context(), "bob", room, free, "🎉", true)
		ok(t, err)
		_, err = w.reactors.React(t.Context(), "bob", room, free, "🎉", false)
		ok(t, err)
	})
	w.breakOn("ChangeReaction")
	if _, err := w.reactors.React(t.Context(), "bob", room, free, "🎉", true); err == nil {
		t.Error("a reaction that was not stored was taken")
	}
}

func TestValidateReaction(t *testing.T) {
	for _, reaction := range []string{
		"👍", "👍🏽", "❤️", "1️⃣", "🇩🇪", "👩‍👩‍👧‍👦", "👩🏻‍❤️‍💋‍👩🏽", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "✓", "あ", "é", "a", "?", ":tada:", ":+1:", ":a_b-c:",
	} {
		if err := chat.ValidateReaction(reaction); err != nil {
			t.Errorf("%q: %v", reaction, err)
		}
	}
	for _, reaction := range []string{
		"", " ", "\u200b", "\u202e", "\n", "\u2800", "👍👍", "ab", "👍 ", "::", ":Tada:", ":a b:", ":tada", "\xff", "\ufffd",
		"e" + strings.Repeat("\u0301", 9), "👍" + strings.Repeat("\u200d👍", 5), ":" + strings.Repeat("a", 34) + ":",
	} {
		refused(t, fmt.Sprintf("%q", reaction), chat.ValidateReaction(reaction), chat.CodeInvalidRequest)
	}
}

// Of a message from which all reactions were taken back it is known that none is one's own.
func TestReact_NoneAreLeft(t *testing.T) {
	w := newWorld(t)
	room := w.group("alice", "bob")
	id := w.say("bob", room, "hello")
	w.react("alice", room, id, "👍")
	_, err := w.reactors.React(t.Context(), "alice", room, id, "👍", false)
	ok(t, err)
	messages, _, err := w.histories.Read(t.Context(), "alice", room, chat.Range{Limit: 1})
	ok(t, err)
	if got := messages[0].Reactions; got.Version != 2 || got.Mine == nil || len(got.Mine) != 0 {
		t.Errorf("%+v", got)
	}
}
