package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) me(r *http.Request, userID string) (int, any, error) {
	body, err := a.meBody(r, userID)
	return http.StatusOK, body, err
}

func (a *API) meBody(r *http.Request, userID string) (wire.Me, error) {
	names, err := a.domain.Profiles.DisplayNames(r.Context(), []string{userID})
	if err != nil {
		return wire.Me{}, err
	}
	body := wire.Me{UserID: userID, DisplayName: names[userID]}
	hidden, err := a.domain.Presences.Hidden(r.Context(), userID)
	if hidden {
		body.Presence = wire.PresenceHidden
	}
	return body, err
}

func (a *API) changeMe(r *http.Request, userID string) (int, any, error) {
	var in wire.NameChange
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	switch {
	case in.DisplayName == nil && in.Presence == nil:
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, `displayName is missing, and so is presence; want a name, or "" to remove it, or %s or %s`, wire.PresenceShown, wire.PresenceHidden)
	case in.Presence != nil && *in.Presence != wire.PresenceShown && *in.Presence != wire.PresenceHidden:
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "invalid presence: want %s or %s", wire.PresenceShown, wire.PresenceHidden)
	case in.Presence != nil && a.domain.Presences == nil:
		return 0, nil, errNoPresence()
	}
	body, err := a.meBody(r, userID)
	if err != nil {
		return 0, nil, err
	}
	if in.DisplayName != nil { // which is read eventually
		if body.DisplayName, err = a.domain.Profiles.SetDisplayName(r.Context(), userID, *in.DisplayName); err != nil {
			return 0, nil, err
		}
	}
	if in.Presence != nil {
		hidden := *in.Presence == wire.PresenceHidden
		if err := a.domain.Presences.Hide(r.Context(), userID, hidden); err != nil {
			return 0, nil, err
		}
		body.Presence = ""
		if hidden {
			body.Presence = wire.PresenceHidden
		}
	}
	return http.StatusOK, body, nil
}

func (a *API) profiles(r *http.Request, _ string) (int, any, error) {
	var in wire.ProfilesRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	users, err := a.domain.UserIDs.NormalizeAll(in.Users)
	if err != nil {
		return 0, nil, err
	}
	names, err := a.domain.Profiles.DisplayNames(r.Context(), users)
	if err != nil {
		return 0, nil, err
	}
	body := wire.Profiles{Profiles: make(map[string]wire.Profile, len(names))}
	for i, user := range in.Users { // under the ids that the caller knows
		if name := names[users[i]]; name != "" {
			body.Profiles[user] = wire.Profile{DisplayName: name}
		}
	}
	return http.StatusOK, body, nil
}
