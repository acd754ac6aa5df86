package httpapi

import (
	"net/http"
	"strings"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) report(r *http.Request, userID string) (int, any, error) {
	var in wire.ReportRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.domain.Rooms.Report(r.Context(), userID, r.PathValue("room"), r.PathValue("message"), in.Reason); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) reports(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	roomID := r.PathValue("room")
	before, err := decodeReport(roomID, r.URL.Query().Get("cursor"))
	if err != nil {
		return 0, nil, err
	}
	reports, next, err := a.domain.Rooms.Reports(r.Context(), userID, roomID, before, n)
	if err != nil {
		return 0, nil, err
	}
	body := wire.ReportList{Reports: make([]wire.Report, len(reports)), Cursor: encodeReport(roomID, next)}
	for i, report := range reports {
		body.Reports[i] = wire.Report{
			MessageID: report.MessageID, SenderID: report.SenderID, UserID: report.By, At: report.At, Reason: report.Reason,
		}
	}
	return http.StatusOK, body, nil
}

func (a *API) dismissReports(r *http.Request, userID string) (int, any, error) {
	if err := a.domain.Rooms.Dismiss(r.Context(), userID, r.PathValue("room"), r.PathValue("message")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

// encodeReport makes the cursor of a list of reports, "" at its end: the room, the last
// report's message, and who reported it.
func encodeReport(roomID string, p chat.ReportPlace) string {
	if p == (chat.ReportPlace{}) {
		return ""
	}
	return encodeCursor(roomID, p.MessageID+"#"+p.By)
}

func decodeReport(roomID, cursor string) (p chat.ReportPlace, err error) {
	if cursor == "" {
		return p, nil
	}
	at, ours := decodeCursor(roomID, cursor)
	messageID, by, two := strings.Cut(at, "#")
	_, notAMessage := chat.MessageTime(messageID)
	if !ours || !two || notAMessage != nil || !chat.IsService(by) && chat.ValidateUserID(by) != nil {
		return p, errCursor()
	}
	return chat.ReportPlace{MessageID: messageID, By: by}, nil
}
