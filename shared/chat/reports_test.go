package chat_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestReport(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	message, deleted := w.stored(room, "pia"), w.stored(room, "pia")
	ok(t, w.editor.Delete(t.Context(), "pia", room, deleted))
	_, err := w.rooms.ChangeMember(t.Context(), "mara", room, "paul", chat.MemberChange{MutedUntil: ptr(int64(epoch + 60_000))})
	ok(t, err)
	for what, test := range map[string]struct {
		by, message, reason string
		code                chat.Code
	}{
		"by a muted member":       {"paul", message, "spam", ""},
		"without a reason":        {"mara", message, "", ""},
		"one's own":               {"pia", message, "spam", chat.CodeForbidden},
		"a deleted one":           {"paul", deleted, "spam", chat.CodeNotFound},
		"one that does not exist": {"paul", w.mint(), "spam", chat.CodeNotFound},
		"no message":              {"paul", "x", "spam", chat.CodeInvalidRequest},
		"a reason too long":       {"olga", message, strings.Repeat("x", chat.MaxReason+1), chat.CodeInvalidRequest},
	} {
		answers(t, what, w.rooms.Report(t.Context(), test.by, room, test.message, test.reason), test.code)
	}
	ok(t, w.rooms.Report(t.Context(), "paul", room, message, "it is spam"))
	now := w.clock.now().UnixMilli()
	got, _, err := w.rooms.Reports(t.Context(), "mara", room, chat.ReportPlace{}, 9)
	ok(t, err)
	want := []chat.Report{
		{MessageID: message, SenderID: "pia", By: "paul", Reason: "it is spam", At: now}, {MessageID: message, SenderID: "pia", By: "mara", At: now},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ok(t, w.rooms.Dismiss(t.Context(), "mara", room, message))
	if got, _, err = w.rooms.Reports(t.Context(), "mara", room, chat.ReportPlace{}, 9); err != nil || len(got) > 0 {
		t.Errorf("after they were dismissed: %+v, %v", got, err)
	}
}

// No one moderates a direct message but services.
func TestReport_InADirectMessage(t *testing.T) {
	w := newWorld(t)
	room := w.direct("olga", "paul")
	message := w.stored(room, "paul")
	ok(t, w.rooms.Report(t.Context(), "olga", room, message, "rude"))
	for by, code := range map[string]chat.Code{"olga": chat.CodeForbidden, "paul": chat.CodeForbidden, chat.ServiceID("bot"): ""} {
		_, _, err := w.rooms.Reports(t.Context(), by, room, chat.ReportPlace{}, 9)
		answers(t, "reports for "+by, err, code)
		answers(t, by+" dismisses them", w.rooms.Dismiss(t.Context(), by, room, message), code)
	}
}
