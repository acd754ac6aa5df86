package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// What others have learned of a user is a hint: that it was told late or never is no
// difference, since clients read the presence. But the number of the change that it is of
// must not be ahead of the presence's: nothing more would be told until that has passed it.

// wantPresence looks up the presence that others have learned of.
func (s *segmentScan) wantPresence(user string, seen item) error {
	told := attribute.GetNumber(seen, table.Changes)
	return s.want(table.Presence(user), func(presence item) error {
		if attribute.GetNumber(presence, table.Changes) >= told {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, candidate{kind: Seen, user: user})
	})
}

// checkSeen checks what others have learned of a user and their presence, both as of one
// moment.
func (v *verifier) checkSeen(ctx context.Context, s candidate) ([]finding, error) {
	k := table.Seen(s.user)
	got, err := v.snapshot(ctx, []table.Key{k, table.Presence(s.user)})
	if err != nil {
		return nil, err
	}
	told, changes := attribute.GetNumber(got[0], table.Changes), attribute.GetNumber(got[1], table.Changes)
	if got[0] == nil || told <= changes {
		return nil, nil
	}
	return []finding{{
		candidate: s,
		Difference: Difference{Kind: Seen, PK: k.PK, SK: k.SK, Problem: fmt.Sprintf(
			"others have learned of change %d, and the presence is at %d: they do not learn what comes next", told, changes)},
		repair: func(ctx context.Context) error { return v.repairChanges(ctx, s.user, told) },
	}}, nil
}

// repairChanges has a presence count its changes from what others were told on. One that
// counts from more is as good.
func (v *verifier) repairChanges(ctx context.Context, user string, told int64) error {
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(table.Presence(user)),
		ConditionExpression:       aws.String("attribute_not_exists(#n) OR #n < :told"),
		UpdateExpression:          aws.String("SET #n = :told"),
		ExpressionAttributeNames:  map[string]string{"#n": table.Changes},
		ExpressionAttributeValues: item{":told": attribute.Number(told)},
	})
	if refusedCondition(err) {
		return nil
	}
	return err
}
