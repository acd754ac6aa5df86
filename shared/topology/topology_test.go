package topology_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestEveryFunctionHasItsProgramAndIsReached(t *testing.T) {
	reached := []string{topology.API, topology.Push} // by the HTTP API, and by events
	for _, r := range topology.Routes() {
		reached = append(reached, r.Function)
	}
	for _, m := range topology.StreamMappings() {
		reached = append(reached, m.Function)
	}
	var names []string
	for _, f := range topology.Programs() {
		names = append(names, f.Name)
		if _, err := os.Stat(filepath.Join("..", "..", "functions", f.Name, "main.go")); err != nil {
			t.Errorf("function %s has no program: %v", f.Name, err)
		}
		if !slices.Contains(reached, f.Name) {
			t.Errorf("function %s is reached by nothing", f.Name)
		}
	}
	for _, name := range reached {
		if !slices.Contains(names, name) {
			t.Errorf("function %s is used but not listed", name)
		}
	}
}

func TestStreamMappingsKeepToTheQuotas(t *testing.T) {
	mappings := topology.StreamMappings()
	if len(mappings) != 2 {
		t.Errorf("%d mappings; a shard allows two readers, and both are taken", len(mappings))
	}
	for _, m := range mappings {
		if len(m.Filters) == 0 || len(m.Filters) > topology.MaxFilters {
			t.Errorf("%s has %d filters; 1 to %d are allowed", m.Function, len(m.Filters), topology.MaxFilters)
		}
		if m.ParallelizationFactor < 1 || m.ParallelizationFactor > 10 {
			t.Errorf("%s has a parallelization factor of %d; 1 to 10 are allowed", m.Function, m.ParallelizationFactor)
		}
		if m.MaximumRetryAttempts < 0 || m.MaximumRecordAge <= 0 {
			t.Errorf("%s retries without end: a poison record would block its shard for a day", m.Function)
		}
	}
}

// A function may have several routes. It has one mapping at most: Lambda refuses a
// second one of the same function and stream (API_CreateEventSourceMapping,
// ResourceConflictException).
func TestRoutesAndMappings_AreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range topology.Routes() {
		if seen[r.Key] {
			t.Errorf("there are two routes %q", r.Key)
		}
		seen[r.Key] = true
	}
	clear(seen)
	for _, m := range topology.StreamMappings() {
		if seen[m.Function] {
			t.Errorf("there are two mappings to %s", m.Function)
		}
		seen[m.Function] = true
	}
}

func TestPatternIsTheFilterLanguage(t *testing.T) {
	for _, test := range []struct {
		name    string
		pattern topology.Pattern
		want    string
	}{
		{
			"keys",
			topology.Pattern{EventNames: []string{"INSERT"}, PKPrefixes: []string{"A#"}, SKPrefixes: []string{"B#", "C#"}},
			`{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"A#"}]},"SK":{"S":[{"prefix":"B#"},{"prefix":"C#"}]}}},"eventName":["INSERT"]}`,
		},
		{
			"a number that must be there",
			topology.Pattern{EventNames: []string{"MODIFY"}, PKPrefixes: []string{"A#"}, SKPrefixes: []string{"B#"}, Number: "editedAt"},
			`{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"A#"}]},"SK":{"S":[{"prefix":"B#"}]}},"NewImage":{"editedAt":{"N":[{"exists":true}]}}},"eventName":["MODIFY"]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.pattern.JSON(); got != test.want {
				t.Errorf("JSON() = %s\nwant     %s", got, test.want)
			}
		})
	}
}
