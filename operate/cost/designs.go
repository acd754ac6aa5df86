package cost

import (
	"math"
	"time"

	"github.com/streamroom/streamroom/shared/topology"
)

// The designs that are compared.
const (
	Streamroom = "Streamroom"
	Classic    = "classic"
	Events     = "AppSync Events"
)

// Designs lists them in the order of the tables.
func Designs() []string { return []string{Streamroom, Classic, Events} }

// A design says what it does for each thing that happens in a workload.
type design struct {
	// message is one message with all that follows, and without reads.
	message func(w Workload) Action
	read    func(w Workload) Action
	// visit is what a client does when it comes, and session a connection's begin and
	// end, with what a client does each time.
	visit      func(w Workload) Action
	session    func(w Workload) Action
	ping, sync func(w Workload) Action
	// idle are operations of AppSync Events by session, and message and read those
	// by message and read.
	operations     func(w Workload) (message, read, session float64)
	longestSession time.Duration
	overlap        time.Duration // of a connection and the one that replaces it
	events         bool
}

var designs = map[string]design{
	Streamroom: {
		message: ownMessage, read: ownRead,
		session: func(w Workload) Action {
			return Connect(w.indexedRooms()).Plus(Disconnect(w.indexedRooms()))
		},
		visit:          func(w Workload) Action { return Sync(float64(w.Rooms)) },
		ping:           func(Workload) Action { return Ping() },
		sync:           ownSync,
		longestSession: maxSession,
		overlap:        overlap,
	},
	Classic: {
		message: classicMessage, read: classicRead,
		session:        func(Workload) Action { return classicSession() },
		ping:           func(Workload) Action { return classicPing() },
		longestSession: maxSession,
	},
	Events: {
		message: eventsMessage, read: eventsRead,
		session:        eventsSession,
		sync:           func(w Workload) Action { return Sync(float64(w.Rooms)) },
		operations:     eventOperations,
		longestSession: maxEventSession,
		events:         true,
	},
}

func ownMessage(w Workload) Action {
	return Send(w.Content).
		Plus(w.broadcast()).
		Plus(projection(w)).
		Plus(w.announced())
}

// projection is a message's share of lastmessage, which shares its writes among
// all messages of a window, and those of the room's order among an interval.
func projection(w Workload) Action {
	windows := 1 / w.together(Window)
	moves := 0.0
	if interval := OrderInterval(w.Members); interval > 0 { // the first message after it moves the room
		moves = min(windows, 1/(1+interval.Seconds()/w.Pace.Seconds()))
	}
	return Project(w.Members, true).Times(moves).Plus(Project(w.Members, false).Times(windows - moves))
}

// ownSync is a connection's share of the syncs of active rooms. Pongs tell of what is
// new in the others.
func ownSync(w Workload) Action {
	rooms, share := w.active()
	if share == 0 {
		return Action{}
	}
	return Sync(rooms / share).Times(share)
}

func ownRead(w Workload) Action { return Read(w.Members, 1+w.others()) }

// classicMessage stores the message, moves the room up for every member, reads
// every member's connections by an eventual query each, and posts to all of them
// and to the sender, all in sendMessage.
func classicMessage(w Workload) Action {
	posts := 1 + w.others()
	members := float64(w.Members)
	work := rounds(posts) + 2*rounds(members) // posts, queries, moves
	return invoke(topology.SendMessage, work).Plus(Action{
		Frames: 1 + posts,
		Reads:  membershipReads + fit(w.Members, memberBytes)/2 + members/2,
		Writes: kilobytes(w.Content) + 1 + OrderWrites(w.Members),
		Out:    posts * float64(w.Content+messageFrame),
	})
}

// classicRead appends the reader to the message, which is written whole, and
// posts the new list of readers from the same function.
func classicRead(w Workload) Action {
	posts := 1 + w.others()
	return call(membershipReads, kilobytes(w.Content), 0).Plus(Action{
		Frames: posts,
		Reads:  fit(w.Members, memberBytes)/2 + float64(w.Members)/2,
		Out:    posts * readFrame,
	})
}

// classicSession writes and deletes the connection and the user's entry.
func classicSession() Action {
	return invoke(topology.Connect, 0).Plus(invoke(topology.Disconnect, 0)).Plus(Action{Writes: 4, Reads: 1})
}

// classicPing is answered without the table.
func classicPing() Action {
	return invoke(topology.Default, 0).Plus(Action{Frames: 2, Out: pongFrame})
}

// eventsMessage is a publish whose handler calls sendmessage. AppSync delivers
// it, and lastmessage follows from the stream.
func eventsMessage(w Workload) Action {
	send := Send(w.Content)
	send.Frames = 0
	send.Out += (1 + w.others()) * float64(w.Content+messageFrame)
	return send.Plus(projection(w))
}

// eventsRead is a request of the HTTP API, whose function publishes.
func eventsRead(w Workload) Action {
	return call(4, 1, (1+w.others())*readFrame)
}

// eventsSession reads the membership of each room to subscribe to, and syncs.
func eventsSession(w Workload) Action {
	return Sync(float64(w.Rooms)).Plus(Action{Reads: float64(w.Rooms)})
}

// visits are those of the month.
func (d design) visits(w Workload) Action {
	if d.visit == nil {
		return Action{}
	}
	return d.visit(w).Times(w.every(w.visit()))
}

// eventOperations are a publish, its handler and its deliveries, by 5 KB each; and
// of a session its connect, and a subscription and its handler for each room.
func eventOperations(w Workload) (message, read, session float64) {
	deliveries := 1 + w.others()
	blocks := math.Ceil(float64(w.Content+messageFrame) / (5 << 10))
	return blocks * (2 + deliveries), 1 + deliveries, 1 + 2*float64(w.Rooms)
}

// Of returns what a design uses in a month of a workload.
func Of(name string, w Workload) Usage {
	d := designs[name]
	messages, sessions := w.messages(), w.every(min(w.Session, d.longestSession))
	if d.events && w.Session >= Session { // nothing ends them earlier
		sessions = w.every(d.longestSession)
	}
	total := d.message(w).Plus(w.files()).Times(messages).
		Plus(d.read(w).Times(messages * w.Reads)).
		Plus(d.visits(w)).
		Plus(d.session(w).Times(sessions)).
		Plus(List(w.Rooms).Times(w.every(w.Session) * w.Lists)).
		Plus(History().Times(w.every(w.Session) * w.Histories))
	if d.ping != nil {
		total = total.Plus(d.ping(w).Times(w.every(w.PingEvery)))
	}
	if d.sync != nil {
		total = total.Plus(d.sync(w).Times(w.every(w.SyncEvery)))
	}
	usage := total.usage(w.Traced)
	minutes := float64(w.Connections) * Month.Minutes()
	if d.events {
		perMessage, perRead, perSession := d.operations(w)
		usage.EventOperations = messages*(perMessage+w.Reads*perRead) + sessions*perSession
		usage.EventMinutes = minutes
	} else {
		usage.ConnectionMinutes = minutes + sessions*d.overlap.Minutes()
	}
	usage.Users, usage.Tier = w.users(), w.Tier
	usage.TableGB = messages * w.Months * float64(w.Content+itemBytes) / gb
	usage.addFiles(w)
	usage = usage.standing()
	if name == Streamroom {
		usage.addBackends(w)
	}
	return usage
}

// An Estimate is what a workload costs in each design.
type Estimate struct {
	Region   string        `json:"region"`
	PricesOf string        `json:"pricesOf"`
	Workload Workload      `json:"workload"`
	Designs  []DesignsBill `json:"designs"`
}

// A DesignsBill is the month's bill of one design.
type DesignsBill struct {
	Design string  `json:"design"`
	Total  float64 `json:"total"` // dollars
	Bill   Bill    `json:"bill"`
}

// NewEstimate bills a workload that Check accepts.
func NewEstimate(w Workload) Estimate {
	e := Estimate{Region: Region, PricesOf: PricesOf, Workload: w}
	for _, name := range Designs() {
		bill := Of(name, w).Bill(w.Free)
		e.Designs = append(e.Designs, DesignsBill{name, bill.Total(), bill})
	}
	return e
}

// compressed is how much of a log is kept, by what its pricing page assumes.
const compressed = 0.15

// usage is what a month with such actions uses.
func (a Action) usage(traced bool) Usage {
	u := Usage{
		WebSocketMessages: a.Frames, HTTPRequests: a.Requests, ReadUnits: a.Reads, WriteUnits: a.Writes,
		FilePuts: a.Puts, FileGets: a.Gets, GBSeconds: a.GBSeconds, BusEvents: a.Events, LogGB: a.logged() / gb, OutGB: a.Out / gb,
	}
	for _, n := range a.Invocations {
		u.Invocations += n
		if traced {
			u.Traces += traces(n)
		}
	}
	u.StoredLogGB = u.LogGB * LogDays / 30 * compressed
	return u
}

// traces is how many of a month's invocations X-Ray samples: the first of each
// second and 5 % of the others ("Configuring sampling rules").
func traces(invocations float64) float64 {
	first := min(invocations, Month.Seconds())
	return first + 0.05*(invocations-first)
}

// standing adds what the deployment has without traffic.
func (u Usage) standing() Usage {
	u.Metrics = CustomMetrics + RouteMetrics + MappingMetrics
	u.Alarms, u.Dashboards, u.InsightRules = Alarms, Dashboards, InsightRules
	return u
}
