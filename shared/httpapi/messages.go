package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) readRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.ReadRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if err := a.domain.Readers.Read(r.Context(), userID, r.PathValue("room"), in.UpTo); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func (a *API) editMessage(r *http.Request, userID string) (int, any, error) {
	var in wire.EditRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	m, err := a.domain.Editor.Edit(r.Context(), userID, r.PathValue("room"), r.PathValue("message"), in.Content)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, messageBody(m), nil
}

func (a *API) deleteMessage(r *http.Request, userID string) (int, any, error) {
	if err := a.domain.Editor.Delete(r.Context(), userID, r.PathValue("room"), r.PathValue("message")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}
