package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxProfiles is how many profiles are read at once.
const MaxProfiles = 100

// ProfileStore keeps profiles.
type ProfileStore interface {
	// DisplayNames reads the names of up to 100 users, those that have one: as
	// they were a moment ago.
	DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error)
	// SetDisplayName stores a user's name; "" removes it.
	SetDisplayName(ctx context.Context, userID, name string, at int64) error
}

// Profiles keeps what users are called.
type Profiles struct {
	store ProfileStore
	now   func() time.Time
}

// NewProfiles returns Profiles on a store and a clock.
func NewProfiles(store ProfileStore, now func() time.Time) *Profiles {
	return &Profiles{store: store, now: now}
}

// SetDisplayName gives a user a name, without the white space around it, and
// returns it. "" removes it.
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

// DisplayNames returns the names of 1 to MaxProfiles users, those that have one.
func (p *Profiles) DisplayNames(ctx context.Context, userIDs []string) (map[string]string, error) {
	if n := len(userIDs); n < 1 || n > MaxProfiles {
		return nil, Errorf(CodeInvalidRequest, "users must name 1 to %d users", MaxProfiles)
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
