package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat/memory"
	"github.com/streamroom/streamroom/shared/chat/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, now func() time.Time) storetest.Store { return memory.New(now) })
}

func TestBefore_FailsOrDelaysAMethod(t *testing.T) {
	store := memory.New(time.Now)
	broken := errors.New("broken")
	var called []string
	store.Before(func(method string) error {
		called = append(called, method)
		if method == "Member" {
			return broken
		}
		return nil
	})
	if _, err := store.IsMember(t.Context(), "r", "alice"); err != nil {
		t.Error(err)
	}
	if _, _, err := store.Member(t.Context(), "r", "alice"); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if len(called) != 2 || called[0] != "IsMember" || called[1] != "Member" {
		t.Errorf("called for %q", called)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.IsMember(ctx, "r", "alice"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}
