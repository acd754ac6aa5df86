package replay

import (
	"context"
	"errors"
	"iter"
)

// Position is a place in a source, by what was last sent before it.
type Position struct {
	Part  string `json:"part,omitempty"`  // a room's partition key, a shard's id; "" in a file
	After string `json:"after,omitempty"` // a sort key, a sequence number, a number of lines
}

// source gives records in an order that stays the same from run to run.
type source interface {
	// survey counts what records gives, with as little reading as it takes.
	survey(ctx context.Context, after Position, s *survey) error
	// records gives those behind a position. An error that is errUnreadable is
	// one record's; any other ends it.
	records(ctx context.Context, after Position) iter.Seq2[Record, error]
}

// survey is what there is to send.
type survey struct {
	wanted     func(*Record) bool
	records    int
	unreadable int
	kinds      map[string]int
	rooms      map[string]*roomCount
	units      float64 // read units that counting took
}

// roomCount is what is known of a room.
type roomCount struct{ records, members int32 }

func newSurvey(wanted func(*Record) bool) *survey {
	return &survey{wanted: wanted, kinds: map[string]int{}, rooms: map[string]*roomCount{}}
}

func (s *survey) add(r *Record) {
	s.records++
	s.kinds[r.Key.Kind.String()]++
	if r.Key.RoomID != "" {
		s.room(r.Key.RoomID).records++
	}
}

func (s *survey) room(id string) *roomCount {
	room := s.rooms[id]
	if room == nil {
		room = &roomCount{}
		s.rooms[id] = room
	}
	return room
}

// read counts records one by one.
func (s *survey) read(records iter.Seq2[Record, error]) error {
	for r, err := range records {
		switch {
		case errors.Is(err, errUnreadable):
			s.unreadable++
		case err != nil:
			return err
		case s.wanted(&r):
			s.add(&r)
		}
	}
	return nil
}
