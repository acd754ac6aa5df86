package httpapi_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
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
