package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

func TestTwoPeopleChat(t *testing.T) {
	s := startLocal(t)
	alice := sitDown(t, "--addr", s.URL(), "--user", "alice", "--room", local.Lobby)
	alice.sees(alice.status, "* connected as alice to general")
	bob := sitDown(t, "--addr", s.URL()+"/", "--user", "bob", "--room", "General")
	bob.sees(bob.status, "* connected as bob to general")

	alice.types("hello")
	bob.sees(bob.shown, " alice: hello\n")
	alice.sees(alice.shown, " alice: hello\n")
	bob.types("")
	bob.types("  ")
	bob.types("hi \x1b[31malice\u202e <b>&\r")
	alice.sees(alice.shown, " bob: hi ␛[31malice\ufffd <b>&\n")
	bob.types("not \xff UTF-8")
	bob.sees(bob.status, "* not sent: invalid_request: invalid content: want valid UTF-8\n")
	bob.types(strings.Repeat("x", client.MaxContent+1))
	bob.sees(bob.status, "* not sent: too_large: ")

	bob.types("bye")
	bob.types("/quit")
	if err := bob.leaves(); err != nil {
		t.Errorf("/quit: %v", err)
	}
	alice.sees(alice.shown, " bob: bye\n")
	if strings.Contains(alice.shown.String(), "quit") {
		t.Error("/quit was sent")
	}

	// A user who comes later sees earlier messages.
	carol := sitDown(t, "--addr", s.URL(), "--user", "carol", "--room", local.Lobby)
	for _, line := range []string{"--- ", " alice: hello\n", " bob: bye\n"} {
		carol.sees(carol.shown, line)
	}
	carol.types("last words")
	_ = carol.typed.Close() // Ctrl-D
	if err := carol.leaves(); err != nil {
		t.Errorf("Ctrl-D: %v", err)
	}
	alice.sees(alice.shown, " carol: last words\n")
	alice.stop() // Ctrl-C
	if err := alice.leaves(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

// What can't be written, as on a full disk, was not shown: the chat ends and says so, and
// the message stays unread.
func TestChat_AFullDiskEndsIt(t *testing.T) {
	server := startLocal(t)
	alice := api(t, server, "alice")
	if _, err := alice.ListRooms(t.Context(), ""); err != nil { // who joins later has read what is there
		t.Fatal(err)
	}
	bob := sitDown(t, "--addr", server.URL(), "--user", "bob", "--room", "general")
	bob.sees(bob.status, "connected as bob")
	bob.types("hello")
	bob.sees(bob.shown, "bob: hello")
	var status bytes.Buffer
	code := run(t.Context(), []string{"chat", "--addr", server.URL(), "--user", "alice", "--room", "general"}, strings.NewReader(""), &fullDisk{}, &status)
	if code != exitFailed || !strings.HasSuffix(status.String(), "streamroom chat: show messages: no space left on device\n") {
		t.Errorf("exit code %d, stderr %q", code, &status)
	}
	rooms, err := alice.ListRooms(t.Context(), "")
	if err != nil || len(rooms.Rooms) != 1 || rooms.Rooms[0].Unread != 1 {
		t.Errorf("alice's rooms are %+v, %v; want 1 unread", rooms, err)
	}
}

// What a terminal shows is read: it isn't unread on the user's other devices.
func TestChatMarksAsRead(t *testing.T) {
	s := startLocal(t)
	alice := sitDown(t, "--addr", s.URL(), "--user", "alice", "--room", local.Lobby)
	alice.sees(alice.status, "* connected as alice to general")
	bob := sitDown(t, "--addr", s.URL(), "--user", "bob", "--room", local.Lobby)
	bob.sees(bob.status, "* connected as bob to general")
	alice.types("hello")
	bob.sees(bob.shown, " alice: hello\n")
	rig.Eventually(t, "bob has read alice's message", func() bool {
		list, err := api(t, s, "bob").ListRooms(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return list.Rooms[0].Unread == 0
	})
	newest, err := api(t, s, "alice").History(t.Context(), local.Lobby, client.Page{Limit: 1})
	if err != nil || !slices.Equal(newest.Messages[0].ReadBy, []string{"alice", "bob"}) {
		t.Errorf("alice's message is %+v, %v; want it read by bob", newest.Messages, err)
	}
}

func TestChatChangesTheLastMessage(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	bob := sitDown(t, "--user", "bob", "--room", "general", "--addr", server.URL())
	alice.sees(alice.status, "connected as alice")
	bob.sees(bob.status, "connected as bob")
	alice.types("/delete")
	alice.sees(alice.status, "not deleted: no message of yours is shown")
	alice.types("helo")
	alice.sees(alice.shown, "alice: helo")
	alice.types("/edit hello")
	bob.sees(bob.shown, "alice: hello  (edited)")
	alice.types("/delete")
	bob.sees(bob.shown, "alice: (deleted)")
	for _, p := range []*person{alice, bob} {
		p.types("/quit")
		if err := p.leaves(); err != nil {
			t.Errorf("the chat ends with %v", err)
		}
	}
}

// Lines that come at once, as from a pipe: a change is of the message before it, which may
// not be shown yet.
func TestChatChangesTheMessageBefore(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	alice.sees(alice.status, "connected as alice")
	alice.types("first")
	alice.sees(alice.shown, "alice: first")
	alice.types("tea at fuor\n/edit tea at four\nnever mind\n/delete\nlast")
	alice.sees(alice.shown, "alice: last")
	rig.Eventually(t, "the messages before the changes are changed", func() bool {
		history, err := api(t, server, "alice").History(t.Context(), "general", client.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range history.Messages {
			got = append(got, m.Content)
		}
		slices.Reverse(got)
		return slices.Equal(slices.DeleteFunc(got, func(s string) bool { return s == "" }), []string{"first", "tea at four", "last"})
	})
}

// A change that is piped in at once is of the last message, not of one further up that is
// shown first.
func TestChatChangesTheLastMessageAtOnce(t *testing.T) {
	server := startLocal(t)
	alice := sitDown(t, "--user", "alice", "--room", "general", "--addr", server.URL())
	alice.sees(alice.status, "connected as alice")
	alice.types("first\nmiddle\nlats")
	alice.sees(alice.shown, "alice: lats")
	keyboard, typed := io.Pipe()
	defer typed.Close()
	slow := &slowScreen{at: "alice: first", hold: make(chan struct{})}
	done := make(chan int, 1)
	go func() {
		args := []string{"chat", "--addr", server.URL(), "--user", "alice", "--room", "general"}
		done <- run(t.Context(), args, keyboard, slow, t.Output())
	}()
	for _, line := range []string{"/edit last\n", "/quit\n"} { // the second is taken once the first is under way
		if _, err := io.WriteString(typed, line); err != nil {
			t.Fatal(err)
		}
	}
	close(slow.hold)
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	alice.sees(alice.shown, "(edited)")
	if shown := alice.shown.String(); !strings.Contains(shown, "alice: last  (edited)") {
		t.Errorf("alice sees\n%s", shown)
	}
}

// slowScreen stops at a line until hold is closed.
type slowScreen struct {
	at   string
	hold chan struct{}
}

func (s *slowScreen) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.at)) {
		<-s.hold
	}
	return len(p), nil
}

func TestChatInARoomByName(t *testing.T) {
	s := startLocal(t)
	alice := api(t, s, "alice")
	if _, err := alice.ListRooms(t.Context(), ""); err != nil { // signs in
		t.Fatal(err)
	}
	var ids []string
	for _, name := range []string{"Tea", "Twin", "Twin", "Cafe\u0301"} {
		room, err := alice.CreateRoom(t.Context(), wire.RoomRequest{Name: name, Type: "group"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, room.ChatRoomID)
	}
	for room, id := range map[string]string{"Tea": ids[0], ids[0]: ids[0], "Caf\u00e9": ids[3], "Cafe\u0301": ids[3]} {
		p := sitDown(t, "--addr", s.URL(), "--user", "alice", "--room", room)
		p.sees(p.status, "connected as alice to "+id)
		p.stop()
		if err := p.leaves(); err != nil {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		user, room string
		want       []string
	}{
		{"alice", "Twin", []string{"2 rooms", ids[1], ids[2]}},
		{"alice", "nowhere", []string{`not a member of room "nowhere"`, "general (General)", ids[0] + " (Tea)"}},
		{"alice", "no such #", []string{`not a member of room "no such #"`}},
		{"bob", ids[0], []string{"not a member", "general (General)"}},
	} {
		err := sitDown(t, "--addr", s.URL(), "--user", test.user, "--room", test.room).leaves()
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s in %q: the error is %v, want %q in it", test.user, test.room, err, want)
			}
		}
	}
}

func TestChatWhenRemoved(t *testing.T) {
	s := startLocal(t)
	alice := api(t, s, "alice")
	room, err := alice.CreateRoom(t.Context(), wire.RoomRequest{Name: "Tea", Type: "group", Members: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	bob := sitDown(t, "--addr", s.URL(), "--user", "bob", "--room", "Tea")
	bob.sees(bob.status, "connected as bob")
	if err := alice.AddMember(t.Context(), room.ChatRoomID, "carol"); err != nil {
		t.Fatal(err)
	}
	bob.sees(bob.status, "* carol joined\n")

	members, err := alice.Room(t.Context(), room.ChatRoomID, "")
	if err != nil || len(members.Members) != 3 {
		t.Errorf("the members are %+v, %v", members, err)
	}
	for _, user := range []string{"carol", "bob"} {
		if err := alice.RemoveMember(t.Context(), room.ChatRoomID, user); err != nil {
			t.Fatal(err)
		}
		if user == "carol" {
			bob.sees(bob.status, "* carol left\n")
		}
	}
	if err := bob.leaves(); err == nil || !strings.Contains(err.Error(), "no longer a member") {
		t.Errorf("the error is %v", err)
	}
}

// A token given by flag can't be replaced, so the chat ends when it expires.
func TestChatWithToken(t *testing.T) {
	s := startLocal(t)
	token, err := localToken(t.Context(), s.URL(), "alice", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p := sitDown(t, "--token", token, "--ws", s.WebSocketURL(), "--api", s.URL()+"/api", "--room", local.Lobby)
	p.sees(p.status, "connected as alice")
	p.stop()
	if err := p.leaves(); err != nil {
		t.Error(err)
	}

	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	err = sitDown(t, "--token", header+".e30.", "--ws", s.WebSocketURL(), "--api", s.URL()+"/api", "--room", local.Lobby).leaves()
	if !errors.Is(err, errTokenRefused) {
		t.Errorf("with a forged token: %v", err)
	}
	screen := &chatScreen{fixedToken: true, status: io.Discard}
	if err := screen.show(client.Disconnected{Err: &client.Error{Code: client.CodeUnauthorized}}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("when the token has expired: %v", err)
	}
	if err := screen.show(client.Disconnected{Err: errors.New("network")}); err != nil {
		t.Errorf("when the network is gone: %v", err)
	}
}

func TestChatStopsWhileItStarts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	args := []string{"chat", "--user", "alice", "--room", "general", "--addr", "http://127.0.0.1:1"}
	var stderr bytes.Buffer
	if code := run(ctx, args, strings.NewReader(""), io.Discard, &stderr); code != exitDone {
		t.Errorf("Ctrl-C: exit code %d, %s", code, &stderr)
	}
}

// Without input, stored messages are shown, and a note if there are none.
func TestChatWithoutInput(t *testing.T) {
	s := startLocal(t)
	chat := func(input string) (stdout, stderr string) {
		t.Helper()
		var out, status bytes.Buffer
		args := []string{"chat", "--addr", s.URL(), "--user", "alice", "--room", local.Lobby}
		if code := run(t.Context(), args, strings.NewReader(input), &out, &status); code != exitDone {
			t.Fatalf("exit code %d: %s", code, &status)
		}
		return out.String(), status.String()
	}
	if _, status := chat(""); !strings.Contains(status, "* there are no messages in general yet\n") {
		t.Errorf("in an empty room this was noted:\n%s", status)
	}
	if shown, status := chat("one\ntwo"); !strings.Contains(shown, " alice: one\n") || !strings.Contains(shown, " alice: two\n") {
		t.Errorf("what was sent is not shown:\n%s%s", shown, status)
	}
	if shown, status := chat(""); !strings.Contains(shown, " alice: one\n") || !strings.Contains(shown, " alice: two\n") {
		t.Errorf("what was said before is not shown:\n%s%s", shown, status)
	}
}

// A line that is too long is left out, and those after it are sent.
func TestChatLeavesOutLongLines(t *testing.T) {
	s := startLocal(t)
	var out, status bytes.Buffer
	input := "before\n" + strings.Repeat("a", 3*chatLine) + "\r\nafter\n" + strings.Repeat("b", chatLine+1) + "\nlast"
	args := []string{"chat", "--addr", s.URL(), "--user", "alice", "--room", local.Lobby}
	if code := run(t.Context(), args, strings.NewReader(input), &out, &status); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &status)
	}
	for _, want := range []string{"alice: before\n", "alice: after\n", "alice: last\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if n := strings.Count(status.String(), "not sent: a line is longer than 65536 bytes"); n != 2 {
		t.Errorf("said %d times that a line is too long, want 2:\n%s", n, &status)
	}
}

func TestChatOutlivesTheServer(t *testing.T) {
	s := startLocal(t)
	p := sitDown(t, "--addr", s.URL(), "--user", "alice", "--room", local.Lobby)
	p.sees(p.status, "connected as alice")
	ctx, cancel := context.WithTimeout(t.Context(), chatPatience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	p.sees(p.status, "* not connected: ")
	p.sees(p.status, "trying again until it works")
	p.stop()
	if err := p.leaves(); err != nil {
		t.Error(err)
	}
}

func TestChatRefuses(t *testing.T) {
	for _, test := range []struct {
		name, args, want string
		usage            bool
	}{
		{"no room", "--user alice", "--room is missing", true},
		{"no user", "--room general", "--user is missing", true},
		{"unknown flag", "--colour red", "colour", true},
		{"address", "--user a --room b --addr localhost:8080", "invalid --addr \"localhost:8080\": want a URL such as http://127.0.0.1:8080", true},
		{"half deployed", "--room b --token t", "--token, --ws and --api", true},
		{"two ways", "--room b --user a --token t", "use --user for `streamroom local`, or", true},
		{"ws", "--room b --token t --ws http://h/prod --api http://h", "wss://", true},
		{"no server", "--user alice --room general --addr http://127.0.0.1:1", "start it with", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			_, err := execute(t.Context(), append([]string{"chat"}, strings.Fields(test.args)...), strings.NewReader(""), &stdout, &stderr)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want one line with %q", err, test.want)
			}
			var usage cli.UsageError
			if errors.As(err, &usage) != test.usage {
				t.Errorf("as a usage error: %v", !test.usage)
			}
			if stdout.Len()+stderr.Len() > 0 {
				t.Errorf("it was printed, too: %s%s", &stdout, &stderr)
			}
		})
	}
}
