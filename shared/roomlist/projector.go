package roomlist

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/changes"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/metrics"
	"github.com/streamroom/streamroom/shared/parallel"
)

// roomsInFlight bounds how many rooms of a batch are projected at a time: at
// some 20 ms a room, the largest batch of as many rooms is done in time.
const roomsInFlight = 16

// Store is what a Projector needs of the table. All writes move forward only, so
// they can be repeated and reordered.
type Store interface {
	// Room reads a room; false if there is none.
	Room(ctx context.Context, roomID string) (chat.Room, bool, error)
	// Members reads a room's first members after one strongly, at most limit, and
	// whether there are more.
	Members(ctx context.Context, roomID, after string, limit int) ([]chat.Member, bool, error)
	// LastMessage reads a room's last message strongly; false if there is none.
	LastMessage(ctx context.Context, roomID string) (chat.LastMessage, bool, error)
	// AdvanceLastMessage makes m the last message unless a newer one is, and
	// returns the one that is.
	AdvanceLastMessage(ctx context.Context, roomID string, m chat.LastMessage) (chat.LastMessage, error)
	// AdvanceRoomOrder moves a room in a participant's list forward to ms.
	AdvanceRoomOrder(ctx context.Context, userID, roomID string, ms int64) error
	// NoteRoomOrder stores with the last message that the room's place in its
	// members' lists was last updated at ms.
	NoteRoomOrder(ctx context.Context, roomID string, ms int64) error
	// RemoveReactions removes what members reacted to a message with that was deleted.
	RemoveReactions(ctx context.Context, roomID, messageID string) error
}

// Projector keeps each room's last message and the order of room lists, and removes what
// went with deleted messages.
type Projector struct {
	store    Store
	interval time.Duration
	deadline time.Duration
	now      func() time.Time
	log      zerolog.Logger
	files    *files  // nil: there are no attachments
	charges  Charges // nil: users are not charged
}

// NewProjector returns a Projector that moves a room in its members' lists at most once
// an interval, 0 for each batch, and whose invocations work for at most deadline.
func NewProjector(store Store, interval, deadline time.Duration, now func() time.Time, log zerolog.Logger) *Projector {
	return &Projector{store: store, interval: interval, deadline: deadline, now: now, log: log}
}

// Removing has the Projector remove attachments. Call it before the first Handle.
func (p *Projector) Removing(store AttachmentStore, objects Objects) *Projector {
	p.files = &files{store, objects}
	return p
}

// Charges takes posts out of a user's limit over time, after the fact, and returns for how
// long the user has spent it then.
type Charges interface {
	Add(ctx context.Context, userID string, posts int) (spent time.Duration, err error)
}

// Charging has the Projector charge moves in lists to those whose messages caused them. Call
// it before the first Handle.
func (p *Projector) Charging(charges Charges) *Projector {
	p.charges = charges
	return p
}

// charge charges a user for the moves of a room in the lists of a number of members.
func (p *Projector) charge(ctx context.Context, userID string, moved int) {
	if p.charges == nil {
		return
	}
	if _, err := p.charges.Add(ctx, userID, chat.MoveWeight*moved); err != nil { // with the next ones
		p.log.Warn().Err(err).Str("user_id", userID).Msg("charge a user")
	}
}

// result is what became of an update.
type result struct {
	postponed bool // there was no time for it
	err       error
}

// Handle serves one batch of records. Records of rooms whose projection could
// not be written, or that there was no time for, are answered as failed, to be
// delivered again.
func (p *Projector) Handle(ctx context.Context, event changes.Event) (changes.Response, error) {
	started := p.now()
	ctx, cancel := context.WithTimeout(ctx, p.deadline)
	defer cancel()
	log := metrics.Logger(ctx, p.log)
	records, malformed := changes.Decode(event, &log)
	updates := group(records)

	// In the order of their first records: what is delivered again begins with
	// the first that failed, so each delivery gets further.
	results := make([]result, len(updates))
	parallel.Each(len(updates), roomsInFlight, func(i int) {
		if ctx.Err() != nil {
			results[i].postponed = true
		} else {
			results[i].err = p.serve(ctx, updates[i])
		}
	})

	var failed []string
	postponed := 0
	for i, r := range results {
		if r.postponed || r.err != nil {
			failed = append(failed, updates[i].sequences...)
		}
		if r.postponed {
			postponed++ // and no line: there may be thousands, of which nothing is known
		} else {
			logResult(&log, updates[i], r.err)
		}
	}
	metrics.Line(&log, p.now(), metrics.OfLastMessage, map[string]int{
		metrics.FailedRecords: len(failed), metrics.MalformedRecord: malformed,
	}, nil).
		Int("records", len(event.Records)).
		Int("rooms", len(updates)).
		Int("rooms_postponed", postponed).
		Dur("duration_ms", p.now().Sub(started)).
		Str("outcome", metrics.Outcome(len(failed) == 0)).
		Msg("projected")
	return changes.Failed(failed), nil
}

// serve does what an update asks for: first what readers of lists wait for, which needs
// the table alone.
func (p *Projector) serve(ctx context.Context, u update) error {
	if err := p.project(ctx, u); err != nil {
		return err
	}
	for _, id := range u.reacted {
		if err := p.store.RemoveReactions(ctx, u.roomID, id); err != nil {
			return fmt.Errorf("remove the reactions to a deleted message: %w", err)
		}
	}
	if p.files == nil {
		return nil
	}
	return p.removeFiles(ctx, u)
}

// logResult writes the line of a room: at level debug if all went well, as the
// invocation's own line counts it.
func logResult(log *zerolog.Logger, u update, err error) {
	line := log.Debug()
	if err != nil {
		line = log.Error().Err(err)
	}
	line = line.Str("room_id", u.roomID).Int("joined", len(u.joined)).Int("removed", len(u.removed)+len(u.expired)).Str("outcome", metrics.Outcome(err == nil))
	if u.newest != nil {
		line = line.Str("message_id", u.newest.ID)
	}
	line.Msg("room projected")
}
