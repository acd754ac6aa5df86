package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/roomlist"
	"github.com/streamroom/streamroom/shared/table"
)

// roomState is what a room's projections follow from.
type roomState struct {
	id    string
	room  item             // nil: there is no description
	last  item             // LASTMESSAGE, nil: there is none
	seen  chat.LastMessage // of the newest message that consumers have seen for sure
	until time.Time        // what was written before has been seen
}

// checkRoom checks the candidates of one room.
func (v *verifier) checkRoom(ctx context.Context, id string, candidates []candidate, until time.Time) ([]finding, error) {
	state := roomState{id: id, until: until}
	// LASTMESSAGE before messages: the message that it names must be there.
	got, err := v.get(ctx, table.Room(id), table.LastMessage(id))
	if err != nil {
		return nil, err
	}
	state.room, state.last = got[0], got[1]
	if state.seen, err = v.newest(ctx, id, table.Millis(until.UnixMilli())); err != nil {
		return nil, err
	}
	return v.checkCandidates(ctx, state, candidates)
}

// checkCandidates checks the candidates of a room: those of its members, their read
// cursors and its attachments many at once.
func (v *verifier) checkCandidates(ctx context.Context, state roomState, candidates []candidate) ([]finding, error) {
	var found []finding
	var users, readers []string
	var attachments []candidate
	for _, s := range candidates {
		var more []finding
		var err error
		switch s.kind {
		case Cursor:
			readers = append(readers, s.user)
		case Attachment:
			attachments = append(attachments, s)
		case Room:
			more, err = v.checkDescription(ctx, state.id, s)
		case Place:
			more, err = v.checkPlace(ctx, s)
		case File:
			more, err = v.checkFile(ctx, s)
		case LastMessage:
			more, err = v.checkLastMessage(ctx, state, s)
		default:
			users = append(users, s.user)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	slices.Sort(users)
	for chunk := range slices.Chunk(slices.Compact(users), pairsAtOnce) {
		more, err := v.checkMembers(ctx, state, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	for chunk := range slices.Chunk(readers, pairsAtOnce) {
		more, err := v.checkCursors(ctx, state.id, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	more, err := v.checkAttachments(ctx, attachments, state.until)
	return append(found, more...), err
}

// newest reads a room's newest message of before a time in 13 digits; "" is any.
func (v *verifier) newest(ctx context.Context, roomID, before string) (chat.LastMessage, error) {
	if before == "" {
		before = table.Millis(1e13 - 1)
	}
	out, err := v.config.DB.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(v.config.Table), ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression:   aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
		ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK},
		ExpressionAttributeValues: item{
			":pk": attribute.Text(table.Room(roomID).PK), ":from": attribute.Text(table.MessagePrefix), ":to": attribute.Text(table.MessagePrefix + before),
		},
	})
	if err != nil {
		return chat.LastMessage{}, fmt.Errorf("read the newest message of %s: %w", roomID, err)
	}
	if len(out.Items) == 0 {
		return chat.LastMessage{}, nil
	}
	return previewOf(out.Items[0]), nil
}

// checkLastMessage checks LASTMESSAGE: it must be a message's that is there,
// and of none before the newest that consumers have seen, nor of a state before
// the last that they have seen.
func (v *verifier) checkLastMessage(ctx context.Context, state roomState, s candidate) ([]finding, error) {
	last := lastMessage(state.last)
	var problem string
	switch ms, err := chat.MessageTime(last.MessageID); {
	case state.last == nil && state.seen.MessageID == "":
		return nil, nil
	case state.last == nil:
		problem = "it is missing"
	case err != nil:
		problem = "it does not name a message"
	case last.MessageID < state.seen.MessageID:
		problem = "it is behind: " + last.MessageID + " is not the newest message, " + state.seen.MessageID + " is"
	default:
		named, err := v.get(ctx, table.Message(state.id, ms, last.MessageID))
		if err != nil {
			return nil, err
		}
		switch want := previewOf(named[0]); {
		case named[0] == nil && v.outlived(last, chat.LastMessage{}):
			return nil, nil
		case named[0] == nil:
			problem = "it names the message " + last.MessageID + ", which is not there"
		case want.SenderID != last.SenderID:
			problem = "its sender is " + strconv.Quote(last.SenderID) + ", the message's is " + strconv.Quote(want.SenderID)
		case want.SentAt != last.SentAt:
			problem = fmt.Sprintf("its time is %d, the message's is %d", last.SentAt, want.SentAt)
		case last.Version > want.Version:
			problem = fmt.Sprintf("it is ahead: it is of a change at %d, and the message's last is of %d", last.Version, want.Version)
		case last.Version < want.Version && want.Version >= state.until.UnixMilli():
			return nil, nil // that change is on its way, and what the message was before it is gone
		case last.Version < want.Version:
			problem = "it is behind: the message was " + change(want) + " since"
		case last.DeletedAt != want.DeletedAt:
			problem = fmt.Sprintf("it says that the message was deleted at %d, and the message says %d", last.DeletedAt, want.DeletedAt)
		case want.Preview != last.Preview:
			problem = "its preview is not the beginning of the message"
		case want.ExpiresAt != last.ExpiresAt:
			problem = fmt.Sprintf("it says that the message expires at %d, and the message says %d", last.ExpiresAt, want.ExpiresAt)
		case want.Attachments != last.Attachments:
			problem = fmt.Sprintf("it says that the message has %d attachments, and the message has %d", last.Attachments, want.Attachments)
		default:
			return nil, nil
		}
	}
	k := table.LastMessage(state.id)
	return []finding{{
		candidate: s, Difference: Difference{Kind: LastMessage, PK: k.PK, SK: k.SK, Problem: problem},
		repair: func(ctx context.Context) error { return v.repairLastMessage(ctx, state) },
	}}, nil
}

// change is what was done last to a message.
func change(m chat.LastMessage) string {
	if m.DeletedAt != 0 {
		return "deleted"
	}
	return "edited"
}

// pairsAtOnce is how many members are read with their participations in one
// transaction: it takes 100 items.
const pairsAtOnce = 50

// checkMembers checks members and participations, each pair as of one moment.
func (v *verifier) checkMembers(ctx context.Context, state roomState, users []string) ([]finding, error) {
	keys := make([]table.Key, 0, 2*len(users))
	for _, user := range users {
		keys = append(keys, table.Member(state.id, user), table.Participation(user, state.id))
	}
	pairs, err := v.snapshot(ctx, keys)
	if err != nil {
		return nil, err
	}
	// After the pairs: no place in a list may be ahead of this.
	newest, err := v.newest(ctx, state.id, "")
	if err != nil {
		return nil, err
	}
	var found []finding
	for i, user := range users {
		if f := v.compare(state, user, pairs[2*i], pairs[2*i+1], newest); f != nil {
			found = append(found, *f)
		}
	}
	return found, nil
}

// compare checks one member and the participation; either may be nil.
func (v *verifier) compare(state roomState, user string, member, participation item, newest chat.LastMessage) *finding {
	k := table.Participation(user, state.id)
	f := &finding{
		candidate:  candidate{kind: Membership, room: state.id, user: user},
		Difference: Difference{Kind: Membership, PK: k.PK, SK: k.SK},
	}
	place := max(newest.SentAt, attribute.GetNumber(state.room, table.CreatedAt), v.placed(lastMessage(state.last)))
	switch {
	case member == nil && participation == nil:
		return nil
	case participation == nil:
		f.Problem = "the room has the member, but the user's list lacks the room"
		f.repair = func(ctx context.Context) error {
			return v.repairParticipation(ctx, state.id, user, attribute.GetNumber(member, table.JoinedAt), place)
		}
		return f
	case member == nil:
		f.Problem = "the user's list has the room, but the room lacks the member"
		f.repair = func(ctx context.Context) error { return v.repairStrayParticipation(ctx, state.id, user) }
		return f
	}
	f.Kind = Order
	f.candidate.kind = Order
	f.repair = func(ctx context.Context) error { return v.repairOrder(ctx, state.id, user, participation, place) }
	text, listed := standing(user, participation)
	if !listed {
		f.Problem = "it is in the list of " + strconv.Quote(attribute.GetText(participation, table.GSI1PK))
		return f
	}
	stands, err := strconv.ParseInt(text, 10, 64)
	if err != nil || table.Millis(stands) != text {
		f.Problem = "its place in the list is not a time"
		return f
	}
	if stands > place && state.room != nil {
		f.Problem = fmt.Sprintf("its place in the list, %d, is ahead of the newest message, %d", stands, place)
		return f
	}
	if least := v.least(state, member, participation); stands < least {
		f.Problem = fmt.Sprintf("its place in the list, %d, is behind the newest message, %d", stands, least)
		return f
	}
	return nil
}

// standing returns the place of a room in a member's list; false if it is in another
// list. A room that the member has hidden is in none, and has the place that it had:
// it must not be behind either, because a newer message brings it back.
func standing(user string, participation item) (place string, listed bool) {
	list := attribute.GetText(participation, table.GSI1PK)
	if isHidden(participation) {
		return attribute.GetText(participation, table.HiddenAt), list == ""
	}
	return attribute.GetText(participation, table.GSI1SK), list == table.UserRooms(user)
}

// isHidden says whether a member has hidden the room: the next message brings it back.
func isHidden(participation item) bool {
	return participation[table.HiddenAt] != nil && participation[table.GSI1SK] == nil
}

// behind is how many ms a room may stand behind its last message in a member's list, by
// the number of its members.
func (v *verifier) behind(members int64, participation item) int64 {
	switch {
	case isHidden(participation):
		return 0
	case members > roomlist.LargeRoom:
		return max(v.config.OrderInterval, roomlist.LargeInterval).Milliseconds()
	}
	return v.config.OrderInterval.Milliseconds()
}

// least is how far a room must have come in a member's list, where it may be an interval
// behind. In those of very large rooms it moves for new members only.
func (v *verifier) least(r roomState, member, participation item) int64 {
	created := attribute.GetNumber(r.room, table.CreatedAt)
	members := attribute.GetNumber(r.room, table.MemberCount)
	if members > roomlist.FrozenAbove || attribute.GetNumber(member, table.JoinedAt) >= r.until.UnixMilli() {
		return created
	}
	return max(created, r.seen.SentAt-v.behind(members, participation))
}

// get reads items strongly, each for itself; nil where there is none.
func (v *verifier) get(ctx context.Context, keys ...table.Key) ([]item, error) {
	items := make([]item, len(keys))
	for i, k := range keys {
		out, err := v.config.DB.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(v.config.Table), Key: attribute.Key(k), ConsistentRead: aws.Bool(true)})
		if err != nil {
			return nil, fmt.Errorf("read %s %s: %w", k.PK, k.SK, err)
		}
		if len(out.Item) > 0 {
			items[i] = out.Item
		}
	}
	return items, nil
}

// snapshot reads items as of one moment; nil where there is none.
func (v *verifier) snapshot(ctx context.Context, keys []table.Key) ([]item, error) {
	in := &dynamodb.TransactGetItemsInput{}
	for _, k := range keys {
		in.TransactItems = append(in.TransactItems, types.TransactGetItem{Get: &types.Get{TableName: aws.String(v.config.Table), Key: attribute.Key(k)}})
	}
	var out *dynamodb.TransactGetItemsOutput
	err := throttle.Transact(ctx, func() (err error) {
		out, err = v.config.DB.TransactGetItems(ctx, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read items as of one moment: %w", err)
	}
	items := make([]item, len(keys))
	for i, r := range out.Responses {
		if len(r.Item) > 0 {
			items[i] = r.Item
		}
	}
	return items, nil
}
