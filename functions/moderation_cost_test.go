package functions_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
)

// What docs/operations.md says that moderation asks of the table and of API Gateway, in
// rooms all of whose members are connected, the busy rooms' index not used.
func TestCost_Moderation(t *testing.T) {
	type units struct{ Reads, Writes, Posts float64 }
	got := map[string]units{}
	for _, members := range []int{10, 1000} {
		d := newDeployed(t, members)
		d.do(cost.Action{}, topology.SendMessage, d.send(300))
		message := d.newest()
		path := "/rooms/" + room
		measure := func(name, function string, event []byte) {
			a := d.do(cost.Action{}, function, event)
			got[fmt.Sprintf("%s in a room of %d", name, members)] = units{a.Reads, a.Writes, a.Frames}
		}
		measure("role", topology.API, d.requestOf(user(0), "PATCH", path+"/members", "userId="+user(1), `{"role":"moderator"}`))
		measure("report", topology.API, d.requestOf(user(2), "POST", path+"/messages/"+message+"/report", "", `{"reason":"spam"}`))
		measure("notify", topology.API, d.requestOf(user(3), "PUT", path+"/notify", "", `{"notify":"none"}`))
		measure("mute", topology.API, d.requestOf(user(1), "PATCH", path+"/members", "userId="+user(2), `{"mutedUntil":9000000000000}`))
		if members < 100 { // else what a page of members takes decides
			measure("delete", topology.API, d.requestOf(user(1), "DELETE", path+"/messages/"+message, "", ""))
		}
		measure("add", topology.API, d.requestOf(user(0), "POST", path+"/members", "", `{"userId":"nora"}`))
		measure("ban", topology.API, d.requestOf(user(1), "PUT", path+"/bans", "userId="+user(2), `{}`))
		measure("ban a stranger", topology.API, d.requestOf(user(1), "PUT", path+"/bans", "userId=sven", `{}`))
		measure("add after a ban", topology.API, d.requestOf(user(0), "POST", path+"/members", "", `{"userId":"nick"}`))
	}
	want := map[string]units{
		"role in a room of 10":              {Reads: 14, Writes: 2, Posts: 10},
		"role in a room of 1000":            {Reads: 7, Writes: 2, Posts: 1},
		"report in a room of 10":            {Reads: 4, Writes: 2},
		"report in a room of 1000":          {Reads: 4, Writes: 2},
		"notify in a room of 10":            {Reads: 4, Writes: 5, Posts: 1},
		"notify in a room of 1000":          {Reads: 4, Writes: 5, Posts: 1},
		"mute in a room of 10":              {Reads: 14, Writes: 2, Posts: 10},
		"mute in a room of 1000":            {Reads: 7, Writes: 2, Posts: 1},
		"delete in a room of 10":            {Reads: 16, Writes: 3, Posts: 10},
		"add in a room of 10":               {Reads: 19, Writes: 13, Posts: 10},
		"add in a room of 1000":             {Reads: 10, Writes: 13},
		"ban in a room of 10":               {Reads: 17, Writes: 16, Posts: 12},
		"ban in a room of 1000":             {Reads: 10, Writes: 16, Posts: 3},
		"ban a stranger in a room of 10":    {Reads: 4, Writes: 5},
		"ban a stranger in a room of 1000":  {Reads: 4, Writes: 5},
		"add after a ban in a room of 10":   {Reads: 19, Writes: 15, Posts: 9},
		"add after a ban in a room of 1000": {Reads: 10, Writes: 15},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-docs/operations.md +the functions):\n%s", diff)
	}
	of := func(what, name string) string { return row(what, got[name].Reads, got[name].Writes, got[name].Posts) }
	onThePage(
		t, "Moderation",
		of("a role, or to mute, in a room of 10", "mute in a room of 10"),
		of("the same in a room of 1,000", "mute in a room of 1000"),
		of("a moderator's deletion, in a room of 10", "delete in a room of 10"),
		of("a report", "report in a room of 1000"),
		of("a choice of [what one is notified of](protocol.md#what-one-is-notified-of)", "notify in a room of 1000"),
		of("a ban of a member with one device, in a room of 10", "ban in a room of 10"),
		of("the ban of a user who is not a member", "ban a stranger in a room of 1000"),
		of("to add a member to a room of 1,000", "add in a room of 1000"),
		of("the same once someone was banned", "add after a ban in a room of 1000"),
	)
}
