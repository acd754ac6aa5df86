package local_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// Reports are for who moderates the room, in pages, until they are dismissed.
func TestReports(t *testing.T) {
	s := newStaff(t)
	for _, by := range []string{"paul", "tina", "mara"} {
		for _, message := range []string{"olga", "milo"} {
			if code := s.ask(by, http.MethodPost, "/messages/"+s.sent[message]+"/report", wire.ReportRequest{Reason: by + " says so"}); code != "" {
				t.Fatalf("%s reports a message of %s: %s", by, message, code)
			}
		}
	}
	if code := s.ask("olga", http.MethodPost, "/messages/"+s.sent["olga"]+"/report", wire.ReportRequest{}); code != string(chat.CodeForbidden) {
		t.Errorf("a report of one's own is answered %q", code)
	}
	var got []string
	cursor := ""
	for range 5 {
		var page wire.ReportList
		if status := s.API("mara", http.MethodGet, "/rooms/"+s.room+"/reports?limit=2&cursor="+cursor, nil, &page); status != http.StatusOK {
			t.Fatalf("reports: status %d", status)
		}
		for _, r := range page.Reports {
			if r.Reason != r.UserID+" says so" || r.At == 0 || s.sent[r.SenderID] != r.MessageID {
				t.Errorf("the list has %+v", r)
			}
			got = append(got, r.SenderID+" by "+r.UserID)
		}
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	want := []string{"milo by tina", "milo by paul", "milo by mara", "olga by tina", "olga by paul", "olga by mara"}
	if !slices.Equal(got, want) {
		t.Errorf("reported are %q, want %q", got, want)
	}
	if code := s.ask("mara", http.MethodDelete, "/reports/"+s.sent["milo"], nil); code != "" {
		t.Fatalf("dismiss: %s", code)
	}
	var left wire.ReportList
	s.API("service:bot", http.MethodGet, "/rooms/"+s.room+"/reports", nil, &left)
	if len(left.Reports) != 3 || left.Reports[0].SenderID != "olga" {
		t.Errorf("left are %+v", left)
	}
}
