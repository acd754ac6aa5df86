package local_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// Reports are for those who moderate the room, in pages, until they are dismissed.
func TestReports(t *testing.T) {
	s := newStaff(t)
	for _, by := range []string{"paul", "tina", "mara"} {
		for _, message := range []string{"olga", "milo"} {
			if code := s.Ask(by, http.MethodPost, "/messages/"+s.Sent[message]+"/report", wire.ReportRequest{Reason: by + " says so"}); code != "" {
				t.Fatalf("%s reports a message of %s: %s", by, message, code)
			}
		}
	}
	if code := s.Ask("olga", http.MethodPost, "/messages/"+s.Sent["olga"]+"/report", wire.ReportRequest{}); code != string(chat.CodeForbidden) {
		t.Errorf("a report of one's own is answered %q", code)
	}
	var got []string
	cursor := ""
	for range 5 {
		var page wire.ReportList
		if status := s.API("mara", http.MethodGet, "/rooms/"+s.RoomID+"/reports?limit=2&cursor="+cursor, nil, &page); status != http.StatusOK {
			t.Fatalf("reports: status %d", status)
		}
		for _, r := range page.Reports {
			if r.Reason != r.UserID+" says so" || r.At == 0 || s.Sent[r.SenderID] != r.MessageID {
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
	if code := s.Ask("mara", http.MethodDelete, "/reports/"+s.Sent["milo"], nil); code != "" {
		t.Fatalf("dismiss: %s", code)
	}
	var left wire.ReportList
	s.API("service:bot", http.MethodGet, "/rooms/"+s.RoomID+"/reports", nil, &left)
	if len(left.Reports) != 3 || left.Reports[0].SenderID != "olga" {
		t.Errorf("left are %+v", left)
	}
}
