package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/streamroom/streamroom/shared/chat"
)

// PutReport implements chat.ReportStore.
func (s *Store) PutReport(ctx context.Context, roomID string, r chat.Report) error {
	unlock, err := s.begin(ctx, "PutReport")
	if err != nil {
		return err
	}
	defer unlock()
	s.room(roomID).reports[r.Place()] = r
	return nil
}

// Reports implements chat.ReportStore.
func (s *Store) Reports(
	ctx context.Context, roomID string, before chat.ReportPlace, limit int,
) (reports []chat.Report, next chat.ReportPlace, err error) {
	unlock, err := s.begin(ctx, "Reports")
	if err != nil {
		return nil, chat.ReportPlace{}, err
	}
	defer unlock()
	order := func(a, b chat.ReportPlace) int {
		return cmp.Or(cmp.Compare(b.MessageID, a.MessageID), cmp.Compare(b.By, a.By))
	}
	for _, place := range slices.SortedFunc(maps.Keys(s.room(roomID).reports), order) {
		if before == (chat.ReportPlace{}) || order(before, place) < 0 {
			reports = append(reports, s.room(roomID).reports[place])
		}
	}
	if len(reports) > limit {
		reports, next = reports[:limit], reports[limit-1].Place()
	}
	now := s.now().UnixMilli()
	return slices.DeleteFunc(reports, func(r chat.Report) bool { return chat.HasExpired(r.ExpiresAt, now) }), next, nil
}

// RemoveReports implements chat.ReportStore.
func (s *Store) RemoveReports(ctx context.Context, roomID, messageID string) error {
	unlock, err := s.begin(ctx, "RemoveReports")
	if err != nil {
		return err
	}
	defer unlock()
	maps.DeleteFunc(s.room(roomID).reports, func(p chat.ReportPlace, _ chat.Report) bool { return p.MessageID == messageID })
	return nil
}
