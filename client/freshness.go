package client

import (
	"maps"
	"slices"
	"time"

	"github.com/streamroom/streamroom/shared/wire"
)

const (
	syncEvery  = 30 * time.Minute // between syncs of active rooms
	renewEvery = 24 * time.Hour   // between times at which everything is asked for, as on a new connection
	// noted is how long after another one a message may not move its room up in lists, so
	// that no pong tells of it: an interval of three minutes, and the time until it is
	// delivered.
	noted = 4 * time.Minute
)

// freshness decides when there is a reason to ask the server although no message is
// missed: a pong tells of something newer than what came, a room was active, the device
// slept, or a day has passed. It knows neither time nor network. web/lib/freshness.js decides
// the same, and docs/vectors/refresh.json is run against both.
type freshness struct {
	jitter func(time.Duration) time.Duration
	seen   int64                // the newest time of a message or of a pong's changedAt, in ms
	since  int64                // what everything that was last asked for covers, in ms
	active map[string]time.Time // rooms of which frames came, and when the last one did
	next   time.Time            // when active rooms are to be synced; zero: none is active
	slept  bool                 // no pong came since the device slept
	stale  time.Time            // when everything is to be asked for
}

func newFreshness(jitter func(time.Duration) time.Duration) *freshness {
	return &freshness{jitter: jitter, active: map[string]time.Time{}}
}

// came takes a frame.
func (f *freshness) came(now time.Time, frame wire.ServerFrame) {
	if frame.Type == wire.TypeMessage || frame.Type == wire.TypeAck {
		f.sees(frame.Timestamp)
	}
	if frame.ChatRoomID == "" {
		return
	}
	f.active[frame.ChatRoomID] = now
	if f.next.IsZero() {
		f.next = now.Add(f.jitter(syncEvery))
	}
}

// sees takes a time that came, in ms.
func (f *freshness) sees(at int64) { f.seen = max(f.seen, at) }

// covers takes the changedAt of a new connection's first pong.
func (f *freshness) covers(changedAt int64) {
	f.sees(changedAt)
	f.since = f.seen
}

// isNews tells whether a pong tells of something newer than what came.
func (f *freshness) isNews(changedAt int64) bool {
	news := changedAt > f.seen
	f.sees(changedAt)
	f.slept = f.slept && !news // all rooms are asked for, active ones too
	return news
}

// sleeps notes that the device slept: a server may have given up frames that nothing read.
func (f *freshness) sleeps() { f.slept = true }

// wakes takes a pong that tells of nothing newer. After a sleep active rooms are due.
func (f *freshness) wakes(now time.Time) {
	if f.slept && !f.next.IsZero() {
		f.next = now
	}
	f.slept = false
}

// renewed notes that everything is asked for now.
func (f *freshness) renewed(now time.Time) {
	f.stale, f.since, f.slept = now.Add(f.jitter(renewEvery)), f.seen, false
}

// isStale tells whether everything is to be asked for, although no connection was lost.
func (f *freshness) isStale(now time.Time) bool { return !now.Before(f.stale) }

// due returns the rooms that are to be synced now, none before next. One message may have
// been stored late, behind others, and be lost. In a room that wasn't active it would have
// moved the room up.
func (f *freshness) due(now time.Time) []string {
	if f.next.IsZero() || now.Before(f.next) {
		return nil
	}
	rooms := slices.Sorted(maps.Keys(f.active))
	maps.DeleteFunc(f.active, func(_ string, last time.Time) bool { return now.Sub(last).Abs() >= noted })
	f.next = time.Time{}
	if len(f.active) > 0 {
		f.next = now.Add(f.jitter(syncEvery))
	}
	return rooms
}
