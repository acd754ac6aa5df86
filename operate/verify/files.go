package verify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/table"
)

// The bucket is compared with the table in both directions. For the items of a room, the
// bucket lists that room's files; for all of the bucket's files, the table looks their
// items up. Both go on while the other is read, and hold one page of each.

// heldFiles is how many items of a room are kept until the bucket is asked for them: as
// many as one request lists.
const heldFiles = 1_000

// fileItems are attachments of one room whose files are wanted.
type fileItems struct {
	roomID string
	items  map[string]candidate // by the attachment's id
	gone   map[string]bool      // those that are marked
}

// wantFile asks the bucket, with others of the room, for the file of an item that a
// message has.
func (s *segmentScan) wantFile(c candidate, it item) error {
	if s.verifier.config.Files == nil || c.message == "" {
		return nil
	}
	if s.files.roomID != c.room || len(s.files.items) == heldFiles {
		if err := s.findFiles(); err != nil {
			return err
		}
		s.files = fileItems{c.room, map[string]candidate{}, map[string]bool{}}
	}
	c.kind = File
	s.files.items[c.attachment] = c
	s.files.gone[c.attachment] = it[table.GoneAt] != nil
	return nil
}

// findFiles makes candidates of what the bucket does not have, though it should, and of
// what it has, though it is marked as gone.
func (s *segmentScan) findFiles() error {
	wanted := s.files
	s.files = fileItems{}
	if len(wanted.items) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(wanted.items))
	found := map[string]bool{}
	for object, err := range s.verifier.config.Files.List(s.ctx, wanted.roomID, ids[0]) {
		if err != nil {
			return err
		}
		if object.AttachmentID > ids[len(ids)-1] {
			break
		}
		found[object.AttachmentID] = true
	}
	for _, id := range ids {
		if found[id] != wanted.gone[id] {
			continue
		}
		if err := s.verifier.addCandidate(s.ctx, wanted.items[id]); err != nil {
			return err
		}
	}
	return nil
}

// scanFiles lists the whole bucket, and makes candidates of files without an item. Whether
// an item is right is the table's scan to find out.
func (v *verifier) scanFiles(ctx context.Context) error {
	if v.config.Files == nil {
		return nil
	}
	s := &segmentScan{verifier: v, ctx: ctx, wanted: map[table.Key][]func(item) error{}}
	for object, err := range v.config.Files.List(ctx, "", "") {
		if err != nil {
			return err
		}
		_, idErr := chat.MessageTime(object.AttachmentID)
		v.countFile(idErr == nil)
		if idErr != nil || v.isRecent(object) {
			continue
		}
		c := candidate{kind: File, room: object.RoomID, attachment: object.AttachmentID}
		err := s.want(table.Attachment(c.room, c.attachment), func(it item) error {
			if it != nil {
				v.matched.Store(true)
				return nil
			}
			return v.addCandidate(ctx, c)
		})
		if err != nil {
			return err
		}
	}
	return s.lookup()
}

// countFile takes a file into the report.
func (v *verifier) countFile(known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Files++
	if !known {
		v.report.ForeignFiles++
	}
	if v.config.Progress != nil && v.report.Files%progressEvery == 0 {
		v.config.Progress(v.report.Items, v.report.Files)
	}
}

// isRecent reports whether a file may be one of a message that is being sent: a send
// copies its files before it stores the message.
func (v *verifier) isRecent(object objects.Object) bool {
	return object.Modified.After(v.config.Now().Add(-v.config.MinAge))
}

// checkFile checks a file of a room and its item.
func (v *verifier) checkFile(ctx context.Context, c candidate) ([]finding, error) {
	if c.message == "" {
		return v.checkStrayFile(ctx, c)
	}
	state, err := v.attachmentState(ctx, c)
	if err != nil {
		return nil, err
	}
	_, named := fileNamed(c.room, c.attachment, state.message)
	if !named || state.ended() || v.expired(state.message, 0) || attribute.GetText(state.item, table.MessageID) != c.message {
		return nil, nil // its end, or a difference of the table
	}
	// After the item: it ends after its file.
	_, exists, err := v.config.Files.Find(ctx, c.room, c.attachment)
	gone := state.item[table.GoneAt] != nil
	if err != nil || exists != gone {
		return nil, err
	}
	k := table.Attachment(c.room, c.attachment)
	f := finding{candidate: c, Difference: Difference{Kind: File, PK: k.PK, SK: k.SK}}
	if gone {
		f.Problem = "it is marked as gone, and its file is in the bucket"
	} else {
		f.Problem = "its file is not in the bucket, and the message " + c.message + " names it"
	}
	f.repair = func(ctx context.Context) error { return v.repairGone(ctx, state, !gone) }
	return []finding{f}, nil
}

// trustedStrays is how many files without an item are removed though the bucket has no file
// with one.
const trustedStrays = 100

// Why a file is not removed.
var (
	errOtherTable = errors.New("not one file of the bucket has an item: is the bucket this table's?")
	errChanged    = errors.New("it has changed since it was read; verify again")
)

// checkStrayFile checks a file that had no item.
func (v *verifier) checkStrayFile(ctx context.Context, c candidate) ([]finding, error) {
	stray, err := v.isStray(ctx, c)
	if err != nil || !stray {
		return nil, err
	}
	k := table.Attachment(c.room, c.attachment)
	return []finding{{
		candidate: c,
		Difference: Difference{
			Kind: File, PK: k.PK, SK: k.SK, Problem: "the bucket has its file, " + objects.Key(c.room, c.attachment) + ", and no message does",
		},
		repair: func(ctx context.Context) error { return v.repairStrayFile(ctx, c) },
	}}, nil
}

// isStray reports whether the bucket has a file that is not recent and that nothing in the
// table speaks for: neither an item nor a message, whose item is to be restored.
func (v *verifier) isStray(ctx context.Context, c candidate) (bool, error) {
	object, exists, err := v.config.Files.Find(ctx, c.room, c.attachment)
	if err != nil || !exists || v.isRecent(object) {
		return false, err
	}
	got, err := v.snapshot(ctx, []table.Key{table.Attachment(c.room, c.attachment), table.Room(c.room)})
	if err != nil || got[0] != nil {
		return false, err
	}
	if got[1] == nil { // the end of a room takes its files along
		return true, nil
	}
	named, err := v.isNamed(ctx, c, attribute.GetNumber(got[1], table.CreatedAt))
	return !named, err
}

// claimSlack is how far the clocks of functions may differ.
const claimSlack = time.Hour

// isNamed reports whether a message of a room names a file. The message was sent within
// chat.PendingTime of the file's announcement.
func (v *verifier) isNamed(ctx context.Context, c candidate, roomCreatedAt int64) (bool, error) {
	announced, err := chat.MessageTime(c.attachment)
	if err != nil {
		return false, err
	}
	from := max(0, announced-claimSlack.Milliseconds())
	to := announced + (chat.PendingTime + claimSlack).Milliseconds()
	for page, err := range v.reads.Query(ctx, v.config.DB, "look for the message of a file of "+c.room, &dynamodb.QueryInput{
		TableName: aws.String(v.config.Table), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:   aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
		FilterExpression:         aws.String("attribute_exists(#files)"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK, "#files": table.Attachments},
		ExpressionAttributeValues: item{
			":pk":   attribute.Text(table.Room(c.room).PK),
			":from": attribute.Text(table.MessagePrefix + table.Millis(from)), ":to": attribute.Text(table.MessagePrefix + table.Millis(to)),
		},
	}) {
		if err != nil {
			return false, err
		}
		for _, it := range page.Items {
			m, _ := dynamo.MessageOf(c.room, it)
			if _, named := fileNamed(c.room, c.attachment, it); named && m.SentAt >= roomCreatedAt {
				return true, nil
			}
		}
	}
	return false, nil
}

// repairStrayFile removes a file that nothing speaks for. A bucket takes no conditions on a
// table, but a file without an item gets no message any more.
func (v *verifier) repairStrayFile(ctx context.Context, c candidate) error {
	if !v.matched.Load() && v.strays > trustedStrays {
		return errOtherTable
	}
	stray, err := v.isStray(ctx, c)
	if err == nil && !stray {
		err = errChanged
	}
	if err != nil {
		return err
	}
	return v.config.Files.Remove(ctx, c.room, []string{c.attachment})
}

// repairGone marks an item whose file is gone, or takes the mark off, while its message is
// what it was. The message goes on naming the file, as what its sender sent.
func (v *verifier) repairGone(ctx context.Context, state attachmentState, gone bool) error {
	names, values := map[string]string{"#gone": table.GoneAt}, item{}
	condition := unchanged(state.item, names, values, table.MessageID, table.GoneAt)
	update := "REMOVE #gone"
	if gone {
		update, values[":now"] = "SET #gone = :now", attribute.Number(v.config.Now().UnixMilli())
	}
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(attribute.KeyOf(state.item)),
		ConditionExpression: condition, UpdateExpression: aws.String(update),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	})
	return err
}
