package httpapi

import (
	"math"
	"net/http"
	"strconv"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/geo"
	"github.com/streamroom/streamroom/shared/wire"
)

// isPublic reads a room's visibility.
func isPublic(visibility string) (bool, error) {
	switch visibility {
	case wire.Public:
		return true, nil
	case wire.Private:
		return false, nil
	}
	return false, chat.Errorf(chat.CodeInvalidRequest, `invalid visibility: want "public" or "private", got %q`, visibility)
}

// changeRoom gives a room a name, a visibility, and for how long its messages are kept, as
// far as they are given, one after the other.
func (a *API) changeRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.RoomChange
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Name == nil && in.Visibility == nil && in.RetentionDays == nil {
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "name is missing: want one or more of name, visibility and retentionDays")
	}
	var room chat.Room
	var public bool
	var err error
	if in.Visibility != nil {
		if public, err = isPublic(*in.Visibility); err != nil {
			return 0, nil, err
		}
	}
	if in.Name != nil {
		if room, err = a.domain.Rooms.Rename(r.Context(), userID, r.PathValue("room"), *in.Name); err != nil {
			return 0, nil, err
		}
	}
	if in.Visibility != nil {
		if in.Name != nil { // all members are notified twice
			a.domain.Limits.Weigh(userID, chat.Writing, 1)
		}
		if room, err = a.domain.Rooms.Share(r.Context(), userID, r.PathValue("room"), public); err != nil {
			return 0, nil, err
		}
	}
	if in.RetentionDays != nil {
		if err := a.domain.Limits.Take(r.Context(), userID, chat.Writing, retainWrites); err != nil {
			return 0, nil, err
		}
		a.domain.Limits.Weigh(userID, chat.Writing, retainWrites-1)
		if room, err = a.domain.Rooms.Retain(r.Context(), userID, r.PathValue("room"), *in.RetentionDays); err != nil {
			return 0, nil, err
		}
	}
	return http.StatusOK, a.roomBody(room), nil
}

// retainWrites is as how many changes it counts to set for how long a room's messages are
// kept: each member is written.
const retainWrites = 40

func (a *API) joinRoom(r *http.Request, userID string) (int, any, error) {
	room, joined, err := a.domain.Rooms.Join(r.Context(), userID, r.PathValue("room"))
	if err != nil {
		return 0, nil, err
	}
	if joined {
		return http.StatusCreated, a.roomBody(room), nil
	}
	return http.StatusOK, a.roomBody(room), nil
}

func (a *API) placeRoom(r *http.Request, userID string) (int, any, error) {
	var in wire.PlaceRequest
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Lat == nil || in.Lon == nil {
		return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "lat or lon is missing: want both, in degrees")
	}
	at, err := a.domain.Rooms.Place(r.Context(), userID, r.PathValue("room"), chat.Location{
		Point: geo.Point{Lat: *in.Lat, Lon: *in.Lon}, Address: in.Address, StartsAt: in.StartsAt, EndsAt: in.EndsAt,
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, placeBody(at), nil
}

func (a *API) unplaceRoom(r *http.Request, userID string) (int, any, error) {
	if err := a.domain.Rooms.Unplace(r.Context(), userID, r.PathValue("room")); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, nil
}

func placeBody(at chat.Location) *wire.Place {
	return &wire.Place{Lat: at.Point.Lat, Lon: at.Point.Lon, Address: at.Address, StartsAt: at.StartsAt, EndsAt: at.EndsAt}
}

func (a *API) nearby(r *http.Request, _ string) (int, any, error) {
	n, err := limit(r)
	if err != nil {
		return 0, nil, err
	}
	q := chat.Search{Radius: chat.DefaultRadius, Cursor: r.URL.Query().Get("cursor"), Limit: n}
	for name, into := range map[string]*float64{"lat": &q.Centre.Lat, "lon": &q.Centre.Lon, "radius": &q.Radius} {
		value := r.URL.Query().Get(name)
		if value == "" && name == "radius" {
			continue
		}
		if *into, err = strconv.ParseFloat(value, 64); err != nil {
			return 0, nil, chat.Errorf(chat.CodeInvalidRequest, "invalid %s: want a number, got %q; lat and lon are degrees, radius is metres", name, value)
		}
	}
	found, err := a.domain.Rooms.Nearby(r.Context(), q)
	if err != nil {
		return 0, nil, err
	}
	body := wire.NearbyList{Rooms: make([]wire.NearbyRoom, len(found.Rooms)), Cursor: found.Cursor, Limited: found.Limited}
	for i, room := range found.Rooms {
		body.Rooms[i] = wire.NearbyRoom{
			ChatRoomID: room.RoomID, Name: room.Name, Distance: math.Round(room.Distance*10) / 10, Place: *placeBody(room.Location),
		}
	}
	return http.StatusOK, body, nil
}
