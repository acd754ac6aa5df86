package functions_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/topology"
)

// reactEvent is the reaction of a member to a message, or that it is taken back.
func (d *deployed) reactEvent(userID, messageID string, add bool) []byte {
	d.t.Helper()
	path := "/rooms/" + room + "/messages/" + messageID + "/reactions"
	if add {
		return d.requestOf(userID, "PUT", path, "", `{"reaction":"👍"}`)
	}
	return d.requestOf(userID, "DELETE", path, "reaction=%F0%9F%91%8D", "")
}

// What docs/operations.md says that reactions ask of the table and of API Gateway, in
// rooms all of whose members are connected.
func TestCost_Reactions(t *testing.T) {
	type units struct{ Reads, Writes, Posts float64 }
	got := map[string]units{}
	for _, members := range []int{10, 1000} {
		d := newDeployed(t, members)
		d.do(cost.Action{}, topology.SendMessage, d.send(300))
		message := d.newest()
		measure := func(name string, events ...[]byte) {
			a := d.do(cost.Action{}, topology.API, events...)
			got[fmt.Sprintf("%s in a room of %d", name, members)] = units{a.Reads, a.Writes, a.Frames}
		}
		measure("first", d.reactEvent(user(0), message, true))
		measure("again", d.reactEvent(user(0), message, true))
		measure("back", d.reactEvent(user(0), message, false))
		if members < 100 {
			continue
		}
		var hundred [][]byte
		for i := range 100 {
			hundred = append(hundred, d.reactEvent(user(i), message, true))
		}
		measure("a hundred at once", hundred...)
		measure("delete after", d.request("DELETE", "/rooms/"+room+"/messages/"+message, "", ""))
	}
	want := map[string]units{
		"first in a room of 10":               {Reads: 22, Writes: 5, Posts: 10},
		"again in a room of 10":               {Reads: 5, Writes: 1},
		"back in a room of 10":                {Reads: 22, Writes: 5, Posts: 10},
		"first in a room of 1000":             {Reads: 1032, Writes: 5, Posts: 1000},
		"again in a room of 1000":             {Reads: 5, Writes: 1},
		"back in a room of 1000":              {Reads: 1032, Writes: 5, Posts: 1000},
		"a hundred at once in a room of 1000": {Reads: 2022, Writes: 500, Posts: 1000},
		"delete after in a room of 1000":      {Reads: 1029, Writes: 103, Posts: 1000},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-docs/operations.md +the functions):\n%s", diff)
	}
	of := func(what, name string) string { return row(what, got[name].Reads, got[name].Writes, got[name].Posts) }
	onThePage(
		t, "Reactions",
		of("a reaction, or to take it back, in a room of 10", "first in a room of 10"),
		of("the same in a room of 1,000", "back in a room of 1000"),
		of("one that is there already", "again in a room of 10"),
		of("a hundred to one message, in one batch, in a room of 1,000", "a hundred at once in a room of 1000"),
		of("the message's deletion after them", "delete after in a room of 1000"),
	)
}
