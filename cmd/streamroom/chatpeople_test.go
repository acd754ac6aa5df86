package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/test/rig"
)

// Two people react, answer and look who is there; bob types in another client.
func TestChatReactsAndReplies(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	bob := sitDown(t, "--user", "bob", "--room", "general", "--addr", server.URL())
	alice.sees(alice.status, "connected as alice")
	bob.sees(bob.status, "connected as bob")
	alice.types("/react 👍")
	alice.sees(alice.status, "* not reacted: there is no such message on the screen\n")
	alice.types("tea?")
	bob.sees(bob.shown, "alice: tea?")
	alice.types("cake?")
	bob.sees(bob.shown, "alice: cake?")
	bob.types("/react 👍")
	alice.sees(alice.status, "* bob reacts 👍: alice's message of ")
	bob.types("/react ^2 :tada:")
	alice.sees(alice.status, "* bob reacts :tada:: alice's message of ")
	bob.types("/unreact ^2 :tada:")
	alice.sees(alice.status, "* bob takes :tada: back: alice's message of ")
	bob.types("/reply ^2 yes, @alice")
	alice.sees(alice.shown, " bob: [answers alice: tea?]\n         | yes, @alice\n")
	bob.types("/reply which one?")
	alice.sees(alice.shown, " bob: [answers bob: yes, @alice]\n         | which one?\n")
	bob.types("/react tea")
	bob.sees(bob.status, "* not reacted: invalid_request: invalid reaction")
	bob.types("/reply  ")
	bob.sees(bob.status, "* not sent: want a text after /reply\n")
	bob.types("/react ^99 👍")
	bob.types("/nod")
	bob.sees(bob.status, "* not sent: the commands are /edit, /delete, /reply, /react, /unreact, /who and /quit; ")
	if n := strings.Count(bob.status.String(), "there is no such message"); n != 1 {
		t.Errorf("%d notes of a message that is not there:\n%s", n, bob.status)
	}
	alice.types("/who")
	alice.sees(alice.status, "* online: alice, bob\n")
	for _, p := range []*person{alice, bob} {
		p.types("/quit")
		if err := p.leaves(); err != nil {
			t.Errorf("the chat ends with %v", err)
		}
	}
}

// Lines that come at once, as from a pipe: an answer is to the message before it.
func TestChatReactsToTheMessageBefore(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	alice.types("one\n/react 👍\ntwo\n/reply three\n/react ^3 ❤️")
	rig.Eventually(t, "what was piped in", func() bool {
		history, err := api(t, server, "alice").History(t.Context(), "general", client.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(history.Messages)
		m := history.Messages
		return len(m) == 3 && m[0].Reactions != nil && len(m[0].Reactions.Mine) == 2 && m[2].ReplyTo != nil && m[2].ReplyTo.MessageID == m[1].MessageID
	})
}

// Who types is noted once.
func TestChatShowsWhoTypes(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	alice.sees(alice.status, "connected as alice")
	bob := api(t, server, "bob")
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = bob.Run(ctx, func(context.Context, client.Event) {}) }) // its error is ctx's
	defer running.Wait()
	defer stop()
	rig.Eventually(t, "bob types", func() bool {
		if err := bob.Typing(t.Context(), "general"); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(alice.status.String(), "* bob is typing\n")
	})
}

func TestChosen(t *testing.T) {
	for text, want := range map[string]struct {
		back int
		rest string
	}{
		"👍": {0, "👍"}, "^1 👍": {0, "👍"}, "^12  two words": {11, "two words"}, "^0 x": {0, "^0 x"}, "^_^ hi": {0, "^_^ hi"}, "^3": {2, ""}, "": {0, ""},
	} {
		if back, rest := chosen(text); back != want.back || rest != want.rest {
			t.Errorf("%q: %d, %q; want %d, %q", text, back, rest, want.back, want.rest)
		}
	}
}
