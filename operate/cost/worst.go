package cost

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// fullRoom is how many members a room has that is made with as many as can be: of larger
// ones, owners add the others one by one.
const fullRoom = 1 + chat.MaxInitialMember

// weighed is an action of a user with as how many it counts in the limit over time.
type weighed struct {
	weight int
	Action
}

// Hourly is how much the limit over time lets a user do in an hour that begins with a
// burst: messages, changes, reads and files together, by their weights.
func Hourly() float64 {
	sustained := chat.PerSecond(chat.SendRate, chat.SendBurst).Sustained()
	return float64(sustained.Burst) + time.Hour.Seconds()/sustained.Interval.Seconds()
}

// worst is what an hour of the most expensive of some actions costs.
func worst(actions []weighed) float64 {
	most := 0.0
	for _, a := range actions {
		each := a.Plus(Action{Writes: float64(a.weight) / chat.SustainedTogether})
		most = max(most, each.Times(Hourly()/float64(a.weight)).dollars())
	}
	return most
}

// dollars is what an action costs before anything is free.
func (a Action) dollars() float64 { return a.usage(false).Bill(false).Total() }

// ownPosts is how many of a sender's own connections a message comes to.
const ownPosts = chat.MaxConnections

// toAll is a broadcast to the members of a room, who are connected once, and to all
// connections that the user may have who causes it.
func toAll(members, content int) Action {
	return Broadcast(members, float64(members-1+ownPosts), 1, content)
}

// contents are those that cost most for what they weigh: the largest of each weight is
// more expensive than what is between.
var contents = []int{1, chat.ContentWeight - 1, maxContent}

// messages are sends to a room. Their posts can't be joined.
func messages(members int) []weighed {
	var all []weighed
	for _, content := range contents {
		for _, files := range []int{0, 1, MaxFiles} {
			send := Send(content).Plus(toAll(members, content+FilesContent(files)))
			if files > 0 {
				send = send.Plus(Attached(files, content))
			}
			all = append(all, weighed{1 + content/chat.ContentWeight + files, send})
		}
	}
	return all
}

// moves is what follows from changes in a room for its members' lists in an hour.
func moves(members int) float64 {
	windows, moves := time.Hour.Seconds()/Window.Seconds(), time.Hour.Seconds()/OrderInterval(members).Seconds()
	return Project(members, true).Times(moves).Plus(Project(members, false).Times(windows - moves)).dollars()
}

// changes are edits, reactions and reads. A reaction rewrites its message in a transaction.
func changes(members int) []weighed {
	var all []weighed
	for _, content := range contents {
		kb := kilobytes(content)
		edit := call(membershipReads+kb/4+1, kb, float64(content+messageFrame)).Plus(toAll(members, content))
		all = append(all, weighed{1 + content/chat.ContentWeight, edit})
	}
	kb := kilobytes(maxContent)
	reaction := call(membershipReads+kb/4+1, 2*kb+2, ackFrame).Plus(toAll(members, 0))
	return append(all, weighed{1, reaction}, weighed{1, Read(readersNotified, readersNotified-1+ownPosts)})
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
		read = append(read, weighed{megabytes, Download(megabytes * chat.FileWeight)})
		kept = append(kept, weighed{megabytes, Announce().Plus(Upload())})
	}
	return kept, read
}

// WorstMessages is what a user can make a deployment pay in an hour with messages, to one
// room of connected members and to as many connections of their own as they may have.
func WorstMessages(members int) float64 { return worst(messages(members)) + moves(members) }

// WorstChanges is the same of edits, reactions and reads, in such a room.
func WorstChanges(members int) float64 { return worst(changes(members)) + moves(members) }

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
func connections() float64 { return hourly(time.Minute, chat.ConnectRate, chat.ConnectBurst) }

// WorstConnections is what a user can make a deployment pay in an hour with connections
// that begin and end, of which the members of their rooms are told.
func WorstConnections() float64 {
	handshakes := Connect(chat.MaxIndexedRooms).Plus(Disconnect(chat.MaxIndexedRooms))
	told := Told(chat.PresenceRooms, chat.PresenceRoom, chat.PresenceRoom-1).Times(2)
	return handshakes.Plus(told).Times(connections()).dollars()
}

// WorstRefusals is what a user can make a deployment pay in an hour with frames that
// are refused until their connections end, and new connections.
func WorstRefusals() float64 {
	handshakes := Connect(chat.MaxIndexedRooms).Plus(Disconnect(chat.MaxIndexedRooms)).Times(connections())
	return refusedFrames().Plus(handshakes).dollars()
}

func refusedFrames() Action {
	return refusedFrame().Times(connections()*chat.RefusedBurst + chat.MaxConnections*chat.RefusedRate*time.Hour.Minutes())
}

// WorstTyping is what a user can make a deployment pay in an hour with frames that say that
// they type, in rooms of which no two count as one, and with pings. Each instance of the
// function has its own count of both; a user alone keeps one of them busy.
func WorstTyping() float64 {
	typing := Typing(chat.TypingRoom, chat.TypingRoom-1+ownPosts).Times(hourly(time.Minute, chat.TypingRate, chat.TypingBurst))
	pings := Ping().Times(connections()*chat.PingBurst + chat.MaxConnections*chat.PingRate*time.Hour.Minutes())
	return typing.Plus(pings).dollars()
}

// worstShared is an hour of the most expensive of what shares the limit over time.
func worstShared() float64 {
	return max(WorstMessages(fullRoom), WorstChanges(fullRoom), WorstReads(), WorstFiles())
}

// WorstHour is an hour of the most expensive of all that a user can do, in rooms of up to fullRoom
// members.
func WorstHour() float64 {
	return max(worstShared(), WorstConnections(), WorstRefusals(), WorstTyping())
}

// WorstOfAll is an hour in which a user does all of it: what shares the limit over time
// as much as that allows, and the rest beside it.
func WorstOfAll() float64 {
	return worstShared() + WorstConnections() + refusedFrames().dollars() + WorstTyping()
}
