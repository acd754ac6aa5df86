//go:build unix

package functions_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/cost"
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
