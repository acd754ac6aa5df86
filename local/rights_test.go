package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/wire"
	"github.com/streamroom/streamroom/test/rig"
)

// ptr returns a pointer to a value.
func ptr[T any](v T) *T { return &v }

// actors are who acts in the room of a staff: an owner, a moderator, a plain member, a
// muted one and a stranger.
var actors = []string{"olga", "mara", "paul", "tina", "sven"}

// staff is a room with members of every role, and messages of some.
type staff struct {
	*rig.Rig
	room    string
	sockets map[string]*rig.Socket
	sent    map[string]string // the message of each member
}

// newStaff makes a room. Its API has no limits: a table of rights asks for much.
func newStaff(t *testing.T) *staff {
	t.Helper()
	s := &staff{Rig: start(t, local.Config{LogLevel: "warn", Wrap: unlimited}), sockets: map[string]*rig.Socket{}, sent: map[string]string{}}
	for _, user := range actors {
		s.sockets[user] = s.Connect(user)
	}
	s.reset()
	return s
}

// unlimited has the HTTP API and sends not limited.
func unlimited(d local.Deployment) local.Deployment {
	return local.EachFunction(func(f local.Function) local.Function {
		for _, name := range []string{config.WriteRate, config.ReadRate, config.SendRate, config.ReportRate} {
			if slices.Contains(f.Variables, name) {
				f.Environment[name] = "0"
			}
		}
		return f
	})(d)
}

// reset makes a new room.
func (s *staff) reset() {
	s.T.Helper()
	s.room = s.Room("olga", "omar", "mara", "milo", "paul", "pia", "tina")
	for _, user := range []string{"olga", "mara", "paul", "tina"} {
		ack, _ := s.sockets[user].Deliver(s.room, "from "+user, "")
		s.sent[user] = ack.MessageID
	}
	var sent wire.Sent
	s.API("milo", http.MethodPost, "/rooms/"+s.room+"/messages", wire.SendRequest{Content: "from milo"}, &sent)
	s.sent["milo"] = sent.MessageID
	for user, change := range map[string]wire.MemberChange{
		"omar": {Role: ptr("owner")}, "mara": {Role: ptr("moderator")}, "milo": {Role: ptr("moderator")},
		"tina": {MutedUntil: ptr(time.Now().Add(time.Hour).UnixMilli())},
	} {
		if status := s.API("olga", http.MethodPatch, "/rooms/"+s.room+"/members?userId="+user, change, nil); status != http.StatusOK {
			s.T.Fatalf("change %s: status %d", user, status)
		}
	}
}

// ask makes a request and returns the code of its refusal, "" if there is none.
func (s *staff) ask(user, method, path string, body any) string {
	s.T.Helper()
	var problem wire.Problem
	if status := s.API(user, method, "/rooms/"+s.room+path, body, &problem); status < http.StatusMultipleChoices {
		return ""
	}
	return problem.Code
}

// say sends a frame and returns the code of its refusal.
func (s *staff) say(user string) string {
	s.T.Helper()
	d := s.sockets[user]
	d.Send(s.room, "hello", "")
	if frame := d.Expect(wire.TypeAck, wire.TypeError); frame.Type == wire.TypeError {
		return frame.Code
	}
	return ""
}

// types says that a user types and returns the code of its refusal, its only answer.
func (s *staff) types(user string, refused bool) string {
	s.T.Helper()
	d := s.sockets[user]
	d.Types(s.room)
	if !refused {
		d.ExpectNone(wire.TypeError)
		return ""
	}
	return d.Expect(wire.TypeError).Code
}

// Every role, and strangers, over the HTTP API and sockets.
func TestRightsOverTheWire(t *testing.T) {
	s := newStaff(t)
	const no, gone, mute = string(chat.CodeForbidden), string(chat.CodeNotAMember), string(chat.CodeMuted)
	role := func(role string) wire.MemberChange { return wire.MemberChange{Role: &role} }
	until := wire.MemberChange{MutedUntil: ptr(time.Now().Add(time.Hour).UnixMilli())}
	for _, test := range []struct {
		what, method, path string
		body               any
		codes              [5]string // of the actors
		once               bool      // it can't be asked for twice in one room
	}{
		{"read the room", "GET", "", nil, [5]string{"", "", "", "", gone}, false},
		{"read history", "GET", "/messages", nil, [5]string{"", "", "", "", gone}, false},
		{"read who is online", "GET", "/presence", nil, [5]string{"", "", "", "", gone}, false},
		{"mark read", "POST", "/read", wire.ReadRequest{UpTo: "{olga}"}, [5]string{"", "", "", "", gone}, false},
		{"choose what to be notified of", "PUT", "/notify", wire.NotifyRequest{Notify: "none"}, [5]string{"", "", "", "", gone}, false},
		{"send", "", "", nil, [5]string{"", "", "", mute, gone}, false},
		{"type", "typing", "", nil, [5]string{"", "", "", mute, gone}, false},
		{"announce a file", "POST", "/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1}, [5]string{"", "", "", mute, gone}, false},
		{"edit one's own", "PATCH", "/messages/{self}", wire.EditRequest{Content: "new"}, [5]string{"", "", "", mute, gone}, false},
		{"edit another's", "PATCH", "/messages/{olga}", wire.EditRequest{Content: "old"}, [5]string{"", no, no, no, gone}, false},
		{"react", "PUT", "/messages/{olga}/reactions", wire.ReactionRequest{Reaction: "a"}, [5]string{"", "", "", mute, gone}, false},
		{"take back", "DELETE", "/messages/{olga}/reactions?reaction=a", nil, [5]string{"", "", "", "", gone}, false},
		{"report another's", "POST", "/messages/{milo}/report", wire.ReportRequest{Reason: "spam"}, [5]string{"", "", "", "", gone}, false},
		{"read reports", "GET", "/reports", nil, [5]string{"", "", no, no, gone}, false},
		{"dismiss reports", "DELETE", "/reports/{olga}", nil, [5]string{"", "", no, no, gone}, false},
		{"rename", "PATCH", "", wire.NameRequest{Name: "New"}, [5]string{"", no, no, no, gone}, false},
		{"make public", "PATCH", "", wire.RoomChange{Visibility: ptr(wire.Private)}, [5]string{"", no, no, no, gone}, false},
		{"keep messages for a week", "PATCH", "", wire.RoomChange{RetentionDays: ptr(7)}, [5]string{"", no, no, no, gone}, false},
		{"take the place", "DELETE", "/place", nil, [5]string{"", "", no, no, gone}, false},
		{"add", "POST", "/members", wire.MemberRequest{UserID: "nora"}, [5]string{"", no, no, no, gone}, false},
		{"mute a member", "PATCH", "/members?userId=pia", until, [5]string{"", "", no, no, gone}, false},
		{"mute a moderator", "PATCH", "/members?userId=milo", until, [5]string{"", no, no, no, gone}, false},
		{"appoint", "PATCH", "/members?userId=pia", role("moderator"), [5]string{"", no, no, no, gone}, true},
		{"dismiss an owner", "PATCH", "/members?userId=omar", role("member"), [5]string{"", no, no, no, gone}, true},
		{"remove a member", "DELETE", "/members?userId=pia", nil, [5]string{"", "", no, no, gone}, true},
		{"remove a moderator", "DELETE", "/members?userId=milo", nil, [5]string{"", no, no, no, gone}, true},
		{"list bans", "GET", "/bans", nil, [5]string{"", "", no, no, gone}, false},
		{"ban a stranger", "PUT", "/bans?userId=nick", wire.BanRequest{}, [5]string{"", "", no, no, gone}, false},
		{"unban", "DELETE", "/bans?userId=nick", nil, [5]string{"", "", no, no, gone}, false},
		{"ban a member", "PUT", "/bans?userId=pia", wire.BanRequest{}, [5]string{"", "", no, no, gone}, true},
		{"ban a moderator", "PUT", "/bans?userId=milo", wire.BanRequest{}, [5]string{"", no, no, no, gone}, true},
		{"ban an owner", "PUT", "/bans?userId=omar", wire.BanRequest{}, [5]string{"", no, no, no, gone}, true},
		{"delete one's own", "DELETE", "/messages/{self}", nil, [5]string{"", "", "", "", gone}, true},
		{"delete another's", "DELETE", "/messages/{olga}", nil, [5]string{"", "", no, no, gone}, true},
		{"leave", "DELETE", "/members?userId={me}", nil, [5]string{"", "", "", "", gone}, true},
	} {
		for i, user := range actors {
			if test.once {
				s.reset()
			}
			self := s.sent[user]
			if self == "" {
				self = s.sent["olga"]
			}
			words := strings.NewReplacer("{self}", self, "{olga}", s.sent["olga"], "{milo}", s.sent["milo"], "{me}", user)
			body := test.body
			if read, ok := body.(wire.ReadRequest); ok {
				read.UpTo = words.Replace(read.UpTo)
				body = read
			}
			var got string
			switch test.method {
			case "":
				got = s.say(user)
			case "typing":
				got = s.types(user, test.codes[i] != "")
			default:
				got = s.ask(user, test.method, words.Replace(test.path), body)
			}
			if got != test.codes[i] {
				t.Errorf("%s: %s is answered %q, want %q", test.what, user, got, test.codes[i])
			}
		}
	}
}

// What moderators do reaches all, and is in what is read.
func TestModeration(t *testing.T) {
	s := newStaff(t)
	mara, paul := s.sockets["mara"], s.sockets["paul"]
	until := time.Now().Add(time.Hour).UnixMilli()
	for i, change := range []wire.MemberChange{{MutedUntil: &until}, {MutedUntil: ptr(int64(0))}} {
		var now wire.ChangedMember
		s.API("mara", http.MethodPatch, "/rooms/"+s.room+"/members?userId=paul", change, &now)
		var frame wire.ServerFrame
		for frame.UserID != "paul" { // after those of the room's beginning
			frame = mara.ExpectIn(s.room, wire.TypeMemberChanged)
		}
		want := wire.ServerFrame{UserID: "paul", Role: "member", MutedUntil: *change.MutedUntil, At: now.ChangedAt}
		if frame.UserID != want.UserID || frame.Role != want.Role || frame.MutedUntil != want.MutedUntil || frame.At != want.At || want.At == 0 {
			t.Errorf("mara got %+v, want %+v", frame, want)
		}
		wantCode := []string{string(chat.CodeMuted), ""}[i]
		paul.Send(s.room, "now?", "")
		answer := paul.Expect(wire.TypeAck, wire.TypeError)
		if answer.Code != wantCode || answer.Until != *change.MutedUntil {
			t.Errorf("paul is answered %+v, want the code %q", answer, wantCode)
		}
	}
	var room wire.Room
	s.API("paul", http.MethodGet, "/rooms/"+s.room, nil, &room)
	for _, m := range room.Members {
		if m.UserID == "mara" && m.Role != "moderator" || m.UserID == "tina" && m.MutedUntil == 0 {
			t.Errorf("the list has %+v", m)
		}
	}
	// One's own is there, wherever in the list one is.
	var own wire.Room
	s.API("tina", http.MethodGet, "/rooms/"+s.room+"?limit=1", nil, &own)
	if own.Role != "member" || own.MutedUntil == 0 || own.ChangedAt == 0 || own.Members[0].UserID == "tina" {
		t.Errorf("tina reads %+v", own)
	}
	id := s.sent["paul"]
	if code := s.ask("mara", http.MethodDelete, "/messages/"+id, nil); code != "" {
		t.Fatalf("mara deletes paul's message: %s", code)
	}
	if frame := paul.ExpectIn(s.room, wire.TypeMessageDeleted); frame.MessageID != id || frame.DeletedBy != "mara" || frame.SenderID != "paul" {
		t.Errorf("paul got %+v", frame)
	}
	var missed wire.SyncResponse
	s.API("pia", http.MethodPost, "/sync", wire.SyncRequest{Rooms: map[string]string{s.room: s.sent["mara"][:10] + "0000000000000000"}}, &missed)
	for from, messages := range map[string][]wire.HistoryMessage{"history": s.History("pia", s.room), "sync": missed.Rooms[s.room].Messages} {
		i := slices.IndexFunc(messages, func(m wire.HistoryMessage) bool { return m.MessageID == id })
		if i < 0 || messages[i].DeletedBy != "mara" || messages[i].Content != "" {
			t.Errorf("%s: %+v", from, messages)
		}
	}
}

// Who is banned gets nothing of the room from then on, and comes back when it is over.
func TestBan(t *testing.T) {
	s := newStaff(t)
	room, pia := "/rooms/"+s.room, s.Connect("pia")
	s.API("olga", http.MethodPatch, room, wire.RoomChange{Visibility: ptr(wire.Public)}, nil)
	if code := s.ask("mara", http.MethodPut, "/bans?userId=pia", wire.BanRequest{Reason: "spam"}); code != "" {
		t.Fatalf("mara bans pia: %s", code)
	}
	if frame := pia.ExpectIn(s.room, wire.TypeMemberLeft); frame.UserID != "pia" {
		t.Errorf("pia got %+v", frame)
	}
	s.sockets["olga"].Deliver(s.room, "without pia", "")
	pia.ExpectNoneIn(s.room, wire.TypeMessage)
	pia.Send(s.room, "hello", "")
	if frame := pia.Expect(wire.TypeAck, wire.TypeError); frame.Code != string(chat.CodeNotAMember) {
		t.Errorf("pia sends and is answered %+v", frame)
	}
	for user, path := range map[string]string{"pia": "/join", "olga": "/members"} {
		var body any
		if user == "olga" {
			body = wire.MemberRequest{UserID: "pia"}
		}
		if code := s.ask(user, http.MethodPost, path, body); code != string(chat.CodeBanned) {
			t.Errorf("%s by %s is answered %q, want banned", path, user, code)
		}
	}
	var list wire.BanList
	s.API("mara", http.MethodGet, room+"/bans", nil, &list)
	if len(list.Bans) != 1 || list.Bans[0].UserID != "pia" || list.Bans[0].By != "mara" || list.Bans[0].Reason != "spam" || list.Bans[0].At == 0 {
		t.Errorf("banned are %+v", list)
	}
	if code := s.ask("mara", http.MethodDelete, "/bans?userId=pia", nil) + s.ask("pia", http.MethodPost, "/join", nil); code != "" {
		t.Errorf("pia does not come back: %s", code)
	}
	pia.ExpectIn(s.room, wire.TypeMemberJoined)
}

// Who is blocked begins no direct message, writes in none, and adds no one; nor does who
// blocks write.
func TestBlock(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	alice, bob := s.Connect("alice"), s.Connect("bob")
	direct := func(by, with string) (room wire.Room, status int) {
		status = s.API(by, http.MethodPost, "/rooms", wire.RoomRequest{Type: "dm", Members: []string{with}}, &room)
		return room, status
	}
	group := s.Room("bob", "carol")
	add := func() int {
		return s.API("bob", http.MethodPost, "/rooms/"+group+"/members", wire.MemberRequest{UserID: "alice"}, nil)
	}
	for _, exists := range []bool{false, true} {
		s.API("alice", http.MethodPut, "/me/blocks/bob", nil, nil)
		var list wire.BlockList
		s.API("alice", http.MethodGet, "/me/blocks", nil, &list)
		if len(list.Blocks) != 1 || list.Blocks[0].UserID != "bob" || list.Blocks[0].At == 0 {
			t.Errorf("blocked are %+v", list)
		}
		want := http.StatusForbidden
		if exists {
			want = http.StatusOK
		}
		for by, with := range map[string]string{"alice": "bob", "bob": "alice"} {
			room, status := direct(by, with)
			if status != want {
				t.Errorf("%s asks for a direct message: status %d, want %d", by, status, want)
			}
			if exists {
				d := map[string]*rig.Socket{"alice": alice, "bob": bob}[by]
				d.Send(room.ChatRoomID, "hello", "")
				if frame := d.Expect(wire.TypeAck, wire.TypeError); frame.Code != string(chat.CodeForbidden) {
					t.Errorf("%s writes and is answered %+v", by, frame)
				}
			}
		}
		if status := add(); status != http.StatusForbidden {
			t.Errorf("bob adds alice: status %d", status)
		}
		if status := s.API("bob", http.MethodPost, "/rooms", wire.RoomRequest{Type: "group", Name: "Trap", Members: []string{"carol", "alice"}}, nil); status != http.StatusForbidden {
			t.Errorf("bob makes a room with alice: status %d", status)
		}
		s.API("alice", http.MethodDelete, "/me/blocks/bob", nil, nil)
		room, _ := direct("bob", "alice")
		bob.Deliver(room.ChatRoomID, "hello", "")
		alice.Deliver(room.ChatRoomID, "hello", "")
	}
	if status := add(); status != http.StatusCreated {
		t.Errorf("bob adds alice, who does not block him any more: status %d", status)
	}
}
