package main

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/streamroom/streamroom/client"
)

// docs/vectors says whom a text mentions; the page runs them, too.
func TestMentionsVectors(t *testing.T) {
	data, err := os.ReadFile("../../docs/vectors/mentions.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Members []client.RoomMember
		Texts   []struct {
			Text     string
			Mentions []string
		}
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors.Texts {
		if got := mentionedIn(v.Text, vectors.Members); !slices.Equal(got, v.Mentions) {
			t.Errorf("%q mentions %q, want %q", v.Text, got, v.Mentions)
		}
	}
	if len(vectors.Texts) < 10 {
		t.Errorf("there are %d vectors", len(vectors.Texts))
	}
}

// What follows an @ in a line is a mention where it names a member.
func TestChatMentions(t *testing.T) {
	s := startLocal(t)
	bob := api(t, s, "bob")
	room, err := bob.CreateRoom(t.Context(), client.RoomRequest{Name: "Tea", Type: "group", Members: []string{"alice"}})
	if err != nil {
		t.Fatal(err)
	}
	alice := sitDown(t, "--addr", s.URL(), "--user", "alice", "--room", room.ChatRoomID)
	alice.sees(alice.status, "connected as alice")
	alice.types("hi @Bob and @dave")
	alice.sees(alice.shown, "hi @Bob and @dave")
	mentions := func() []string {
		t.Helper()
		history, err := bob.History(t.Context(), room.ChatRoomID, client.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return history.Messages[0].Mentions
	}
	if got := mentions(); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("the message mentions %q", got)
	}
	alice.types("/edit hi all")
	alice.sees(alice.shown, "hi all  (edited)")
	if got := mentions(); len(got) != 0 {
		t.Errorf("the edited message mentions %q", got)
	}
	alice.types("/quit")
	if err := alice.leaves(); err != nil {
		t.Errorf("/quit: %v", err)
	}
}
