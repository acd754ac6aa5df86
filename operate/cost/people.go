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

// people says what it costs that users learn of each other, in rooms of some sizes all of
// whose members are connected.
func people(Workload) Table {
	var rows []shared
	for _, members := range []int{2, 10, chat.TypingRoom} {
		rows = append(rows, shared{"a minute of typing", members, typings * float64(members-1), TypingMinute(members)})
	}
	rows = append(rows, shared{"the same, in a larger room", chat.TypingRoom + 1, 0, TypingMinute(chat.TypingRoom + 1)})
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
