package local_test

import (
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/test/rig"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// expire switches the removal of expired items on or off. DynamoDB takes days
// over it at times.
func expire(s *rig.Rig, enabled bool) {
	s.T.Helper()
	_, err := dynamodb.NewFromConfig(s.AWS()).UpdateTimeToLive(s.T.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String(local.TableName),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(table.TTL), Enabled: aws.Bool(enabled)},
	})
	if err != nil {
		s.T.Fatalf("set the table's TTL: %v", err)
	}
}

// removeExpired waits until the table has removed what has expired by now.
func removeExpired(s *rig.Rig, clock *jumper) {
	s.T.Helper()
	last := table.Sent("canary", "last")
	s.Write(rig.Keyed(last, rig.Item{table.TTL: attribute.Number(clock.Now().Unix())}))
	rig.Eventually(s.T, "what has expired goes", func() bool { return !hasItem(s, last, table.TTL) })
}

// hasItem says whether the table has an item, expired or not, with an attribute.
func hasItem(s *rig.Rig, key table.Key, attribute string) bool {
	s.T.Helper()
	out, err := dynamodb.NewFromConfig(s.AWS()).GetItem(s.T.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			table.PK: &types.AttributeValueMemberS{Value: key.PK}, table.SK: &types.AttributeValueMemberS{Value: key.SK},
		},
	})
	if err != nil {
		s.T.Fatalf("get an item: %v", err)
	}
	return out.Item[attribute] != nil
}

func TestAConnectionThatOutlivesItsToken(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	expire(s, false)
	room := s.Room("alice", "bob")
	alice := s.Connect("alice")
	short, long := s.ConnectWith("bob", s.Token("bob", 300*time.Second)), s.ConnectWith("bob", s.Token("bob", 3600*time.Second))
	hears := func(content string, devices ...*rig.Socket) {
		t.Helper()
		alice.Send(room, content, "")
		for _, d := range devices {
			if got := d.ExpectIn(room, wire.TypeMessage); got.Content != content {
				t.Errorf("%s got %q, want %q", d.User, got.Content, content)
			}
		}
	}
	hears("while the token lives", alice, short, long)

	clock.jump(5*time.Minute + 40*time.Second) // beyond the clocks' leeway
	short.Send(room, "not any more", "c-1")
	if got := short.Expect(wire.TypeAck, wire.TypeError); got.Code != "token_expired" || got.ClientMessageID != "c-1" {
		t.Errorf("a send after the token's end is answered %+v", got)
	}
	long.Deliver(room, "on another connection", "")
	for _, d := range []*rig.Socket{alice, short} {
		d.ExpectIn(room, wire.TypeMessage)
	}
	hears("within the minute after the token's end", alice, short, long)

	clock.jump(21 * time.Second)
	hears("later", alice, long)
	short.ExpectNone(wire.TypeMessage)
	row, presence := table.Connection(short.ConnectionID), table.Presence("bob")
	if !hasItem(s, row, table.UserID) || !hasItem(s, presence, table.PresenceEntry(short.ConnectionID)) {
		t.Fatal("what has expired is not there any more: the test shows nothing")
	}

	expire(s, true)
	removeExpired(s, clock)
	for _, d := range []*rig.Socket{short, long} { // whose refused frames the row counts
		if !hasItem(s, table.Connection(d.ConnectionID), table.UserID) {
			t.Errorf("the row of %s goes while its socket is open", d.ConnectionID)
		}
	}
	hears("after all", alice, long)
	short.ExpectNone(wire.TypeMessage)

	short.Write(`{"action":"ping"}`)
	if got := short.Expect(wire.TypePong, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("a ping is answered %+v", got)
	}
	<-short.Ended
	rig.Eventually(t, "the row goes", func() bool { return !hasItem(s, row, table.UserID) })
	if !hasItem(s, table.Connection(long.ConnectionID), table.UserID) {
		t.Error("the other connection went with it")
	}
}

// The Go client reconnects with another token by itself, and its message is
// stored once.
func TestASendWithAnEndedTokenGoesThrough(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	room := s.Room("alice", "bob")
	alice, bob := follow(s, "alice", room), follow(s, "bob", room)
	alice.tell(room, "before")
	clock.jump(61 * time.Minute)
	bob.tell(room, "an hour later")
	alice.tell(room, "and so do I")
	for _, f := range []*follower{alice, bob} {
		f.online(2)
		f.has(room, "before", "an hour later", "and so do I")
	}
}

// The memory of a send ends with its time, not with its deletion.
func TestAnExpiredClientMessageIDMayBeUsedAgain(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	expire(s, false)
	room := s.Room("alice")
	first, _ := s.Connect("alice").Deliver(room, "today", "c-1")
	clock.jump(24*time.Hour + time.Second)
	again, _ := s.Connect("alice").Deliver(room, "tomorrow", "c-1")
	if again.Duplicate || again.MessageID == first.MessageID {
		t.Errorf("a day later the send is answered %+v, as the one before", again)
	}
	if n := len(s.History("alice", room)); n != 2 {
		t.Errorf("%d messages are stored, want 2", n)
	}
}

// A row that its end has not removed yet counts as gone, for a send as for a ping.
func TestSend_OnARowPastItsTTLIsAnsweredReconnect(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	expire(s, false)
	room := s.Room("alice")
	alice := s.Connect("alice")
	_, err := s.DB().UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(local.TableName), Key: rig.Keyed(table.Connection(alice.ConnectionID), nil),
		UpdateExpression:          aws.String("SET #ttl = :past"),
		ExpressionAttributeNames:  map[string]string{"#ttl": table.TTL},
		ExpressionAttributeValues: rig.Item{":past": attribute.Number(time.Now().Add(-time.Second).Unix())},
	})
	if err != nil {
		t.Fatal(err)
	}
	alice.Send(room, "hello", "c-1")
	if got := alice.Expect(wire.TypeAck, wire.TypeError); got.Code != "reconnect" || got.ClientMessageID != "c-1" {
		t.Errorf("a send is answered %+v, want reconnect", got)
	}
	alice.Write(`{"action":"ping"}`)
	if got := alice.Expect(wire.TypePong, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("a ping is answered %+v, want reconnect", got)
	}
}
