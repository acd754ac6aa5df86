package httpapi

import (
	"net/http"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/wire"
)

func (a *API) addMember(r *http.Request, userID string) (int, any, error) {
	var in wire.MemberRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	member, err := a.domain.UserIDs.Normalize(in.UserID)
	if err != nil {
		return 0, nil, err
	}
	added, err := a.domain.Rooms.AddMember(r.Context(), userID, r.PathValue("room"), member, in.OnlySignedIn)
	if err != nil {
		return 0, nil, err
	}
	body := wire.AddedMember{UserID: member}
	if body.NeverSignedIn, err = a.domain.Rooms.NeverSignedIn(r.Context(), []string{member}); err != nil {
		return 0, nil, err
	}
	if added {
		return http.StatusCreated, body, nil
	}
	return http.StatusOK, body, nil
}

func (a *API) removeMember(r *http.Request, userID string) (int, any, error) {
	member, err := memberNamed(r)
	if err != nil {
		return 0, nil, err
	}
	remove := func(member string) error {
		return a.domain.Rooms.RemoveMember(r.Context(), userID, r.PathValue("room"), member)
	}
	normal, err := a.domain.UserIDs.Normalize(member)
	if err == nil {
		err = remove(normal)
	}
	// Members may be stored whose ids are not in normal form, from before there was one.
	if err != nil && normal != member && remove(member) == nil {
		err = nil
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

// memberNamed reads the member to remove, from the path or from the query, which
// takes every id. If both name one, they must agree: a gateway may have shortened
// the path.
func memberNamed(r *http.Request) (string, error) {
	inPath, inQuery := r.PathValue("user"), r.URL.Query()["userId"]
	switch {
	case inPath == "" && len(inQuery) == 0:
		return "", chat.Errorf(chat.CodeInvalidRequest, "userId is missing: want ?userId=…, or a member's id in the path")
	case len(inQuery) > 1, inPath != "" && len(inQuery) == 1 && inQuery[0] != inPath:
		return "", chat.Errorf(chat.CodeInvalidRequest, "invalid userId: want one member, got several")
	case inPath == "":
		return inQuery[0], nil
	}
	return inPath, nil
}

// changeMember takes the member from the query, which takes every id.
func (a *API) changeMember(r *http.Request, userID string) (int, any, error) {
	var in wire.MemberChange
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	member, err := a.userNamed(r)
	if err != nil {
		return 0, nil, err
	}
	m, err := a.domain.Rooms.ChangeMember(r.Context(), userID, r.PathValue("room"), member, chat.MemberChange{
		Role: (*chat.Role)(in.Role), MutedUntil: in.MutedUntil,
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, wire.ChangedMember{UserID: m.UserID, Role: string(m.Role), MutedUntil: m.MutedUntil, ChangedAt: m.ChangedAt}, nil
}

// setNotify sets what the caller themselves is notified of.
func (a *API) setNotify(r *http.Request, userID string) (int, any, error) {
	var in wire.NotifyRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	notify, err := chat.ParseNotify(in.Notify)
	if err != nil {
		return 0, nil, err
	}
	m, err := a.domain.Rooms.SetNotify(r.Context(), userID, r.PathValue("room"), notify)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, wire.Notify{Notify: m.Notify.String(), NotifyAt: m.NotifyAt}, nil
}

// userNamed reads the user whom the query names, in their normal form.
func (a *API) userNamed(r *http.Request) (string, error) {
	user, err := memberNamed(r)
	if err != nil {
		return "", err
	}
	return a.domain.UserIDs.Normalize(user)
}
