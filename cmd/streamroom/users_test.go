package main

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func TestUsersDisconnect(t *testing.T) {
	s := rig.Start(t, local.Config{})
	alice := s.Connect("alice")
	for user, want := range map[string]string{"alice": "1 connection ended of alice.\n", "bob": "0 connections ended of bob.\n"} {
		var out, failed strings.Builder
		args := []string{"users", "disconnect", "--user", user, "--endpoint", s.TableURL()}
		if code := run(t.Context(), args, strings.NewReader(""), &out, &failed); code != exitDone || out.String() != want {
			t.Errorf("%s: %d %q %s", user, code, out.String(), failed.String())
		}
	}
	if got := alice.Expect(wire.TypeError); got.Code != "disconnected" {
		t.Errorf("alice got %+v", got)
	}
}
