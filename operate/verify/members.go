package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// memberCount compares a room's description with its members.
type memberCount struct {
	described  bool  // there is a description
	needsOwner bool  // it should have an owner
	declared   int64 // how many members the description says there are
	actual     int64
	hasOwner   bool // one of the members is an owner

	retention    int64    // days, that the description says
	retentionsOf [2]int64 // the least and the most that members say
}

// problems lists what does not fit, and whether the first is the number.
func (c memberCount) problems() (problems []string, number bool) {
	switch {
	case !c.described && c.actual > 0:
		return []string{"the room has members but no description"}, false
	case !c.described: // its last member left
		return nil, false
	}
	if c.declared != c.actual {
		problems = append(problems, fmt.Sprintf("it says that the room has %d members, and it has %d", c.declared, c.actual))
	}
	if c.needsOwner && c.actual > 0 && !c.hasOwner {
		problems = append(problems, "the room has members but no owner")
	}
	if c.actual > 0 && c.retentionsOf != [2]int64{c.retention, c.retention} {
		problems = append(problems, fmt.Sprintf(
			"it keeps messages for %d days, its members' copies say %d to %d, where 0 is forever: set retentionDays again",
			c.retention, c.retentionsOf[0], c.retentionsOf[1],
		))
	}
	return problems, c.declared != c.actual
}

// addDescription counts a room's description in; nil where there is none.
func (c *memberCount) addDescription(room item) {
	c.described = room != nil
	// A direct message has no owner, nor has a room without a creator.
	c.needsOwner = attribute.GetText(room, table.Type) == string(chat.Group) && attribute.GetText(room, table.CreatedBy) != ""
	c.declared = attribute.GetNumber(room, table.MemberCount)
	c.retention = attribute.GetNumber(room, table.RetentionDays)
}

// addMember counts a member in.
func (c *memberCount) addMember(member item) {
	days := attribute.GetNumber(member, table.RetentionDays)
	if c.actual++; c.actual == 1 {
		c.retentionsOf = [2]int64{days, days}
	}
	c.retentionsOf = [2]int64{min(c.retentionsOf[0], days), max(c.retentionsOf[1], days)}
	c.hasOwner = c.hasOwner || attribute.GetText(member, table.Role) == string(chat.Owner)
}

// checkDescription compares a room's description with its members.
func (v *verifier) checkDescription(ctx context.Context, roomID string, s candidate) ([]finding, error) {
	c, ok, err := v.stableCount(ctx, roomID)
	if err != nil || !ok {
		return nil, err
	}
	problems, number := c.problems()
	k := table.Room(roomID)
	var found []finding
	for i, problem := range problems {
		f := finding{candidate: s, Difference: Difference{Kind: Room, PK: k.PK, SK: k.SK, Problem: problem}}
		if number && i == 0 {
			f.repair = func(ctx context.Context) error { return v.repairCount(ctx, roomID, c.declared, c.actual) }
		}
		found = append(found, f)
	}
	return found, nil
}

// countTries is how often the members of a room are counted while they change.
const countTries = 4

// stableCount counts a room's members until it comes to the same twice: they
// can't be read as of one moment, but who joins, leaves or hands the room over
// changes the description. False if they change all the time.
func (v *verifier) stableCount(ctx context.Context, roomID string) (memberCount, bool, error) {
	var before memberCount
	for tries := range countTries {
		now, err := v.countMembers(ctx, roomID)
		if err != nil {
			return memberCount{}, false, err
		}
		if tries > 0 && now == before {
			return now, true, nil
		}
		before = now
	}
	return memberCount{}, false, nil
}

// countMembers reads a room's description, then its members, strongly.
func (v *verifier) countMembers(ctx context.Context, roomID string) (memberCount, error) {
	var c memberCount
	k := table.Room(roomID)
	room, err := v.get(ctx, k)
	if err != nil {
		return c, err
	}
	c.addDescription(room[0])
	for page, err := range v.reads.Query(ctx, v.config.DB, "count the members of "+roomID, &dynamodb.QueryInput{
		TableName: aws.String(v.config.Table), ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#pk = :pk AND begins_with(#sk, :sk)"),
		ProjectionExpression:      aws.String("#sk, #role, #retention"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#sk": table.SK, "#role": table.Role, "#retention": table.RetentionDays},
		ExpressionAttributeValues: item{":pk": attribute.Text(k.PK), ":sk": attribute.Text(table.MemberPrefix)},
	}) {
		if err != nil {
			return c, err
		}
		for _, member := range page.Items {
			c.addMember(member)
		}
	}
	return c, nil
}

// checkCursors checks that each user with a read cursor is a member, and that both say the
// same of what the user is notified of, each as of one moment.
func (v *verifier) checkCursors(ctx context.Context, roomID string, users []string) ([]finding, error) {
	keys := make([]table.Key, 0, 2*len(users))
	for _, user := range users {
		keys = append(keys, table.Member(roomID, user), table.Read(roomID, user))
	}
	pairs, err := v.snapshot(ctx, keys)
	if err != nil {
		return nil, err
	}
	var found []finding
	for i, user := range users {
		member, cursor := pairs[2*i], pairs[2*i+1]
		k := table.Read(roomID, user)
		f := finding{candidate: candidate{kind: Cursor, room: roomID, user: user}, Difference: Difference{Kind: Cursor, PK: k.PK, SK: k.SK}}
		switch {
		case member == nil && cursor != nil:
			f.Problem = "the room lacks the member who has read it"
			f.repair = func(ctx context.Context) error { return v.repairCursor(ctx, roomID, user) }
		case notifyOf(member) != notifyOf(cursor):
			f.Problem = fmt.Sprintf("it says that the user is notified of %s, and the member says %s", notifyOf(cursor).name, notifyOf(member).name)
			f.repair = func(ctx context.Context) error { return v.repairNotify(ctx, roomID, user, member, cursor) }
		default:
			continue
		}
		found = append(found, f)
	}
	return found, nil
}

// notify is what a member, or their read cursor, says that they are notified of, and since
// when.
type notify struct {
	name string
	at   int64
}

func notifyOf(it item) notify {
	return notify{chat.Notify(attribute.GetText(it, table.Notify)).String(), attribute.GetNumber(it, table.NotifyAt)}
}
