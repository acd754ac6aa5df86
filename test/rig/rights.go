package rig

import (
	"net/http"
	"strings"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// The codes of the table of rights.
const (
	no           = string(chat.CodeForbidden)
	gone         = string(chat.CodeNotAMember)
	muted        = string(chat.CodeMuted)
	banned       = string(chat.CodeBanned)
	missing      = string(chat.CodeNotFound)
	unauthorized = string(chat.CodeUnauthorized) // 401, in whatever form
)

// actors are who asks, in the order of a right's codes: an owner, a moderator, a plain
// member, a muted one, a stranger, who is banned, and a service.
var actors = []string{"olga", "mara", "paul", "tina", "sven", "bert", "service:bot"}

// right says how something is answered to each of actors, "" if it is done. To a service
// whose token has no scope all is forbidden, and to those without a token unauthorized.
type right struct {
	what, method, path string
	body               any
	codes              [7]string
	when               situation
}

// situation says what room a right is about.
type situation int

const (
	anyRoom situation = iota // the one that there is
	once                     // a new one for each who may: it can't be done twice
	public                   // a new one, which is public
	publicOnce
)

// By frames, which no service sends.
const (
	bySend = "send"
	byType = "type"
)

func rights() []right {
	until := time.Now().Add(time.Hour).UnixMilli()
	mute := wire.MemberChange{MutedUntil: &until}
	role := func(role string) wire.MemberChange { return wire.MemberChange{Role: &role} }
	private, week := wire.Private, 7
	place := wire.Place{Lat: 52.52, Lon: 13.4}
	return []right{
		{"read the room", "GET", "", nil, [7]string{"", "", "", "", gone, gone, ""}, anyRoom},
		{"read a public room's description", "GET", "", nil, [7]string{"", "", "", "", "", "", ""}, public},
		{"read history", "GET", "/messages", nil, [7]string{"", "", "", "", gone, gone, ""}, anyRoom},
		{"read a public room's history", "GET", "/messages", nil, [7]string{"", "", "", "", gone, gone, ""}, public},
		{"read who is online", "GET", "/presence", nil, [7]string{"", "", "", "", gone, gone, ""}, anyRoom},
		{"mark read", "POST", "/read", wire.ReadRequest{UpTo: "{olga}"}, [7]string{"", "", "", "", gone, gone, no}, anyRoom},
		{"choose what to be notified of", "PUT", "/notify", wire.NotifyRequest{Notify: "none"}, [7]string{"", "", "", "", gone, gone, no}, anyRoom},
		{"send", bySend, "", nil, [7]string{"", "", "", muted, gone, gone, unauthorized}, anyRoom},
		{"send by a request", "POST", "/messages", wire.SendRequest{Content: "hello"}, [7]string{"", "", "", muted, gone, gone, ""}, anyRoom},
		{"type", byType, "", nil, [7]string{"", "", "", muted, gone, gone, unauthorized}, anyRoom},
		{"announce a file", "POST", "/attachments", wire.AttachmentRequest{Name: "a", ContentType: "image/png", Size: 1}, [7]string{"", "", "", muted, gone, gone, no}, anyRoom},
		{"read a file", "GET", "/attachments/{file}?redirect=false", nil, [7]string{"", "", "", "", gone, gone, no}, anyRoom},
		{"edit one's own", "PATCH", "/messages/{self}", wire.EditRequest{Content: "new"}, [7]string{"", "", "", muted, gone, gone, ""}, anyRoom},
		{"edit another's", "PATCH", "/messages/{olga}", wire.EditRequest{Content: "old"}, [7]string{"", no, no, no, gone, gone, no}, anyRoom},
		{"react", "PUT", "/messages/{olga}/reactions", wire.ReactionRequest{Reaction: "a"}, [7]string{"", "", "", muted, gone, gone, no}, anyRoom},
		{"take back", "DELETE", "/messages/{olga}/reactions?reaction=a", nil, [7]string{"", "", "", "", gone, gone, no}, anyRoom},
		{"report another's", "POST", "/messages/{milo}/report", wire.ReportRequest{Reason: "spam"}, [7]string{"", "", "", "", gone, gone, ""}, anyRoom},
		{"read reports", "GET", "/reports", nil, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"dismiss reports", "DELETE", "/reports/{olga}", nil, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"rename", "PATCH", "", wire.NameRequest{Name: "New"}, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"make private", "PATCH", "", wire.RoomChange{Visibility: &private}, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"keep messages for a week", "PATCH", "", wire.RoomChange{RetentionDays: &week}, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"place", "PUT", "/place", place, [7]string{"", "", no, no, gone, gone, ""}, public},
		{"place a private room", "PUT", "/place", place, [7]string{no, no, no, no, gone, gone, no}, once},
		{"take the place", "DELETE", "/place", nil, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"join", "POST", "/join", nil, [7]string{"", "", "", "", "", banned, no}, publicOnce},
		{"join a private room", "POST", "/join", nil, [7]string{"", "", "", "", gone, gone, no}, once},
		{"add", "POST", "/members", wire.MemberRequest{UserID: "nora"}, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"add who is banned", "POST", "/members", wire.MemberRequest{UserID: "bert"}, [7]string{banned, no, no, no, gone, gone, banned}, anyRoom},
		{"mute a member", "PATCH", "/members?userId=pia", mute, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"mute a moderator", "PATCH", "/members?userId=milo", mute, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"mute an owner", "PATCH", "/members?userId=omar", mute, [7]string{"", no, no, no, gone, gone, ""}, anyRoom},
		{"appoint", "PATCH", "/members?userId=pia", role("moderator"), [7]string{"", no, no, no, gone, gone, ""}, once},
		{"dismiss an owner", "PATCH", "/members?userId=omar", role("member"), [7]string{"", no, no, no, gone, gone, ""}, once},
		{"remove a member", "DELETE", "/members?userId=pia", nil, [7]string{"", "", no, no, gone, gone, ""}, once},
		{"remove a moderator", "DELETE", "/members?userId=milo", nil, [7]string{"", no, no, no, gone, gone, ""}, once},
		{"list bans", "GET", "/bans", nil, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"ban a stranger", "PUT", "/bans?userId=nick", wire.BanRequest{}, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"unban", "DELETE", "/bans?userId=nick", nil, [7]string{"", "", no, no, gone, gone, ""}, anyRoom},
		{"ban a member", "PUT", "/bans?userId=pia", wire.BanRequest{}, [7]string{"", "", no, no, gone, gone, ""}, once},
		{"ban a moderator", "PUT", "/bans?userId=milo", wire.BanRequest{}, [7]string{"", no, no, no, gone, gone, ""}, once},
		{"ban an owner", "PUT", "/bans?userId=omar", wire.BanRequest{}, [7]string{"", no, no, no, gone, gone, ""}, once},
		{"delete one's own", "DELETE", "/messages/{self}", nil, [7]string{"", "", "", "", gone, gone, ""}, once},
		{"delete another's", "DELETE", "/messages/{milo}", nil, [7]string{"", "", no, no, gone, gone, ""}, once},
		{"leave", "DELETE", "/members?userId={me}", nil, [7]string{"", "", "", "", gone, gone, missing}, once},
	}
}

// CheckRights checks what each role, strangers, services and who has no token may do in a
// room, over the HTTP API and sockets. It takes a Streamroom that is Unlimited.
func CheckRights(s *Rig) {
	s.T.Helper()
	staff := NewStaff(s)
	var scopeless struct{ Token string }
	s.Request(http.MethodPost, "/token", "", map[string]string{"service": "bot", "scope": ""}, &scopeless)
	for _, r := range rights() {
		staff.prepare(r.when)
		for i, user := range actors {
			if got := staff.try(r, user, s.token(user), r.codes[i]); got != r.codes[i] {
				s.T.Errorf("%s: %s is answered %q, want %q", r.what, user, got, r.codes[i])
			}
			if r.codes[i] == "" && (r.when == once || r.when == publicOnce) {
				staff.prepare(r.when)
			}
		}
		want := map[string]string{scopeless.Token: no, "": unauthorized}
		for token, code := range want {
			if r.method == bySend || r.method == byType {
				code = unauthorized // at the handshake
			}
			if got := staff.try(r, "service:other", token, code); got != code {
				s.T.Errorf("%s: a token without a scope, or none, is answered %q, want %q", r.what, got, code)
			}
		}
	}
}

// prepare makes the room that a right is about.
func (s *Staff) prepare(when situation) {
	s.T.Helper()
	if when != anyRoom {
		s.Reset()
	}
	if when == public || when == publicOnce {
		s.Share()
	}
}

// try does what a right is about, as a user with a token, and returns the code of the
// refusal. It is wanted so that it's known whether a frame has an answer.
func (s *Staff) try(r right, user, token, want string) string {
	s.T.Helper()
	self, ok := s.Sent[user]
	if !ok {
		self = s.Sent["olga"]
	}
	if r.method == bySend || r.method == byType {
		d := s.Sockets[user]
		switch {
		case d == nil && s.Handshake(token) == http.StatusUnauthorized:
			return unauthorized
		case r.method == byType:
			return d.types(s.RoomID, want != "")
		}
		return d.sends(s.RoomID)
	}
	file := ""
	if strings.Contains(r.path, "{file}") {
		file = s.File()
	}
	words := strings.NewReplacer("{self}", self, "{olga}", s.Sent["olga"], "{milo}", s.Sent["milo"], "{me}", user, "{file}", file)
	body := r.body
	if read, ok := body.(wire.ReadRequest); ok {
		read.UpTo = words.Replace(read.UpTo)
		body = read
	}
	return s.ask(token, r.method, words.Replace(r.path), body)
}

// sends sends a message and returns the code of its refusal.
func (d *Socket) sends(room string) string {
	d.Rig.T.Helper()
	d.Send(room, "hello", "")
	return d.Expect(wire.TypeAck, wire.TypeError).Code
}

// types says that the user types and returns the code of its refusal, its only answer.
func (d *Socket) types(room string, refused bool) string {
	d.Rig.T.Helper()
	d.Types(room)
	if !refused {
		d.ExpectNone(wire.TypeError)
		return ""
	}
	return d.Expect(wire.TypeError).Code
}
