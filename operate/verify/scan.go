package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
)

const (
	// segments is how many parts of the table are scanned side by side.
	segments = 4
	// lookupSize is how many items DynamoDB gives in one batch.
	lookupSize = 100
	// heldMembers is how many members of a room are kept until its messages have
	// been read. The lists of those of larger rooms are not kept in order anyway.
	heldMembers = roomlist.FrozenAbove
	// progressEvery is how many items are read between two calls of Progress.
	progressEvery = 10_000
)

// scan reads the whole table and candidates what does not fit.
func (v *verifier) scan(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for segment := range int32(segments) {
		group.Go(func() error {
			s := &segmentScan{verifier: v, wanted: map[table.Key][]func(item) error{}}
			return s.run(ctx, segment)
		})
	}
	return group.Wait()
}

// segmentScan is the scan of one segment. Items of one partition come together.
type segmentScan struct {
	verifier *verifier
	ctx      context.Context //nolint:containedctx // of the one run
	room     *roomScan       // the room whose partition is being read, or nil
	wanted   map[table.Key][]func(item) error
	files    fileItems
}

// roomScan is what is known of a room while its partition is read.
type roomScan struct {
	id      string
	last    chat.LastMessage
	newest  item
	members []string
	count   memberCount
	large   bool // it has more members than are kept
	room    item
	place   item
	reacted reactionScan
}

func (s *segmentScan) run(ctx context.Context, segment int32) error {
	s.ctx = ctx
	for page, err := range s.verifier.reads.Scan(ctx, s.verifier.config.DB, &dynamodb.ScanInput{
		TableName: aws.String(s.verifier.config.Table), Segment: aws.Int32(segment), TotalSegments: aws.Int32(segments),
	}) {
		if err != nil {
			return err
		}
		s.count(page)
		for _, it := range page.Items {
			if err := s.take(it); err != nil {
				return err
			}
		}
	}
	if err := s.endRoom(); err != nil {
		return err
	}
	if err := s.findFiles(); err != nil {
		return err
	}
	return s.lookup()
}

// count takes a page into the report.
func (s *segmentScan) count(page *dynamodb.ScanOutput) {
	s.verifier.mu.Lock()
	defer s.verifier.mu.Unlock()
	before := s.verifier.report.Items / progressEvery
	s.verifier.report.Items += len(page.Items)
	s.verifier.report.ReadUnits += throttle.Units(page.ConsumedCapacity)
	if s.verifier.config.Progress != nil && s.verifier.report.Items/progressEvery > before {
		s.verifier.config.Progress(s.verifier.report.Items, s.verifier.report.Files)
	}
	for _, it := range page.Items {
		id, err := table.Parse(attribute.KeyOf(it))
		if err != nil {
			s.verifier.report.Foreign++
			continue
		}
		s.verifier.report.Kinds[id.Kind.String()]++
	}
}

// take looks at one item.
func (s *segmentScan) take(it item) error {
	k := attribute.KeyOf(it)
	id, _ := table.Parse(k) // of no kind, if its key is unknown; the report counts it
	if s.room != nil && k.PK != table.Room(s.room.id).PK {
		if err := s.endRoom(); err != nil {
			return err
		}
	}
	if id.Kind != table.KindUnknown && s.verifier.expired(it, s.verifier.config.Leftover) {
		if err := s.verifier.addCandidate(s.ctx, candidate{kind: Leftover, key: k}); err != nil {
			return err
		}
	}
	switch id.Kind {
	case table.KindRoom, table.KindLastMessage, table.KindMember, table.KindMessage, table.KindPlace, table.KindReacted:
		return s.takeOfRoom(id, it)
	case table.KindAttachment:
		return s.takeAttachment(id, it)
	case table.KindParticipation:
		return s.want(table.Member(id.RoomID, id.UserID), func(member item) error {
			if member != nil {
				return nil
			}
			return s.verifier.addCandidate(s.ctx, candidate{kind: Membership, room: id.RoomID, user: id.UserID})
		})
	case table.KindRead:
		return s.want(table.Member(id.RoomID, id.UserID), func(member item) error {
			if member != nil && notifyOf(member) == notifyOf(it) {
				return nil
			}
			return s.verifier.addCandidate(s.ctx, candidate{kind: Cursor, room: id.RoomID, user: id.UserID})
		})
	case table.KindConnection:
		return s.takeRow(id.ConnectionID, it)
	case table.KindPresence:
		if err := s.wantOnline(id.UserID, it); err != nil {
			return err
		}
		return s.takePresence(id.UserID, it)
	case table.KindSeen:
		return s.wantPresence(id.UserID, it)
	case table.KindSent, table.KindCreated, table.KindRate, table.KindSlice, table.KindOnline, table.KindTyping: // they expire
	case table.KindBan:
		return s.wantBanned(id, it)
	case table.KindProfile, table.KindBlock, table.KindPush, table.KindReport, table.KindUnknown: // nothing follows from them, nor they from something
	}
	return nil
}

// expired says whether an item's ttl passed longer ago than some time.
func (v *verifier) expired(it item, ago time.Duration) bool {
	return attribute.Expired(it, v.config.Now().Add(-ago))
}

func (s *segmentScan) takeOfRoom(id table.Identity, it item) error {
	if s.room == nil {
		s.room = &roomScan{id: id.RoomID}
	}
	switch id.Kind { //nolint:exhaustive // of a room
	case table.KindRoom:
		s.room.room = it
	case table.KindPlace:
		s.room.place = it
	case table.KindLastMessage:
		s.room.last = lastMessage(it)
	case table.KindMessage:
		if attribute.GetText(s.room.newest, table.SK) < attribute.GetText(it, table.SK) {
			s.room.newest = it
		}
		if err := s.takeCounts(id, it); err != nil {
			return err
		}
		return s.wantAttachments(id, it)
	case table.KindReacted:
		return s.takeReacted(id, it)
	case table.KindMember:
		s.room.count.addMember(it)
		s.room.members = append(s.room.members, id.UserID)
		if err := s.wantNote(id.RoomID, id.UserID, it); err != nil {
			return err
		}
		if err := s.wantCursor(id, it); err != nil {
			return err
		}
		if len(s.room.members) == heldMembers {
			held := s.room.members
			s.room.members, s.room.large = nil, true
			return s.wantParticipations(s.room, held)
		}
	}
	return nil
}

// endRoom compares a room whose partition has been read with what should
// follow from it.
func (s *segmentScan) endRoom() error {
	room := s.room
	s.room = nil
	if room == nil {
		return nil
	}
	if err := s.endReactions(room); err != nil {
		return err
	}
	if newest := previewOf(room.newest); room.last != newest && !s.verifier.outlived(room.last, newest) {
		if err := s.verifier.addCandidate(s.ctx, candidate{kind: LastMessage, room: room.id}); err != nil {
			return err
		}
	}
	if problem, _ := s.verifier.checkedPlace(room.id, room.room, room.place); problem != "" {
		if err := s.verifier.addCandidate(s.ctx, candidate{kind: Place, room: room.id}); err != nil {
			return err
		}
	}
	room.count.addDescription(room.room)
	if problems, _ := room.count.problems(); len(problems) > 0 {
		if err := s.verifier.addCandidate(s.ctx, candidate{kind: Room, room: room.id}); err != nil {
			return err
		}
	}
	return s.wantParticipations(room, room.members)
}

// wantCursor looks up the read cursor of a member who has chosen what they are notified of:
// it says the same.
func (s *segmentScan) wantCursor(id table.Identity, member item) error {
	if member[table.NotifyAt] == nil {
		return nil
	}
	return s.want(table.Read(id.RoomID, id.UserID), func(cursor item) error {
		if cursor != nil { // which is compared when it is met
			return nil
		}
		return s.verifier.addCandidate(s.ctx, candidate{kind: Cursor, room: id.RoomID, user: id.UserID})
	})
}

// wantParticipations looks up what belongs to members.
func (s *segmentScan) wantParticipations(room *roomScan, members []string) error {
	place := max(attribute.GetNumber(room.room, table.CreatedAt), previewOf(room.newest).SentAt, s.verifier.placed(room.last))
	roomID, large, size := room.id, room.large, int64(len(members))
	for _, user := range members {
		err := s.want(table.Participation(user, roomID), func(participation item) error {
			stands, listed := standing(user, participation)
			from, to := table.Millis(max(0, place-s.verifier.behind(size, participation))), table.Millis(place)
			if large {
				from, to = "", "~" // anywhere
			}
			switch {
			case participation == nil:
				return s.verifier.addCandidate(s.ctx, candidate{kind: Membership, room: roomID, user: user})
			case stands < from, stands > to, !listed:
				return s.verifier.addCandidate(s.ctx, candidate{kind: Order, room: roomID, user: user})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// takeRow looks up the presence that a connection should be in.
func (s *segmentScan) takeRow(connectionID string, row item) error {
	if s.verifier.isOver(row) {
		return nil // its entry may be gone
	}
	user, at := attribute.GetText(row, table.UserID), attribute.GetNumber(row, table.ConnectedAt)
	return s.want(table.Presence(user), func(presence item) error {
		entry, ok := attribute.GetMap(presence, table.PresenceEntry(connectionID))
		if ok && attribute.GetNumber(entry, table.ConnectedAt) == at {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, candidate{kind: Connection, user: user, connection: connectionID})
	})
}

// takePresence looks up the rows that a presence's entries should be of.
func (s *segmentScan) takePresence(user string, presence item) error {
	for name := range presence {
		connectionID, ok := table.PresenceConnection(name)
		if !ok {
			continue
		}
		entry, _ := attribute.GetMap(presence, name)
		at := attribute.GetNumber(entry, table.ConnectedAt)
		err := s.want(table.Connection(connectionID), func(row item) error {
			if row != nil && attribute.GetText(row, table.UserID) == user && attribute.GetNumber(row, table.ConnectedAt) == at {
				return nil
			}
			return s.verifier.addCandidate(s.ctx, candidate{kind: Connection, user: user, connection: connectionID})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// want has an item looked up, with others; nil where there is none.
func (s *segmentScan) want(k table.Key, then func(item) error) error {
	s.wanted[k] = append(s.wanted[k], then)
	if len(s.wanted) < lookupSize {
		return nil
	}
	return s.lookup()
}

// lookup gets all that is wanted. What is read here may be a second old.
func (s *segmentScan) lookup() error {
	if len(s.wanted) == 0 {
		return nil
	}
	wanted := s.wanted
	s.wanted = map[table.Key][]func(item) error{}
	keys := make([]item, 0, len(wanted))
	for k := range wanted {
		keys = append(keys, attribute.Key(k))
	}
	v := s.verifier
	units, err := v.reads.Lookup(s.ctx, v.config.DB, v.config.Table, types.KeysAndAttributes{Keys: keys}, func(it item) error {
		k := attribute.KeyOf(it)
		for _, then := range wanted[k] {
			if err := then(it); err != nil {
				return err
			}
		}
		delete(wanted, k)
		return nil
	})
	v.mu.Lock()
	v.report.ReadUnits += units
	v.mu.Unlock()
	if err != nil {
		return fmt.Errorf("look items up: %w", err)
	}
	for _, thens := range wanted {
		for _, then := range thens {
			if err := then(nil); err != nil {
				return err
			}
		}
	}
	return nil
}
