package main

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/shared/table"
)

// deployed is what an earlier version deployed: of each stack the resources that have
// data, a position or an address, and what it shares with others.
//
//	git worktree add BEFORE COMMIT; cd BEFORE
//	npx aws-cdk@2.1148.1 synth --quiet -c env=prod -o OUT
//	node .ci/templates.mjs baseline OUT    # where @aws-cdk/aws-service-spec is installed
type deployed struct {
	// Replacing has, by type, the properties that a resource is replaced for.
	Replacing map[string][]string
	Stacks    map[string]struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
			Indexes    []index // of a table
		}
		Exports map[string]any
		Imports []string
	}
}

// index is what an index of a table is made again for: its name, keys and attributes.
type index struct {
	IndexName             string
	KeySchema, Projection any
}

func readDeployed(t *testing.T, path string) deployed {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d deployed
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// optional are settings that add resources with a state, an address or a name.
func optional() map[string]any {
	return pushSettings(map[string]any{
		"env": "prod", "services": "bot", "events": true,
		"site": "https://www.example.com", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a",
		"apiDomain": "api.example.com", "apiCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/b",
		"webSocketDomain": "chat.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/c",
	})
}

// readersFirst is the order of the recipe for an upgrade: Storage, which Streams imports,
// and Streams by themselves, and then all.
var readersFirst = append([]string{"Storage", "Streams"}, order...)

// The versions that may have been deployed: the first of them, the first with places and
// attachments, and one with all that is optional. An upgrade from each replaces nothing
// that has a state, and CloudFormation accepts it in the order of the stacks.
func TestUpgrade(t *testing.T) {
	for _, test := range []struct {
		version  string
		settings map[string]any
		least    int // resources that are kept
	}{
		{"c259db3", map[string]any{"env": "prod"}, 15},
		{"686c548", map[string]any{"env": "prod"}, 20},
		{"2e4f835", optional(), 30},
	} {
		t.Run(test.version, func(t *testing.T) {
			c := synthWith(t, test.settings)
			before := readDeployed(t, "testdata/"+test.version+".json")
			if kept := before.checkKept(t, c); kept < test.least {
				t.Errorf("only %d resources were looked at", kept)
			}
			for recipe, order := range map[string][]string{"--all": order, "the readers first": readersFirst} {
				for _, problem := range blocked(before.links(t), c.links(t), order) {
					t.Errorf("%s: %s", recipe, problem)
				}
			}
		})
	}
}

// checkKept checks that each resource is there and would not be replaced, and returns
// how many there are.
func (d deployed) checkKept(t *testing.T, c *cloud) (kept int) {
	t.Helper()
	for concern, stack := range d.Stacks {
		for id, old := range stack.Resources {
			now, ok := c.templates[concern].Resources[id]
			if !ok || now.Type != old.Type {
				t.Errorf("%s/%s, a %s, is gone: it has a state", concern, id, old.Type)
				continue
			}
			properties := map[string]any{}
			for name, value := range now.Properties {
				if slices.Contains(d.Replacing[old.Type], name) {
					properties[name] = value
				}
			}
			if diff := cmp.Diff(old.Properties, properties); diff != "" {
				t.Errorf("%s/%s would be replaced (-before +now):\n%s", concern, id, diff)
			}
			checkIndexes(t, concern+"/"+id, old.Indexes, indexesOf(t, now))
			kept++
		}
	}
	return kept
}

func indexesOf(t *testing.T, r resource) (indexes []index) {
	t.Helper()
	text, err := json.Marshal(r.Properties["GlobalSecondaryIndexes"])
	if err == nil {
		err = json.Unmarshal(text, &indexes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return indexes
}

// checkIndexes checks that an update keeps the indexes of a table as they are, and adds
// one at most: DynamoDB refuses a second one in the
// same update ("Managing Global Secondary Indexes in DynamoDB", DynamoDB Developer Guide).
func checkIndexes(t *testing.T, name string, before, now []index) {
	t.Helper()
	for _, old := range before {
		i := slices.IndexFunc(now, func(x index) bool { return x.IndexName == old.IndexName })
		if i < 0 {
			t.Errorf("%s: the index %s is gone", name, old.IndexName)
			continue
		}
		if diff := cmp.Diff(old, now[i]); diff != "" {
			t.Errorf("%s: the index would be made again (-before +now):\n%s", name, diff)
		}
		now = slices.Delete(slices.Clone(now), i, i+1)
	}
	if len(now) > 1 {
		t.Errorf("%s: an update adds the indexes %v, want one at most", name, now)
	}
}

// The upgrade of a table of before there were places adds their index, and no other.
func TestUpgrade_AddsOneIndex(t *testing.T) {
	before := readDeployed(t, "testdata/c259db3.json").Stacks["Database"].Resources
	c := synth(t, "prod")
	if len(before) != 1 {
		t.Fatalf("the database had %d resources, want the table", len(before))
	}
	for id, old := range before {
		now := indexesOf(t, c.templates["Database"].Resources[id])
		if len(old.Indexes) != 1 || len(now) != 2 || now[1].IndexName != table.GSI2 {
			t.Errorf("from the indexes %v to %v, want %s added to one", old.Indexes, now, table.GSI2)
		}
	}
}

func (d deployed) links(t *testing.T) map[string]links {
	t.Helper()
	all := map[string]links{}
	for concern, stack := range d.Stacks {
		l := links{map[string]string{}, map[string]bool{}, map[string]string{}, map[string]bool{}}
		for name, value := range stack.Exports {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			l.exports[name] = string(text)
		}
		for _, name := range stack.Imports {
			l.imports[name] = true
		}
		all[concern] = l
	}
	return all
}
