package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// PutReport stores a report, which ends with its message. Its record is an event.
func (s *Store) PutReport(ctx context.Context, roomID string, r chat.Report) error {
	it := attribute.Key(table.Report(roomID, r.MessageID, r.By))
	it[table.SenderID], it[table.At] = attribute.Text(r.SenderID), attribute.Number(r.At)
	if r.Reason != "" {
		it[table.Reason] = attribute.Text(r.Reason)
	}
	if r.ExpiresAt != 0 {
		it[table.TTL] = attribute.Number(seconds(r.ExpiresAt))
	}
	if _, err := s.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: s.table, Item: it}); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

// Reports reads one page of a room's reports backwards, strongly.
func (s *Store) Reports(ctx context.Context, roomID string, before chat.ReportPlace, limit int) (reports []chat.Report, next chat.ReportPlace, err error) {
	p := page{pk: table.RoomPrefix + roomID, backward: true, limit: limit + 1} // one more tells that there are more
	p.from, p.to = prefixed(table.ReportPrefix)
	bound := ""
	if before != (chat.ReportPlace{}) {
		bound = table.Report(roomID, before.MessageID, before.By).SK
		p.to = bound
		p.limit++ // BETWEEN includes the bound itself
	}
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return nil, chat.ReportPlace{}, err
	}
	if len(items) > 0 && attribute.GetText(items[0], table.SK) == bound {
		items = items[1:]
	}
	more := len(items) > limit
	items = items[:min(len(items), limit)]
	for _, it := range items {
		id, err := table.Parse(attribute.KeyOf(it))
		if err != nil {
			continue
		}
		r := reportOf(id, it)
		if more {
			next = r.Place() // of the last one
		}
		if !s.expired(it) {
			reports = append(reports, r)
		}
	}
	return reports, next, nil
}

func reportOf(id table.Identity, it item) chat.Report {
	return chat.Report{
		MessageID: id.MessageID, SenderID: attribute.GetText(it, table.SenderID), By: id.UserID,
		Reason: attribute.GetText(it, table.Reason), At: attribute.GetNumber(it, table.At), ExpiresAt: attribute.GetNumber(it, table.TTL) * 1000,
	}
}

// removedAtOnce is how many reports are removed at a time.
const removedAtOnce = 16

// RemoveReports removes all reports of a message.
func (s *Store) RemoveReports(ctx context.Context, roomID, messageID string) error {
	p := page{pk: table.RoomPrefix + roomID, project: []string{table.PK, table.SK}}
	p.from, p.to = prefixed(table.ReportOf(messageID))
	items, err := s.queryAll(ctx, p)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(removedAtOnce)
	for _, it := range items {
		group.Go(func() error {
			_, err := s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: s.table, Key: attribute.Key(attribute.KeyOf(it))})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("delete reports: %w", err)
	}
	return nil
}
