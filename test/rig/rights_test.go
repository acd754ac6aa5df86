package rig

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDescribedRights compares what openapi.json says of who may do something with the
// table of rights, which CheckRights compares with what the API does.
func TestDescribedRights(t *testing.T) {
	text, err := os.ReadFile("../../shared/httpapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	toPath := strings.NewReplacer("{self}", "{messageId}", "{olga}", "{messageId}", "{milo}", "{messageId}", "{file}", "{attachmentId}")
	const owner, moderator, plain = 0, 1, 2 // in actors
	least := map[string]int{}
	for _, r := range rights() {
		if r.method == bySend || r.method == byType {
			continue
		}
		path, _, _ := strings.Cut(toPath.Replace(r.path), "?")
		key := r.method + " /rooms/{roomId}" + path
		for role := owner; role <= plain; role++ {
			if r.codes[role] == "" {
				least[key] = max(least[key], role)
			}
		}
	}
	for key, role := range least {
		method, path, _ := strings.Cut(key, " ")
		var operation struct{ Description string }
		if err := json.Unmarshal(document.Paths[path][strings.ToLower(method)], &operation); err != nil {
			t.Errorf("%s is not described: %v", key, err)
			continue
		}
		says := strings.ToLower(operation.Description)
		only := slices.ContainsFunc([]string{"only an owner", "owners and moderators only", "owners, moderators and services only"},
			func(words string) bool { return strings.Contains(says, words) })
		right := false
		switch role {
		case owner:
			right = strings.Contains(says, "owner") && !strings.Contains(says, "moderator")
		case moderator:
			right = strings.Contains(says, "moderators") && !strings.Contains(says, "only an owner")
		case plain:
			right = !only
		}
		if !right {
			t.Errorf("%s is for %ss and those above, and is described by: %q", key, []string{"owner", "moderator", "member"}[role], operation.Description)
		}
	}
	if len(least) < 20 {
		t.Errorf("only %d operations have rights", len(least))
	}
}
