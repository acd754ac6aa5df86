package roomlist

import (
	"context"
	"fmt"
)

// filesPage is how many attachments of a room that ended are removed at a time: as many
// as one request to the bucket may name.
const filesPage = 1_000

// AttachmentStore is what a Projector needs of the table to remove attachments.
type AttachmentStore interface {
	// RoomAttachments reads the ids of a room's first attachments strongly, at most limit,
	// and whether there are more.
	RoomAttachments(ctx context.Context, roomID string, limit int) (ids []string, more bool, err error)
	// RemoveAttachments removes attachments of a room. Those that don't exist are no error.
	RemoveAttachments(ctx context.Context, roomID string, ids []string) error
}

// Objects are the files of attachments.
type Objects interface {
	// Remove removes the files of attachments of a room. Those that don't exist are no
	// error.
	Remove(ctx context.Context, roomID string, attachmentIDs []string) error
}

// files removes attachments.
type files struct {
	store   AttachmentStore
	objects Objects
}

// removeFiles removes what went with messages, with time, and with the room. A file goes
// before its item: if this is interrupted, the item still names what is left.
func (p *Projector) removeFiles(ctx context.Context, u update) error {
	if len(u.expired) > 0 {
		if err := p.files.objects.Remove(ctx, u.roomID, u.expired); err != nil {
			return fmt.Errorf("remove files that no message has: %w", err)
		}
	}
	if len(u.removed) > 0 {
		if err := p.files.remove(ctx, u.roomID, u.removed); err != nil {
			return err
		}
	}
	if !u.ended {
		return nil
	}
	if _, again, err := p.store.Room(ctx, u.roomID); err != nil || again {
		return err // a room may be made once more, with the same id
	}
	for {
		ids, more, err := p.files.store.RoomAttachments(ctx, u.roomID, filesPage)
		if err != nil {
			return fmt.Errorf("read the attachments of a room that ended: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if err := p.files.remove(ctx, u.roomID, ids); err != nil || !more {
			return err
		}
	}
}

func (f *files) remove(ctx context.Context, roomID string, ids []string) error {
	if err := f.objects.Remove(ctx, roomID, ids); err != nil {
		return fmt.Errorf("remove files: %w", err)
	}
	return f.store.RemoveAttachments(ctx, roomID, ids)
}
