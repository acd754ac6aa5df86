package functions_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/eventbridge"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// A message that mentions members costs a read of each of them, and 20 bytes or so more
// in each frame: nothing else that is charged. One that mentions oneself reads no one.
func TestCost_AMentionReadsTheMember(t *testing.T) {
	const members = 10
	d := newDeployed(t, members)
	send := func(mentions ...string) cost.Action {
		d.clock.advance(time.Second)
		id := fmt.Sprint("cost-", d.clock.now().UnixMilli())
		return d.do(cost.Action{}, topology.SendMessage, d.frame(connection(0), object{
			"action": "sendMessage", "chatRoomId": room, "content": text(300), "clientMessageId": id, "echo": false, "mentions": mentions,
		}))
	}
	for range 40 { // what fanout reads of the past
		send()
	}
	without := send()
	for _, test := range []struct {
		mentions []string
		reads    float64
	}{
		{[]string{}, 0},
		{[]string{user(0)}, 0},
		{[]string{user(1)}, 1},
		{[]string{user(1), user(2), user(1), user(0), user(3)}, 3},
	} {
		want, got := without, send(test.mentions...)
		want.Reads += test.reads
		want.Out = got.Out
		d.expect(fmt.Sprintf("%q", test.mentions), want, got)
	}
}

// crowd writes n members without a device after the room's first two, past the store.
func (d *deployed) crowd(n int) {
	d.t.Helper()
	db := ddb.NewFromConfig(d.env.AWS)
	for first := 0; first < n; first += 25 {
		var puts []types.WriteRequest
		for i := first; i < min(first+25, n); i++ {
			member := attribute.Key(table.Member(room, user(2+i)))
			member[table.Role], member[table.JoinedAt] = attribute.Text("member"), attribute.Number(1)
			puts = append(puts, types.WriteRequest{PutRequest: &types.PutRequest{Item: member}})
		}
		_, err := db.BatchWriteItem(d.t.Context(), &ddb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{tableName: puts}})
		d.must(err)
	}
}

// In a room that slices serve, a notification of a mention needs what is read for no other
// reason: whether the member is online, a unit, and what they are notified of, half a one. That
// takes two requests for up to 20 members. Without a bus nothing of it is read.
func TestCost_NotificationsOfMentionsInALargeRoom(t *testing.T) {
	d := newDeployed(t, 2)
	d.crowd(fanout.SliceAbove)
	bus := ""
	getenv := d.env.Getenv
	d.env.Getenv = func(name string) string {
		if name == config.EventBus {
			return bus
		}
		return getenv(name)
	}
	d.env.Events = aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
		HTTPClient: eventbridge.New(nil, d.clock.now).Client(),
	}
	send := func(mentions int) cost.Action {
		users := make([]string, mentions)
		for i := range users {
			users[i] = user(2 + i)
		}
		d.clock.advance(time.Second)
		return d.do(cost.Action{}, topology.SendMessage, d.frame(connection(0), object{
			"action": "sendMessage", "chatRoomId": room, "content": text(300), "mentions": users,
		}))
	}
	for name, want := range map[string]float64{"": 0, "rooms": 1.5} {
		bus = name
		d.handlers[topology.Fanout] = d.wired(functions.Fanout)
		for range 40 { // what fanout reads of the past
			send(0)
		}
		without := send(0).Reads
		for _, mentions := range []int{1, 4, 20} {
			// Beside the send, which reads them as members.
			if got := send(mentions).Reads - without - float64(mentions); got != want*float64(mentions) {
				t.Errorf("bus %q, %d mentioned: %v read units more, want %v each", name, mentions, got, want)
			}
		}
	}
}
