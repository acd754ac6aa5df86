package local_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

// expire switches the removal of expired items on or off. DynamoDB takes days
// over it at times.
func (s *server) expire(enabled bool) {
	s.t.Helper()
	_, err := dynamodb.NewFromConfig(s.AWS()).UpdateTimeToLive(s.t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String(local.TableName),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(table.TTL), Enabled: aws.Bool(enabled)},
	})
	if err != nil {
		s.t.Fatalf("set the table's TTL: %v", err)
	}
}

// hasItem says whether the table has an item, expired or not, with an attribute.
func (s *server) hasItem(key table.Key, attribute string) bool {
	s.t.Helper()
	out, err := dynamodb.NewFromConfig(s.AWS()).GetItem(s.t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(local.TableName), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			table.PK: &types.AttributeValueMemberS{Value: key.PK}, table.SK: &types.AttributeValueMemberS{Value: key.SK},
		},
	})
	if err != nil {
		s.t.Fatalf("get an item: %v", err)
	}
	return out.Item[attribute] != nil
}

func TestAConnectionThatOutlivesItsToken(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	s.expire(false)
	room := s.room("alice", "bob")
	alice := s.connect("alice")
	short, long := s.connectWith("bob", s.token("bob", 300)), s.connectWith("bob", s.token("bob", 3600))
	hears := func(content string, devices ...*device) {
		t.Helper()
		alice.send(room, content, "")
		for _, d := range devices {
			if got := d.expectOf(room, wire.TypeMessage); got.Content != content {
				t.Errorf("%s got %q, want %q", d.user, got.Content, content)
			}
		}
	}
	hears("while the token lives", alice, short, long)

	clock.jump(5*time.Minute + 40*time.Second) // beyond the clocks' leeway
	short.send(room, "not any more", "c-1")
	if got := short.expect(wire.TypeAck, wire.TypeError); got.Code != "token_expired" || got.ClientMessageID != "c-1" {
		t.Errorf("a send after the token's end is answered %+v", got)
	}
	long.deliver(room, "on another connection", "")
	for _, d := range []*device{alice, short} {
		d.expectOf(room, wire.TypeMessage)
	}
	hears("within the minute after the token's end", alice, short, long)

	clock.jump(21 * time.Second)
	hears("later", alice, long)
	short.none(wire.TypeMessage)
	short.say(`{"action":"ping"}`)
	if got := short.expect(wire.TypePong, wire.TypeError); got.Code != "reconnect" {
		t.Errorf("a ping is answered %+v", got)
	}
	row, presence := table.Connection(short.id), table.Presence("bob")
	if !s.hasItem(row, table.UserID) || !s.hasItem(presence, table.PresenceEntry(short.id)) {
		t.Fatal("what has expired is not there any more: the test shows nothing")
	}

	s.expire(true)
	eventually(t, "the row and its entry go", func() bool {
		return !s.hasItem(row, table.UserID) && !s.hasItem(presence, table.PresenceEntry(short.id))
	})
	if !s.hasItem(table.Connection(long.id), table.UserID) || !s.hasItem(presence, table.PresenceEntry(long.id)) {
		t.Error("the other connection went with it")
	}
	hears("after all", alice, long)
}

// The Go client connects anew with another token by itself, and its message is
// stored once.
func TestASendWithAnEndedTokenGoesThrough(t *testing.T) {
	t.Parallel()
	clock := newJumper()
	s := start(t, local.Config{Clock: clock})
	room := s.room("alice", "bob")
	alice, bob := s.follow("alice", room), s.follow("bob", room)
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
	s.expire(false)
	room := s.room("alice")
	first, _ := s.connect("alice").deliver(room, "today", "c-1")
	clock.jump(24*time.Hour + time.Second)
	again, _ := s.connect("alice").deliver(room, "tomorrow", "c-1")
	if again.Duplicate || again.MessageID == first.MessageID {
		t.Errorf("a day later the send is answered %+v, as the one before", again)
	}
	if n := len(s.history("alice", room)); n != 2 {
		t.Errorf("%d messages are stored, want 2", n)
	}
}
