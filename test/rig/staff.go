package rig

import (
	"net/http"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/wire"
)

// Staff is a room with members of every role, and messages of some: olga and omar own it,
// mara and milo moderate it, paul and pia have no role, tina is muted, bert is banned, and
// sven is a stranger.
type Staff struct {
	*Rig
	RoomID  string
	Sockets map[string]*Socket // of all but omar, milo and pia
	Sent    map[string]string  // a message of each of olga, mara, milo, paul, tina and service:bot

	file string // an attachment of the room, "" before one was asked for
}

// NewStaff makes a room. A test that asks for much needs a Streamroom that is Unlimited.
func NewStaff(s *Rig) *Staff {
	s.T.Helper()
	staff := &Staff{Rig: s, Sockets: map[string]*Socket{}, Sent: map[string]string{}}
	for _, user := range []string{"olga", "mara", "paul", "tina", "sven", "bert"} {
		staff.Sockets[user] = s.Connect(user)
	}
	staff.Reset()
	return staff
}

// Unlimited is a Config.Wrap that lifts the limits of the HTTP API and of sends.
func Unlimited(d local.Deployment) local.Deployment {
	for _, f := range d.Functions {
		for _, name := range []string{config.WriteRate, config.ReadRate, config.SendRate, config.ReportRate} {
			f.Environment[name] = "0"
		}
	}
	return d
}

// Reset makes a new room.
func (s *Staff) Reset() {
	s.T.Helper()
	s.RoomID, s.file = s.Room("olga", "omar", "mara", "milo", "paul", "pia", "tina"), ""
	for _, user := range []string{"olga", "mara", "milo", "paul", "tina", "service:bot"} {
		var sent wire.Sent
		s.API(user, http.MethodPost, "/rooms/"+s.RoomID+"/messages", wire.SendRequest{Content: "from " + user}, &sent)
		s.Sent[user] = sent.MessageID
	}
	owner, moderator, muted := "owner", "moderator", time.Now().Add(time.Hour).UnixMilli()
	for user, change := range map[string]wire.MemberChange{
		"omar": {Role: &owner}, "mara": {Role: &moderator}, "milo": {Role: &moderator}, "tina": {MutedUntil: &muted},
	} {
		s.must(http.MethodPatch, "/members?userId="+user, change)
	}
	s.must(http.MethodPut, "/bans?userId=bert", wire.BanRequest{})
}

// Share makes the room public.
func (s *Staff) Share() {
	s.T.Helper()
	public := wire.Public
	s.must(http.MethodPatch, "", wire.RoomChange{Visibility: &public})
}

// File returns an attachment of the room, which olga has sent.
func (s *Staff) File() string {
	s.T.Helper()
	if s.file != "" {
		return s.file
	}
	const content = "\x89PNG\r\n\x1a\n"
	var announced wire.AnnouncedAttachment
	s.API("olga", http.MethodPost, "/rooms/"+s.RoomID+"/attachments", wire.AttachmentRequest{Name: "a.png", ContentType: "image/png", Size: int64(len(content))}, &announced)
	if status := s.Upload(announced.Upload, []byte(content)); status != http.StatusNoContent {
		s.T.Fatalf("upload a file: status %d", status)
	}
	s.must(http.MethodPost, "/messages", wire.SendRequest{Attachments: []string{announced.AttachmentID}})
	s.file = announced.AttachmentID
	return s.file
}

// Ask makes a request of the room and returns the code of its refusal, "" if there is none.
func (s *Staff) Ask(user, method, path string, body any) string {
	s.T.Helper()
	return s.ask(s.token(user), method, path, body)
}

// ask is Ask with a token, or without one if it is "".
func (s *Staff) ask(token, method, path string, body any) string {
	s.T.Helper()
	var problem wire.Problem
	switch status := s.Request(method, apiPath+"/rooms/"+s.RoomID+path, token, body, &problem); {
	case status < http.StatusMultipleChoices:
		return ""
	case status == http.StatusUnauthorized:
		return unauthorized
	}
	return problem.Code
}

// must asks as olga for what is not refused.
func (s *Staff) must(method, path string, body any) {
	s.T.Helper()
	if code := s.Ask("olga", method, path, body); code != "" {
		s.T.Fatalf("%s %s is answered %s", method, path, code)
	}
}
