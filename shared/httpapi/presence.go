package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) presence(r *http.Request, userID string) (int, any, error) {
	if a.domain.Presences == nil {
		return 0, nil, errNoPresence()
	}
	in, err := a.domain.Presences.In(r.Context(), userID, r.PathValue("room"))
	if err != nil {
		return 0, nil, err
	}
	body := wire.RoomPresence{Online: in.Online, Users: make([]wire.Sighting, len(in.Users)), Limited: in.More}
	for i, user := range in.Users {
		seen := in.Seen[user]
		body.Users[i] = wire.Sighting{UserID: user, Online: seen.Online, LastSeenAt: seen.LastSeenAt}
	}
	return http.StatusOK, body, nil
}

// addSightings says of a small room's members who is online.
func (a *API) addSightings(r *http.Request, room *wire.Room) error {
	if room.MemberCount > chat.PresenceRoom {
		return nil
	}
	users := make([]string, len(room.Members))
	for i, m := range room.Members {
		users[i] = m.UserID
	}
	seen, err := a.domain.Presences.Of(r.Context(), users)
	if err != nil {
		return err
	}
	for i, user := range users {
		room.Members[i].Online, room.Members[i].LastSeenAt = seen[user].Online, seen[user].LastSeenAt
	}
	return nil
}

// addOthers says of the other members of direct messages who is online.
func (a *API) addOthers(r *http.Request, rooms []wire.RoomSummary) error {
	var users []string
	for _, room := range rooms {
		if room.With != nil {
			users = append(users, room.With.UserID)
		}
	}
	seen, err := a.domain.Presences.Of(r.Context(), users)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		if room.With != nil {
			room.With.Online, room.With.LastSeenAt = seen[room.With.UserID].Online, seen[room.With.UserID].LastSeenAt
		}
	}
	return nil
}

func errNoPresence() error {
	return chat.Errorf(chat.CodeInvalidRequest, "this deployment does not tell who is online; do not ask it")
}
