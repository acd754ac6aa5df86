package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/streamroom/streamroom/client"
)

// Places: some rooms are public, and have one, which changes now and then. Each has some of
// its own, which are 0.1 degree from all others: some kilometres.
const (
	placedRooms  = 5 // one room of this number is public
	placesOfRoom = 3
	placeStep    = 0.1
	placeRow     = 100 // places beside each other
	placeRadius  = 1000
	unplaceShare = 0.2
)

// spot is where a room is, by the number of the place; -1 is nowhere.
type spot struct {
	at   int
	sure bool // what was asked for last was acknowledged
}

const nowhere = -1

// placeOf is a place by its number.
func placeOf(n int) client.Place {
	return client.Place{Lat: 50 - placeStep*float64(n/placeRow), Lon: placeStep * float64(n%placeRow)}
}

// numberOf is the reverse.
func numberOf(p client.Place) int {
	return int(math.Round((50-p.Lat)/placeStep))*placeRow + int(math.Round(p.Lon/placeStep))
}

// placed are the rooms that have places.
func (d *days) placed() (rooms []*room) {
	for _, room := range d.groups() {
		if room.index%placedRooms == placedRooms-1 {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// openPlaces makes those rooms public.
func (d *days) openPlaces(ctx context.Context) error {
	for _, room := range d.placed() {
		sharing, cancel := d.timeout(ctx)
		_, err := d.deviceOf(room.owner()).current().ShareRoom(sharing, room.id, true)
		cancel()
		if err != nil {
			return fmt.Errorf("make a room public: %w", err)
		}
		room.spot = spot{nowhere, true}
	}
	return nil
}

// placeRoom gives a room another place, or none.
func (d *days) placeRoom(ctx context.Context, room *room, owner *device, random *rand.Rand) {
	if room.index%placedRooms != placedRooms-1 {
		return
	}
	ctx, cancel := d.timeout(ctx)
	defer cancel()
	next := room.index*placesOfRoom + random.IntN(placesOfRoom)
	var err error
	if random.Float64() < unplaceShare {
		next = nowhere
		err = owner.current().UnplaceRoom(ctx, room.id)
		var refusal *client.Error
		if errors.As(err, &refusal) && refusal.Code == client.CodeNotFound {
			err = nil // it had none
		}
	} else {
		_, err = owner.current().PlaceRoom(ctx, room.id, placeOf(next))
	}
	room.spot = spot{next, err == nil}
	d.tally.did(&d.tally.Moderations, err)
}

// checkPlaces searches around all places, as anyone may: each room is found where it is, and
// nowhere else.
func (d *days) checkPlaces(ctx context.Context) error {
	rooms := map[string]*room{}
	for _, room := range d.placed() {
		rooms[room.id] = room
	}
	reader, err := d.reader(d.people[d.done%len(d.people)].user)
	if err != nil {
		return err
	}
	for _, room := range d.placed() {
		for i := range placesOfRoom {
			n := room.index*placesOfRoom + i
			asking, cancel := d.timeout(ctx)
			at := placeOf(n)
			found, err := reader.Nearby(asking, client.Search{Lat: at.Lat, Lon: at.Lon, Radius: placeRadius})
			cancel()
			if err != nil {
				return fmt.Errorf("search around a place: %w", err)
			}
			d.comparePlaces(room, n, found.Rooms)
		}
	}
	return nil
}

// comparePlaces compares what was found around one of a room's places with where it is.
func (d *days) comparePlaces(room *room, n int, found []client.NearbyRoom) {
	there := false
	for _, f := range found {
		if f.ChatRoomID != room.id || numberOf(f.Place) != n {
			d.ledger.violate(Violation{Promise: Placed, Room: f.ChatRoomID, Detail: fmt.Sprintf("it is found at %+v, around a place of room %s", f.Place, room.id)})
		}
		there = there || f.ChatRoomID == room.id
	}
	if room.spot.sure && there != (room.spot.at == n) {
		d.ledger.violate(Violation{Promise: Placed, Room: room.id, Detail: fmt.Sprintf("it is found at its place %d: %t, and is at %d", n, there, room.spot.at)})
	}
}
