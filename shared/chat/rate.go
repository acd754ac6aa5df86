package chat

import (
	"context"
	"fmt"
	"time"
)

// RateLimit is a limit of what a user may do, by the generic cell rate algorithm
// (GCRA): Burst at once, and one more every Interval. The zero value is no limit.
type RateLimit struct {
	Interval time.Duration
	Burst    int
}

// The limits of a user, unless the deployment sets others.
const (
	ConnectRate  = 5 // connections a minute
	ConnectBurst = 40
	SendRate     = 10 // messages a second
	SendBurst    = 20
	WriteRate    = 5 // changes by the HTTP API a second; a room's members count, each as one, when it is created
	WriteBurst   = 50
	ReadRate     = 5 // lists, syncs, histories and the like a second
	ReadBurst    = 100
	ReportRate   = 10 // reports of messages a minute
	ReportBurst  = 20
)

// The limits of a connection, and of a user who types, which go with that of messages. What they
// allow does not count in the limit over time, so they bound what an hour of it can cost.
const (
	RefusedRate  = 20 // refused frames a minute; one more ends the connection
	RefusedBurst = 50
	PingRate     = 12 // a minute, of each of the function's instances
	PingBurst    = 20
	TypingRate   = 30 // frames of a user that count a minute, of each of the function's instances
	TypingBurst  = 20
	IgnoredRate  = 300 // frames of a user about typing that change nothing, as TypingRate
	IgnoredBurst = 100
)

// PerMinute returns the limit of a number a minute; a rate of 0 is no limit.
func PerMinute(rate, burst int) RateLimit { return rateLimit(time.Minute, rate, burst) }

// PerSecond returns the limit of a number a second; a rate of 0 is no limit.
func PerSecond(rate, burst int) RateLimit { return rateLimit(time.Second, rate, burst) }

func rateLimit(per time.Duration, rate, burst int) RateLimit {
	if rate <= 0 {
		return RateLimit{}
	}
	return RateLimit{Interval: per / time.Duration(rate), Burst: max(burst, 1)}
}

// How often bans end the connections of one user: EndingBurst at once, and one more every
// EndingInterval. Anyone may make a room, add others and ban them, and would keep a user offline
// without it.
const (
	EndingBurst    = 5
	EndingInterval = 10 * time.Minute
)

// What a user may do over time, from the limit of messages: as many at once as that allows
// in SustainedFor, and a part of its rate, one SustainedPart-th, without an end. Messages,
// changes, reads and files share it, by what they weigh: so it bounds what a user's hour
// can cost, for which each of their limits alone allows much, and all together more.
const (
	SustainedFor  = 500 * time.Second
	SustainedPart = 3
)

// For how many bytes an action weighs as much as another one in the limit over time: what
// each of these costs is about as much as what the smallest action does at most.
const (
	ContentWeight = 4 << 10   // of a message or an edit
	AnswerWeight  = 128 << 10 // of an answer of the HTTP API
	FileWeight    = 1 << 20   // of a file that is announced or read
)

// Sustained returns the limit over time that goes with one of messages. It is not less than
// that of SendRate: a lower rate of messages leaves what one may read.
func (l RateLimit) Sustained() RateLimit {
	if l == (RateLimit{}) {
		return l
	}
	interval := min(l.Interval, time.Second/SendRate)
	return RateLimit{Interval: SustainedPart * interval, Burst: max(int(SustainedFor/interval), l.Burst)}
}

// Sends cost no write each: an instance of a function counts them, and takes a number of
// a user's together out of the limits that all instances share, after the fact.
const (
	SendsPerTake     = 20  // out of the limit of messages
	SustainedPerTake = 100 // out of that over time, which is far larger
)

// Shared returns the limit of messages that all instances share, which goes with that of
// each instance: the same rate, in bursts of ten times SendsPerTake at least. Each instance
// takes for messages that it is yet to see, or has seen before, so with a burst of
// SendsPerTake users would be refused who keep to the limit.
func (l RateLimit) Shared() RateLimit {
	if l == (RateLimit{}) {
		return l
	}
	return RateLimit{Interval: l.Interval, Burst: max(l.Burst, 10*SendsPerTake)}
}

// Horizon is by how much a window may lie ahead of the clock for n more.
func (l RateLimit) Horizon(n int) time.Duration { return time.Duration(l.Burst-n) * l.Interval }

// Wait returns after what time a window, in ms, has room for n more; 0 or less: it has.
func (l RateLimit) Wait(window, now int64, n int) time.Duration {
	return time.Duration(window-now)*time.Millisecond - l.Horizon(n)
}

// Action is what a rate limit counts.
type Action string

// The actions of users, and, from Refusing to Ignoring, of connections.
const (
	Connecting Action = "connect"
	Sending    Action = "send"
	Sustaining Action = "total" // messages, changes, reads and files, over time
	Writing    Action = "write"
	Reading    Action = "read"
	Reporting  Action = "report"
	Banning    Action = "ban" // of which the user is the banned one
	Refusing   Action = "refused"
	Pinging    Action = "ping"
	Typing     Action = "typing"
	Ignoring   Action = "ignored"
)

// Limits are the rate limits by action. Actions without one are not limited.
type Limits map[Action]RateLimit

// RateTake asks for Count, at most Limit.Burst, of what a limit allows a user. Without a
// Limit it asks for nothing.
type RateTake struct {
	UserID string
	Action Action
	Limit  RateLimit
	Count  int

	// LastWindow is where the window was when it was last seen, in ms, 0 if that
	// is unknown. It changes nothing but the number of round trips.
	LastWindow int64
}

// RateStore keeps how much of their limits users have used up.
type RateStore interface {
	// TakeRate moves a user's window of one action to max(window, now) +
	// Count * Limit.Interval, if it is at most Limit.Horizon(Count) ahead of now.
	// Otherwise it returns after what time, more than 0, it would be. What is refused
	// does not move the window, which is returned in both cases. Calls that race may
	// leave one of them refused although there was room for it.
	TakeRate(ctx context.Context, take RateTake) (window int64, retryAfter time.Duration, err error)
}

// Limiter takes what users do out of their limits. It remembers windows, which never
// move back: who is known to be over a limit is refused without asking the store.
type Limiter struct {
	store   RateStore
	limits  Limits
	now     func() time.Time
	windows recent[rateKey, int64]
	counted recent[rateKey, int] // see takeBatched
	from    int                  // where counting begins
}

type rateKey struct {
	userID string
	action Action
}

// NewLimiter returns a Limiter on a store and a clock.
func NewLimiter(store RateStore, limits Limits, now func() time.Time) *Limiter {
	return &Limiter{store: store, limits: limits, now: now}
}

// Take takes a number of actions, at least one, out of a user's limit. A number
// beyond the burst counts as the burst.
//
// Errors: CodeRateLimited.
func (l *Limiter) Take(ctx context.Context, userID string, action Action, n int) error {
	if l == nil || l.limits[action] == (RateLimit{}) {
		return nil
	}
	take, err := l.prepare(userID, action, n)
	if err != nil {
		return err
	}
	window, wait, err := l.store.TakeRate(ctx, take)
	if err != nil {
		return fmt.Errorf("take from the user's limit %s: %w", action, err)
	}
	return l.finish(take, window, wait)
}

// prepare returns what to take of the store for a number of actions; without a Limit if the
// action has none. Who is known to be over the limit is refused.
//
// Errors: CodeRateLimited.
func (l *Limiter) prepare(userID string, action Action, n int) (RateTake, error) {
	limit := l.limits[action]
	if limit == (RateLimit{}) {
		return RateTake{}, nil
	}
	window, _ := l.windows.get(rateKey{userID, action})
	take := RateTake{UserID: userID, Action: action, Limit: limit, Count: min(n, limit.Burst), LastWindow: window}
	if wait := limit.Wait(window, l.now().UnixMilli(), take.Count); wait > 0 {
		return RateTake{}, errRateLimited(limit, verbs[action], wait)
	}
	return take, nil
}

// finish notes where the store says that a window is, and refuses if it says to wait.
//
// Errors: CodeRateLimited.
func (l *Limiter) finish(take RateTake, window int64, wait time.Duration) error {
	if take.Limit == (RateLimit{}) {
		return nil
	}
	l.windows.put(rateKey{take.UserID, take.Action}, window)
	if wait > 0 {
		return errRateLimited(take.Limit, verbs[take.Action], wait)
	}
	return nil
}

// Admit takes one action out of a user's limit, and out of that over time, unless the
// action has none of its own.
//
// Errors: CodeRateLimited.
func (l *Limiter) Admit(ctx context.Context, userID string, action Action) error {
	if l == nil || l.limits[action] == (RateLimit{}) {
		return nil
	}
	if err := l.takeBatched(ctx, userID, Sustaining, 1, SustainedPerTake); err != nil {
		return err
	}
	err := l.Take(ctx, userID, action, 1)
	if err != nil {
		l.count(userID, Sustaining, -1)
	}
	return err
}

// Weigh counts n more in the limit over time for an action that Admit let in. It refuses
// nothing: what comes next may be.
func (l *Limiter) Weigh(userID string, action Action, n int) {
	if n > 0 && l != nil && l.limits[action] != (RateLimit{}) {
		l.count(userID, Sustaining, n)
	}
}

// CountingFrom says where this Limiter begins to count what it takes together: at any
// number that is not negative, and not the same as that of other instances of the function.
// Call it before the first Admit.
func (l *Limiter) CountingFrom(n int) *Limiter {
	l.from = n
	return l
}

// takeBatched counts n actions, and takes them out of a user's limit when they are as many
// as a batch has. Calls that race may count too few.
//
// Counting begins at l.from, which differs among the instances of a function: then, however
// many they are and however soon they end, they take as many as they admit, on average, and
// the first of them takes before each has admitted as many.
//
// Errors: CodeRateLimited.
func (l *Limiter) takeBatched(ctx context.Context, userID string, action Action, n, batch int) error {
	if l == nil || l.limits[action] == (RateLimit{}) {
		return nil
	}
	key := rateKey{userID, action}
	counted, met := l.counted.get(key)
	if !met {
		counted = l.from % batch
	}
	counted += n
	if due := counted - counted%batch; due > 0 {
		if err := l.Take(ctx, userID, action, due); err != nil {
			return err // those counted before stay
		}
		counted -= due
	}
	l.counted.put(key, counted)
	return nil
}

// count adds n to what is counted of an action.
func (l *Limiter) count(userID string, action Action, n int) {
	key := rateKey{userID, action}
	counted, _ := l.counted.get(key)
	l.counted.put(key, counted+n)
}

// pace counts what connections or users do in memory: a flood meets the same few instances
// again and again, and what is in order should write nothing. Calls that race may be one
// too many.
type pace struct {
	limit   RateLimit
	windows recent[string, int64] // by connection or user
}

// take takes one action out of the limit of a connection or a user.
//
// Errors: CodeRateLimited.
func (p *pace) take(id string, at time.Time, action Action) error {
	if p.limit == (RateLimit{}) {
		return nil
	}
	now := at.UnixMilli()
	window, _ := p.windows.get(id)
	if wait := p.limit.Wait(window, now, 1); wait > 0 {
		return errRateLimited(p.limit, verbs[action], wait)
	}
	p.windows.put(id, max(window, now)+p.limit.Interval.Milliseconds())
	return nil
}

// verbs say what a user did too often.
var verbs = map[Action]string{
	Connecting: "the user opened more than %d connections",
	Sending:    "the user sent more than %d messages",
	Sustaining: "the user sent, changed and read more than %d messages, rooms, lists or MB of files",
	Writing:    "the user made more than %d changes",
	Reading:    "the user read more than %d lists",
	Banning:    "bans ended the connections of the user more than %d times",
	Reporting:  "the user reported more than %d messages",
	Pinging:    "the connection sent more than %d pings",
	Typing:     "the user sent more than %d frames about typing",
	Ignoring:   "the user sent more than %d frames about typing that change nothing",
}

func errRateLimited(limit RateLimit, did string, wait time.Duration) *Error {
	err := Errorf(CodeRateLimited, did+" at once, or one every %s; try again in %s", limit.Burst, limit.Interval, wait.Round(time.Millisecond))
	err.RetryAfter = wait
	return err
}
