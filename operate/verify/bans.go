package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/table"
)

// wantBanned looks up the member whom a ban should have removed, and the room, with which
// its bans should have ended.
func (s *segmentScan) wantBanned(id table.Identity, ban item) error {
	if s.verifier.banEnded(ban) {
		return nil
	}
	c := candidate{kind: Ban, room: id.RoomID, user: id.UserID}
	if err := s.want(table.Room(id.RoomID), func(room item) error {
		if room != nil {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, c)
	}); err != nil {
		return err
	}
	return s.want(table.Member(id.RoomID, id.UserID), func(member item) error {
		if member == nil {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, c)
	})
}

func (v *verifier) banEnded(ban item) bool {
	return chat.Ban{Until: attribute.GetNumber(ban, table.Until)}.HasEnded(v.config.Now().UnixMilli())
}

// checkBan checks that a banned user is not a member, and that the ban is of a room that is
// there, as of one moment.
func (v *verifier) checkBan(ctx context.Context, s candidate) ([]finding, error) {
	k := table.Ban(s.room, s.user)
	got, err := v.snapshot(ctx, []table.Key{k, table.Member(s.room, s.user), table.Room(s.room)})
	if err != nil {
		return nil, err
	}
	ban, member, room := got[0], got[1], got[2]
	f := finding{candidate: s, Difference: Difference{Kind: Ban, PK: k.PK, SK: k.SK}}
	switch {
	case ban == nil || v.banEnded(ban):
		return nil, nil
	case room == nil:
		f.Problem = "the room has ended, and the ban has not"
		f.repair = func(ctx context.Context) error { return v.repairBanOfNoRoom(ctx, k, ban) }
	case member != nil:
		f.Problem = "the user is banned, and a member"
		f.repair = func(ctx context.Context) error { return v.repairBanned(ctx, s, ban) }
	default:
		return nil, nil
	}
	return []finding{f}, nil
}

// repairBanned removes a member whose ban is still there, with what follows from that, as
// the ban should have.
func (v *verifier) repairBanned(ctx context.Context, s candidate, was item) error {
	now, err := v.get(ctx, table.Ban(s.room, s.user))
	if err != nil {
		return err
	}
	if now[0] == nil || attribute.GetNumber(now[0], table.At) != attribute.GetNumber(was, table.At) {
		return errChanged
	}
	rooms := chat.NewRooms(dynamo.New(v.config.DB, v.config.Table, v.config.Now), chat.IDs{}, v.config.Now)
	if err := rooms.Withdraw(ctx, s.room, s.user); err != nil && chat.Reason(err).Code != chat.CodeNotFound {
		return fmt.Errorf("remove a banned member: %w", err)
	}
	return nil
}

// repairBanOfNoRoom removes a ban that is still what it was. A room that has ended does not
// come back.
func (v *verifier) repairBanOfNoRoom(ctx context.Context, k table.Key, was item) error {
	_, err := v.config.DB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k), ConditionExpression: aws.String("#at = :at"),
		ExpressionAttributeNames:  map[string]string{"#at": table.At},
		ExpressionAttributeValues: item{":at": attribute.Number(attribute.GetNumber(was, table.At))},
	})
	return err
}
