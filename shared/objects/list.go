package objects

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/streamroom/streamroom/shared/topology"
)

// Object is a message's file, as the bucket lists it.
type Object struct {
	RoomID, AttachmentID string // "" if its key is not one that Key makes
	Key                  string
	Modified             time.Time
}

// List lists messages' files in the order of their keys, and holds one page of 1,000 at a
// time. With a room it lists those of the room whose ids are not before from; without,
// all. It needs s3:ListBucket.
func (b *Bucket) List(ctx context.Context, roomID, from string) iter.Seq2[Object, error] {
	in := &s3.ListObjectsV2Input{Bucket: aws.String(b.name), Prefix: aws.String(topology.RoomsPrefix)}
	if roomID != "" {
		in.Prefix = aws.String(Key(roomID, ""))
		if from != "" { // StartAfter leaves out what it names
			in.StartAfter = aws.String(Key(roomID, from[:len(from)-1]))
		}
	}
	return func(yield func(Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Object{}, fmt.Errorf("list the bucket %s: %w", b.name, err))
				return
			}
			for _, c := range page.Contents {
				o := Object{Key: aws.ToString(c.Key), Modified: aws.ToTime(c.LastModified)}
				o.RoomID, o.AttachmentID = parseKey(o.Key)
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// Find returns a message's file, and false if the bucket has none. Unlike a HEAD request
// it does not need the permission to read files.
func (b *Bucket) Find(ctx context.Context, roomID, attachmentID string) (Object, bool, error) {
	key := Key(roomID, attachmentID)
	// A key comes before those that it begins.
	page, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: aws.String(b.name), Prefix: aws.String(key), MaxKeys: aws.Int32(1),
	})
	if err != nil {
		return Object{}, false, fmt.Errorf("find %s in the bucket %s: %w", key, b.name, err)
	}
	if len(page.Contents) == 0 || aws.ToString(page.Contents[0].Key) != key {
		return Object{}, false, nil
	}
	return Object{RoomID: roomID, AttachmentID: attachmentID, Key: key, Modified: aws.ToTime(page.Contents[0].LastModified)}, true, nil
}

// parseKey is the inverse of Key.
func parseKey(key string) (roomID, attachmentID string) {
	rest, ok := strings.CutPrefix(key, topology.RoomsPrefix)
	roomID, attachmentID, found := strings.Cut(rest, "/")
	if !ok || !found || roomID == "" || attachmentID == "" || strings.Contains(attachmentID, "/") {
		return "", ""
	}
	return roomID, attachmentID
}
