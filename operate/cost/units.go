package cost

import (
	"maps"
	"math"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// An Action is what something that clients do asks of AWS, with what follows
// from it in the stream.
type Action struct {
	Frames      float64            // messages of the WebSocket API, in both directions
	Requests    float64            // of the HTTP API
	Reads       float64            // read units
	Writes      float64            // write units, GSI1's and those of failed conditions included
	Invocations map[string]float64 // by function
	GBSeconds   float64
	Out         float64 // bytes to clients
	Puts, Gets  float64 // requests to the bucket of attachments: uploads and copies, and reads
	Events      float64 // that are put to the bus
}

// Plus returns both actions together.
func (a Action) Plus(b Action) Action {
	a.Frames += b.Frames
	a.Requests += b.Requests
	a.Reads += b.Reads
	a.Writes += b.Writes
	a.GBSeconds += b.GBSeconds
	a.Out += b.Out
	a.Puts += b.Puts
	a.Gets += b.Gets
	a.Events += b.Events
	invocations := maps.Clone(a.Invocations)
	if invocations == nil {
		invocations = map[string]float64{}
	}
	for name, n := range b.Invocations {
		invocations[name] += n
	}
	a.Invocations = invocations
	return a
}

// Times returns n such actions.
func (a Action) Times(n float64) Action {
	a.Frames *= n
	a.Requests *= n
	a.Reads *= n
	a.Writes *= n
	a.GBSeconds *= n
	a.Out *= n
	a.Puts *= n
	a.Gets *= n
	a.Events *= n
	invocations := make(map[string]float64, len(a.Invocations))
	for name, each := range a.Invocations {
		invocations[name] = each * n
	}
	a.Invocations = invocations
	return a
}

// Bytes that tests measure beside the units, to a tenth: a frame and what it
// has around its content, and answers.
const (
	messageFrame  = 216
	readFrame     = 173
	typingFrame   = 104
	presenceFrame = 100
	ackFrame      = 234
	refusal       = 171
	pongFrame     = 94
	historyBytes  = 24_300 // 50 messages of 300 bytes
	listBytes     = 146    // a room of a list, without a preview
	syncBytes     = 45     // a room of a sync without messages
)

// itemBytes is what a message's item has beside its content.
const itemBytes = 230

// kilobytes is how many a message's item takes as a write.
func kilobytes(content int) float64 { return math.Ceil(float64(content+itemBytes) / 1024) }

// fit is what a consistent query of n items takes, each of the given bytes.
func fit(n, bytes int) float64 { return max(1, math.Ceil(float64(n*bytes)/4096)) }

const (
	memberBytes = 112
	onlineBytes = 140 // a connection in a room's index
	indexBytes  = 13  // what a member has more who is in the index
)

// LimitWrites is a send's share of the write units that its user's limits take.
const LimitWrites = 1./chat.SendsPerTake + 1./chat.SustainedPerTake

// SendWrites is how many write units a send takes, by the kilobytes of its item: its share
// of the user's limits, the message, and, once, the claim of a clientMessageId.
func SendWrites(kilobytes float64, once bool) float64 {
	if once {
		return kilobytes + 1 + LimitWrites
	}
	return kilobytes + LimitWrites
}

// SendReads is how many read units a send takes: the connection and the membership, and
// without an echo, which needs a clientMessageId, the message before it, by the
// kilobytes of that one's item.
func SendReads(kilobytes float64, noEcho bool) float64 {
	reads := connectionReads + membershipReads
	if noEcho {
		reads += math.Ceil(kilobytes/4) / 2
	}
	return reads
}

// A connection's row is read eventually, a membership strongly.
const (
	connectionReads = 0.5
	membershipReads = 1
)

// Send is a message with a clientMessageId and without an echo, by the bytes of its
// content, and its ack.
func Send(content int) Action {
	return invoke(topology.SendMessage, 0).Plus(Action{
		Frames: 2, Reads: SendReads(kilobytes(content), true), Writes: SendWrites(kilobytes(content), true), Out: ackFrame,
	})
}

// EchoPosts is how many posts of a message go back to the connection that sent it: our
// clients ask for none.
const EchoPosts = 0

// predecessors is how many messages fanout reads to name the predecessor of each of a
// batch.
func predecessors(messages int) int {
	if messages <= 1 {
		return 2
	}
	return 2*messages + 8
}

// audienceReads is how many read units it takes to know whom a broadcast goes to: the
// members and the presence of each; in a room that is large and busy the members and the
// connections in its index.
func audienceReads(members int, connected float64) float64 {
	if members > chat.LongIndexAbove {
		return indexReads(members, connected)
	}
	return float64(members) + fit(members, memberBytes)
}

// indexReads is the same in a room whose members are in its index.
func indexReads(members int, connected float64) float64 {
	return fit(members, memberBytes+indexBytes) + fit(int(math.Ceil(connected)), onlineBytes)
}

// Broadcast is a batch of messages of one room, by the number of its members and
// of those who are connected besides the sender.
func Broadcast(members int, others float64, messages float64, content int) Action {
	posts := others + EchoPosts
	return invoke(topology.Fanout, rounds(posts)).Plus(Action{
		Frames: posts, Reads: audienceReads(members, others+1) + fit(predecessors(int(messages)), content+itemBytes),
		Out: posts * messages * float64(content+messageFrame),
	})
}

// OrderWrites is how many write units it takes to move a room up in the lists of
// its members: each one's item, and GSI1's old and new entry.
func OrderWrites(members int) float64 { return 3 * float64(members) }

// Project is a window of messages of one room for lastmessage, which moves the
// room up in its members' lists, and notes that, or not.
func Project(members int, moves bool) Action {
	if !moves {
		return invoke(topology.LastMessage, 0).Plus(Action{Writes: 1})
	}
	return invoke(topology.LastMessage, rounds(float64(members))).Plus(Action{
		Reads: fit(members, memberBytes), Writes: 2 + OrderWrites(members),
	})
}

// OrderInterval is how often a room moves up in lists at most, by its size; 0 is
// never.
func OrderInterval(members int) time.Duration {
	if members > 10_000 {
		return 0
	}
	return chat.OrderInterval
}

// Window is how long lastmessage gathers a batch, and Poll how often a stream is
// polled for fanout, which has no window ("Using AWS Lambda with Amazon DynamoDB").
var (
	Window = window()
	Poll   = 250 * time.Millisecond
)

func window() time.Duration {
	for _, m := range topology.StreamMappings() {
		if m.Function == topology.LastMessage {
			return m.BatchWindow
		}
	}
	panic("the topology has no mapping to lastmessage")
}

// Connect is a handshake, and Disconnect its end. A handshake is no message. It writes the
// entry, with which it counts in its user's limit, and the row, and one in each of the
// user's rooms that have an index.
func Connect(indexed int) Action {
	return invoke(topology.Connect, 0).Plus(Action{Writes: 2 + float64(indexed)})
}

// Disconnect is the end of a connection: its row, its entry, and its rows in rooms.
func Disconnect(indexed int) Action {
	return invoke(topology.Disconnect, 0).Plus(Action{Writes: 2 + float64(indexed)})
}

// IndexWrites is how many write units it takes to put a member into a room's index, once
// a lease: the notes in the presence and in the member.
const IndexWrites = 2

// BreakEven is how many messages in a room, for each connection of its average member,
// save as much as the member's row in the index costs.
func BreakEven() float64 { return 2 * WriteUnit.Each() / ReadUnit.Each() }

// indexMargin is for how much longer than a lease rows of new connections are written.
const indexMargin = time.Hour

// busyIndex is the share of the messages of a room that is not large for which its members
// are in its index, and a message's share of what that costs: the notes, the rows of those
// who are connected, and those of the connections that begin and end in the meantime. A
// room is in the index for a lease, and after that has to find an id that says so.
func (w Workload) busyIndex() (share float64, upkeep Action) {
	if w.Members <= chat.IndexAbove || w.Members > chat.LongIndexAbove || w.Pace > chat.BusyWithin {
		return 0, Action{}
	}
	messages := float64(chat.BusyLease) / float64(w.Pace)
	cycle := messages + chat.BusyEvery
	members, connected := float64(w.Members), 1+w.others()
	written := min(1, float64(chat.BusyLease+indexMargin)/(cycle*float64(w.Pace)))
	return messages / cycle, Action{
		Reads:  members / cycle,
		Writes: (IndexWrites*members+connected)/cycle + written*2*connected*w.Pace.Seconds()/w.Session.Seconds(),
	}
}

// broadcast is a message's share of the broadcasts of a workload's room.
func (w Workload) broadcast() Action {
	batch := w.together(Poll)
	share, upkeep := w.busyIndex()
	saved := audienceReads(w.Members, 1+w.others()) - indexReads(w.Members, 1+w.others())
	return Broadcast(w.Members, w.others(), batch, w.Content).Plus(Action{Reads: -share * saved}).Times(1 / batch).Plus(upkeep)
}

// indexedRooms is in how many rooms of a workload's user a large room's index has their
// connections.
func (w Workload) indexedRooms() int {
	if w.Members <= chat.LongIndexAbove {
		return 0
	}
	return min(w.Rooms, chat.MaxIndexedRooms)
}

// Ping is a ping and its pong, which reads the connection and where the user's list
// begins.
func Ping() Action {
	return invoke(topology.Default, 0).Plus(Action{Frames: 2, Reads: connectionReads + 0.5, Out: pongFrame})
}

// call is a request of the HTTP API, which counts in its user's limit, a write unit.
func call(reads, writes, out float64) Action {
	return uncounted(out).Plus(Action{Reads: reads, Writes: 1 + writes})
}

// uncounted is a request of the HTTP API that asks nothing of the table.
func uncounted(out float64) Action {
	return invoke(topology.API, 0).Plus(Action{Requests: 1, Out: out})
}

// Refused is a frame that is answered with an error, and counted: a write, where the function
// knows where the window was.
func Refused() Action {
	return invoke(topology.SendMessage, 0).Plus(Action{Frames: 2, Reads: connectionReads, Writes: 1, Out: refusal})
}

// Flooded is the end of a connection after too many of these: its mark, and what fanout posts,
// which is the reason and the close.
func Flooded() Action {
	return invoke(topology.Fanout, 2).Plus(Action{Frames: 2, Writes: 1, Out: refusal})
}

// List is GET /rooms for a number of rooms, with some unread messages in each.
func List(rooms int) Action {
	return call(1.5*float64(rooms)+1.5, 0, listBytes*float64(rooms))
}

// participationBytes is a participation's item, to a tenth.
const participationBytes = 190

// Sync is POST /sync of a number of rooms, in which nothing is new: the user's
// participations, and a query of each room.
func Sync(rooms float64) Action {
	return call(rooms+fit(int(rooms), participationBytes), 0, syncBytes*rooms)
}

// History is a page of 50 messages.
func History() Action { return call(9, 0, historyBytes) }

// readersNotified is the size of rooms whose members are notified of reads; in
// larger ones the reader's other devices are.
const readersNotified = chat.SmallRoom

// Read is a read cursor that moves, past however many messages, to one that is at most
// a minute old, by the number of the room's members and of those who are connected, the
// reader among them. Where that minute has more messages than one read unit does, it
// costs more.
func Read(members int, connected float64) Action {
	return call(5, 1, 0).Plus(Marked(members, connected))
}

// Marked is that others are notified of a read cursor that has moved.
func Marked(members int, connected float64) Action {
	asked := min(members, readersNotified)
	reads := fit(asked, memberBytes) + float64(members)
	posts := connected
	if members > readersNotified {
		reads, posts = 2, 1
	}
	return invoke(topology.Fanout, rounds(posts)).Plus(Action{
		Frames: posts, Reads: reads, Out: posts * readFrame,
	})
}

// Typing is a frame that says that a user types, by the number of the room's members and
// of those who are connected besides the user: their note, which no one is told in a
// larger room than chat.TypingRoom. The client gets no answer.
func Typing(members int, others float64) Action {
	frame := invoke(topology.Default, 0).Plus(Action{Frames: 1, Reads: connectionReads + 2*0.5})
	if members > chat.TypingRoom {
		return frame
	}
	return frame.Plus(Action{Writes: 1}).Plus(invoke(topology.Fanout, rounds(others))).Plus(Action{
		Frames: others, Reads: fit(members, memberBytes) + float64(members-1), Out: others * typingFrame,
	})
}

// Told is that a user is noted to have come or gone, and the members of a number of rooms
// are told, none of whom is in two of them, by the rooms' members and by those of each who
// are connected besides the user.
func Told(rooms, members int, others float64) Action {
	posts, reads := float64(rooms)*others, 0.5
	if rooms > 0 {
		reads += 1 + float64(rooms)*(fit(members, memberBytes)+float64(members-1)) // 1: what they are told
	}
	return Action{Writes: 1}.Plus(invoke(topology.Fanout, rounds(posts))).Plus(Action{
		Frames: posts, Out: posts * presenceFrame, Reads: reads,
	})
}

// LogLines is what an invocation of each function logs itself at info on Lambda,
// for a single action: how many lines, of how many bytes together, metrics in the
// embedded format included. A test measures them, to a tenth.
var LogLines = map[string]struct{ Lines, Bytes float64 }{
	topology.Connect:     {1, 244},
	topology.Disconnect:  {1, 229},
	topology.SendMessage: {1, 317},
	topology.Default:     {0, 0},
	topology.Fanout:      {1, 454},
	topology.LastMessage: {1, 219},
	topology.API:         {1, 220},
	topology.Push:        {1, 239},
}

// Lines that AWS writes, as examples: of each invocation if Lambda logs the
// system's events ("Configuring JSON and plain text log formats"), and of each event
// or request in the access logs, whose fields are those of the stages.
const (
	startLine  = `{"time":"2026-11-28T09:00:00.000Z","type":"platform.start","record":{"requestId":"79b4f56e-95b1-4643-9700-2807f4e68189","version":"$LATEST"}}`
	reportLine = `{"time":"2026-11-28T09:00:00.000Z","type":"platform.report","record":{"requestId":"79b4f56e-95b1-4643-9700-2807f4e68189","metrics":{"durationMs":12.345,"billedDurationMs":13,"memorySizeMB":256,"maxMemoryUsedMB":42},"status":"success"}}`

	// SocketAccess and HTTPAccess are lines of the access logs.
	SocketAccess = `{"requestId":"SGmHzGYDoAMEJ2g=","routeKey":"sendMessage","status":"200","connectionId":"R1kmxc2VNjMCFIA=","integrationLatency":"15","integration.error":"-","error.message":"-","identity.sourceIp":"203.0.113.10"}`
	HTTPAccess   = `{"requestId":"SGmHzGYDoAMEJ2g=","httpMethod":"GET","path":"/rooms","status":"200","responseLatency":"20","integrationErrorMessage":"-","authorizer.error":"-","identity.sourceIp":"203.0.113.10"}`
)

// perLine is what CloudWatch counts for a line beside its text ("PutLogEvents").
const perLine = 26

// logged is how many bytes of logs an action makes.
func (a Action) logged() float64 {
	bytes := a.Requests * (perLine + float64(len(HTTPAccess)))
	for name, n := range a.Invocations {
		own := LogLines[name]
		bytes += n * (own.Bytes + own.Lines*perLine)
		if SystemLog {
			bytes += n * float64(len(startLine)+len(reportLine)+2*perLine)
		}
		switch name {
		case topology.Connect, topology.Disconnect, topology.SendMessage, topology.Default:
			bytes += n * (perLine + float64(len(SocketAccess)))
		}
	}
	return bytes
}

// times are how long an invocation is assumed to take: mostly waiting for the
// table, some 5 ms a request. Posts and moves of rooms are made by 32 workers.
var times = map[string]time.Duration{
	topology.Connect:     30 * time.Millisecond,
	topology.Disconnect:  20 * time.Millisecond,
	topology.SendMessage: 15 * time.Millisecond,
	topology.Default:     5 * time.Millisecond,
	topology.Fanout:      35 * time.Millisecond,
	topology.LastMessage: 35 * time.Millisecond,
	topology.API:         15 * time.Millisecond,
	topology.Push:        200 * time.Millisecond, // waiting for push services
}

const (
	workers = 32
	round   = 15 * time.Millisecond // of workers
)

// rounds is how many rounds of the workers n posts or moves take.
func rounds(n float64) float64 { return math.Ceil(n / workers) }

// invoke is an invocation of a function with a number of rounds of its workers.
func invoke(function string, rounds float64) Action {
	seconds := times[function].Seconds() + rounds*round.Seconds()
	return Action{Invocations: map[string]float64{function: 1}, GBSeconds: seconds * memories[function]}
}

// memories are the functions' in GB.
var memories = func() map[string]float64 {
	gigabytes := map[string]float64{}
	for _, f := range topology.Programs() {
		gigabytes[f.Name] = float64(f.MemoryMB) / 1024
	}
	return gigabytes
}()
