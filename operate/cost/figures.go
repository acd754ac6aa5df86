package cost

import (
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/topology"
)

// named is an action with its name in tables.
type named struct {
	name string
	Action
}

// Actions lists what clients do in rooms of the workload's members, all with what
// follows from it.
func namedActions(w Workload) []named {
	quiet := w
	quiet.Pace = Month
	return []named{
		{"send a message", ownMessage(quiet)},
		{"of that, the send alone", Send(w.Content)},
		{"read up to a message", ownRead(w)},
		{"connect and disconnect", Connect(w.indexedRooms()).Plus(Disconnect(w.indexedRooms()))},
		{"ping", Ping()},
		{fmt.Sprintf("list %d rooms", w.Rooms), List(w.Rooms)},
		{fmt.Sprintf("sync %d rooms, nothing new", w.Rooms), Sync(float64(w.Rooms))},
		{"a page of history", History()},
		{"announce and upload a file", Announce().Plus(Upload())},
		{"send a file, beside its message", Attached(1, w.Content)},
		{fmt.Sprintf("download a file of %s KB", short(float64(w.FileBytes)/1024)), Download(w.FileBytes)},
	}
}

func actions(w Workload) Table {
	t := Table{
		Title: fmt.Sprintf("What an action asks of AWS, in rooms of %d with %v online", w.Members, w.Online),
		Head:  []string{"action", "messages", "requests", "read units", "write units", "invocations", "KB of logs", "cost of a million"},
	}
	for _, a := range namedActions(w) {
		invocations := 0.0
		for _, n := range a.Invocations {
			invocations += n
		}
		t.Rows = append(t.Rows, []Cell{
			text(a.name), amount(a.Frames), amount(a.Requests), amount(a.Reads), amount(a.Writes), amount(invocations),
			amount(a.logged() / 1024), dollars(a.Times(million).usage(false).Bill(false).Total()),
		})
	}
	return t
}

// How many requests a second the APIs take, as they are deployed by default, and
// APIBurst how many the HTTP API does at once.
const (
	FrameRate = 1000
	APIRate   = 360
	APIBurst  = 1000
)

// WorstFlood is what an hour of refused requests costs at all that the HTTP API takes at
// a rate. They ask nothing of the table. What the API itself refuses beyond that rate is
// not billed ("Amazon API Gateway pricing").
func WorstFlood(rate float64) float64 {
	return uncounted(refusalBytes).Times(APIBurst + rate*time.Hour.Seconds()).usage(false).Bill(false).Total()
}

const refusalBytes = 200

// HandshakeRate is how many handshakes a second an account takes in a region, and at once, by
// default ("Amazon API Gateway quotas"). What comes beyond that is refused without a function.
const HandshakeRate = 500

// WorstHandshakes is what an hour of handshakes costs that have no valid token, at all that
// an account takes. They ask nothing of the table, and are no messages: an invocation
// each, as short as a ping's, with its line and that of the access log.
func WorstHandshakes(rate float64) float64 {
	n := rate + rate*time.Hour.Seconds()
	each := Action{
		Invocations: map[string]float64{topology.Connect: 1},
		GBSeconds:   times[topology.Default].Seconds() * memories[topology.Connect],
	}
	u := each.Times(n).usage(false)
	u.LogGB += n * (RefusedHandshakeBytes - LogLines[topology.Connect].Bytes) / gb
	return u.Bill(false).Total()
}

// RefusedHandshakeBytes is what connect logs about a handshake without a valid token, at most.
const RefusedHandshakeBytes = 314

// hourly is how many a limit of a number a minute allows in an hour that begins with a burst.
func hourly(rate, burst float64) float64 { return rate*time.Hour.Minutes() + burst }

// figure is a number by which the design is judged.
type figure struct {
	what   string
	before string // what it was before the design was changed for its aim; "" if that is not known
	value  float64
	show   func(float64) Cell
	aim    float64 // that it is to be at most; 0: none
}

// judged are the figures. Those before are of the build that their aims were set for, c259db3,
// without logs and traces: .ci/before measures them.
func judged(w Workload) []figure {
	room := DefaultWorkload()
	room.Online, room.Traced = 1, w.Traced
	busy, pair := room, room
	busy.Pace = Busy
	pair.Members, pair.Pace = 2, Month
	alone := DefaultWorkload()
	alone.Connections, alone.Traced = 1000, w.Traced
	still := 0.0
	_, cost := Idle(Streamroom, alone)
	for _, part := range cost {
		still += part
	}
	return []figure{
		{"write units of a send with clientMessageId, item of up to 1 KB", "5", SendWrites(1, true), amount, 3},
		{"the same, item of 2 KB", "7", SendWrites(2, true), amount, 4},
		{"write units of lastmessage a message, 10 members, one every 10 s", "31", projection(room).Writes, amount, 6},
		{"gateway messages of a message in a direct room", "4", ownMessage(pair).Frames, amount, 3},
		{"a million messages to 10 connected members, one every 10 s, without storage", "$37.90", Messages(Streamroom, room, million).Total(), dollars, 19},
		{"the same, ten in a window of lastmessage", "$19.87", Messages(Streamroom, busy, million).Total(), dollars, 15},
		{"1,000 idle connections of users with 20 rooms, a month, without what stands there", "$90 to $130", still, dollars, 25},
		{"read units of GET /rooms, 20 rooms", "70.5", List(20).Reads, amount, 35},
		{"read units of a message to 1,000 members of whom 2 % are online", "", Broadcast(1000, 19, 1, room.Content).Reads, amount, 0},
		{"the same, to 100 members", "", Broadcast(100, 1, 1, room.Content).Reads, amount, 0},
		{"messages in a room, for each connection of its average member, from which its index pays", "", BreakEven(), amount, 0},
		{"one user's most expensive hour of messages, to rooms of 10", "no limit", WorstMessages(10), dollars, 2},
		{"the same, to rooms of 49", "no limit", WorstMessages(fullRoom), dollars, 2},
		{"the same, to rooms of 1,000", "no limit", WorstMessages(1000), dollars, 2},
		{"the same, to rooms of 100,000", "no limit", WorstMessages(100_000), dollars, 2},
		{"one user's most expensive hour of other changes, in rooms of 1,000", "no limit", WorstChanges(1000), dollars, 2},
		{"one user's most expensive hour of lists, syncs and histories", "no limit", WorstReads(), dollars, 2},
		{"one user's most expensive hour of files, each link followed once", "no limit", WorstFiles(), dollars, 2},
		{"one user's most expensive hour of connections that come and go", "no limit", WorstConnections(), dollars, 2},
		{"one user's most expensive hour of refused frames", "no limit", WorstRefusals(), dollars, 2},
		{"one user's most expensive hour of typing and pings, on an instance of the function", "no limit", WorstSigns(), dollars, 2},
		{"one user's most expensive hour, in which they do all of it, in rooms of any size", "no limit", WorstHour(), dollars, 2},
		{"an hour of refused requests to the HTTP API, at its 360 a second", "", WorstFlood(APIRate), dollars, 0},
		{"the same, if it takes 1,000 a second", "", WorstFlood(1000), dollars, 0},
		{"an hour of refused handshakes, at the 500 a second that an account takes", "", WorstHandshakes(HandshakeRate), dollars, 0},
	}
}

func figures(w Workload) Table {
	t := Table{Title: "Figures of " + Streamroom, Head: []string{"what", "before", "aim", "figure"}}
	for _, f := range judged(w) {
		aim := text("")
		if f.aim > 0 {
			aim = text("≤ " + f.show(f.aim).text)
		}
		t.Rows = append(t.Rows, []Cell{text(f.what), text(f.before), aim, f.show(f.value)})
	}
	return t
}
