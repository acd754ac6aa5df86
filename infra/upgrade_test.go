package main

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		}
		Exports map[string]any
		Imports []string
	}
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

// The versions that may have been deployed. An upgrade from each replaces nothing that
// has a state, and CloudFormation accepts it in the order of the stacks.
func TestUpgrade(t *testing.T) {
	before := readDeployed(t, "testdata/c259db3.json")
	c := synth(t, "prod")
	kept := 0
	for concern, stack := range before.Stacks {
		for id, old := range stack.Resources {
			now, ok := c.templates[concern].Resources[id]
			if !ok || now.Type != old.Type {
				t.Errorf("%s/%s, a %s, is gone: it has a state", concern, id, old.Type)
				continue
			}
			properties := map[string]any{}
			for name, value := range now.Properties {
				if slices.Contains(before.Replacing[old.Type], name) {
					properties[name] = value
				}
			}
			if diff := cmp.Diff(old.Properties, properties); diff != "" {
				t.Errorf("%s/%s would be replaced (-before +now):\n%s", concern, id, diff)
			}
			kept++
		}
	}
	if kept < 15 {
		t.Errorf("only %d resources were looked at", kept)
	}
	for _, problem := range blocked(before.links(t), c.links(t), order) {
		t.Error(problem)
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
