package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) me(r *http.Request, userID string) (int, any, error) {
	names, err := a.domain.Profiles.DisplayNames(r.Context(), []string{userID})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, wire.Me{UserID: userID, DisplayName: names[userID]}, nil
}

func (a *API) changeMe(r *http.Request, userID string) (int, any, error) {
	var in wire.NameChange
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if in.DisplayName == nil {
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, `displayName is missing; want a name, or "" to remove it`)
	}
	name, err := a.domain.Profiles.SetDisplayName(r.Context(), userID, *in.DisplayName)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, wire.Me{UserID: userID, DisplayName: name}, nil
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
