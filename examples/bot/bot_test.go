package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func TestBot_AnswersAMention(t *testing.T) {
	s := rig.Start(t, local.Config{})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	as := func(user string) client.Options {
		token := s.Token(user, 0)
		return client.Options{APIURL: s.APIURL(), Token: func(context.Context) (string, error) { return token, nil }}
	}
	bot := as("service:bot")
	go func() { ended <- run(ctx, bot, local.Lobby) }()
	expectAnswer(t, s)
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if err := run(t.Context(), as("alice"), "nowhere"); err == nil {
		t.Error("in a room that does not exist it goes on")
	}
}

func TestBotInNode_AnswersAMention(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed: the bot in JavaScript is not tested")
	}
	s := rig.Start(t, local.Config{})
	ctx, stop := context.WithCancel(t.Context())
	bot := exec.CommandContext(ctx, node, "bot.mjs")
	bot.Env = append(os.Environ(), "API="+s.APIURL(), "TOKEN="+s.Token("service:bot", 0))
	bot.Stderr = t.Output()
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	expectAnswer(t, s)
	stop()
	_ = bot.Wait() // it was killed
}

// expectAnswer mentions the bot in the lobby once it is a member, and wants one answer.
func expectAnswer(t *testing.T, s *rig.Rig) {
	t.Helper()
	alice := s.Connect("alice")

	var sent wire.Sent
	asked := wire.SendRequest{Content: "@Bot are you there?", Mentions: []string{"service:bot"}}
	rig.Eventually(t, "the bot is a member", func() bool {
		return s.API("alice", "POST", "/rooms/"+local.Lobby+"/messages", asked, &sent) == 201
	})
	for {
		got := alice.Expect(wire.TypeMessage)
		if got.SenderID == "alice" {
			continue
		}
		if got.SenderID != "service:bot" || got.ReplyTo == nil || got.ReplyTo.MessageID != sent.MessageID {
			t.Errorf("alice got %+v", got)
		}
		break
	}
	alice.ExpectNone(wire.TypeMessage)
}
