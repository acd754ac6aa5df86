package storetest

import (
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// report stores a report of alice's message messageID(ms, 0) in room r.
func (f *fixture) report(by string, ms int64, reason string) chat.Report {
	f.Helper()
	r := chat.Report{MessageID: messageID(ms, 0), SenderID: "alice", By: by, Reason: reason, At: epoch + ms}
	ok(f, f.PutReport(f.Context(), "r", r))
	return r
}

var reportTests = map[string]func(*fixture){
	"Reports/reads those of the newest messages first, in pages": func(f *fixture) {
		f.put(message("r", "alice", 1)) // which is no report
		var want []chat.Report
		for ms := range int64(3) {
			for _, by := range []string{"bob", "carol"} {
				want = append([]chat.Report{f.report(by, ms, "spam")}, want...)
			}
		}
		f.report("bob", 1, "")
		want[3] = f.report("bob", 1, "it is spam") // one of each user and message
		for limit := 1; limit <= 7; limit++ {
			var got []chat.Report
			before := chat.ReportPlace{}
			for pages := 0; ; pages++ {
				page, next, err := f.Reports(f.Context(), "r", before, limit)
				ok(f, err)
				got = append(got, page...)
				if before = next; next == (chat.ReportPlace{}) || pages > 7 {
					break
				}
			}
			equal(f, fmt.Sprint("reports in pages of ", limit), want, got)
		}
		for range 2 {
			ok(f, f.RemoveReports(f.Context(), "r", messageID(1, 0)))
		}
		got, _, err := f.Reports(f.Context(), "r", chat.ReportPlace{}, 9)
		ok(f, err)
		equal(f, "reports of other messages", []chat.Report{want[0], want[1], want[4], want[5]}, got)
	},
	"Reports/end with their message": func(f *fixture) {
		r := chat.Report{MessageID: messageID(0, 0), SenderID: "alice", By: "bob", At: epoch, ExpiresAt: epoch + 5_000}
		ok(f, f.PutReport(f.Context(), "r", r))
		for _, want := range [][]chat.Report{{r}, nil} {
			got, _, err := f.Reports(f.Context(), "r", chat.ReportPlace{}, 9)
			ok(f, err)
			equal(f, "reports", want, got)
			f.clock.advance(5 * time.Second)
		}
	},
}
