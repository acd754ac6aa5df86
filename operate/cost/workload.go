package cost

import (
	"fmt"
	"math"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
)

// A Workload is what users do in a month of 30 days.
type Workload struct {
	Connections       int     `json:"connections"` // open, on average over the month
	Members           int     `json:"members"`     // of a room
	Online            float64 `json:"online"`      // the share of members who have a connection, 0 to 1
	Rooms             int     `json:"rooms"`       // of a user
	MessagesPerSecond float64 `json:"messagesPerSecond"`
	Content           int     `json:"content"` // bytes of a message
	// Pace is how long a room in which people talk waits for its next message.
	Pace    time.Duration `json:"pace"`
	Reads   float64       `json:"reads"`   // read cursors that a message moves
	Session time.Duration `json:"session"` // how long a connection lasts
	// Lists and Histories are how often a client lists rooms and reads a page of
	// messages for each connection.
	Lists     float64       `json:"lists"`
	Histories float64       `json:"histories"`
	PingEvery time.Duration `json:"pingEvery"` // without a frame; 0 is never
	SyncEvery time.Duration `json:"syncEvery"` // of rooms in which something came since; 0 is never
	Months    float64       `json:"months"`    // of messages that the table holds, and of files that the bucket does
	// FilesPerMessage are attachments, FileBytes what one has, and Downloads how often
	// one is read.
	FilesPerMessage float64 `json:"attachmentsPerMessage"`
	FileBytes       int     `json:"attachmentBytes"`
	Downloads       float64 `json:"attachmentDownloads"`

	Events   bool `json:"events"`   // are put to a bus
	Push     bool `json:"push"`     // Web Push to users who are offline
	Services int  `json:"services"` // programs with tokens of their own

	Users  int    `json:"users"` // active in the month; 0 is Connections / Online
	Tier   string `json:"tier"`
	Traced bool   `json:"traced"`
	Free   bool   `json:"free"` // leave out what an account gets free
}

// Month is how long a month is.
const Month = 30 * 24 * time.Hour

// What the clients do on their own, and API Gateway's longest connection.
const (
	PingEvery = 8*time.Minute + 45*time.Second
	SyncEvery = 30 * time.Minute
	// Session is how long the browser client keeps a connection on average; the Go
	// client keeps it for 105 minutes.
	Session = 110 * time.Minute

	// unbroken is how long a client is there before the network, or the device, ends its
	// connection: assumed. Until then each connection is replaced while it works, without
	// a sync.
	unbroken = 24 * time.Hour

	// overlap is how long clients keep a connection beside the one that replaces it.
	overlap = 30 * time.Second

	maxSession      = 2 * time.Hour
	maxEventSession = 24 * time.Hour // of AppSync Events: assumed, as for its subscriptions
)

// The largest values for which the model holds: fanout serves larger rooms in
// slices, and frames of more content don't fit.
const (
	MaxMembers = 2000
	maxContent = chat.MaxContent
	maxRooms   = 200 // channels of one connection to AppSync Events
)

// DefaultWorkload is 10,000 users in conversations of groups.
func DefaultWorkload() Workload {
	return Workload{
		Connections: 10_000, Members: 10, Online: 0.3, Rooms: 20, MessagesPerSecond: 5, Content: 300,
		Pace: 10 * time.Second, Reads: 1, Session: Session, Lists: 1, Histories: 3,
		PingEvery: PingEvery, SyncEvery: SyncEvery, Months: 12, Tier: Tier, Traced: Traced,
		FileBytes: 1 << 20, Downloads: 3,
	}
}

// Check returns an error that names the first option that can't be, as the flag
// of the command line.
func (w Workload) Check() error {
	switch {
	case w.Connections < 0:
		return fmt.Errorf("invalid --connections %d: want 0 or more", w.Connections)
	case w.Members < 2 || w.Members > MaxMembers:
		return fmt.Errorf("invalid --members %d: want 2 to %d; docs/large-rooms.md has larger rooms", w.Members, MaxMembers)
	case !(w.Online > 0 && w.Online <= 1): // NaN, too
		return fmt.Errorf("invalid --online %v: want a share above 0 and up to 1, such as 0.3", w.Online)
	case w.Rooms < 0 || w.Rooms > maxRooms:
		return fmt.Errorf("invalid --rooms %d: want 0 to %d", w.Rooms, maxRooms)
	case w.Content < 1 || w.Content > maxContent:
		return fmt.Errorf("invalid --content %d: want 1 to %d bytes", w.Content, maxContent)
	case w.Pace <= 0:
		return fmt.Errorf("invalid --pace %v: want a positive duration such as 10s", w.Pace)
	case w.Session < time.Minute || w.Session > maxSession:
		return fmt.Errorf("invalid --session %v: want 1m to %v, API Gateway's longest connection", w.Session, maxSession)
	case w.PingEvery < 0 || w.PingEvery > 0 && w.PingEvery < time.Second:
		return fmt.Errorf("invalid --ping-every %v: want 1s or more, or 0 for never", w.PingEvery)
	case w.SyncEvery < 0 || w.SyncEvery > 0 && w.SyncEvery < time.Second:
		return fmt.Errorf("invalid --sync-every %v: want 1s or more, or 0 for never", w.SyncEvery)
	case w.Users < 0:
		return fmt.Errorf("invalid --users %d: want 0 or more", w.Users)
	case w.Tier != Lite && w.Tier != Essentials && w.Tier != Plus:
		return fmt.Errorf("invalid --tier %q: want %s, %s or %s", w.Tier, Lite, Essentials, Plus)
	}
	if err := w.checkFiles(); err != nil {
		return err
	}
	if err := w.checkBackends(); err != nil {
		return err
	}
	return w.checkAmounts()
}

func (w Workload) checkAmounts() error {
	for _, amount := range []struct {
		name  string
		value float64
	}{
		{"messages-per-second", w.MessagesPerSecond},
		{"reads", w.Reads},
		{"lists", w.Lists},
		{"histories", w.Histories},
		{"months", w.Months},
	} {
		if !(amount.value >= 0 && amount.value <= 1e9) { // NaN, too
			return fmt.Errorf("invalid --%s %v: want a number from 0 to a billion", amount.name, amount.value)
		}
	}
	return nil
}

// messages is how many are sent in the month.
func (w Workload) messages() float64 { return w.MessagesPerSecond * Month.Seconds() }

// others is how many members of a room are connected besides the one who acts.
func (w Workload) others() float64 { return w.Online * float64(w.Members-1) }

// together is how many messages of a room come in so much time, one at least.
func (w Workload) together(in time.Duration) float64 {
	return max(1, in.Seconds()/w.Pace.Seconds())
}

// visit is how long a client is there, in which it syncs all rooms once.
func (w Workload) visit() time.Duration {
	if w.Session < Session { // someone ends it
		return w.Session
	}
	return unbroken
}

// users is how many are active in the month.
func (w Workload) users() float64 {
	if w.Users > 0 {
		return float64(w.Users)
	}
	return float64(w.Connections) / w.Online
}

// active is how many of a user's rooms have messages in a client's interval between
// syncs, and the share of intervals in which any has.
func (w Workload) active() (rooms, share float64) {
	all := w.users() * float64(w.Rooms) / float64(w.Members)
	if all == 0 {
		return 0, 0
	}
	each := w.messages() / all * w.SyncEvery.Seconds() / Month.Seconds()
	return float64(w.Rooms) * (1 - math.Exp(-each)), 1 - math.Exp(-each*float64(w.Rooms))
}

// every is how often all connections do something in a month that each does
// so often.
func (w Workload) every(interval time.Duration) float64 {
	if interval == 0 {
		return 0
	}
	return float64(w.Connections) * Month.Seconds() / interval.Seconds()
}
