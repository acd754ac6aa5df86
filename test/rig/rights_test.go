package rig

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/httpapi"
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
	const service = 6
	limited, served := map[string]bool{}, map[string]bool{} // whether members may not, and whether services may then
	for _, r := range rights() {
		if r.method == bySend || r.method == byType {
			continue
		}
		path, _, _ := strings.Cut(toPath.Replace(r.path), "?")
		key := r.method + " /rooms/{roomId}" + path
		if r.codes[owner] == "" && r.codes[plain] != "" {
			limited[key] = true
			served[key] = served[key] || r.codes[service] == ""
		}
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
	protocol := protocolRows(t)
	for key := range limited {
		method, path, _ := strings.Cut(key, " ")
		var operation struct{ Description string }
		if err := json.Unmarshal(document.Paths[path][strings.ToLower(method)], &operation); err != nil {
			t.Errorf("%s is not described: %v", key, err)
		}
		if strings.Contains(strings.ToLower(operation.Description), "service") != served[key] {
			t.Errorf("%s: services may do what only some members may: %t; it is described by: %q", key, served[key], operation.Description)
		}
		row := strings.ToLower(protocol[anyNames.ReplaceAllString(key, "{}")])
		if row == "" || strings.Contains(row, "owners") && strings.Contains(row, "service") != served[key] {
			t.Errorf("%s: services may do what only some members may: %t; its row in docs/protocol.md says: %q", key, served[key], row)
		}
	}
	if len(least) < 20 {
		t.Errorf("only %d operations have rights", len(least))
	}
}

// anyNames are what stands for a name in a path.
var anyNames = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// protocolRows are the answers in docs/protocol.md's table of requests, by method and path.
func protocolRows(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^ ?`]*)[^|]*\\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[anyNames.ReplaceAllString(row[1], "{}")] = row[2]
	}
	return rows
}

// withoutRights are the routes of rooms that the table of rights has no row for, and why.
var withoutRights = map[string]string{
	"DELETE /rooms/{room}/members/{user}": "the same as DELETE /rooms/{room}/members?userId=",
}

// Each route of a room has a row in the table of rights.
func TestRights_HaveEachRoute(t *testing.T) {
	toRoute := strings.NewReplacer("{self}", "{}", "{olga}", "{}", "{milo}", "{}", "{file}", "{}")
	have := map[string]bool{}
	for _, r := range rights() {
		path, _, _ := strings.Cut(toRoute.Replace(r.path), "?")
		have[r.method+" /rooms/{}"+path] = true
	}
	for _, route := range httpapi.Routes() {
		if !strings.Contains(route, " /rooms/{room}") {
			continue
		}
		if got := have[anyNames.ReplaceAllString(route, "{}")]; got == (withoutRights[route] != "") {
			t.Errorf("%s has a row in the table of rights: %t; want one, or why there is none in withoutRights, and not both", route, got)
		}
	}
}
