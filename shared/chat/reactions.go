package chat

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Reactions are what the members of a room reacted to a message with.
type Reactions struct {
	Version int64          // how often they changed; 0: never
	Counts  map[string]int // how many members by reaction; none is 0
	Mine    []string       // the reader's own, sorted; nil: they were not read
}

// ReactionStore stores reactions.
type ReactionStore interface {
	PlaceStore
	// Reacted reads strongly what a user reacted to messages with: by message id, sorted.
	Reacted(ctx context.Context, userID string, messages []Message) (map[string][]string, error)
	// ChangeReaction adds a reaction of a user to a message, or removes it, in one
	// transaction of the counts and the user's own. It is told what was read of both, and
	// changes nothing, and returns false, if they are others by now in what matters: the
	// message was deleted, the user has reacted so already, or has not, or there are
	// MaxReactionKinds others.
	//
	// Errors: CodeRateLimited if too many others change the message's reactions.
	ChangeReaction(ctx context.Context, m Message, userID, reaction string, add bool) (changed bool, err error)
}

// MaxSyncReacted is of how many messages of one sync the reader's own reactions are
// read: each costs a read unit.
const MaxSyncReacted = 200

// reactionsBusy is after what time a change of reactions may succeed that too many others
// overtook.
const reactionsBusy = time.Second

// ErrReactionsBusy is returned for a change of reactions that too many others overtook.
func ErrReactionsBusy() *Error {
	err := Errorf(CodeRateLimited, "too many react to this message at once; try again in %s", reactionsBusy)
	err.RetryAfter = reactionsBusy
	return err
}

// Reactors add and remove reactions on behalf of members.
type Reactors struct {
	store ReactionStore
	now   func() time.Time
}

// NewReactors returns Reactors on a store and a clock.
func NewReactors(store ReactionStore, now func() time.Time) *Reactors {
	return &Reactors{store: store, now: now}
}

// React adds a reaction of a user to a message, or removes it, and returns the message's
// reactions as they are then. A reaction that is there already, or not there, writes
// nothing.
//
// Errors: CodeInvalidRequest, also for one more than MaxReactionKinds, CodeNotAMember,
// CodeMuted for one that is added, CodeNotFound for a message that does not exist or was
// deleted, CodeRateLimited.
func (s *Reactors) React(ctx context.Context, userID, roomID, messageID, reaction string, add bool) (Reactions, error) {
	changed := false
	for range changeAttempts {
		m, err := s.read(ctx, userID, roomID, messageID, add)
		if err != nil {
			return Reactions{}, err
		}
		if err := ValidateReaction(reaction); err != nil {
			return Reactions{}, err
		}
		if changed || slices.Contains(m.Reactions.Mine, reaction) == add {
			return m.Reactions, nil
		}
		if _, known := m.Reactions.Counts[reaction]; add && !known && len(m.Reactions.Counts) >= MaxReactionKinds {
			return Reactions{}, Errorf(CodeInvalidRequest, "invalid reaction: want one of the %d that the message has, it can't have more", MaxReactionKinds)
		}
		if changed, err = s.store.ChangeReaction(ctx, m, userID, reaction, add); err != nil {
			return Reactions{}, fmt.Errorf("change a reaction: %w", err)
		}
	}
	return Reactions{}, ErrReactionsBusy()
}

// read reads a message that a user may react to, or take a reaction back from, with their
// own reactions.
func (s *Reactors) read(ctx context.Context, userID, roomID, messageID string, add bool) (Message, error) {
	place, err := lookup(ctx, s.store, userID, roomID, messageID)
	if err == nil && add {
		err = may(ToReact, place.Room.Type, place.Self, s.now().UnixMilli())
	}
	switch {
	case err != nil:
		return Message{}, err
	case !place.Found:
		return Message{}, errNoMessage(roomID, messageID)
	case place.Message.DeletedAt != 0:
		return Message{}, Errorf(CodeNotFound, "this message was deleted and takes no reactions")
	}
	m := place.Message
	mine, err := s.store.Reacted(ctx, userID, []Message{m})
	if err != nil {
		return Message{}, fmt.Errorf("read one's own reactions: %w", err)
	}
	m.Reactions.Mine = own(mine, m.ID)
	return m, nil
}

// own is what of a read belongs to a message, never nil.
func own(mine map[string][]string, messageID string) []string {
	if found := mine[messageID]; found != nil {
		return found
	}
	return []string{}
}

// named is a reaction by name, such as :tada:.
var named = regexp.MustCompile(`^:[a-z0-9_+-]{1,32}:$`)

// ValidateReaction checks that a text is what is read as one character (a grapheme
// cluster of Unicode Standard Annex 29), such as an emoji, or a name between colons.
func ValidateReaction(text string) error {
	invalid := func() error {
		return Errorf(CodeInvalidRequest, "invalid reaction: want one emoji, or a name such as :tada:, of at most %d bytes, got %q", MaxReaction, Beginning(text, MaxReaction))
	}
	if text == "" || len(text) > MaxReaction || !utf8.ValidString(text) {
		return invalid()
	}
	if named.MatchString(text) {
		return nil
	}
	if uniseg.GraphemeClusterCount(text) != 1 || !hasVisible(text) || mostMarks(text) > MaxMarks {
		return invalid()
	}
	for _, r := range text {
		if changesDirection(r) || r == utf8.RuneError {
			return invalid()
		}
	}
	return nil
}

// addOwnReactions gives messages their reader's own reactions, of the first `most` that
// have any.
func addOwnReactions(ctx context.Context, store HistoryStore, userID string, most int, pages ...[]Message) error {
	var asked []Message
	for _, page := range pages {
		for i, m := range page {
			switch {
			case len(m.Reactions.Counts) > 0 && len(asked) < most:
				asked = append(asked, m)
			case len(m.Reactions.Counts) == 0 && m.Reactions.Version > 0: // all were taken back
				page[i].Reactions.Mine = []string{}
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	mine, err := store.Reacted(ctx, userID, asked)
	if err != nil {
		return fmt.Errorf("read one's own reactions: %w", err)
	}
	left := len(asked)
	for _, page := range pages {
		for i := range page {
			if len(page[i].Reactions.Counts) > 0 && left > 0 {
				page[i].Reactions.Mine = own(mine, page[i].ID)
				left--
			}
		}
	}
	return nil
}
