package cost

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// fullRoom is how many members a room has that is made with as many as can be: of larger
// ones, owners add the others one by one.
const fullRoom = 1 + chat.MaxInitialMember

// weighed is an action of a user with as how many it counts in the limit over time, after
// the fact what follows from it included.
type weighed struct {
	weight float64
	Action
}

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
		each := a.Plus(Action{Writes: a.weight / chat.SustainedTogether})
		most = max(most, each.Times(Hourly()/a.weight).dollars())
	}
	return most
}

// dollars is what an action costs before anything is free.
func (a Action) dollars() float64 { return a.usage(false).Bill(false).Total() }

// ownPosts is how many of a user's own connections something of theirs comes to.
const ownPosts = chat.MaxConnections

// posted is something in a room that a broadcast follows from to connected members, who are
// connected once each, and to all connections that the user may have who causes it. It
// weighs as the action does, and by what fanout counts beyond that. No index has the
// connections, as in a room that was quiet.
func posted(a Action, weight, members, connected, content, files int) weighed {
	posts := float64(connected - 1 + ownPosts)
	load := posts*(1+float64(content)/chat.MaxContent) + float64(members)/chat.ReadsPerPost
	return weighed{
		float64(weight) + max(0, load/chat.ReachWeight-float64(weight)),
		a.Plus(Broadcast(members, posts, 1, content+FilesContent(files))).Plus(Action{
			Reads: max(0, float64(members)+fit(members, memberBytes)-audienceReads(members, posts+1)),
		}),
	}
}

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

// messages are sends to rooms of a size. Their posts can't be joined. Each may move its room
// in the lists of all members: who goes from room to room has all of them do so.
func messages(members int) (all []weighed) {
	for _, content := range contents {
		for _, files := range []int{0, 1, MaxFiles} {
			for _, connected := range audiences(members) {
				send := Send(content)
				if files > 0 {
					send = send.Plus(Attached(files, content))
				}
				a := posted(send, 1+content/chat.ContentWeight+files, members, connected, content, files)
				still, moves := a, a
				still.Action = still.Plus(Project(members, false))
				all = append(all, still)
				if OrderInterval(members) > 0 {
					moves.Action = moves.Plus(Project(members, true))
					moves.weight += chat.MoveWeight * float64(members) / chat.ReachWeight
					all = append(all, moves)
				}
			}
		}
	}
	return all
}

// changes are edits, reactions, reads, and changes of members and names. A reaction rewrites
// its message in a transaction. Who a room has is told to announcedRoom members at most.
func changes(members int) (all []weighed) {
	for _, connected := range audiences(members) {
		for _, content := range contents {
			kb := kilobytes(content)
			edit := call(membershipReads+kb/4+1, kb, float64(content+messageFrame)).Plus(Project(members, false))
			all = append(all, posted(edit, 1+content/chat.ContentWeight, members, connected, content, 0))
		}
		kb := kilobytes(maxContent)
		reaction := call(membershipReads+kb/4+1, 2*kb+2, ackFrame)
		all = append(all, posted(reaction, 1, members, connected, 0, 0))
		name := call(2*membershipReads, 1, ackFrame).Plus(Broadcast(members, float64(connected-1+ownPosts), 1, 0))
		all = append(all, weighed{1 + float64((members+members/chat.ReadsPerPost)/chat.ReachWeight), name})
	}
	told := Broadcast(announcedRoom, announcedRoom-1+ownPosts, 1, 0)
	return append(
		all,
		weighed{1, Read(readersNotified, readersNotified-1+ownPosts)},
		weighed{chat.MemberWeight, call(memberReads, memberWrites, ackFrame).Plus(told)},
		weighed{1 + chat.MaxInitialMember, call(19, roomWrites*fullRoom, ackFrame).Plus(Broadcast(fullRoom, fullRoom-1+ownPosts, 1, 0))},
	)
}

// What it takes to add a member, and to create a room, for each member of it: see
// docs/adr/0012. announcedRoom is the size up to which members are told who is one.
const (
	memberReads, memberWrites = 4, 9
	roomWrites                = 5.1
	announcedRoom             = 100
)

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

// MostExpensiveSync is how many read units one request may take at most.
const MostExpensiveSync = 614

// maxAnswer is the largest body of an answer, of a sync, in bytes.
const maxAnswer = 4 << 20

// reads are lists, syncs and histories, by what they answer.
func reads() []weighed {
	return []weighed{
		{1, call(MostExpensiveSync, 0, chat.AnswerWeight)},
		{1 + maxAnswer/chat.AnswerWeight, call(MostExpensiveSync, 0, maxAnswer)},
	}
}

// fileKinds are files that are announced and uploaded, and kept until no message has had
// them for a day, and files that are read. What messages have is kept, by the month.
func fileKinds() (kept, read []weighed) {
	for _, megabytes := range []int{1, chat.MaxAttachmentSize / chat.FileWeight} {
		read = append(read, weighed{float64(megabytes), Download(megabytes * chat.FileWeight)})
		kept = append(kept, weighed{float64(megabytes), Announce().Plus(Upload())})
	}
	return kept, read
}

// WorstMessages is what a user can make a deployment pay in an hour with messages, to rooms
// of a size, however many of their members are connected.
func WorstMessages(members int) float64 { return worst(messages(members)) }

// WorstChanges is the same of all other changes.
func WorstChanges(members int) float64 { return worst(changes(members)) }

// WorstReads is the same of lists, syncs and histories, with the data that they answer.
func WorstReads() float64 { return worst(reads()) }

// WorstFiles is the same of files, each of whose links is followed once, or that are
// uploaded for no message.
func WorstFiles() float64 {
	kept, read := fileKinds()
	storage := Hourly() * chat.FileWeight / gb * pendingDays / 30 * FileGB.Each()
	return max(worst(read), worst(kept)+storage)
}

// connections is how many a user may open in an hour.
func connections() float64 { return hourly(chat.ConnectRate, chat.ConnectBurst) }

// handshakes are an hour of connections that begin and end, all of which are noted. That a
// user goes is told also of one who has spent their limit.
func handshakes() Action {
	comes, goes := Told(0, 0, 0), Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1)
	return Connect(chat.MaxIndexedRooms).Plus(Disconnect(chat.MaxIndexedRooms)).Plus(comes).Plus(goes).Times(connections())
}

// WorstConnections is what a user can make a deployment pay in an hour with connections
// that begin and end, of which the members of their rooms are told.
func WorstConnections() float64 {
	told := Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1).Times(connections())
	return handshakes().Plus(told).dollars()
}

// refusals are an hour of frames that are refused until their connections end, and one on
// each connection whose token has ended, which ends it.
func refusals() Action {
	return refusedFrame().Times(connections()*(chat.RefusedBurst+1) + chat.MaxConnections*chat.RefusedRate*time.Hour.Minutes())
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
var roomSizes = []int{2, 10, 20, 30, 40, fullRoom, chat.LongIndexAbove + 1, 64, 100, 200, 1000, 2000, 10_000, 100_000}

// WorstHour is what a user can make a deployment pay in an hour in which they do all that
// they can: the most expensive of what shares the limit over time, as much as that allows,
// and beside it all that has limits of its own.
func WorstHour() float64 {
	shared := max(worst(hints()), WorstReads(), WorstFiles())
	for _, members := range roomSizes {
		shared = max(shared, WorstMessages(members), WorstChanges(members))
	}
	return shared + handshakes().Plus(refusals()).Plus(signs()).dollars()
}
