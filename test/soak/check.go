package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/streamroom/streamroom/client"
)

// check compares what was sent, read and seen with the rooms' histories.
func (r *run) check(ctx context.Context) error {
	sends, reads := r.ledger.all()
	for _, room := range r.rooms {
		history, err := r.history(ctx, room)
		if err != nil {
			return fmt.Errorf("read a history: %w", err)
		}
		r.checkHistory(room, history, sends)
		r.checkExpired(room, history)
		r.checkReads(room, history, sends, reads)
		r.checkSeen(room, history, sends)
		if err := r.checkFiles(ctx, room, history, sends); err != nil {
			return err
		}
		if err := r.checkReactions(ctx, room); err != nil {
			return err
		}
		if err := r.checkMembers(ctx, room); err != nil {
			return err
		}
	}
	r.checkRefusals(sends)
	return nil
}

// checkHistory looks for what was acknowledged, and for what is there twice.
func (r *run) checkHistory(room *room, history []stored, sends []send) {
	at := map[int]ulid.ULID{}
	for _, m := range history {
		if other, twice := at[m.number]; twice {
			r.ledger.violate(Violation{
				Promise: StoredTwice, Room: room.id, Client: sends[m.number].client, IDs: []string{other.String(), m.id.String()},
				Detail: fmt.Sprintf("message %d", m.number),
			})
		}
		at[m.number] = m.id
		if sends[m.number].erased && m.message.DeletedAt == 0 {
			r.ledger.violate(Violation{
				Promise: Altered, Room: room.id, Client: sends[m.number].client, IDs: []string{m.id.String()},
				Detail: "its deletion was acknowledged, and it is not deleted",
			})
		}
	}
	for number, s := range sends {
		if s.room == room.id && !s.id.IsZero() && at[number] != s.id && !r.mayBeExpired(room, s.id) {
			r.ledger.violate(Violation{
				Promise: Lost, Room: room.id, Client: s.client, IDs: []string{s.id.String()},
				Detail: fmt.Sprintf("message %d was acknowledged and is not in the history", number),
			})
		}
	}
}

// checkSeen looks at what the devices were handed of a room.
func (r *run) checkSeen(room *room, history []stored, sends []send) {
	at := make(map[ulid.ULID]int, len(history))
	for _, m := range history {
		at[m.id] = m.number
	}
	for _, d := range r.devices {
		for _, v := range d.visits() {
			if v.room != room.id {
				continue
			}
			seenIDs := make(map[ulid.ULID]bool, len(v.log))
			wrong := func(promise Promise, s seen, detail string) {
				r.ledger.violate(Violation{Promise: promise, Room: room.id, Client: d.name, IDs: []string{s.id.String()}, Detail: detail})
			}
			for _, s := range v.log {
				if seenIDs[s.id] {
					wrong(SeenTwice, s, "it was handed to the application again")
				}
				seenIDs[s.id] = true
			}
			for _, s := range slices.Concat(v.log, v.held) {
				if number, ok := at[s.id]; (!ok || number != s.number) && !r.mayBeExpired(room, s.id) {
					wrong(Lost, s, "it was seen and is not in the history")
				}
				if !d.authorized(room, sends[s.number].called, s.at) {
					wrong(Foreign, s, "it was sent when the user was not a member, and the user was none since")
				}
			}
		}
	}
}

// checkMembers compares who is a member with who should be.
func (r *run) checkMembers(ctx context.Context, room *room) error {
	reader, err := r.reader(room.owner())
	if err != nil {
		return err
	}
	listed, count, err := r.members(ctx, reader, room, math.MaxInt)
	if err != nil {
		return err
	}
	if count != len(listed) {
		r.ledger.violate(Violation{Promise: Members, Room: room.id, Detail: fmt.Sprintf("%d members are counted, and there are %d", count, len(listed))})
	}
	for _, user := range room.users {
		is := slices.ContainsFunc(listed, func(m client.RoomMember) bool { return m.UserID == user })
		if is != room.isMember(user) {
			r.ledger.violate(Violation{Promise: Members, Room: room.id, Client: user, Detail: fmt.Sprintf("is a member: %t, which was to be %t", is, room.isMember(user))})
		}
	}
	return nil
}

// members reads a room's members, none if there are more than most, and how many
// the room counts.
func (r *run) members(ctx context.Context, by *client.Client, room *room, most int) (members []client.RoomMember, count int, err error) {
	ctx, cancel := r.timeout(ctx)
	defer cancel()
	for cursor := ""; ; {
		page, err := by.Room(ctx, room.id, cursor)
		if err != nil {
			return nil, 0, fmt.Errorf("read the members of a room: %w", err)
		}
		if count = page.MemberCount; count > most {
			return nil, count, nil
		}
		members = append(members, page.Members...)
		if cursor = page.Cursor; cursor == "" {
			return members, count, nil
		}
	}
}

// checkRefusals looks for members who were not allowed to send, and others who
// were.
func (r *run) checkRefusals(sends []send) {
	rooms := map[string]*room{}
	for _, room := range r.rooms {
		rooms[room.id] = room
	}
	for number, s := range sends {
		v := Violation{Room: s.room, Client: s.client, Detail: fmt.Sprintf("message %d", number)}
		switch room := rooms[s.room]; {
		case !s.id.IsZero() && !room.mayBeMember(s.user, s.called, s.returned):
			v.Promise, v.IDs = Unauthorized, []string{s.id.String()}
			r.ledger.violate(v)
		case !s.id.IsZero() && room.isMuted(s.user, s.called, s.returned):
			v.Promise, v.IDs, v.Detail = Unauthorized, []string{s.id.String()}, v.Detail+", of a user who is muted"
			r.ledger.violate(v)
		case s.code == client.CodeMuted && !room.mayBeMuted(s.user, s.called, s.returned):
			v.Promise, v.Detail = Refused, v.Detail+", of a user who is not muted"
			r.ledger.violate(v)
		case !s.id.IsZero() && room.isBlocked(s.called, s.returned):
			v.Promise, v.IDs, v.Detail = Unauthorized, []string{s.id.String()}, v.Detail+", of two users of whom one blocks the other"
			r.ledger.violate(v)
		case s.code == client.CodeForbidden && !room.mayBeBlocked(s.called, s.returned):
			v.Promise, v.Detail = Refused, v.Detail+", of a user who is not blocked"
			r.ledger.violate(v)
		case s.code == client.CodeNotAMember && room.isMemberThroughout(s.user, s.called, s.returned):
			v.Promise = Refused
			r.ledger.violate(v)
		}
	}
}
