package verify

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
)

// wantNote looks up the presence of a member whose connections the room says to have.
func (s *segmentScan) wantNote(roomID, user string, member item) error {
	until := attribute.GetNumber(member, table.Indexed)
	if until <= s.verifier.config.Now().Unix() {
		return nil
	}
	return s.want(table.Presence(user), func(presence item) error {
		if attribute.GetNumber(presence, table.PresenceRoom(roomID)) >= until {
			return nil
		}
		return s.verifier.addCandidate(s.ctx, candidate{kind: Online, room: roomID, user: user})
	})
}

// wantOnline looks up the rows that a presence's connections should have in rooms.
func (s *segmentScan) wantOnline(user string, presence item) error {
	for name := range presence {
		connectionID, ok := table.PresenceConnection(name)
		entry, _ := attribute.GetMap(presence, name)
		if !ok || s.verifier.expired(entry, 0) {
			continue
		}
		for note := range presence {
			roomID, ok := table.RoomOfPresence(note)
			if !ok || attribute.GetNumber(presence, note) <= s.verifier.config.Now().Unix() {
				continue
			}
			err := s.want(table.Online(roomID, user, connectionID), func(row item) error {
				if row != nil {
					return nil
				}
				return s.verifier.addCandidate(s.ctx, candidate{kind: Online, room: roomID, user: user, connection: connectionID})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkOnline checks that a room which says to have a member's connections has them, and
// gets new ones, all as of one moment. A repair has fanout read the member's presence
// again.
func (v *verifier) checkOnline(ctx context.Context, s candidate) ([]finding, error) {
	k := table.Member(s.room, s.user)
	keys := []table.Key{k, table.Presence(s.user)}
	if s.connection != "" {
		keys = append(keys, table.Connection(s.connection), table.Online(s.room, s.user, s.connection))
	}
	got, err := v.snapshot(ctx, keys)
	if err != nil {
		return nil, err
	}
	member, presence := got[0], got[1]
	until := attribute.GetNumber(member, table.Indexed)
	problem := ""
	switch entry, there := attribute.GetMap(presence, table.PresenceEntry(s.connection)); {
	case until <= v.config.Now().Unix(): // the presence is read
	case attribute.GetNumber(presence, table.PresenceRoom(s.room)) < until:
		problem = "the room is to have the member's connections, and their presence does not say so"
	case s.connection != "" && there && !v.expired(entry, 0) && got[2] != nil && got[3] == nil:
		problem = "the room lacks the member's connection " + s.connection
	}
	if problem == "" {
		return nil, nil
	}
	return []finding{{
		candidate:  s,
		Difference: Difference{Kind: Online, PK: k.PK, SK: k.SK, Problem: problem},
		repair:     func(ctx context.Context) error { return v.repairIndexed(ctx, k, member) },
	}}, nil
}

// repairIndexed has a room not say any more that it has a member's connections.
func (v *verifier) repairIndexed(ctx context.Context, k table.Key, member item) error {
	_, err := v.config.DB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(v.config.Table), Key: attribute.Key(k),
		ConditionExpression: aws.String("#indexed = :was"), UpdateExpression: aws.String("REMOVE #indexed"),
		ExpressionAttributeNames:  map[string]string{"#indexed": table.Indexed},
		ExpressionAttributeValues: item{":was": member[table.Indexed]},
	})
	return err
}
