package chat_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// ptr returns a pointer to a value.
func ptr[T any](v T) *T { return &v }

// appoint gives a member a role.
func (w *world) appoint(room, userID string, role chat.Role) {
	w.Helper()
	_, err := w.rooms.ChangeMember(w.Context(), "olga", room, userID, chat.MemberChange{Role: ptr(role)})
	ok(w, err)
}

// staffed creates a group of two owners, two moderators and two plain members.
func (w *world) staffed() string {
	w.Helper()
	room := w.group("olga", "omar", "mara", "milo", "paul", "pia")
	w.appoint(room, "omar", chat.Owner)
	w.appoint(room, "mara", chat.Moderator)
	w.appoint(room, "milo", chat.Moderator)
	return room
}

// actors are who acts in a staffed room: an owner, a moderator, a plain member, a
// stranger, and a service, which is not a member.
var actors = []string{"olga", "mara", "paul", "sven", chat.ServiceID("bot")}

func TestRights(t *testing.T) {
	const (
		no, gone = chat.CodeForbidden, chat.CodeNotAMember
		yes      = chat.Code("")
	)
	role := func(role chat.Role) chat.MemberChange { return chat.MemberChange{Role: &role} }
	mute := chat.MemberChange{MutedUntil: ptr(int64(epoch + 60_000))}
	change := func(userID string, c chat.MemberChange) func(*world, string, string) error {
		return func(w *world, room, by string) error {
			_, err := w.rooms.ChangeMember(w.Context(), by, room, userID, c)
			return err
		}
	}
	remove := func(userID string) func(*world, string, string) error {
		return func(w *world, room, by string) error { return w.rooms.RemoveMember(w.Context(), by, room, userID) }
	}
	ban := func(userID string) func(*world, string, string) error {
		return func(w *world, room, by string) error {
			_, err := w.rooms.Ban(w.Context(), by, room, userID, 0, "")
			return err
		}
	}
	discard := func(sender string) func(*world, string, string) error {
		return func(w *world, room, by string) error {
			return w.editor.Delete(w.Context(), by, room, w.stored(room, sender))
		}
	}
	for what, test := range map[string]struct {
		do    func(w *world, room, by string) error
		codes [5]chat.Code // of the actors
	}{
		"reports another's message": {func(w *world, room, by string) error {
			return w.rooms.Report(w.Context(), by, room, w.stored(room, "pia"), "spam")
		}, [5]chat.Code{yes, yes, yes, gone, yes}},
		"reads reports": {func(w *world, room, by string) error {
			_, _, err := w.rooms.Reports(w.Context(), by, room, chat.ReportPlace{}, 9)
			return err
		}, [5]chat.Code{yes, yes, no, gone, yes}},
		"dismisses reports": {func(w *world, room, by string) error {
			return w.rooms.Dismiss(w.Context(), by, room, w.stored(room, "pia"))
		}, [5]chat.Code{yes, yes, no, gone, yes}},
		"changes how long messages are kept": {func(w *world, room, by string) error {
			_, err := w.rooms.Retain(w.Context(), by, room, 7)
			return err
		}, [5]chat.Code{yes, no, no, gone, yes}},
		"makes a member an owner":                 {change("pia", role(chat.Owner)), [5]chat.Code{yes, no, no, gone, yes}},
		"makes a member a moderator":              {change("pia", role(chat.Moderator)), [5]chat.Code{yes, no, no, gone, yes}},
		"makes a moderator a member":              {change("milo", role(chat.PlainMember)), [5]chat.Code{yes, no, no, gone, yes}},
		"makes an owner a member":                 {change("omar", role(chat.PlainMember)), [5]chat.Code{yes, no, no, gone, yes}},
		"mutes a member":                          {change("pia", mute), [5]chat.Code{yes, yes, no, gone, yes}},
		"mutes a moderator":                       {change("milo", mute), [5]chat.Code{yes, no, no, gone, yes}},
		"mutes an owner":                          {change("omar", mute), [5]chat.Code{yes, no, no, gone, yes}},
		"mutes a stranger":                        {change("nora", mute), [5]chat.Code{chat.CodeNotFound, chat.CodeNotFound, no, gone, chat.CodeNotFound}},
		"removes a member":                        {remove("pia"), [5]chat.Code{yes, yes, no, gone, yes}},
		"removes a moderator":                     {remove("milo"), [5]chat.Code{yes, no, no, gone, yes}},
		"removes an owner":                        {remove("omar"), [5]chat.Code{yes, no, no, gone, yes}},
		"deletes a member's message":              {discard("pia"), [5]chat.Code{yes, yes, no, gone, yes}},
		"deletes an owner's message":              {discard("omar"), [5]chat.Code{yes, yes, no, gone, yes}},
		"deletes the message of someone who left": {discard("quinn"), [5]chat.Code{yes, yes, no, gone, yes}},
		"bans a member":                           {ban("pia"), [5]chat.Code{yes, yes, no, gone, yes}},
		"bans a moderator":                        {ban("milo"), [5]chat.Code{yes, no, no, gone, yes}},
		"bans an owner":                           {ban("omar"), [5]chat.Code{yes, no, no, gone, yes}},
		"bans a stranger":                         {ban("nora"), [5]chat.Code{yes, yes, no, gone, yes}},
		"unbans": {func(w *world, room, by string) error {
			return w.rooms.Unban(w.Context(), by, room, "nora")
		}, [5]chat.Code{yes, yes, no, gone, yes}},
		"lists bans": {func(w *world, room, by string) error {
			_, _, err := w.rooms.Bans(w.Context(), by, room, "", 10)
			return err
		}, [5]chat.Code{yes, yes, no, gone, yes}},
		"edits another one's message": {func(w *world, room, by string) error {
			_, err := w.editor.Edit(w.Context(), by, room, w.stored(room, "pia"), "new", nil)
			return err
		}, [5]chat.Code{no, no, no, gone, no}},
		"renames": {func(w *world, room, by string) error {
			_, err := w.rooms.Rename(w.Context(), by, room, "New")
			return err
		}, [5]chat.Code{yes, no, no, gone, yes}},
		"adds": {func(w *world, room, by string) error {
			_, err := w.rooms.AddMember(w.Context(), by, room, "nora", false)
			return err
		}, [5]chat.Code{yes, no, no, gone, yes}},
	} {
		for i, by := range actors {
			w := newWorld(t)
			room := w.staffed()
			answers(t, by+" "+what, test.do(w, room, by), test.codes[i])
		}
	}
}

// stored stores a message and returns its id.
func (w *world) stored(room, sender string) string {
	w.Helper()
	id := w.mint()
	w.storeLate(sender, room, id)
	return id
}

func TestChangeMember_BadInput(t *testing.T) {
	w := newWorld(t)
	room, direct := w.staffed(), w.direct("olga", "paul")
	for what, test := range map[string]struct {
		room, user string
		change     chat.MemberChange
		code       chat.Code
	}{
		"nothing":          {room, "paul", chat.MemberChange{}, chat.CodeInvalidRequest},
		"an unknown role":  {room, "paul", chat.MemberChange{Role: ptr(chat.Role("king"))}, chat.CodeInvalidRequest},
		"no role":          {room, "paul", chat.MemberChange{Role: ptr(chat.Role(""))}, chat.CodeInvalidRequest},
		"a time that was":  {room, "paul", chat.MemberChange{MutedUntil: ptr(int64(epoch))}, chat.CodeInvalidRequest},
		"a negative time":  {room, "paul", chat.MemberChange{MutedUntil: ptr(int64(-1))}, chat.CodeInvalidRequest},
		"a time too late":  {room, "paul", chat.MemberChange{MutedUntil: ptr(int64(1) << 60)}, chat.CodeInvalidRequest},
		"no user":          {room, "", chat.MemberChange{Role: ptr(chat.Owner)}, chat.CodeInvalidRequest},
		"no such room":     {"none", "paul", chat.MemberChange{Role: ptr(chat.Owner)}, chat.CodeNotAMember},
		"a direct message": {direct, "paul", chat.MemberChange{Role: ptr(chat.Owner)}, chat.CodeForbidden},
		"oneself in one":   {direct, "olga", chat.MemberChange{Role: ptr(chat.PlainMember)}, chat.CodeForbidden},
		"muting oneself":   {room, "olga", chat.MemberChange{MutedUntil: ptr(int64(epoch + 1))}, chat.CodeForbidden},
	} {
		_, err := w.rooms.ChangeMember(t.Context(), "olga", test.room, test.user, test.change)
		refused(t, what, err, test.code)
	}
}

// Everyone may step down, but a room that has owners keeps one.
func TestChangeMember_StepDown(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	down := func(user string, role chat.Role) error {
		_, err := w.rooms.ChangeMember(t.Context(), user, room, user, chat.MemberChange{Role: &role})
		return err
	}
	ok(t, down("mara", chat.PlainMember))
	refused(t, "up again", down("mara", chat.Moderator), chat.CodeForbidden)
	ok(t, down("omar", chat.Moderator))
	refused(t, "the last owner", down("olga", chat.PlainMember), chat.CodeForbidden)
	w.appoint(room, "pia", chat.Owner)
	ok(t, down("olga", chat.PlainMember))
	want := map[string]chat.Role{
		"olga": chat.PlainMember, "omar": chat.Moderator, "mara": chat.PlainMember, "milo": chat.Moderator, "paul": chat.PlainMember, "pia": chat.Owner,
	}
	for user, role := range w.roles(room) {
		if role != want[user] {
			t.Errorf("%s is %s, want %s", user, role, want[user])
		}
	}
}

// A change that overtakes another one is seen at the next try.
func TestChangeMember_Concurrent(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	w.once("ChangeMember", func() { w.appoint(room, "paul", chat.Moderator) })
	until := ptr(int64(epoch + 60_000))
	_, err := w.rooms.ChangeMember(t.Context(), "mara", room, "paul", chat.MemberChange{MutedUntil: until})
	refused(t, "who has become a moderator", err, chat.CodeForbidden)
	w.once("ChangeMember", func() { w.appoint(room, "pia", chat.Owner) })
	m, err := w.rooms.ChangeMember(t.Context(), "olga", room, "pia", chat.MemberChange{MutedUntil: until})
	if ok(t, err); m.Role != chat.Owner || m.MutedUntil != *until || m.ChangedAt <= epoch {
		t.Errorf("changed %+v", m)
	}
}

// Who is muted reads, deletes and takes back, and says nothing, until the time is over.
func TestMuted(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	w.connect("paul")
	own, other := w.stored(room, "paul"), w.stored(room, "pia")
	_, err := w.reactors.React(t.Context(), "paul", room, other, "a", true)
	ok(t, err)
	until := int64(epoch + 60_000)
	_, err = w.rooms.ChangeMember(t.Context(), "mara", room, "paul", chat.MemberChange{MutedUntil: &until})
	ok(t, err)
	typists := chat.NewTypists(w.store, nil, w.clock.now)
	speaks := map[string]func() error{
		"send": func() error {
			_, err := w.sender.Send(t.Context(), chat.SendRequest{ConnectionID: "paul", RoomID: room, Content: "hello"})
			return err
		},
		"edit": func() error {
			_, err := w.editor.Edit(t.Context(), "paul", room, own, "new", nil)
			return err
		},
		"react": func() error {
			_, err := w.reactors.React(t.Context(), "paul", room, other, "b", true)
			return err
		},
		"type": func() error { return typists.Type(t.Context(), "paul", room) },
	}
	for what, do := range speaks {
		err := do()
		refused(t, what, err, chat.CodeMuted)
		if got := chat.Reason(err).Until; got != until {
			t.Errorf("%s: until %d, want %d", what, got, until)
		}
	}
	_, err = w.reactors.React(t.Context(), "paul", room, other, "a", false)
	ok(t, err)
	_, _, err = w.histories.Read(t.Context(), "paul", room, chat.Range{Limit: 1})
	ok(t, err)
	w.clock.set(2 * time.Minute)
	for what, do := range speaks {
		if err := do(); err != nil {
			t.Errorf("%s when it is over: %v", what, err)
		}
	}
	ok(t, w.editor.Delete(t.Context(), "paul", room, own))
}

// A mute outlasts that its member leaves a public room, or is removed, and joins again.
func TestMuted_JoinsAgainWhenItIsOver(t *testing.T) {
	for _, by := range []string{"paul", "mara"} {
		w := newWorld(t)
		room := w.staffed()
		_, err := w.rooms.Share(t.Context(), "olga", room, true)
		ok(t, err)
		until := int64(epoch + 60_000)
		_, err = w.rooms.ChangeMember(t.Context(), "mara", room, "paul", chat.MemberChange{MutedUntil: &until})
		ok(t, err)
		ok(t, w.rooms.RemoveMember(t.Context(), by, room, "paul"))
		ok(t, w.rooms.RemoveMember(t.Context(), "pia", room, "pia")) // who is not muted
		_, _, err = w.rooms.Join(t.Context(), "paul", room)
		if refused(t, "joining again", err, chat.CodeBanned); chat.Reason(err).Until != until {
			t.Errorf("banned until %d, want %d", chat.Reason(err).Until, until)
		}
		_, joined, err := w.rooms.Join(t.Context(), "pia", room)
		if ok(t, err); !joined {
			t.Error("pia has not joined again")
		}
		w.clock.set(time.Minute)
		if _, joined, err = w.rooms.Join(t.Context(), "paul", room); err != nil || !joined {
			t.Errorf("when it is over: joined %t, %v", joined, err)
		}
	}
}

// A tombstone says who deleted another one's message, and no one of one's own.
func TestDelete_By(t *testing.T) {
	w := newWorld(t)
	room := w.staffed()
	for sender, by := range map[string]string{"paul": "mara", "mara": ""} {
		id := w.stored(room, sender)
		ok(t, w.editor.Delete(t.Context(), "mara", room, id))
		ok(t, w.editor.Delete(t.Context(), "olga", room, id)) // again, which changes nothing
		messages, _, err := w.histories.Read(t.Context(), "pia", room, chat.Range{Limit: 1})
		ok(t, err)
		if m := messages[0]; m.ID != id || m.DeletedBy != by || m.DeletedAt == 0 {
			t.Errorf("%s's: %+v, want it deleted by %q", sender, m, by)
		}
		w.clock.advance(time.Second)
	}
}

func TestBan(t *testing.T) {
	w := newWorld(t)
	room, direct := w.staffed(), w.direct("olga", "paul")
	until := int64(epoch + 60_000)
	b, err := w.rooms.Ban(t.Context(), "mara", room, "paul", until, "spam")
	ok(t, err)
	if want := (chat.Ban{UserID: "paul", By: "mara", At: epoch, Until: until, Reason: "spam"}); b != want {
		t.Errorf("banned %+v, want %+v", b, want)
	}
	if _, member := w.roles(room)["paul"]; member {
		t.Error("paul is a member")
	}
	_, err = w.rooms.AddMember(t.Context(), "olga", room, "paul", false)
	refused(t, "add", err, chat.CodeBanned)
	w.clock.set(time.Minute)
	_, err = w.rooms.AddMember(t.Context(), "olga", room, "paul", false)
	ok(t, err)
	for what, test := range map[string]struct {
		room, user string
		until      int64
		reason     string
		code       chat.Code
	}{
		"oneself":            {room, "olga", 0, "", chat.CodeForbidden},
		"a direct message":   {direct, "paul", 0, "", chat.CodeForbidden},
		"no such room":       {"none", "paul", 0, "", chat.CodeNotAMember},
		"no user":            {room, "", 0, "", chat.CodeInvalidRequest},
		"an end that was":    {room, "paul", epoch, "", chat.CodeInvalidRequest},
		"a reason with ends": {room, "paul", 0, "a\nb", chat.CodeInvalidRequest},
	} {
		_, err := w.rooms.Ban(t.Context(), "olga", test.room, test.user, test.until, test.reason)
		refused(t, what, err, test.code)
	}
	w.once("Ban", func() { w.appoint(room, "pia", chat.Moderator) })
	_, err = w.rooms.Ban(t.Context(), "mara", room, "pia", 0, "")
	refused(t, "who has become a moderator", err, chat.CodeForbidden)
	if bans, _, err := w.rooms.Bans(t.Context(), "olga", room, "", 10); err != nil || len(bans) > 0 {
		t.Errorf("a refused ban left %v, error %v", bans, err)
	}
}

// The connections of a member who is banned end, of a stranger they don't; nor do they too
// often, by whatever rooms.
func TestBan_EndsConnections(t *testing.T) {
	w := newWorld(t)
	isEnded := func(what, room, user string, want bool) {
		t.Helper()
		w.clock.advance(time.Millisecond)
		c := chat.Connection{ID: what, UserID: user, ConnectedAt: w.clock.now().UnixMilli(), TokenExpiresAt: epoch + 1e8}
		ok(t, w.sessions.Open(t.Context(), c))
		_, err := w.rooms.Ban(t.Context(), "olga", room, user, 0, "")
		ok(t, err)
		_, err = w.sessions.Ping(t.Context(), what)
		if got := err != nil && chat.Reason(err).Code == chat.CodeReconnect; got != want {
			t.Errorf("%s: a ping is answered %v, want that it has ended: %t", what, err, want)
		}
	}
	isEnded("a stranger", w.staffed(), "sven", false)
	for n := range chat.EndingBurst {
		isEnded(fmt.Sprintf("ban %d", n+1), w.staffed(), "paul", true)
	}
	isEnded("one more", w.staffed(), "paul", false)
	isEnded("of another", w.staffed(), "pia", true)
	w.clock.advance(chat.EndingInterval)
	isEnded("later", w.staffed(), "paul", true)

	// One that fails half way is made again, with all that belongs to it.
	room := w.staffed()
	for _, method := range []string{"EndBanned", "RemoveMember"} {
		w.breakOn(method)
		_, err := w.rooms.Ban(t.Context(), "olga", room, "milo", 0, "")
		internal(t, method, err)
	}
	w.store.Before(nil)
	isEnded("again", room, "milo", true)
}

// A service acts in every room, and leaves it an owner.
func TestChangeMember_Service(t *testing.T) {
	w := newWorld(t)
	bot, room, direct := chat.ServiceID("bot"), w.group("olga", "paul"), w.direct("olga", "paul")
	_, err := w.rooms.ChangeMember(t.Context(), bot, room, "olga", chat.MemberChange{Role: ptr(chat.PlainMember)})
	refused(t, "the last owner", err, chat.CodeForbidden)
	_, err = w.rooms.ChangeMember(t.Context(), bot, room, "paul", chat.MemberChange{Role: ptr(chat.Owner)})
	ok(t, err)
	_, err = w.rooms.ChangeMember(t.Context(), bot, room, "olga", chat.MemberChange{Role: ptr(chat.PlainMember)})
	ok(t, err)
	_, err = w.rooms.ChangeMember(t.Context(), bot, room, "olga", chat.MemberChange{Role: ptr(chat.Service)})
	refused(t, "the role of a service", err, chat.CodeInvalidRequest)
	_, err = w.rooms.ChangeMember(t.Context(), bot, room, bot, chat.MemberChange{Role: ptr(chat.Moderator)})
	refused(t, "itself, a stranger", err, chat.CodeNotFound)
	_, err = w.rooms.AddMember(t.Context(), bot, room, bot, false)
	ok(t, err)
	for _, role := range []chat.Role{chat.Owner, chat.PlainMember} {
		_, err = w.rooms.ChangeMember(t.Context(), bot, room, bot, chat.MemberChange{Role: &role})
		if ok(t, err); w.roles(room)[bot] != role {
			t.Errorf("the service is %s, want %s", w.roles(room)[bot], role)
		}
	}
	ok(t, w.editor.Delete(t.Context(), bot, direct, w.stored(direct, "paul")))
	refused(t, "a ban in a direct message", func() error {
		_, err := w.rooms.Ban(t.Context(), bot, direct, "paul", 0, "")
		return err
	}(), chat.CodeForbidden)
}

// inherits says of each role but that of an owner whether a member who has it becomes an owner
// when the last one goes.
var inherits = map[chat.Role]bool{chat.Moderator: true, chat.PlainMember: true}

// Each role has rights that are tested, and is in the room of the tests of whole systems.
func TestRoles(t *testing.T) {
	w := newWorld(t)
	roles := w.roles(w.staffed())
	for _, role := range chat.Roles {
		if !slices.ContainsFunc(actors, func(actor string) bool { return roles[actor] == role }) {
			t.Errorf("no one acts as a %s: have one in staffed and actors here, with a code in each row of TestRights, and in test/rig (staff.go, rights.go)", role)
		}
		if role == chat.Owner {
			continue
		}
		want, decided := inherits[role]
		if !decided {
			t.Errorf("inherits does not say whether a %s becomes an owner when the last one goes: decide it in Rooms.successor", role)
			continue
		}
		w := newWorld(t)
		room := w.group("olga", "mia")
		w.appoint(room, "mia", role)
		ok(t, w.rooms.RemoveMember(t.Context(), "olga", room, "olga"))
		if got := w.roles(room)["mia"]; (got == chat.Owner) != want {
			t.Errorf("a %s is %s once the last owner has gone, want an owner: %t", role, got, want)
		}
	}
}

// A service that joined with or before others does not inherit a room from its owner.
func TestSuccessor_IsNoService(t *testing.T) {
	w := newWorld(t)
	bot := chat.ServiceID("bot")
	room := w.group("alice", bot, "zoe")
	ok(t, w.rooms.RemoveMember(t.Context(), "alice", room, "alice"))
	if roles := w.roles(room); roles["zoe"] != chat.Owner || roles[bot] != chat.PlainMember {
		t.Errorf("roles %v, want zoe to be the owner", roles)
	}
	ok(t, w.rooms.RemoveMember(t.Context(), "zoe", room, "zoe"))
	if roles := w.roles(room); roles[bot] != chat.Owner {
		t.Errorf("roles %v, want the service to be the owner", roles)
	}
}

// The first of the members of a service's group is asked for as the others are.
func TestCreate_AServiceFounds(t *testing.T) {
	w := newWorld(t)
	blocks := chat.NewBlocks(w.store, w.clock.now)
	n := chat.NewRoom{Name: "Tea", Type: chat.Group, Members: []string{"alice", "bob"}}
	for _, user := range n.Members {
		ok(t, blocks.Block(t.Context(), user, "service:bot"))
		_, _, err := w.rooms.Create(t.Context(), "service:bot", n)
		refused(t, "a group with "+user+", who blocks the service", err, chat.CodeForbidden)
		ok(t, blocks.Unblock(t.Context(), user, "service:bot"))
	}
	n.OnlySignedIn = true
	_, _, err := w.rooms.Create(t.Context(), "service:bot", n)
	refused(t, "who never signed in", err, chat.CodeNeverSignedIn)
	if got := chat.Reason(err).Users; !slices.Equal(got, n.Members) {
		t.Errorf("never signed in: %q, want %q", got, n.Members)
	}
}
