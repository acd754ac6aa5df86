package client_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// reacted stores the counts of a message and returns the frame.
func (s *fake) reacted(room string, i int, version int64, n int) wire.ReactionsChanged {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.rooms[room][i]
	counts := map[string]int{"👍": n}
	m.Reactions = &wire.Reactions{Version: version, Counts: counts, Mine: []string{"👍"}}
	return wire.ReactionsChanged{
		Type: wire.TypeReactions, ChatRoomID: room, MessageID: m.MessageID, Version: version, Counts: counts,
		Changed: []wire.ReactionChange{{UserID: "bob", Reaction: "👍", Added: true}},
	}
}

// versions are those of the reactions that the application was told.
func (r *rig) versions() (told []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		switch e := e.(type) {
		case client.Reacted:
			told = append(told, e.Version)
		case client.Message:
			if e.Reactions != nil {
				told = append(told, -e.Reactions.Version)
			}
		}
	}
	return told
}

// Reactions come once a version, never go back, and are fetched again after a connection
// that was lost; those of a message that is fetched come with it.
func TestReactionsNeverGoBack(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.reacted("general", 0, 1, 1)
		r.run()
		r.follow("general")
		second, third := r.reacted("general", 0, 2, 2), r.reacted("general", 0, 3, 3)
		for _, frame := range []any{third, second, third} {
			r.broadcast(frame)
		}
		r.pass(0)
		r.reacted("general", 0, 4, 4)
		r.cut()
		r.pass(time.Minute)
		if diff := cmp.Diff([]int64{-1, 3, 4}, r.versions()); diff != "" {
			t.Error(diff)
		}
	})
}

// A page that is read again has a message that was missed, and its reactions; then the
// message comes as it was sent. What it was reacted to with is told with the next answer.
func TestReactionsOfAMessageThatWasMissed(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.run()
		r.follow("general")
		missed := r.store("general", "bob", "two")
		r.reacted("general", 1, 1, 1)
		failed := false
		r.onAPI = func(w http.ResponseWriter, q *http.Request) bool {
			if q.URL.Path != "/api/sync" || failed {
				return false
			}
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
			r.broadcast(missed)
			return true
		}
		r.cut()
		r.pass(time.Minute)
		r.wantContents("general", "one two ")
		if diff := cmp.Diff([]int64{1}, r.versions()); !failed || diff != "" {
			t.Error(failed, diff)
		}
	})
}

// A frame of another device's reaction is lost, and a later one comes: what the user has
// reacted with is in what is fetched after a reconnect, of the version that was told.
func TestOwnReactionsOfALostFrameAreFetched(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.run()
		r.follow("general")
		r.reacted("general", 0, 1, 1) // whose frame is lost
		r.broadcast(r.reacted("general", 0, 2, 2))
		r.pass(0)
		for range 2 {
			r.cut()
			r.pass(time.Minute)
		}
		var own [][]string
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e, ok := e.(client.Reacted); ok {
				own = append(own, e.Mine)
			}
		}
		if diff := cmp.Diff([][]string{nil, {"👍"}}, own); diff != "" {
			t.Error(diff)
		}
	})
}

// A frame overtakes what is fetched after an absence, in which the user reacted on another
// device: their own are those that were fetched, with what frames have told since.
func TestOwnReactionsOfAnOvertakenAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.reacted("general", 0, 1, 1)
		r.run()
		r.follow("general")
		frame := r.reacted("general", 0, 4, 3)
		frame.Changed = []wire.ReactionChange{{UserID: "alice", Reaction: "🎉", Added: true}}
		r.mu.Lock()
		r.rooms["general"][0].Reactions = &wire.Reactions{Version: 3, Counts: map[string]int{"👍": 2}, Mine: []string{"❤️"}}
		r.mu.Unlock()
		r.onRead = func() {
			r.broadcast(frame)
			<-time.After(time.Second)
		}
		r.cut()
		r.pass(time.Minute)
		r.mu.Lock()
		defer r.mu.Unlock()
		last, _ := r.events[len(r.events)-1].(client.Reacted)
		want := client.Reacted{
			ChatRoomID: "general", MessageID: frame.MessageID, Version: 4, Counts: map[string]int{"👍": 3}, Mine: []string{"❤️", "🎉"},
		}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Error(diff)
		}
	})
}

// Frames of one version name different changes, and one may come late: none of the user's
// own is lost, and nothing comes twice.
func TestReactionsOfOneVersion(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store("general", "bob", "one")
		r.run()
		r.follow("general")
		frame := func(version int64, user, reaction string) wire.ReactionsChanged {
			f := r.reacted("general", 0, version, int(version))
			f.Changed = []wire.ReactionChange{{UserID: user, Reaction: reaction, Added: true}}
			return f
		}
		late := frame(1, "alice", "👍")
		for _, f := range []wire.ReactionsChanged{frame(2, "bob", "🎉"), frame(2, "alice", "❤️"), frame(2, "bob", "🎉"), late, late, frame(1, "carol", "👍")} {
			r.broadcast(f)
		}
		r.pass(0)
		var told []string
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range r.events {
			if e, ok := e.(client.Reacted); ok {
				told = append(told, fmt.Sprintf("%d %d %s %s", e.Version, e.Counts["👍"], e.Changed[0].UserID, e.Changed[0].Reaction))
			}
		}
		if diff := cmp.Diff([]string{"2 2 bob 🎉", "2 2 alice ❤️", "2 2 alice 👍"}, told); diff != "" {
			t.Error(diff)
		}
	})
}
