package functions_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// A minute of typing, in a direct message and in rooms of 2, 10 and 20, all connected, asks
// for what operate/cost has: each note is told once, to each of the others.
func TestCost_AMinuteOfTyping(t *testing.T) {
	minute := func(d *deployed, id, what string, members int) {
		t.Helper()
		var typing cost.Action
		for range int(time.Minute / cost.TypingEvery) {
			d.clock.advance(cost.TypingEvery)
			frame := d.frame(connection(0), object{"action": "typing", "chatRoomId": id})
			typing = typing.Plus(d.do(cost.Action{Frames: 1}, topology.Default, frame))
		}
		want := cost.TypingMinute(members)
		if id != room {
			want.Out = typing.Out // the id is longer than operate/cost has it
		}
		d.expect(what, want, typing)
		t.Logf("%s: %.0f write units, %.0f posts", what, typing.Writes, typing.Frames-float64(time.Minute/cost.TypingEvery))
	}
	for _, members := range []int{2, 10, chat.TypingRoom} {
		minute(newDeployed(t, members), room, fmt.Sprintf("in a room of %d", members), members)
	}
	d := newDeployed(t, 2)
	direct := chat.Room{ID: chat.DirectRoomID(user(0), user(1)), Type: chat.Direct, CreatedBy: user(0), Invited: user(1), CreatedAt: 1}
	_, err := d.store.CreateRoom(t.Context(), direct, []chat.Member{{UserID: user(0), JoinedAt: 1}, {UserID: user(1), JoinedAt: 1}})
	d.must(err)
	d.records()
	minute(d, direct.ID, "in a direct message", 2)
}

// A user who comes and goes, in 20 rooms of 20 whose other members are 380 connected
// users, asks for what operate/cost has.
func TestCost_ComingAndGoingInTwentyRooms(t *testing.T) {
	const members = chat.PresenceRoom
	d := newDeployed(t, members)
	next := members
	for _, id := range d.rooms(chat.PresenceRooms - 1) {
		all := []chat.Member{{UserID: user(0), Role: chat.Owner, JoinedAt: 1}}
		for range members - 1 {
			all = append(all, chat.Member{UserID: user(next), Role: chat.PlainMember, JoinedAt: 1})
			d.connect(next)
			next++
		}
		_, err := d.store.CreateRoom(t.Context(), chat.Room{
			ID: id, Name: "Room", Type: chat.Group, CreatedBy: user(0), CreatedAt: d.clock.now().UnixMilli(), MemberCount: members,
		}, all)
		d.must(err)
	}
	d.clock.advance(time.Minute)
	goes := d.do(cost.Action{}, topology.Disconnect, d.route("disconnect", connection(0), func(object) {}))
	d.clock.advance(time.Minute)
	comes := d.do(cost.Action{}, topology.Connect, d.handshake(connection(next), d.token(user(0))))
	want, got := cost.ComesAndGoes(members), goes.Plus(comes)
	want.Out = got.Out // the ids are shorter than operate/cost has them
	d.expect("who comes and goes", want, got)
	t.Logf("in %d rooms of %d: %.0f write units, %.0f posts", chat.PresenceRooms, members, got.Writes, got.Frames)
}
