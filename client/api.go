package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/streamroom/streamroom/shared/wire"
)

const (
	// MaxPage is the greatest number of messages or rooms in one answer.
	MaxPage = 100

	// maxAnswer bounds what is read of an answer; a function can't give more
	// than 6 MB.
	maxAnswer = 8 << 20
)

// Page is a part of a room's history. Before and After are message ids or the
// cursor of the page before, both exclusive, at most one of them set. With
// After the messages come oldest first, else newest first.
type Page struct {
	Before string
	After  string
	Limit  int // 1 to MaxPage; 0: the server's default, 50
}

// Search is a search for public rooms around a point.
type Search struct {
	Lat    float64 // degrees north, -90 to 90
	Lon    float64 // degrees east, -180 to 180
	Radius float64 // metres, 100 to 50,000; 0: the server's default, 5,000
	Limit  int     // rooms in a page, 1 to MaxPage; 0: the server's default, 50
	Cursor string  // of the page before; empty: the first page
}

// ListRooms returns one page of the user's rooms, newest message first: the
// first page for an empty cursor, then the one that the cursor of the last
// answer points at. An empty cursor in the answer says that it was the last.
func (c *Client) ListRooms(ctx context.Context, cursor string) (RoomList, error) {
	return c.listRooms(ctx, MaxPage, cursor)
}

func (c *Client) listRooms(ctx context.Context, limit int, cursor string) (RoomList, error) {
	var rooms RoomList
	err := c.call(ctx, http.MethodGet, "/rooms"+pageOf(limit, cursor), nil, &rooms)
	return rooms, err
}

// Room returns a room of the user's and one page of its members: the first page
// for an empty cursor, then the one that the cursor of the last answer points
// at. An empty cursor in the answer says that it was the last.
func (c *Client) Room(ctx context.Context, roomID, cursor string) (Room, error) {
	var room Room
	err := c.call(ctx, http.MethodGet, roomPath(roomID)+pageAt(cursor), nil, &room)
	return room, err
}

// pageAt is the query for the page that a cursor points at.
func pageAt(cursor string) string { return pageOf(MaxPage, cursor) }

func pageOf(limit int, cursor string) string {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return "?" + query.Encode()
}

func roomPath(roomID string) string { return "/rooms/" + url.PathEscape(roomID) }

// CreateRoom creates a room, of which the user is the owner, or returns the
// direct message room that exists already.
func (c *Client) CreateRoom(ctx context.Context, r RoomRequest) (Room, error) {
	var room Room
	err := c.call(ctx, http.MethodPost, "/rooms", r, &room)
	return room, err
}

// CreateRoomOnce is CreateRoom with an idempotency key, 1 to 128 of the
// characters A-Z a-z 0-9 _ . @ -: the same request with the same key, say after an
// answer that was lost, gives the same room for a day.
func (c *Client) CreateRoomOnce(ctx context.Context, key string, r RoomRequest) (Room, error) {
	var room Room
	err := c.callWith(ctx, http.Header{"Idempotency-Key": {key}}, http.MethodPost, "/rooms", r, &room)
	return room, err
}

// RenameRoom gives a room a name. Only an owner may, and no one in a direct
// message room.
func (c *Client) RenameRoom(ctx context.Context, roomID, name string) (Room, error) {
	var room Room
	err := c.call(ctx, http.MethodPatch, roomPath(roomID), wire.NameRequest{Name: name}, &room)
	return room, err
}

// ShareRoom makes a room public, so that anyone may join it, or private again, which
// removes its place. Only an owner may.
func (c *Client) ShareRoom(ctx context.Context, roomID string, public bool) (Room, error) {
	visibility := wire.Private
	if public {
		visibility = wire.Public
	}
	var room Room
	err := c.call(ctx, http.MethodPatch, roomPath(roomID), wire.RoomChange{Visibility: &visibility}, &room)
	return room, err
}

// RetainRoom sets how many days messages are kept that are sent to a group from now
// on, at most the deployment's; 0 is no bound of the room's own. Only an owner may.
func (c *Client) RetainRoom(ctx context.Context, roomID string, days int) (Room, error) {
	var room Room
	err := c.call(ctx, http.MethodPatch, roomPath(roomID), wire.RoomChange{RetentionDays: &days}, &room)
	return room, err
}

// JoinRoom makes the user a member of a public room; it is no error if they are one.
func (c *Client) JoinRoom(ctx context.Context, roomID string) (Room, error) {
	var room Room
	err := c.call(ctx, http.MethodPost, roomPath(roomID)+"/join", nil, &room)
	return room, err
}

// PlaceRoom gives a public room a place, instead of the one that it has, and returns it
// as it is stored. Only owners, moderators and services may.
func (c *Client) PlaceRoom(ctx context.Context, roomID string, at Place) (Place, error) {
	in := wire.PlaceRequest{Lat: &at.Lat, Lon: &at.Lon, Address: at.Address, StartsAt: at.StartsAt, EndsAt: at.EndsAt}
	var place Place
	err := c.call(ctx, http.MethodPut, roomPath(roomID)+"/place", in, &place)
	return place, err
}

// UnplaceRoom removes the place of a room, if it has one. Only owners, moderators and
// services may.
func (c *Client) UnplaceRoom(ctx context.Context, roomID string) error {
	return c.call(ctx, http.MethodDelete, roomPath(roomID)+"/place", nil, nil)
}

// Nearby returns one page of the public rooms around a point, nearest first: the first
// page for an empty Search.Cursor, then the one that the cursor of the last answer
// points at, with the rest of the search as it was. A page may have fewer rooms than
// asked for, or none; an empty cursor in the answer says that it was the last.
func (c *Client) Nearby(ctx context.Context, s Search) (NearbyList, error) {
	query := url.Values{"lat": {decimal(s.Lat)}, "lon": {decimal(s.Lon)}}
	if s.Radius != 0 {
		query.Set("radius", decimal(s.Radius))
	}
	if s.Limit != 0 {
		query.Set("limit", strconv.Itoa(s.Limit))
	}
	if s.Cursor != "" {
		query.Set("cursor", s.Cursor)
	}
	var list NearbyList
	err := c.call(ctx, http.MethodGet, "/nearby?"+query.Encode(), nil, &list)
	return list, err
}

// decimal is a number as a query has it, exact.
func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// AddMember makes a user a member of a room. Only an owner may, and
// no one in a direct message room.
func (c *Client) AddMember(ctx context.Context, roomID, userID string) error {
	return c.call(ctx, http.MethodPost, roomPath(roomID)+"/members", wire.MemberRequest{UserID: userID}, nil)
}

// AddSignedInMember is AddMember, except that a user who has never signed in is an
// *Error with CodeNeverSignedIn: the id may be misspelt.
func (c *Client) AddSignedInMember(ctx context.Context, roomID, userID string) error {
	in := wire.MemberRequest{UserID: userID, OnlySignedIn: true}
	return c.call(ctx, http.MethodPost, roomPath(roomID)+"/members", in, nil)
}

// RemoveMember ends a user's membership of a room. An owner removes any member, a
// moderator those without a role; with the user's own id it is how to leave: when the last
// owner does, the member who joined first becomes one. A direct message room is hidden from
// the user's list until the next message; no one can be removed from it. An *Error with
// CodeNotFound says that the user is not a member.
func (c *Client) RemoveMember(ctx context.Context, roomID, userID string) error {
	// By the query: a path can't name every user.
	query := url.Values{"userId": {userID}}
	return c.call(ctx, http.MethodDelete, roomPath(roomID)+"/members?"+query.Encode(), nil, nil)
}

// History returns one page of a room's messages. Its cursor, if there is one,
// goes into Before or After of the next page, whichever this one had (Before,
// if it had neither).
func (c *Client) History(ctx context.Context, roomID string, p Page) (History, error) {
	query := url.Values{}
	for name, value := range map[string]string{"before": p.Before, "after": p.After} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if p.Limit != 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
	var history History
	err := c.call(ctx, http.MethodGet, roomPath(roomID)+"/messages?"+query.Encode(), nil, &history)
	return history, err
}

// MarkRead notes that the user has read a room up to a message, all that is stored by
// now. It only moves forward; to read a [Message] that is Late, mark the newest one
// again.
func (c *Client) MarkRead(ctx context.Context, roomID, messageID string) error {
	return c.call(ctx, http.MethodPost, roomPath(roomID)+"/read", wire.ReadRequest{UpTo: messageID}, nil)
}

// What a user is notified of in a room while they are offline.
const (
	NotifyAll      = "all"      // which is the default
	NotifyMentions = "mentions" // messages that mention them, in a direct message, too
	NotifyNone     = "none"
)

// SetNotify sets what the user is notified of in a room, on all their devices, to one of
// the above.
//
// Errors: *Error.
func (c *Client) SetNotify(ctx context.Context, roomID, notify string) (Notify, error) {
	var now Notify
	err := c.call(ctx, http.MethodPut, roomPath(roomID)+"/notify", wire.NotifyRequest{Notify: notify}, &now)
	return now, err
}

// EditOption changes what [Client.Edit] changes.
type EditOption func(*wire.EditRequest)

// NowMentioning has an edited message mention these users, or none, instead of those whom
// it mentioned.
func NowMentioning(userIDs ...string) EditOption {
	return func(r *wire.EditRequest) {
		mentions := append([]string{}, userIDs...)
		r.Mentions = &mentions
	}
}

// Edit gives a message of the user's new content. An *Error with CodeNotFound
// says that it was deleted, or that it was to mention a non-member.
func (c *Client) Edit(ctx context.Context, roomID, messageID, content string, options ...EditOption) (HistoryMessage, error) {
	var m HistoryMessage
	change := wire.EditRequest{Content: content}
	for _, option := range options {
		option(&change)
	}
	err := c.call(ctx, http.MethodPatch, messagePath(roomID, messageID), change, &m)
	return m, err
}

// Delete takes the content of a message of the user's away, or of another one's in a room
// where the user is an owner or a moderator. Doing it again is no error.
func (c *Client) Delete(ctx context.Context, roomID, messageID string) error {
	return c.call(ctx, http.MethodDelete, messagePath(roomID, messageID), nil, nil)
}

func messagePath(roomID, messageID string) string {
	return roomPath(roomID) + "/messages/" + url.PathEscape(messageID)
}

// Me returns who the user is, and what they are called.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var me Me
	err := c.call(ctx, http.MethodGet, "/me", nil, &me)
	return me, err
}

// SetName gives the user a display name of at most 64 characters; "" removes it.
func (c *Client) SetName(ctx context.Context, name string) (Me, error) {
	var me Me
	err := c.call(ctx, http.MethodPut, "/me", wire.NameChange{DisplayName: &name}, &me)
	return me, err
}

// HidePresence hides whether the user is online from others, or shows it.
//
// Errors: *Error.
func (c *Client) HidePresence(ctx context.Context, hidden bool) (Me, error) {
	presence := wire.PresenceShown
	if hidden {
		presence = wire.PresenceHidden
	}
	var me Me
	err := c.call(ctx, http.MethodPut, "/me", wire.NameChange{Presence: &presence}, &me)
	return me, err
}

// Presence reads who of a room's first 100 members is online.
//
// Errors: *Error.
func (c *Client) Presence(ctx context.Context, roomID string) (RoomPresence, error) {
	var in RoomPresence
	err := c.call(ctx, http.MethodGet, roomPath(roomID)+"/presence", nil, &in)
	return in, err
}

// Names returns what users are called, at most 100 of them: those that have a
// display name, by user id.
func (c *Client) Names(ctx context.Context, userIDs ...string) (map[string]string, error) {
	var got wire.Profiles
	if err := c.call(ctx, http.MethodPost, "/profiles", wire.ProfilesRequest{Users: userIDs}, &got); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(got.Profiles))
	for userID, p := range got.Profiles {
		names[userID] = p.DisplayName
	}
	return names, nil
}

// sync returns what came after a message, per room, 100 rooms at most.
func (c *Client) sync(ctx context.Context, after map[string]string) (wire.SyncResponse, error) {
	var got wire.SyncResponse
	err := c.call(ctx, http.MethodPost, "/sync", wire.SyncRequest{Rooms: after}, &got)
	return got, err
}

// call makes one request, and a second one with a fresh token if the server
// refused the one at hand. in is the body to send, out takes the one received;
// nil is none. What the server refuses is an *Error.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	return c.callWith(ctx, nil, method, path, in, out)
}

// callWith is call with more headers.
func (c *Client) callWith(ctx context.Context, header http.Header, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = wire.Encode(in); err != nil {
			return err
		}
	}
	for last := false; ; last = true {
		token, err := c.tokens.recent(ctx)
		if err != nil {
			return err
		}
		err = c.request(ctx, header, method, path, token, body, out)
		if last || !isCode(err, CodeUnauthorized) && !isCode(err, CodeTokenExpired) {
			return err
		}
		c.tokens.reject(token)
	}
}

func (c *Client) request(ctx context.Context, header http.Header, method, path, token string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.api+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", "Bearer "+token)
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the API: %w", err)
	}
	defer resp.Body.Close()
	c.tokens.answered(resp.Header)
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the API's answer: %w", err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return problem(resp.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode the API's answer: %w", err)
	}
	return nil
}

// problem is the error in an answer: the server's, or one without a code by the
// gateway in front of it.
func problem(status int, body []byte) *Error {
	var p wire.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		message := http.StatusText(status)
		if status == http.StatusNotFound {
			message = "answered 404, no API here: is APIURL right?"
		}
		return &Error{Code: statusCode(status), Message: message, Status: status}
	}
	return &Error{Code: p.Code, Message: p.Detail, Status: status, NeverSignedIn: p.NeverSignedIn, RetryAfter: milliseconds(p.RetryAfter), Until: p.Until}
}
