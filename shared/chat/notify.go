package chat

import (
	"context"
	"fmt"
)

// Notify is what a member of a room is notified of while they are offline.
type Notify string

// What members are notified of: every message of others, those that mention them, or
// none. It holds in direct messages, too.
const (
	NotifyAll      Notify = "" // which is stored as no attribute, as it is the default
	NotifyMentions Notify = "mentions"
	NotifyNone     Notify = "none"
)

// notifyAll is the name of NotifyAll.
const notifyAll = "all"

// String is the name by which clients know it.
func (n Notify) String() string {
	if n == NotifyAll {
		return notifyAll
	}
	return string(n)
}

// ParseNotify reads a name.
//
// Errors: CodeInvalidRequest.
func ParseNotify(name string) (Notify, error) {
	switch n := Notify(name); {
	case name == notifyAll:
		return NotifyAll, nil
	case n == NotifyMentions, n == NotifyNone:
		return n, nil
	}
	return "", Errorf(CodeInvalidRequest, `invalid notify: want "all", "mentions" or "none", got %s`, quote(name))
}

// Tells reports whether a message that mentions the member, or doesn't, notifies them.
func (n Notify) Tells(mentioned bool) bool { return n == NotifyAll || n == NotifyMentions && mentioned }

// SetNotify sets what a member is notified of in a room, on their own behalf, and returns
// them.
//
// Errors: CodeInvalidRequest, CodeNotAMember.
func (s *Rooms) SetNotify(ctx context.Context, userID, roomID string, to Notify) (Member, error) {
	for range changeAttempts {
		_, was, err := s.authorize(ctx, roomID, userID)
		if err != nil || was.Notify == to {
			return was, err
		}
		now := was
		now.Notify, now.NotifyAt = to, s.after(was.NotifyAt)
		changed, err := s.store.ChangeNotify(ctx, roomID, was, now)
		if err != nil {
			return Member{}, fmt.Errorf("change what a member is notified of: %w", err)
		}
		if changed {
			return now, nil
		}
	}
	return Member{}, fmt.Errorf("change what a member of %s is notified of: gave up after %d concurrent changes", roomID, changeAttempts)
}
