package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Rooms returns all of the user's rooms, newest message first. Rooms that move to
// the top of the list while its pages are read are among them, once.
func (c *Client) Rooms(ctx context.Context) ([]RoomSummary, error) {
	l := newListing()
	for cursor, more := "", true; more; {
		page, err := c.ListRooms(ctx, cursor)
		if err != nil {
			return nil, fmt.Errorf("read the list of rooms: %w", err)
		}
		cursor, more = l.page(page.Rooms, page.Cursor)
	}
	return l.list(), nil
}

// listing is the state machine of docs/protocol.md, "Reading the list of rooms". A
// room only moves up, so one that moved from a page that was not read yet to one that
// was is missing: the pages are read again from the first, until one brings no news.
// web/lib/listing.js is the same machine, and docs/vectors/lists.json is run against both.
type listing struct {
	rooms map[string]RoomSummary
	pages int
	again bool // they are read again
}

func newListing() *listing { return &listing{rooms: map[string]RoomSummary{}} }

// page takes a page, and returns which one to read next: "" is the first. more is
// false if that was all.
func (l *listing) page(rooms []RoomSummary, cursor string) (next string, more bool) {
	news := false
	for _, room := range rooms {
		held, ok := l.rooms[room.ChatRoomID]
		news = news || !ok || room.LastMessageAt > held.LastMessageAt
		l.rooms[room.ChatRoomID] = room
	}
	l.pages++
	switch {
	case cursor != "" && (news || !l.again):
		return cursor, true
	case cursor == "" && !l.again && l.pages > 1:
		l.again = true
		return "", true
	}
	return "", false
}

// list is what was read: newest message first.
func (l *listing) list() []RoomSummary {
	all := make([]RoomSummary, 0, len(l.rooms))
	for _, room := range l.rooms {
		all = append(all, room)
	}
	slices.SortFunc(all, func(a, b RoomSummary) int {
		return cmp.Or(cmp.Compare(b.LastMessageAt, a.LastMessageAt), cmp.Compare(a.ChatRoomID, b.ChatRoomID))
	})
	return all
}
