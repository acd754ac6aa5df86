package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
)

// census is what a room says of its members, and who they are.
type census struct {
	described bool  // there is a description
	ownable   bool  // somebody is to own it
	says      int64 // how many members there are
	members   int64
	owned     bool // one of them is an owner
}

// wrong lists what does not fit, and whether it is the number only.
func (c census) wrong() (problems []string, number bool) {
	switch {
	case !c.described && c.members > 0:
		return []string{"the room has members but no description"}, false
	case !c.described: // its last member left
		return nil, false
	}
	if c.says != c.members {
		problems = append(problems, fmt.Sprintf("it says that the room has %d members, and it has %d", c.says, c.members))
	}
	if c.ownable && c.members > 0 && !c.owned {
		problems = append(problems, "the room has members but no owner")
	}
	return problems, c.says != c.members
}

// describe takes in what a room's description says; nil where there is none.
func (c *census) describe(room item) {
	c.described = room != nil
	// Nobody owns a direct message, or a room that nobody created.
	c.ownable = getText(room, table.Type) == string(chat.Group) && getText(room, table.CreatedBy) != ""
	c.says = getNumber(room, table.MemberCount)
}

func (c *census) count(member item) {
	c.members++
	c.owned = c.owned || getText(member, table.Role) == string(chat.Owner)
}

// lookAtDescription compares a room's description with its members.
func (v *verifier) lookAtDescription(ctx context.Context, roomID string, s suspect) ([]finding, error) {
	c, ok, err := v.settledCensus(ctx, roomID)
	if err != nil || !ok {
		return nil, err
	}
	problems, number := c.wrong()
	k := table.Room(roomID)
	var found []finding
	for i, problem := range problems {
		f := finding{suspect: s, Difference: Difference{Kind: Room, PK: k.PK, SK: k.SK, Problem: problem}}
		if number && i == 0 {
			f.repair = func(ctx context.Context) error { return v.repairCount(ctx, roomID, c.says, c.members) }
		}
		found = append(found, f)
	}
	return found, nil
}

// censusTries is how often the members of a room are counted while they change.
const censusTries = 4

// settledCensus counts a room's members until it comes to the same twice: they
// can't be read as of one moment, but whoever comes or goes, or hands the room
// over, changes what the description says. False if they change all the time.
func (v *verifier) settledCensus(ctx context.Context, roomID string) (census, bool, error) {
	var before census
	for tries := range censusTries {
		now, err := v.takeCensus(ctx, roomID)
		if err != nil {
			return census{}, false, err
		}
		if tries > 0 && now == before {
			return now, true, nil
		}
		before = now
	}
	return census{}, false, nil
}

// takeCensus reads a room's description, then its members, strongly.
func (v *verifier) takeCensus(ctx context.Context, roomID string) (census, error) {
	var c census
	k := table.Room(roomID)
	room, err := v.get(ctx, k)
	if err != nil {
		return c, err
	}
	c.describe(room[0])
	pages := dynamodb.NewQueryPaginator(v.DB, &dynamodb.QueryInput{
		TableName: aws.String(v.Table), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		KeyConditionExpression:    aws.String("#pk = :pk AND begins_with(#sk, :sk)"),
		ProjectionExpression:      aws.String("#sk, #role"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK, "#sk": table.SK, "#role": table.Role},
		ExpressionAttributeValues: item{":pk": text(k.PK), ":sk": text(table.MemberPrefix)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return c, fmt.Errorf("count the members of %s: %w", roomID, err)
		}
		for _, member := range page.Items {
			c.count(member)
		}
		if err := v.reads.Take(ctx, capacity(page.ConsumedCapacity)); err != nil {
			return c, err
		}
	}
	return c, nil
}

// lookAtCursors checks that who has a read cursor is a member, each as of one
// moment.
func (v *verifier) lookAtCursors(ctx context.Context, roomID string, users []string) ([]finding, error) {
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
		if member, cursor := pairs[2*i], pairs[2*i+1]; member != nil || cursor == nil {
			continue
		}
		k := table.Read(roomID, user)
		found = append(found, finding{
			suspect:    suspect{kind: Cursor, room: roomID, user: user},
			Difference: Difference{Kind: Cursor, PK: k.PK, SK: k.SK, Problem: "the room lacks the member who has read it"},
			repair:     func(ctx context.Context) error { return v.repairCursor(ctx, roomID, user) },
		})
	}
	return found, nil
}
