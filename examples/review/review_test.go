package review_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// The example runs as its first lines say, and local asks it.
func TestReviewInNode_AnswersAboutMessages(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed: the review is not tested")
	}
	program := exec.CommandContext(t.Context(), node, "review.mjs")
	program.Env, program.Stderr = append(os.Environ(), "PORT=0"), t.Output()
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Wait() }) // it is killed with the test's context
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("it does not say where it is: %v", err)
	}
	s := rig.Start(t, local.Config{Review: strings.TrimSpace(url)})
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	for content, want := range map[string]string{"hello": "hello", "Darn it": "**** it"} {
		if _, got := alice.Deliver(room, content, ""); got.Content != want {
			t.Errorf("%q is stored as %q, want %q", content, got.Content, want)
		}
	}
	alice.Send(room, "see https://spam.example/now", "")
	if got := alice.Expect(wire.TypeError); got.Code != "denied" || !strings.HasSuffix(got.Message, "no links to spam.example") {
		t.Errorf("a link to spam.example is answered with %+v", got)
	}
}
