package cost

import (
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// A Case is where a user does something, by the numbers of the room's members and of those
// who are connected, once each but for the user, who has Own connections; and by the bytes of
// a message. The room's members are not in its index, as in one that was quiet.
type Case struct{ Members, Connected, Own, Content int }

// posts is how many posts it takes to reach all who are connected.
func (c Case) posts() float64 { return float64(c.Connected - 1 + c.Own) }

// weighed is an action of a user with as how many it counts in the limit over time, after
// the fact what follows from it included.
type weighed struct {
	weight float64
	Action
}

// kind is of what a route is.
type kind int

const (
	ofMessages kind = iota
	ofChanges
	ofReads
	ofFiles
	ofServices // and of no user
)

// A limited route is one whose requests or frames count in their user's limit over time, with
// the most that one asks for, in a case, what follows from it included. There may be several,
// for different weights. The first is what a test measures.
type limited struct {
	name string
	kind kind
	asks func(Case) []weighed
}

// limitedRoutes are all of them: a test compares them with the routes of the HTTP API and of
// frames, and measures what they ask for. It counts the units of the request itself and of its
// room; 1 of the write units is the user's limit.
var limitedRoutes = []limited{
	{"sendMessage", ofMessages, sends},
	{"POST /rooms/{room}/messages", ofMessages, sends},
	{"PATCH /rooms/{room}/messages/{message}", ofChanges, edits},
	{"DELETE /rooms/{room}/messages/{message}", ofChanges, deletions},

	{"PUT /rooms/{room}/messages/{message}/reactions", ofChanges, reactions},
	{"DELETE /rooms/{room}/messages/{message}/reactions", ofChanges, reactions},
	{"POST /rooms/{room}/messages/{message}/report", ofChanges, reports},
	{"DELETE /rooms/{room}/reports/{message}", ofChanges, request(3, 1)}, // the reports themselves go with them
	{"POST /rooms/{room}/read", ofChanges, cursors},
	{"PUT /rooms/{room}/notify", ofChanges, choices},

	{"POST /rooms", ofChanges, fullRooms},
	{"PATCH /rooms/{room}", ofChanges, retentions},
	{"PUT /rooms/{room}/place", ofChanges, roomChanges},
	{"DELETE /rooms/{room}/place", ofChanges, unplacings},
	{"POST /rooms/{room}/join", ofChanges, joins},
	{"POST /rooms/{room}/members", ofChanges, additions},
	{"PATCH /rooms/{room}/members", ofChanges, roles},
	{"DELETE /rooms/{room}/members", ofChanges, removals},
	{"DELETE /rooms/{room}/members/{user}", ofChanges, removals},
	{"PUT /rooms/{room}/bans", ofChanges, bans},
	{"DELETE /rooms/{room}/bans", ofChanges, request(2, 1)},

	{"PUT /me", ofChanges, profiles},
	{"PUT /me/blocks", ofChanges, request(1, 7)},
	{"PUT /me/blocks/{user}", ofChanges, request(1, 7)},
	{"DELETE /me/blocks", ofChanges, request(1, 7)},
	{"DELETE /me/blocks/{user}", ofChanges, request(1, 7)},
	{"PUT /me/push", ofChanges, request(1, 1)},
	{"DELETE /me/push", ofChanges, request(0, 1)},

	{"POST /rooms/{room}/attachments", ofFiles, uploads},
	{"GET /rooms/{room}/attachments/{file}", ofFiles, downloads},

	{"GET /rooms", ofReads, answers},
	{"GET /rooms/{room}", ofReads, answers},
	{"GET /rooms/{room}/presence", ofReads, answers},
	{"GET /rooms/{room}/bans", ofReads, answers},
	{"GET /rooms/{room}/messages", ofReads, answers},
	{"GET /rooms/{room}/reports", ofReads, answers},
	{"GET /nearby", ofReads, answers},
	{"GET /me", ofReads, answers},
	{"GET /me/blocks", ofReads, answers},
	{"GET /me/push", ofReads, answers},
	{"GET /openapi.json", ofReads, answers},
	{"GET /asyncapi.json", ofReads, answers},
	{"POST /profiles", ofReads, answers},
	{"POST /sync", ofReads, answers},

	{"POST /users/disconnect", ofServices, nil},
	{"POST /users/{user}/disconnect", ofServices, nil},
}

// unshared are the routes whose frames have limits of their own, with an hour of them.
var unshared = []struct {
	routes []string
	hour   func() Action
}{
	{[]string{"$connect", "$disconnect"}, handshakes},
	{[]string{"$default"}, refusals},
	{[]string{"ping", "typing"}, signs},
}

// Routes lists what the figures know of: routes of the HTTP API as its patterns, and those of
// frames as their actions.
func Routes() (names []string) {
	for _, r := range limitedRoutes {
		names = append(names, r.name)
	}
	for _, u := range unshared {
		names = append(names, u.routes...)
	}
	return names
}

// Asks returns what one request of a route asks for at most in a case; false if it is bounded
// by all that a request may read, or has limits of its own.
func Asks(route string, c Case) (Action, bool) {
	for _, r := range limitedRoutes {
		if r.name == route && r.asks != nil && r.kind != ofReads {
			return r.asks(c)[0].Action, true
		}
	}
	return Action{}, false
}

// Answers lists the routes that read what one request may at most.
func Answers() (names []string) {
	for _, r := range limitedRoutes {
		if r.kind == ofReads {
			names = append(names, r.name)
		}
	}
	return names
}

// told is what it takes to notify all members of a room.
func told(c Case, content int) Action {
	posts := c.posts()
	return Broadcast(c.Members, posts, 1, content).Plus(Action{
		Reads: max(0, float64(c.Members)+fit(c.Members, memberBytes)-audienceReads(c.Members, posts+1)),
	})
}

// announced is what it takes to notify of a change of one member: all members of a room that
// is not larger than announcedRoom, otherwise that one, on as many connections as the user has.
func announced(c Case) Action {
	if c.Members <= announcedRoom {
		return told(c, 0)
	}
	return Broadcast(2, float64(c.Own), 1, 0).Plus(Action{Reads: fit(announcedRoom+1, memberBytes)})
}

// announcedRoom is the size up to which members are told who is one.
const announcedRoom = 100

// posted is something in a room that a broadcast follows from. It weighs as the action does,
// and by what fanout counts beyond that.
func posted(a Action, weight int, c Case, content, files int) weighed {
	load := c.posts()*(1+float64(content)/chat.MaxContent) + float64(c.Members)/chat.ReadsPerPost
	return weighed{
		float64(weight) + max(0, load/chat.ReachWeight-float64(weight)),
		a.Plus(told(c, content+FilesContent(files))),
	}
}

// request is one that no one else is notified of.
func request(reads, writes float64) func(Case) []weighed {
	return func(Case) []weighed { return []weighed{{1, call(reads, writes, ackFrame)}} }
}

// sends are messages with as many files, which may move their room in the lists of all members:
// who goes from room to room has all of them do so. Their posts can't be joined. Each
// mentions as many as it may, and answers a long message.
func sends(c Case) (all []weighed) {
	for _, files := range []int{0, 1, MaxFiles} {
		send := Send(c.Content)
		if files > 0 {
			send = send.Plus(Attached(files, c.Content))
		}
		send = send.Plus(Action{Reads: chat.MaxMentions + fit(1, chat.MaxContent+itemBytes)})
		a := posted(send, 1+c.Content/chat.ContentWeight+files, c, c.Content, files)
		still, moves := a, a
		still.Action = still.Plus(Project(c.Members, false))
		all = append(all, still)
		if OrderInterval(c.Members) > 0 {
			moves.Action = moves.Plus(Project(c.Members, true))
			moves.weight += chat.MoveWeight * float64(c.Members) / chat.ReachWeight
			all = append(all, moves)
		}
	}
	return all
}

// itemReads is how many read units a message is read with.
func itemReads(content int) float64 { return fit(1, content+itemBytes) }

func edits(c Case) []weighed {
	kb := kilobytes(c.Content)
	edit := call(3+itemReads(c.Content), kb, float64(c.Content+messageFrame)).Plus(Project(c.Members, false))
	plain := posted(edit, 1+c.Content/chat.ContentWeight, c, c.Content, 0)
	mentions := plain
	mentions.Action = plain.Plus(Action{Reads: chat.MaxMentions})
	return []weighed{plain, mentions}
}

// deletions are of messages without files, and with as many as they may have, whose objects
// are deleted for nothing. What members reacted with is counted with their reactions.
func deletions(c Case) []weighed {
	plain := call(4+itemReads(c.Content), kilobytes(c.Content), 0).Plus(Project(c.Members, false))
	files := plain.Plus(Action{Writes: MaxFiles + 1})
	return []weighed{posted(plain, 1, c, 0, 0), posted(files, 1, c, 0, 0)}
}

// reactions rewrite their message in a transaction, and the user's own, which are removed with
// the message.
func reactions(c Case) []weighed {
	react := call(7+3*itemReads(c.Content), 2*kilobytes(c.Content)+2, ackFrame).Plus(invoke(topology.LastMessage, 0))
	removed := react.Plus(Action{Writes: 1})
	return []weighed{posted(react, 1, c, 0, 0), posted(removed, 1, c, 0, 0)}
}

// reports are removed by who moderates the room.
func reports(c Case) []weighed {
	report := call(3+itemReads(c.Content), 1, 0).Plus(invoke(topology.Fanout, 0))
	return []weighed{{1, report}, {1, report.Plus(Action{Writes: 1})}}
}

// cursors are reads in a room with chat.MaxKnown messages in the last minute.
func cursors(c Case) []weighed {
	minute := min(chat.MaxKnown, fit(chat.MaxKnown, c.Content+itemBytes))
	connected := min(c.Connected, readersNotified) - 1 + c.Own
	read := call(4+minute, 1, 0).Plus(Marked(c.Members, float64(connected)))
	if c.Members > readersNotified {
		read.Frames += float64(c.Own - 1)
	}
	return []weighed{{1, read.Plus(Action{Out: read.Frames * knownBytes})}}
}

// knownBytes is what the ids of chat.MaxKnown messages add to the frame about a cursor.
const knownBytes = 700

// choices of what one is notified of go to the user's own connections.
func choices(c Case) []weighed {
	return []weighed{{1, call(3, 4, ackFrame).Plus(invoke(topology.Fanout, 1)).Plus(Action{
		Reads: 1, Frames: float64(c.Own), Out: float64(c.Own) * messageFrame,
	})}}
}

// roomWeight is as how many actions it counts beside the first that all members are notified of
// a change of their room.
func roomWeight(members int) float64 {
	return float64((members + members/chat.ReadsPerPost) / chat.ReachWeight)
}

// roomChanges are names, visibilities and places of a public room, all of which write its place.
func roomChanges(c Case) []weighed {
	return []weighed{{1 + roomWeight(c.Members), call(2*membershipReads, 6, ackFrame).Plus(told(c, 0))}}
}

// unplacings are removals of a place.
func unplacings(c Case) []weighed {
	return []weighed{{1 + roomWeight(c.Members), call(2*membershipReads, 5, 0).Plus(told(c, 0))}}
}

// retentions write each member. A change of the name or the visibility at the same time counts
// as another request, which has less than this.
func retentions(c Case) []weighed {
	names := roomChanges(c)
	if c.Members > chat.RetainedMembers {
		return names
	}
	members := float64(c.Members)
	retain := call(5+fit(c.Members, memberBytes), 2+members, ackFrame).Plus(told(c, 0))
	return append([]weighed{{retainWeight + roomWeight(c.Members), retain}}, names...)
}

// retainWeight is as how many actions it counts to change for how long a room's messages are
// kept.
const retainWeight = 40

// fullRooms are rooms with as many members as can be named at once.
func fullRooms(c Case) []weighed {
	c.Members = min(c.Members, fullRoom)
	c.Connected = min(c.Connected, c.Members)
	members := float64(c.Members)
	created := call(2*members, 5*members+3, ackFrame).Plus(told(c, 0)).Plus(invoke(topology.LastMessage, 0))
	return []weighed{{members, created}}
}

// joins are those of a public room in which someone was banned.
func joins(c Case) []weighed {
	return []weighed{{chat.MemberWeight, call(3, 14, ackFrame).Plus(announced(c)).Plus(invoke(topology.LastMessage, 0))}}
}

// additions are as joins.
func additions(c Case) []weighed {
	return []weighed{{chat.MemberWeight, call(6, 14, ackFrame).Plus(announced(c)).Plus(invoke(topology.LastMessage, 0))}}
}

// roles are changes of a role and of a mute, which are told together.
func roles(c Case) []weighed {
	return []weighed{{chat.MemberWeight, call(2, 1, ackFrame).Plus(announced(c))}}
}

// removals are of the last owner, whose successor is looked for, and told of that.
func removals(c Case) []weighed {
	removal := call(4+fit(min(c.Members, successors), memberBytes), 11, 0).Plus(announced(c))
	if c.Members > announcedRoom {
		removal.Frames++
	}
	return []weighed{{chat.MemberWeight, removal.Plus(Action{Out: removal.Frames * messageFrame})}}
}

// successors is among how many members one is looked for.
const successors = 10_000

// bans end the connection of the banned user, which comes back. What others get of that is
// charged to that user.
func bans(c Case) []weighed {
	ban := call(4, 15, ackFrame).Plus(announced(c)).Plus(Action{Frames: 2})
	back := ban.Plus(Disconnect(chat.MaxIndexedRooms)).Plus(Connect(chat.MaxIndexedRooms)).Plus(Sync(float64(maxSynced)))
	return []weighed{{chat.MemberWeight, ban}, {chat.MemberWeight, back}}
}

// maxSynced is how many rooms one sync may ask for.
const maxSynced = 100

// profiles are a name and a presence, of which the members of small rooms are told.
func profiles(c Case) []weighed {
	hide := func(rooms int, others float64) weighed {
		a := call(3.5, 2, ackFrame).Plus(Told(rooms, c.Members, others))
		posts := float64(rooms) * others
		return weighed{1 + (posts+posts/chat.ReadsPerPost)/chat.ReachWeight, a}
	}
	if c.Members > chat.PresenceRoom {
		few := hide(0, 0)
		few.Reads++
		return []weighed{few}
	}
	others := float64(c.Connected - 1)
	return []weighed{hide(1, others), hide(chat.PresenceRooms, others)}
}

// MostExpensiveRead is how many read units one request may take at most.
const MostExpensiveRead = 614

// maxAnswer is the largest body of an answer, of a sync, in bytes.
const maxAnswer = 4 << 20

// answers are lists, syncs and histories, by what they answer.
func answers(Case) []weighed {
	return []weighed{
		{1, call(MostExpensiveRead, 0, chat.AnswerWeight)},
		{1 + maxAnswer/chat.AnswerWeight, call(MostExpensiveRead, 0, maxAnswer)},
	}
}

// megabytes are the sizes of files that cost most for what they weigh.
var megabytes = []int{1, chat.MaxAttachmentSize / chat.FileWeight}

// uploads are files that are announced and uploaded, and kept until no message has had them
// for a day. What messages have is kept, by the month.
func uploads(Case) (all []weighed) {
	for _, mb := range megabytes {
		all = append(all, weighed{float64(mb), Announce().Plus(Upload())})
	}
	return all
}

func downloads(Case) (all []weighed) {
	for _, mb := range megabytes {
		all = append(all, weighed{float64(mb), Download(mb * chat.FileWeight)})
	}
	return all
}
