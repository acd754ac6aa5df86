package httpapi

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) createRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.RoomRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	key, err := idempotencyKey(r)
	if err != nil {
		return 0, nil, err
	}
	public, err := isPublic(cmp.Or(in.Visibility, wire.Private))
	if err != nil {
		return 0, nil, err
	}
	members, err := a.domain.UserIDs.NormalizeAll(in.Members)
	if err != nil {
		return 0, nil, err
	}
	// Each member is written, and the room comes up on each one's devices.
	if len(members) > 0 {
		if err := a.domain.Limits.Take(r.Context(), userID, chat.Writing, len(members)); err != nil {
			return 0, nil, err
		}
		a.domain.Limits.Weigh(userID, chat.Writing, len(members))
	}
	room, created, err := a.domain.Rooms.Create(r.Context(), userID, chat.NewRoom{
		Name: in.Name, Type: chat.RoomType(in.Type), Members: members, Public: public,
		OnlySignedIn: in.OnlySignedIn, Key: key,
	})
	if err != nil {
		return 0, nil, err
	}
	body := a.roomBody(room)
	others := slices.DeleteFunc(members, func(member string) bool { return member == userID })
	if body.NeverSignedIn, err = a.domain.Rooms.NeverSignedIn(r.Context(), others); err != nil {
		return 0, nil, err
	}
	if created {
		return http.StatusCreated, body, nil
	}
	return http.StatusOK, body, nil
}

// idempotencyKey reads the header Idempotency-Key, "" if it is absent. An empty
// one is refused, because its sender relies on it.
func idempotencyKey(r *http.Request) (string, error) {
	values, ok := r.Header["Idempotency-Key"]
	if !ok {
		return "", nil
	}
	key := strings.Join(values, ",")
	if key == "" {
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid Idempotency-Key: want 1 to 128 characters, got none; leave the header out if you need no key")
	}
	return key, chat.ValidateIdempotencyKey(key)
}

func (a *API) roomBody(r chat.Room) wire.Room {
	body := wire.Room{
		ChatRoomID: r.ID, Name: r.Name, Type: string(r.Type), MemberCount: r.MemberCount,
		RetentionDays: a.domain.Rooms.RetentionDays(r),
	}
	if r.Public {
		body.Visibility = wire.Public
	}
	return body
}

func (a *API) listRooms(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	rooms, next, err := a.domain.Rooms.List(r.Context(), userID, r.URL.Query().Get("cursor"), n)
	if err != nil {
		return 0, nil, err
	}
	body := wire.RoomList{Rooms: make([]wire.RoomSummary, len(rooms)), Cursor: next}
	for i, room := range rooms {
		body.Rooms[i] = wire.RoomSummary{
			ChatRoomID: room.Room.ID, Name: room.Room.Name, Type: string(room.Room.Type), LastMessageAt: room.SortAt,
			Notify: string(room.Notify), NotifyAt: room.NotifyAt, ReadUpTo: room.ReadUpTo, Unread: room.Unread, UnreadMore: room.UnreadMore, Mentions: room.Mentions,
		}
		if with := room.With; with.UserID != "" {
			body.Rooms[i].With = &wire.Person{UserID: with.UserID, DisplayName: with.DisplayName}
		}
		if last := room.Last; last != nil {
			body.Rooms[i].LastMessageAt = max(room.SortAt, last.SentAt)
			body.Rooms[i].LastMessage = &wire.LastMessage{
				MessageID: last.MessageID, SenderID: last.SenderID, Preview: last.Preview, Timestamp: last.SentAt,
				DeletedAt: last.DeletedAt, Attachments: last.Attachments,
			}
			if last.DeletedAt == 0 {
				body.Rooms[i].LastMessage.EditedAt = last.Version
			}
		}
	}
	return http.StatusOK, body, a.addOthers(r, body.Rooms)
}

func (a *API) getRoom(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	roomID := r.PathValue("room")
	after, err := decodeMember(roomID, r.URL.Query().Get("cursor"))
	if err != nil {
		return 0, nil, err
	}
	room, err := a.domain.Rooms.Get(r.Context(), userID, roomID, after, n)
	if err != nil {
		return 0, nil, err
	}
	body := a.roomBody(room.Room)
	if room.Place != nil {
		body.Place = placeBody(*room.Place)
	}
	if room.Role == "" {
		return http.StatusOK, body, nil // a stranger's
	}
	body.Role, body.MutedUntil, body.ChangedAt = string(room.Role), room.MutedUntil, room.ChangedAt
	body.Notify, body.NotifyAt = string(room.Notify), room.NotifyAt
	body.Members = make([]wire.RoomMember, len(room.Members)) // present even if empty
	for i, m := range room.Members {
		body.Members[i] = wire.RoomMember{
			UserID: m.UserID, Role: string(m.Role), JoinedAt: m.JoinedAt, MutedUntil: m.MutedUntil, ChangedAt: m.ChangedAt,
			ReadFrom: m.ReadFrom, ReadUpTo: m.ReadUpTo, ReadSince: m.ReadSince, ReadKnown: m.ReadKnown, DisplayName: m.DisplayName,
		}
	}
	if room.More {
		body.Cursor = encodeMember(roomID, room.Members[len(room.Members)-1].UserID)
	}
	return http.StatusOK, body, a.addSightings(r, &body)
}

// encodeMember makes the cursor of a list of users, "" at its end: the room, and the id after
// which the list goes on.
func encodeMember(roomID, userID string) string {
	if userID == "" {
		return ""
	}
	return encodeCursor(roomID, userID)
}

func decodeMember(roomID, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	userID, ours := decodeCursor(roomID, cursor)
	if !ours || chat.ValidateUserID(userID) != nil {
		return "", errCursor()
	}
	return userID, nil
}

// encodeCursor makes the cursor of a list of a room's: the room, and where the list goes on.
func encodeCursor(roomID, at string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(roomID + "#" + at))
}

// decodeCursor returns where the list goes on; false for a cursor of something else.
func decodeCursor(roomID, cursor string) (at string, ours bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	at, ours = strings.CutPrefix(string(raw), roomID+"#")
	return at, ours && err == nil
}

func errCursor() error {
	return chat.Errorf(chat.CodeInvalidRequest, "invalid cursor: want one from an earlier page of this list; leave it out to start at the beginning")
}
