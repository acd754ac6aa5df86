package chat

import (
	"cmp"
	"slices"
	"time"
)

// Operation is what someone does in a room. Rights say who may.
type Operation string

// The operations. Members may do those up to ToReport, strangers may read a public room
// and join it.
const (
	ToRead         Operation = "read"          // the room, its members and its messages, or mark them read
	ToSend         Operation = "send messages" // and announce files
	ToEdit         Operation = "edit messages" // one's own
	ToReact        Operation = "react"
	ToType         Operation = "type"            // show that one types
	ToDelete       Operation = "delete messages" // one's own, and take reactions back
	ToLeave        Operation = "leave"
	ToReport       Operation = "report messages" // of others
	ToJudge        Operation = "read and dismiss reports"
	ToDeleteOthers Operation = "delete messages of others"
	ToRename       Operation = "rename the room"
	ToShare        Operation = "change the visibility of the room"
	ToRetain       Operation = "change for how long messages are kept"
	ToPlace        Operation = "change the place of the room"
	ToAdd          Operation = "add members"
	ToRemove       Operation = "remove members"
	ToSetRole      Operation = "change roles"
	ToMute         Operation = "mute members"
	ToBan          Operation = "ban users" // or unban them, or read who is banned
)

// right is who may do an operation.
type right struct {
	roles  []Role
	direct bool // in a direct message, too
	served bool // in a direct message by services
	voice  bool // not while they are muted, or block the other one, or are blocked
	paused bool // not while they have spent their limit over time: all members are notified
}

var (
	everyMember = []Role{Owner, Moderator, PlainMember, Service}
	moderators  = []Role{Owner, Moderator, Service}
	owners      = []Role{Owner, Service}
)

// rights is the one table of who may do what. What is not in it, no one may.
var rights = map[Operation]right{
	ToRead:         {roles: everyMember, direct: true},
	ToSend:         {roles: everyMember, direct: true, voice: true, paused: true},
	ToEdit:         {roles: everyMember, direct: true, voice: true, paused: true},
	ToReact:        {roles: everyMember, direct: true, voice: true, paused: true},
	ToType:         {roles: everyMember, direct: true, voice: true},
	ToDelete:       {roles: everyMember, direct: true},
	ToLeave:        {roles: everyMember, direct: true},
	ToReport:       {roles: everyMember, direct: true},
	ToJudge:        {roles: moderators, served: true},
	ToDeleteOthers: {roles: moderators, served: true},
	ToRename:       {roles: owners, paused: true},
	ToShare:        {roles: owners, paused: true},
	ToRetain:       {roles: owners},
	ToPlace:        {roles: moderators, paused: true},
	ToAdd:          {roles: owners},
	ToRemove:       {roles: moderators},
	ToSetRole:      {roles: owners},
	ToMute:         {roles: moderators},
	ToBan:          {roles: moderators},
}

// rank orders roles: who acts on another one needs a greater rank, or to be an owner. It is
// 0 for what is not a role.
func (r Role) rank() int {
	switch i := slices.Index(Roles, r); {
	case r == Service:
		return len(Roles) + 1
	case i < 0:
		return 0
	default:
		return len(Roles) - i
	}
}

// may checks that a member may do something in a room of a type at a time, in ms.
//
// Errors: CodeForbidden, CodeMuted, CodeRateLimited.
func may(op Operation, in RoomType, by Member, now int64) error {
	r, role := rights[op], cmp.Or(by.Role, PlainMember)
	switch {
	case in == Direct && !r.direct && (role != Service || !r.served):
		return Errorf(CodeForbidden, "no one can %s in a direct message: it has no name, no place and no roles, and its two members stay", op)
	case !slices.Contains(r.roles, role):
		who := "only owners"
		if slices.Contains(r.roles, Moderator) {
			who = "only owners and moderators"
		}
		return Errorf(CodeForbidden, "%s can %s; your role is %s", who, op, role)
	case r.voice && by.IsMuted(now):
		return errMuted(by.MutedUntil)
	case r.voice && (by.Blocks || by.Blocked):
		return errSilent(by.Blocks)
	case r.paused && now < by.PausedUntil:
		return errPaused(time.Duration(by.PausedUntil-now) * time.Millisecond)
	}
	return nil
}

// mayTo checks that a member may do something in a room to another one: owners and
// services to everyone, others to those of a lower role.
//
// Errors: CodeForbidden.
func mayTo(op Operation, in RoomType, by, to Member, now int64) error {
	if err := may(op, in, by, now); err != nil {
		return err
	}
	if by.Role.rank() < Owner.rank() && by.Role.rank() <= to.Role.rank() {
		return Errorf(CodeForbidden, "only owners can do this to an owner or a moderator; your role is %s", by.Role)
	}
	return nil
}

// errMuted refuses what a muted member says.
func errMuted(until int64) *Error {
	err := Errorf(CodeMuted, "you are muted in this room until %s", time.UnixMilli(until).UTC().Format(time.RFC3339))
	err.Until = until
	return err
}
