package chat

import (
	"context"
	"fmt"
	"slices"
)

// MemberStore reads who is a member.
type MemberStore interface {
	// MembersAmong reads strongly which of at most MaxMentions users are members of a
	// room, in the order given.
	MembersAmong(ctx context.Context, roomID string, userIDs []string) ([]string, error)
}

// mentions returns the users that a client named, each once, in the order of the first
// mention. Their sender may be one of them, whose own messages are never unread.
//
// Errors: CodeInvalidRequest.
func mentions(userIDs []string) ([]string, error) {
	if len(userIDs) > MaxMentions {
		return nil, Errorf(CodeInvalidRequest, "invalid mentions: want at most %d, got %d", MaxMentions, len(userIDs))
	}
	var once []string
	for _, id := range userIDs {
		if err := ValidateUserID(id); err != nil {
			return nil, err
		}
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once, nil
}

// strangers returns those of the users whom a message is about to mention who are no
// members of its room. Those that known names need no read: the sender, who is one, and
// whom the message mentions already.
func strangers(ctx context.Context, store MemberStore, roomID string, userIDs []string, known ...string) ([]string, error) {
	asked := slices.DeleteFunc(slices.Clone(userIDs), func(id string) bool { return slices.Contains(known, id) })
	if len(asked) == 0 {
		return nil, nil
	}
	members, err := store.MembersAmong(ctx, roomID, asked)
	if err != nil {
		return nil, fmt.Errorf("read who of the mentioned is a member: %w", err)
	}
	return slices.DeleteFunc(asked, func(id string) bool { return slices.Contains(members, id) }), nil
}

// errNoMembers refuses mentions.
func errNoMembers(roomID string, userIDs []string) *Error {
	return Errorf(CodeNotFound, "invalid mentions: want members of room %s, got %s; leave out who is none", roomID, quoteAll(userIDs))
}
