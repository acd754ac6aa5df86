package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

// pushing refuses what is asked for where there is no Web Push.
func (a *API) pushing(next handler) handler {
	if a.domain.Pushes != nil {
		return next
	}
	return func(*http.Request, string) (int, any, error) {
		return 0, nil, chat.Errorf(chat.CodeNotFound, "this deployment sends no Web Push")
	}
}

func (a *API) pushKey(*http.Request, string) (int, any, error) {
	return http.StatusOK, wire.PushKey{PublicKey: a.domain.Pushes.PublicKey()}, nil
}

func (a *API) subscribe(r *http.Request, userID string) (int, any, error) {
	var in wire.PushSubscription
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	subscription := chat.Subscription{Endpoint: in.Endpoint, Key: in.Keys.P256dh, Auth: in.Keys.Auth}
	if err := a.domain.Pushes.Subscribe(r.Context(), userID, subscription); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) unsubscribe(r *http.Request, userID string) (int, any, error) {
	var in wire.PushEndpoint
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.domain.Pushes.Unsubscribe(r.Context(), userID, in.Endpoint); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}
