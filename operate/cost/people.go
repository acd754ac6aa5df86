package cost

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// TypingEvery is how often our clients say that a user who goes on typing does.
const TypingEvery = 5 * time.Second

// shared is something that users learn of each other.
type shared struct {
	what    string
	members int // of the room, or of each room
	posts   float64
	Action
}

// TypingMinute is a user who types for a minute in a room whose members are all connected.
func TypingMinute(members int) Action {
	return Typing(members, float64(members-1)).Times(typings)
}

const typings = float64(time.Minute / TypingEvery)

// ComesAndGoes is a user's only connection, from begin to end, in as many rooms as are
// told, whose members are all connected.
func ComesAndGoes(members int) Action {
	return Connect(0).Plus(Disconnect(0)).Plus(Told(chat.PresenceRooms, members, float64(members-1)).Times(2))
}

// people says what it costs that users learn of each other, in rooms of some sizes all of
// whose members are connected.
func people(Workload) Table {
	var rows []shared
	for _, members := range []int{2, 10, chat.TypingRoom} {
		rows = append(rows, shared{"a minute of typing", members, typings * float64(members-1), TypingMinute(members)})
	}
	rows = append(rows, shared{"the same, in a larger room", chat.TypingRoom + 1, 0, TypingMinute(chat.TypingRoom + 1)})
	for _, members := range []int{2, 10, chat.PresenceRoom} {
		rows = append(rows, shared{"a user who comes and goes, in 20 such rooms", members, 2 * 20 * float64(members-1), ComesAndGoes(members)})
	}
	rows = append(rows, shared{"a connection beside another, or after one", chat.PresenceRoom, 0, Connect(0).Plus(Disconnect(0))})
	t := Table{
		Title: "What it costs that users learn of each other, all of them connected",
		Head:  []string{"what", "members", "posts", "write units", "read units", "invocations", "cost of a million"},
	}
	for _, row := range rows {
		invocations := 0.0
		for _, n := range row.Invocations {
			invocations += n
		}
		t.Rows = append(t.Rows, []Cell{
			text(row.what), amount(float64(row.members)), amount(row.posts), amount(row.Writes), amount(row.Reads), amount(invocations),
			dollars(row.Times(million).usage(false).Bill(false).Total()),
		})
	}
	return t
}
