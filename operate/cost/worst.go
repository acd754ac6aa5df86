package cost

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// fullRoom is how many members a room has that is made with as many as can be: of larger
// ones, owners add the others one by one.
const fullRoom = 1 + chat.MaxInitialMember

// Hourly is how much the limit over time lets a user do in an hour that begins with a
// burst: messages, changes, reads, files, and what follows from them, by their weights.
func Hourly() float64 {
	sustained := chat.PerSecond(chat.SendRate, chat.SendBurst).Sustained()
	return float64(sustained.Burst) + time.Hour.Seconds()/sustained.Interval.Seconds()
}

// worst is what an hour of the most expensive of some actions costs.
func worst(actions []weighed) float64 {
	most := 0.0
	for _, a := range actions {
		each := a.Plus(Action{Writes: a.weight / chat.SustainedPerTake})
		most = max(most, each.Times(Hourly()/a.weight).dollars())
	}
	return most
}

// dollars is what an action costs before anything is free.
func (a Action) dollars() float64 { return a.usage(false).Bill(false).Total() }

// ownPosts is how many of a user's own connections something of theirs comes to.
const ownPosts = chat.MaxConnections

// contents are those that cost most for what they weigh: the largest of each weight is
// more expensive than what is between.
var contents = []int{1, chat.ContentWeight - 1, maxContent}

// online are shares of a room's members who are connected.
var online = []float64{0.02, 0.3, 1}

// audiences are how many members of a room may be connected.
func audiences(members int) (connected []int) {
	for _, share := range online {
		connected = append(connected, max(1, int(share*float64(members))))
	}
	return connected
}

// cases are those of rooms of a size.
func cases(members int) (all []Case) {
	for _, connected := range audiences(members) {
		for _, content := range contents {
			all = append(all, Case{members, connected, ownPosts, content})
		}
	}
	return all
}

// worstOf is what a user can make a deployment pay in an hour with requests of the routes of a
// kind, in rooms of a size, however many of their members are connected.
func worstOf(k kind, members int) (most float64) {
	for _, r := range limitedRoutes {
		if r.kind == k && r.asks != nil {
			most = max(most, r.worst(members))
		}
	}
	return most
}

// worst is the same of one route.
func (r limited) worst(members int) (most float64) {
	for _, c := range cases(members) {
		most = max(most, worst(r.asks(c)))
	}
	return most
}

// hints are what others get about a user by the way: that they type, come and go.
func hints() []weighed {
	of := func(a Action, posts, members float64) weighed {
		return weighed{(posts + members/chat.ReadsPerPost) / chat.ReachWeight, a}
	}
	const typing, told = chat.TypingRoom - 1 + ownPosts, chat.PresenceRooms * (chat.PresenceRoom - 1)
	return []weighed{
		of(Typing(chat.TypingRoom, typing), typing, chat.TypingRoom),
		of(Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1), told, told),
	}
}

// WorstMessages is what a user can make a deployment pay in an hour with messages, to rooms
// of a size, however many of their members are connected.
func WorstMessages(members int) float64 { return worstOf(ofMessages, members) }

// WorstChanges is the same of all other changes.
func WorstChanges(members int) float64 { return worstOf(ofChanges, members) }

// WorstReads is the same of lists, syncs and histories, with the data that they answer.
func WorstReads() float64 { return worstOf(ofReads, 2) }

// WorstFiles is the same of files, each of whose links is followed once, or that are
// uploaded for no message.
func WorstFiles() float64 {
	storage := Hourly() * chat.FileWeight / gb * pendingDays / 30 * FileGB.Each()
	return max(worst(downloads(Case{})), worst(uploads(Case{}))+storage)
}

// connections is how many a user may open in an hour.
func connections() float64 { return hourly(chat.ConnectRate, chat.ConnectBurst) }

// handshakes are an hour of connections that begin and end, all of which are noted. That a
// user goes is told also of one who has spent their limit; of one who comes it is read
// whether they do, and no rooms are.
func handshakes() Action {
	comes, goes := Told(0, 0, 0).Plus(Action{Reads: 0.5}), Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1)
	return Connect(chat.MaxIndexedRooms).Plus(Disconnect(chat.MaxIndexedRooms)).Plus(comes).Plus(goes).Times(connections())
}

// WorstConnections is what a user can make a deployment pay in an hour with connections
// that begin and end, of which the members of their rooms are told.
func WorstConnections() float64 {
	told := Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1).Times(connections())
	return handshakes().Plus(told).dollars()
}

// refusals are an hour of frames that are refused until their connections end, one on each
// connection whose token has ended, which ends it, and these ends.
func refusals() Action {
	frames := connections()*(chat.RefusedBurst+1) + chat.MaxConnections*chat.RefusedRate*time.Hour.Minutes()
	return Refused().Times(frames).Plus(Flooded().Times(connections() + chat.MaxConnections))
}

// WorstRefusals is what a user can make a deployment pay in an hour with frames that
// are refused until their connections end, and new connections.
func WorstRefusals() float64 { return refusals().Plus(handshakes()).dollars() }

// signs are an hour of frames that say that a user types, in rooms of which no two count as
// one and in large ones, where they change nothing, and of pings, without what others are
// told. Each instance of the function has its own count of them.
func signs() Action {
	typing := Typing(chat.TypingRoom, 0).Times(hourly(chat.TypingRate, chat.TypingBurst))
	ignored := invoke(topology.Default, 0).Plus(Action{Frames: 1}).Times(hourly(chat.IgnoredRate, chat.IgnoredBurst))
	pings := Ping().Times(connections()*chat.PingBurst + chat.MaxConnections*chat.PingRate*time.Hour.Minutes())
	return typing.Plus(ignored).Plus(pings)
}

// WorstSigns is what a user can make a deployment pay in an hour with frames that say that
// they type, and with pings.
func WorstSigns() float64 {
	told := Action{Frames: 1, Out: typingFrame}.Times(chat.TypingRoom - 1 + ownPosts)
	return signs().Plus(told.Times(hourly(chat.TypingRate, chat.TypingBurst))).dollars()
}

// roomSizes are those among which is the most expensive for what it weighs: where weights,
// lists, the index and slices begin and end, and between.
var roomSizes = []int{2, 10, 20, 30, 40, fullRoom, chat.LongIndexAbove + 1, 56, 64, announcedRoom, 200, 312, 1000, chat.RetainedMembers, 10_000, 100_000}

// WorstHour is what a user can make a deployment pay in an hour in which they do all that
// they can: the most expensive of what shares the limit over time, as much as that allows,
// and beside it all that has limits of its own.
func WorstHour() float64 {
	shared := max(worst(hints()), WorstReads(), WorstFiles())
	for _, members := range roomSizes {
		shared = max(shared, WorstMessages(members), WorstChanges(members))
	}
	var beside Action
	for _, u := range unshared {
		beside = beside.Plus(u.hour())
	}
	return shared + beside.dollars()
}
