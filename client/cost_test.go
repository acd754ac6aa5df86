package client

import (
	"testing"

	"github.com/streamroom/streamroom/operate/cost"
)

// What an idle connection costs is what this client does with it. A change here is
// a change of operate/cost/workload.go, and of the tables of docs/operations.md.
func TestIntervals_AreThoseThatAreBilled(t *testing.T) {
	if cost.PingEvery != defaultPingEvery || cost.SyncEvery != syncEvery {
		t.Errorf("operate/cost bills a ping every %v and a sync every %v, the client does every %v and %v",
			cost.PingEvery, cost.SyncEvery, defaultPingEvery, syncEvery)
	}
}
