package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func withUser(ctx context.Context, userID string) context.Context {
	return context.WithValue(ctx, userKey{}, userID)
}

func userOf(ctx context.Context) string {
	userID, _ := ctx.Value(userKey{}).(string)
	return userID
}

func (a *API) createRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.RoomRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	room, created, err := a.rooms.Create(r.Context(), userID, chat.NewRoom{
		Name: in.Name, Type: chat.RoomType(in.Type), Members: in.Members,
	})
	if err != nil {
		return 0, nil, err
	}
	if created {
		return http.StatusCreated, roomBody(room), nil
	}
	return http.StatusOK, roomBody(room), nil
}

func roomBody(r chat.Room) wire.Room {
	return wire.Room{ChatRoomID: r.ID, Name: r.Name, Type: string(r.Type), MemberCount: r.MemberCount}
}

func (a *API) listRooms(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	rooms, next, err := a.rooms.List(r.Context(), userID, r.URL.Query().Get("cursor"), n)
	if err != nil {
		return 0, nil, err
	}
	body := wire.RoomList{Rooms: make([]wire.RoomSummary, len(rooms)), Cursor: next}
	for i, room := range rooms {
		body.Rooms[i] = wire.RoomSummary{
			ChatRoomID: room.Room.ID, Name: room.Room.Name, Type: string(room.Room.Type), LastMessageAt: room.SortAt,
		}
		if last := room.Last; last != nil {
			body.Rooms[i].LastMessageAt = max(room.SortAt, last.SentAt)
			body.Rooms[i].LastMessage = &wire.LastMessage{
				MessageID: last.MessageID, SenderID: last.SenderID, Preview: last.Preview, Timestamp: last.SentAt,
			}
		}
	}
	return http.StatusOK, body, nil
}

func (a *API) getRoom(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	after, err := decodeMember(r.URL.Query().Get("cursor"))
	if err != nil {
		return 0, nil, err
	}
	room, members, more, err := a.rooms.Get(r.Context(), userID, r.PathValue("room"), after, n)
	if err != nil {
		return 0, nil, err
	}
	body := roomBody(room)
	for _, m := range members {
		body.Members = append(body.Members, wire.RoomMember{UserID: m.UserID, Role: string(m.Role), JoinedAt: m.JoinedAt})
	}
	if more {
		body.Cursor = encodeMember(members[len(members)-1].UserID)
	}
	return http.StatusOK, body, nil
}

// The cursor of a member list is the last member's id.
func encodeMember(userID string) string { return base64.RawURLEncoding.EncodeToString([]byte(userID)) }

func decodeMember(cursor string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || (cursor != "" && chat.ValidateUserID(string(raw)) != nil) {
		return "", chat.Errorf(chat.CodeInvalidRequest, "cursor is not one that this list gave; start again without it")
	}
	return string(raw), nil
}

func (a *API) addMember(r *http.Request, userID string) (int, any, error) {
	var in wire.MemberRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	added, err := a.rooms.AddMember(r.Context(), userID, r.PathValue("room"), in.UserID)
	if err != nil {
		return 0, nil, err
	}
	if added {
		return http.StatusCreated, in, nil
	}
	return http.StatusOK, in, nil
}

func (a *API) removeMember(r *http.Request, userID string) (int, any, error) {
	if err := a.rooms.RemoveMember(r.Context(), userID, r.PathValue("room"), r.PathValue("user")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) history(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	query := r.URL.Query()
	messages, more, err := a.histories.Read(r.Context(), userID, r.PathValue("room"), chat.Range{
		Before: query.Get("before"), After: query.Get("after"), Limit: n,
	})
	if err != nil {
		return 0, nil, err
	}
	body := wire.History{Messages: make([]wire.HistoryMessage, len(messages))}
	for i, m := range messages {
		body.Messages[i] = messageBody(m)
	}
	if more {
		body.Cursor = messages[len(messages)-1].ID
	}
	return http.StatusOK, body, nil
}

func messageBody(m chat.Message) wire.HistoryMessage {
	return wire.HistoryMessage{
		ChatRoomID: m.RoomID, MessageID: m.ID, SenderID: m.SenderID, Content: m.Content, Timestamp: m.SentAt,
		ReadBy: m.ReadBy, EditedAt: m.EditedAt, DeletedAt: m.DeletedAt,
	}
}

// syncBody is wire.SyncResponse with messages that are encoded already.
type syncBody struct {
	Rooms map[string]syncRoom `json:"rooms"`
}

type syncRoom struct {
	Messages []json.RawMessage `json:"messages"`
	More     bool              `json:"more"`
}

func (a *API) sync(r *http.Request, userID string) (int, any, error) {
	var in wire.SyncRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	missed, err := a.histories.Sync(r.Context(), userID, in.Rooms)
	if err != nil {
		return 0, nil, err
	}
	body, err := fitSync(missed)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, body, nil
}

// fitSync encodes what was missed into maxSyncBody bytes. Every room keeps its
// first message, as a client goes on from the last that it got.
func fitSync(missed []chat.Missed) (syncBody, error) {
	body := syncBody{Rooms: make(map[string]syncRoom, len(missed))}
	encoded := make([][]json.RawMessage, len(missed))
	size := 0
	for i, room := range missed {
		for n, m := range room.Messages {
			data, err := wire.Encode(messageBody(m))
			if err != nil {
				return syncBody{}, fmt.Errorf("encode message %s: %w", m.ID, err)
			}
			encoded[i] = append(encoded[i], data)
			if n == 0 {
				size += len(data)
			}
		}
	}
	for i, room := range missed {
		n := min(1, len(encoded[i]))
		for n < len(encoded[i]) && size+len(encoded[i][n]) <= maxSyncBody {
			size += len(encoded[i][n])
			n++
		}
		body.Rooms[room.RoomID] = syncRoom{
			Messages: append([]json.RawMessage{}, encoded[i][:n]...), // never null
			More:     room.More || n < len(encoded[i]),
		}
	}
	return body, nil
}
