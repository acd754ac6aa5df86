// Package streamroom_test holds the architecture to what docs/adr says of it.
package streamroom_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/streamroom/streamroom/"

// A rule says what a folder may import of this module, and what it must not
// import at all, with the reason.
type rule struct {
	folder    string   // itself and all below; with a slash at its end only what is below
	allowed   []string // folders of this module; with a slash at the end all below, too
	forbidden []string // prefixes of any import path
	reason    string
}

// The first rule whose folder matches counts.
var rules = []rule{
	{"shared/table", nil, []string{"github.com/aws/"}, "keys are plain text, for the deployment as for the functions"},
	{"shared/wire", nil, []string{"github.com/aws/"}, "clients import it"},
	{"shared/geo", nil, []string{"github.com/aws/", "net/http"}, "geometry, which knows no room and no store"},
	{"shared/chat/", []string{"shared/chat", "shared/geo"}, []string{"github.com/aws/", "net/http"}, "a store in memory and the ports' suite know the domain and nothing else"},
	{"shared/chat", []string{"shared/geo"}, []string{"github.com/aws/", "net/http"}, "the domain knows nothing of AWS, HTTP or what follows from a change"},
	{"shared/config", nil, []string{"github.com/aws/"}, "names of variables, for the deployment as for the functions"},
	{"shared/topology", []string{"shared/config", "shared/table"}, []string{"github.com/aws/"}, "one list for the deployment and the local runtime"},
	{"shared/changes/", []string{"shared/changes", "shared/chat", "shared/table"}, nil, "records for tests"},
	{"shared/changes", []string{"shared/chat", "shared/jsonscan", "shared/table"}, nil, "both readers decode by it: it knows neither of them, nor what they do"},
	{"shared/parallel", nil, []string{"github.com/"}, "a bound on calls, whatever they are"},
	{"shared/sigv4", nil, []string{"net/http"}, "it signs what it is given, and sends nothing"},
	{"shared/jsonscan", nil, []string{"github.com/"}, "it reads any JSON"},
	{"shared/awsjson", []string{"shared/jsonscan", "shared/sigv4"}, nil, "it calls any service of AWS's JSON protocols"},
	{"shared/http1", nil, []string{"github.com/"}, "it carries any request"},
	{"shared/push", []string{"shared/backoff", "shared/http1", "shared/sigv4"}, nil, "it posts bytes to connections, and knows nothing of rooms"},
	{"shared/review", []string{"shared/chat", "shared/sigv4"}, nil, "it asks about a message, and decides nothing"},
	{"shared/parameter", []string{"shared/awsjson"}, nil, "it reads a secret, whatever that is for"},
	{"shared/webpush/", nil, nil, "a push service for tests, which checks by the RFCs and not by our code"},
	{"shared/webpush", []string{"shared/backoff", "shared/chat", "shared/parallel"}, nil, "it sends what an event says to browsers, and knows no other event"},
	{"shared/eventbus", []string{"shared/awsjson", "shared/backoff", "shared/parallel"}, nil, "it puts events, whatever they say"},
	{"shared/fanout", []string{"shared/backoff", "shared/changes", "shared/chat", "shared/eventbus", "shared/metrics", "shared/parallel", "shared/push", "shared/wire"}, nil, "a reader of changes: it reads through its port, and knows nothing of the other reader"},
	{"shared/roomlist", []string{"shared/changes", "shared/chat", "shared/metrics", "shared/parallel"}, nil, "a reader of changes: it writes through its port, and knows nothing of the other reader"},
	{"shared/attribute", []string{"shared/table"}, nil, "getters, for stores and tools"},
	{"shared/backoff", nil, []string{"github.com/aws/"}, "it waits, for any reason"},
	{"shared/atomicfile", nil, []string{"github.com/aws/"}, "it writes any file"},
	{"shared/eventsource", []string{"shared/eventsource", "shared/backoff", "shared/topology"}, nil, "the rules of a mapping, for any function; decoding is the consumers' side"},
	{"shared/s3client", nil, nil, "it believes S3 only, whatever is in the bucket"},
	{"shared/failures", []string{"shared/eventsource", "shared/s3client"}, nil, "it keeps records, whatever they say"},
	{"shared/objects", []string{"shared/chat", "shared/s3client", "shared/topology"}, nil, "it keeps files, whatever the table says of them"},
	{"shared/", []string{"shared/"}, nil, "what is deployed depends on nothing local"},
	{"functions/", []string{"functions"}, nil, "a program is its wiring"},
	{"functions", []string{"shared/"}, nil, "what is deployed depends on nothing local"},
	{"client", []string{"shared/wire"}, []string{"github.com/aws/"}, "a client knows the protocol and nothing else"},
	{"web", nil, []string{"github.com/aws/"}, "the browser client is files"},
	{"local/dynamodb/serve", []string{"local/dynamodb"}, nil, "the engine as a server"},
	{"local/dynamodb", []string{"local/dynamodb/", "local/stack"}, nil, "an engine for any table"},
	{"local/apigateway", []string{"local/stack", "shared/topology"}, nil, "a gateway for any function"},
	{"local/lambda", []string{"local/stack", "shared/topology", "shared/eventsource", "shared/atomicfile"}, nil, "a runtime for any function"},
	{"local/stack", nil, nil, "a goroutine's stack, whatever runs on it"},
	{"local/inprocess", nil, nil, "it answers any request"},
	{"local/eventbridge", []string{"local/inprocess"}, nil, "a bus for any event"},
	{"local/objects", []string{"local/inprocess"}, nil, "a bucket for any presigned request"},
	{"local/identity", []string{"shared/atomicfile", "shared/chat", "shared/wire"}, nil, "a user pool knows what a user id is"},
	{"test/faults", []string{"local", "functions", "shared/topology"}, nil, "it breaks what functions stand on, and knows nothing of what they do"},
	{"local", []string{"local/", "functions", "shared/", "web"}, nil, "it wires the functions to the stand-ins"},
	{"docs", nil, nil, "its tests run what the pages show"},
	{"infra", []string{"shared/topology", "shared/table", "shared/config", "shared/metrics", "web"}, nil, "the deployment is made of lists"},
	{"operate/throttle", []string{"shared/attribute", "shared/backoff"}, nil, "operator tools leave the table to live traffic"},
	{"operate/cli", []string{"shared/topology"}, []string{"github.com/aws/"}, "flags of any program"},
	{"operate/progress", nil, nil, "it shows the progress of any long work"},
	{"operate/replay", []string{"shared/", "operate/throttle"}, nil, "it works on AWS as on the local runtime, by AWS's own clients"},
	{"operate/verify", []string{"shared/", "operate/throttle"}, nil, "it works on AWS as on the local runtime, by AWS's own clients"},
	{"operate/restore", []string{"shared/attribute", "shared/table", "operate/throttle"}, nil, "it copies items between tables, and knows no rule of the domain"},
	{"operate/erase", []string{"shared/", "operate/throttle"}, nil, "it works on AWS as on the local runtime, by AWS's own clients"},
	{"operate/export", []string{"shared/", "operate/throttle", "operate/erase"}, nil, "it shows of a user what erase would remove, by AWS's own clients"},
	{"operate/cost", []string{"shared/chat", "shared/topology"}, []string{"github.com/aws/"}, "it multiplies units by prices, and asks no one"},
	{"test/rig", []string{"local", "local/lambda", "functions", "operate/replay", "shared/"}, nil, "the one way to start a whole Streamroom in a test"},
	{"test/soak", []string{"local", "test/rig", "test/faults", "client", "web", "operate/cli", "operate/progress", "operate/cost", "shared/config", "shared/chat", "shared/fanout", "shared/topology"}, []string{"github.com/aws/"}, "it knows what clients are promised and what that costs, and of how it is kept only when a room is large"},
	{"test/load", []string{"operate/cli", "operate/progress", "shared/backoff", "shared/wire"}, []string{"github.com/aws/"}, "it is a client, of Streamroom as of its peers"},
	{"operate", nil, nil, "its doc names the tools below"},
	{"test/cputime", nil, nil, "it reads a clock"},
	{"test/capacity", []string{"shared/chat", "shared/push", "shared/fanout", "shared/topology", "operate/cost"}, []string{"github.com/aws/"}, "it takes the constants that are deployed, and runs nothing of it"},
	{"examples/", []string{"client"}, []string{"github.com/aws/"}, "they show what a program of one's own needs: a client, or the protocol alone"},
	{"cmd/", []string{"local", "client", "operate/", "shared/"}, []string{module + "test/"}, "a command calls, and does not implement; what only tests need is not shipped"},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		folder := strings.TrimPrefix(p.ImportPath+"/", module)
		i := slices.IndexFunc(rules, func(r rule) bool {
			below := strings.HasSuffix(r.folder, "/")
			return strings.HasPrefix(folder, strings.TrimSuffix(r.folder, "/")+"/") && (!below || folder != r.folder)
		})
		if folder == "" { // the root has only this test
			continue
		}
		if i < 0 {
			t.Errorf("%s has no rule here: say what it may import", folder)
			continue
		}
		rule := rules[i]
		for _, path := range p.Imports {
			if own, ok := strings.CutPrefix(path, module); ok && !allowed(own, rule.allowed) {
				t.Errorf("%s imports %s: %s", folder, own, rule.reason)
			}
			for _, prefix := range rule.forbidden {
				if strings.HasPrefix(path, prefix) {
					t.Errorf("%s imports %s: %s", folder, path, rule.reason)
				}
			}
		}
	}
}

// unshipped are prefixes of import paths that must not be linked into what is
// shipped, directly or through another package.
var unshipped = []string{module + "test/", "github.com/anishathalye/porcupine", "go.uber.org/goleak", "testing"}

func TestImports_TestToolsAreNotShipped(t *testing.T) {
	for _, program := range []string{"./cmd/...", "./functions/..."} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", program).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", program, err)
		}
		for path := range strings.FieldsSeq(string(out)) {
			for _, prefix := range unshipped {
				if path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/") {
					t.Errorf("%s links %s: what only tests need is not shipped", program, path)
				}
			}
		}
	}
}

func allowed(own string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return own == f || (strings.HasSuffix(f, "/") && strings.HasPrefix(own, f))
	})
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var found []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	if len(found) < 10 {
		t.Fatalf("go list found only %d packages", len(found))
	}
	return found
}
