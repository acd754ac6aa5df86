package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) ban(r *http.Request, userID string) (int, any, error) {
	var in wire.BanRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	banned, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	b, err := a.domain.Rooms.Ban(r.Context(), userID, r.PathValue("room"), banned, in.Until, in.Reason)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, banBody(b), nil
}

func (a *API) unban(r *http.Request, userID string) (int, any, error) {
	banned, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.domain.Rooms.Unban(r.Context(), userID, r.PathValue("room"), banned); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) bans(r *http.Request, userID string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	roomID := r.PathValue("room")
	after, err := decodeMember(roomID, r.URL.Query().Get("cursor"))
	if err != nil {
		return 0, nil, err
	}
	bans, next, err := a.domain.Rooms.Bans(r.Context(), userID, roomID, after, n)
	if err != nil {
		return 0, nil, err
	}
	body := wire.BanList{Bans: make([]wire.Ban, len(bans)), Cursor: encodeMember(roomID, next)}
	for i, b := range bans {
		body.Bans[i] = banBody(b)
	}
	return http.StatusOK, body, nil
}

func banBody(b chat.Ban) wire.Ban {
	return wire.Ban{UserID: b.UserID, By: b.By, At: b.At, Until: b.Until, Reason: b.Reason}
}
