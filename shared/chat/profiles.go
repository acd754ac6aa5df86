package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxProfiles is the largest number of profiles in one request.
const MaxProfiles = 100

// ProfileStore keeps profiles.
type ProfileStore interface {
	// DisplayNames reads the names of up to 100 users by user id. Users without
	// one are left out. The read is eventually consistent.
	DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error)
	// SetDisplayName stores a user's name; "" removes it.
	SetDisplayName(ctx context.Context, userID, name string, at int64) error
}

// Profiles keeps the display names of users.
type Profiles struct {
	store ProfileStore
	now   func() time.Time
}

// NewProfiles returns Profiles on a store and a clock.
func NewProfiles(store ProfileStore, now func() time.Time) *Profiles {
	return &Profiles{store: store, now: now}
}

// SetDisplayName stores a user's name without the white space around it, and
// returns it. "" removes it.
//
// Errors: CodeInvalidRequest.
func (p *Profiles) SetDisplayName(ctx context.Context, userID, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name != "" {
		if err := checkName("displayName", name, MaxDisplayName); err != nil {
			return "", err
		}
	}
	if err := p.store.SetDisplayName(ctx, userID, name, p.now().UnixMilli()); err != nil {
		return "", fmt.Errorf("set the display name: %w", err)
	}
	return name, nil
}

// DisplayNames returns the names of 1 to MaxProfiles users by user id. Users
// without one are left out.
//
// Errors: CodeInvalidRequest.
func (p *Profiles) DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error) {
	if n := len(userIDs); n < 1 || n > MaxProfiles {
		return nil, Errorf(CodeInvalidRequest, "invalid users: want 1 to %d user ids, got %d", MaxProfiles, n)
	}
	for _, userID := range userIDs {
		if err := ValidateUserID(userID); err != nil {
			return nil, err
		}
	}
	users := slices.Compact(slices.Sorted(slices.Values(userIDs)))
	names, err := p.store.DisplayNames(ctx, users)
	if err != nil {
		return nil, fmt.Errorf("read display names: %w", err)
	}
	return names, nil
}
