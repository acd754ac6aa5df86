package rig

import (
	"net/http"
	"testing"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// Operated is a Streamroom for tests of operators' tools, which reach it over the
// wire. A test can break its stream's consumers.
type Operated struct {
	*Rig
	Consumers  *Consumers
	Clients    replay.Clients
	Deployment replay.Deployment
}

// OperatedOptions configure StartOperated.
type OperatedOptions struct {
	Fanout bool                                           // run fanout, which tests without clients do without
	Wrap   func(next http.RoundTripper) http.RoundTripper // wraps the way from the tools to the Streamroom
}

// StartOperated starts a Streamroom whose mappings wait at most 200 ms for a batch
// of at most 500 records, and do not retry. Each batch moves its rooms in lists, so that
// these end the same in whatever batches the records come. It ends with the test.
func StartOperated(t testing.TB, o OperatedOptions) *Operated {
	t.Helper()
	consumers := &Consumers{fanout: o.Fanout, handled: map[string]int{}, mapped: map[string]int{}}
	s := Start(t, local.Config{LogLevel: "error", Wrap: func(d local.Deployment) local.Deployment {
		d.Unthrottled = true
		for i := range d.Mappings {
			m := &d.Mappings[i]
			m.MaximumRetryAttempts, m.BisectOnError, m.BatchSize = 0, false, min(m.BatchSize, 500)
		}
		for _, f := range d.Functions {
			if _, reads := f.Environment[config.OrderSeconds]; reads {
				f.Environment[config.OrderSeconds] = "0"
			}
		}
		return local.EachFunction(consumers.wrap)(Hasten(d))
	}})
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	var wrapped http.RoundTripper = transport
	if o.Wrap != nil {
		wrapped = o.Wrap(transport)
	}
	return &Operated{
		Rig: s, Consumers: consumers,
		Clients: replay.NewClients(replay.Local(s.TableURL(), wrapped)),
		Deployment: replay.Deployment{
			Table: local.TableName, Bucket: local.FailuresBucket, Attachments: local.AttachmentsBucket,
			Functions: map[string]string{topology.LastMessage: topology.LastMessage, topology.Fanout: topology.Fanout},
		},
	}
}

// SameDumps compares two results of Rig.Dump and reports up to 5 differences.
func SameDumps(t testing.TB, what string, got, want map[table.Key]string) {
	t.Helper()
	shown := 0
	for k, v := range want {
		if got[k] != v && shown < 5 {
			t.Errorf("%s: %v\n got %q\nwant %q", what, k, got[k], v)
			shown++
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok && shown < 5 {
			t.Errorf("%s: got an item %v, want none", what, k)
			shown++
		}
	}
}
