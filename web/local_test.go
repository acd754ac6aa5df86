package web_test

import (
	"context"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
)

// startLocal runs a whole Streamroom.
func startLocal(t *testing.T, c local.Config) *local.Server {
	t.Helper()
	s, err := local.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopLocal(t, s) })
	return s
}

// stopLocal stops a Streamroom; stopping it twice is fine.
func stopLocal(t *testing.T, s *local.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestTwoPeopleChatOnTheRealServer(t *testing.T) {
	t.Parallel()
	startBrowser(t) // skips before anything is started
	c := local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", DataDir: t.TempDir(), LogLevel: "error", Log: t.Output()}
	server := startLocal(t, c)
	alice, bob := signedIn(t, server.URL(), "alice"), signedIn(t, server.URL(), "bob")
	alice.send("Good morning")
	bob.shows("Good morning")
	bob.send("お早うございます <b>Alice</b>")
	alice.shows("Good morning", "お早うございます <b>Alice</b>")

	alice.click("new-room")
	alice.typed("Weekend\tbob\n")
	alice.until(`document.getElementById("room-name").textContent === "Weekend"`)
	bob.until(`document.querySelectorAll("[data-testid=room-item]").length === 2`)
	alice.send("Hiking on Saturday?")
	alice.shows("Hiking on Saturday?")
	bob.until(`document.querySelector("[data-testid=room-item] .badge").innerText === "1"`)
	bob.run(click(`[data-testid="room-item"]`))
	bob.shows("Hiking on Saturday?")
	bob.screenshot("local")

	// The server ends and comes back; what was written meanwhile arrives.
	c.Addr = server.URL()[len("http://"):]
	stopLocal(t, server)
	alice.until(`document.querySelector("[data-testid=connection-state]").dataset.state === "waiting"`)
	alice.send("Or on Sunday?")
	startLocal(t, c)
	for _, p := range []*page{alice, bob} {
		p.do(`document.querySelector("[data-testid=try-now]")?.click()`)
	}
	alice.shows("Hiking on Saturday?", "Or on Sunday?")
	bob.shows("Hiking on Saturday?", "Or on Sunday?")
}
