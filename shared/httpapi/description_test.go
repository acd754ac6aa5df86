package httpapi_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/httpapi"
)

// Generators make one type of each component, whatever its kind, and write its name
// in their language's case.
func TestDescription_ComponentNamesAreUniqueOverKinds(t *testing.T) {
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Components map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(data, &description); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for kind, components := range description.Components {
		for name := range components {
			folded := strings.ToLower(name)
			if other, ok := kinds[folded]; ok {
				t.Errorf("%s is the name of one of %s and of one of %s; want another name", name, other, kind)
			}
			kinds[folded] = kind
		}
	}
	if len(kinds) == 0 {
		t.Error("the description has no components")
	}
}

// names are what stands for a name in a path: in docs/protocol.md carol is a user.
var names = regexp.MustCompile(`\{[a-zA-Z]+\}|carol`)

// What is served, what openapi.json describes and what docs/protocol.md lists are the same.
func TestDescription_HasEachRoute(t *testing.T) {
	var description struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(httpapi.Description, &description); err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, operations := range description.Paths {
		for method := range operations {
			if method != "parameters" {
				described = append(described, names.ReplaceAllString(strings.ToUpper(method)+" "+path, "{}"))
			}
		}
	}
	protocol, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(protocol), "\n| request | answer |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var listed []string
	for row := range strings.Lines(table) {
		request, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
		method, _, _ := strings.Cut(strings.TrimPrefix(request, "`"), " ")
		for _, path := range regexp.MustCompile("`(?:[A-Z]+ )?(/[^ ?`]*)").FindAllStringSubmatch(request, -1) {
			listed = append(listed, names.ReplaceAllString(method+" "+path[1], "{}"))
		}
	}
	var served []string
	for _, route := range httpapi.Routes() {
		served = append(served, names.ReplaceAllString(route, "{}"))
	}
	for _, routes := range [][]string{served, described, listed} {
		slices.Sort(routes)
	}
	same(t, "the routes that openapi.json describes", served, slices.Compact(described))
	same(t, "the routes in the table of docs/protocol.md", served, slices.Compact(listed))
}
