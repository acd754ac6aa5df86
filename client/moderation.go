package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

// The roles of a room's members.
const (
	RoleOwner     = "owner"     // may do everything
	RoleModerator = "moderator" // deletes messages, mutes and removes members without a role
	RoleMember    = "member"
)

// SetRole gives a member of a group one of the roles above. Owners do so to everyone, and
// everyone may step down, except the last owner: CodeForbidden.
//
// Errors: *Error.
func (c *Client) SetRole(ctx context.Context, roomID, userID, role string) (ChangedMember, error) {
	return c.changeMember(ctx, roomID, userID, wire.MemberChange{Role: &role})
}

// Mute has a member neither send, edit, react nor type until a time; the zero time ends
// it. Owners mute every other member, moderators those without a role.
//
// Errors: *Error.
func (c *Client) Mute(ctx context.Context, roomID, userID string, until time.Time) (ChangedMember, error) {
	ms := end(until)
	return c.changeMember(ctx, roomID, userID, wire.MemberChange{MutedUntil: &ms})
}

// end is a time in ms, 0 for the zero time.
func end(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func (c *Client) changeMember(ctx context.Context, roomID, userID string, change wire.MemberChange) (ChangedMember, error) {
	var m ChangedMember
	err := c.call(ctx, http.MethodPatch, roomPath(roomID)+"/members?"+userQuery(userID), change, &m)
	return m, err
}

// userQuery names a user in a query: a path can't name every one.
func userQuery(userID string) string { return url.Values{"userId": {userID}}.Encode() }

// Ban removes a user from a group, and keeps them from joining and from being added until a
// time; the zero time is no end. reason, at most 500 characters, is for those who moderate
// the room; "" is none. Owners ban everyone else, moderators those without a role. A ban
// replaces the one before it.
//
// Errors: *Error.
func (c *Client) Ban(ctx context.Context, roomID, userID string, until time.Time, reason string) (Ban, error) {
	var b Ban
	in := wire.BanRequest{Until: end(until), Reason: reason}
	err := c.call(ctx, http.MethodPut, roomPath(roomID)+"/bans?"+userQuery(userID), in, &b)
	return b, err
}

// Unban ends a ban; it is no error if there is none. Owners and moderators only.
//
// Errors: *Error.
func (c *Client) Unban(ctx context.Context, roomID, userID string) error {
	return c.call(ctx, http.MethodDelete, roomPath(roomID)+"/bans?"+userQuery(userID), nil, nil)
}

// Bans reads one page of the users banned from a room: the first one for an empty cursor,
// then the one that the cursor of the last answer points at. Owners and moderators only.
//
// Errors: *Error.
func (c *Client) Bans(ctx context.Context, roomID, cursor string) (BanList, error) {
	var list BanList
	err := c.call(ctx, http.MethodGet, roomPath(roomID)+"/bans"+pageAt(cursor), nil, &list)
	return list, err
}

// Report tells those who moderate a room of another one's message; doing it again replaces
// the reason, at most 500 characters, "" for none.
//
// Errors: *Error.
func (c *Client) Report(ctx context.Context, roomID, messageID, reason string) error {
	return c.call(ctx, http.MethodPost, messagePath(roomID, messageID)+"/report", wire.ReportRequest{Reason: reason}, nil)
}

// Reports reads one page of the reports of a room's messages: the first one for an empty
// cursor, then the one that the cursor of the last answer points at. Owners and moderators
// only.
//
// Errors: *Error.
func (c *Client) Reports(ctx context.Context, roomID, cursor string) (ReportList, error) {
	var list ReportList
	err := c.call(ctx, http.MethodGet, roomPath(roomID)+"/reports"+pageAt(cursor), nil, &list)
	return list, err
}

// DismissReports removes all reports of a message; it is no error if there are none. Owners
// and moderators only.
//
// Errors: *Error.
func (c *Client) DismissReports(ctx context.Context, roomID, messageID string) error {
	return c.call(ctx, http.MethodDelete, roomPath(roomID)+"/reports/"+url.PathEscape(messageID), nil, nil)
}

// Block has another user neither begin a direct message with this one, nor write in the
// one they have, nor add this one to a room; nor can this user write there. Doing it again
// is no error.
//
// Errors: *Error.
func (c *Client) Block(ctx context.Context, userID string) error {
	return c.call(ctx, http.MethodPut, "/me/blocks?"+userQuery(userID), nil, nil)
}

// Unblock ends a block; it is no error if there is none.
//
// Errors: *Error.
func (c *Client) Unblock(ctx context.Context, userID string) error {
	return c.call(ctx, http.MethodDelete, "/me/blocks?"+userQuery(userID), nil, nil)
}

// Blocks reads one page of whom the user blocks: the first one for an empty cursor, then
// the one that the cursor of the last answer points at.
//
// Errors: *Error.
func (c *Client) Blocks(ctx context.Context, cursor string) (BlockList, error) {
	var list BlockList
	err := c.call(ctx, http.MethodGet, "/me/blocks"+pageAt(cursor), nil, &list)
	return list, err
}
