package main

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/webpush"
)

func TestPushKey(t *testing.T) {
	code, stdout, stderr := tool(t, "push-key")
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if code != exitDone || stderr != "" || len(lines) != 2 {
		t.Fatalf("exit %d, %q, %q", code, stdout, stderr)
	}
	if public, err := webpush.PublicKey(lines[1]); err != nil || public != lines[0] {
		t.Errorf("the keys are %q, %v", lines, err)
	}
}
