package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// To reconnect would replace another connection of the user, which would do the
// same.
func TestRun_EndsWhenNewerConnectionsReplaceIt(t *testing.T) {
	endsRun(t, client.CodeReplaced)
}

func TestRun_EndsWhenAServiceEndsIt(t *testing.T) { endsRun(t, client.CodeDisconnected) }

func endsRun(t *testing.T, code string) {
	t.Helper()
	bubble(t, func(r *rig) {
		t := r.t
		r.run()
		r.broadcast(wire.Error{Type: wire.TypeError, Code: code, Message: "it is over"})
		r.pass(time.Hour)
		connected, disconnected := r.states()
		if len(connected) != 1 || len(disconnected) != 1 {
			t.Errorf("connected %d times, disconnected %d times; want once each", len(connected), len(disconnected))
		}
		var refusal *client.Error
		if err := <-r.ran; !errors.As(err, &refusal) || refusal.Code != code || refusal.Retryable() {
			t.Errorf("Run returned %v, want %s", err, code)
		}
		r.ran <- nil // for the bubble's end
	})
}

func TestServerCloses(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.run()
		_ = r.conns[0].ws.Close(websocket.StatusGoingAway, "Going away")
		r.pass(time.Minute)
		connected, disconnected := r.states()
		if len(connected) != 2 || len(disconnected) != 1 {
			t.Fatalf("connected %d times, disconnected %d times", len(connected), len(disconnected))
		}
		if got := disconnected[0].Err.Error(); !strings.Contains(got, "1001 Going away") {
			t.Errorf("the reason is %q", got)
		}
	})
}

func TestCloseDrains(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onFrame = func(c *fakeConn, f wire.ClientFrame) bool {
			if f.Action != wire.ActionSendMessage {
				return false
			}
			<-time.After(time.Second)
			ack, message := r.accept(f)
			c.write(message) // first: behind the ack Close may end the connection sooner
			c.write(ack)
			return true
		}
		r.follow("general")
		r.run()
		sent := make(chan error)
		go func() {
			_, err := r.client.Send(t.Context(), "general", "last words")
			sent <- err
		}()
		r.pass(0)
		closed := make(chan error)
		go func() { closed <- r.client.Close(t.Context()) }()
		r.pass(0)
		if _, err := r.client.Send(t.Context(), "general", "too late"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("a send after Close: %v", err)
		}
		if err := <-sent; err != nil {
			t.Errorf("the send under way: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-r.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ran <- nil // for the bubble's end
		r.pass(0)
		r.wantContents("general", "last words ")
		if !slices.Equal(r.closes, []websocket.StatusCode{websocket.StatusNormalClosure}) {
			t.Errorf("the connection was closed with %v", r.closes)
		}
		if err := r.client.Close(t.Context()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.onFrame = func(_ *fakeConn, f wire.ClientFrame) bool { return f.Action == wire.ActionSendMessage }
		r.run()
		sent := make(chan error)
		go func() {
			_, err := r.client.Send(t.Context(), "general", "never answered")
			sent <- err
		}()
		r.pass(0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := r.client.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if err := <-sent; !errors.Is(err, client.ErrClosed) {
			t.Errorf("the send under way: %v", err)
		}
	})
}

// What waits to be handled still is, after Close and from within a handler.
func TestCloseFromHandler(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.handle = func(ctx context.Context, e client.Event) {
			if m, ok := e.(client.Message); ok && m.Content == "0" {
				<-time.After(time.Second)
				if err := r.client.Close(ctx); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		}
		r.follow("general")
		r.run()
		for _, content := range []string{"0", "1", "2"} {
			r.say("general", content)
		}
		if err := <-r.ran; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ran <- nil
		r.wantContents("general", "0 1 2 ")
	})
}

func TestRunEndsWithContext(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		r.run()
		r.cancel()
		if err := <-r.ran; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		r.ran <- nil
		if _, err := r.client.Send(t.Context(), "general", "hello"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send after Run: %v", err)
		}
		if err := r.client.Run(t.Context(), func(context.Context, client.Event) {}); err == nil {
			t.Error("Run ran twice")
		}
		if err := r.client.Close(t.Context()); err != nil {
			t.Errorf("Close after Run: %v", err)
		}
		r.pass(0)
		if !slices.Equal(r.closes, []websocket.StatusCode{websocket.StatusNormalClosure}) {
			t.Errorf("the connection was closed with %v", r.closes)
		}
	})
}

func TestCloseBeforeRun(t *testing.T) {
	bubble(t, func(r *rig) {
		t := r.t
		if err := r.client.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.client.Run(t.Context(), func(context.Context, client.Event) {}); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
