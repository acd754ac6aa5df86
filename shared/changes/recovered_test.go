package changes

import (
	"errors"
	"strings"
	"testing"
)

func TestRecovered_ReturnsPanicsAsErrors(t *testing.T) {
	if err := recovered(func() error { panic("no such type") }); err == nil || !strings.Contains(err.Error(), "no such type") {
		t.Errorf("a panic: got %v", err)
	}
	malformed := errors.New("malformed")
	if err := recovered(func() error { return malformed }); !errors.Is(err, malformed) {
		t.Errorf("an error: got %v", err)
	}
	if err := recovered(func() error { return nil }); err != nil {
		t.Errorf("success: got %v", err)
	}
}
