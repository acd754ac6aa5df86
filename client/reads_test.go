package client

import (
	"encoding/json"
	"os"
	"testing"
)

// TestRead_Vectors runs the tests that web/testdata/vectors.js runs, too.
func TestRead_Vectors(t *testing.T) {
	data, err := os.ReadFile("../docs/vectors/reads.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name       string
		Read       Read
		Has, Lacks []string
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		for want, ids := range map[bool][]string{true: v.Has, false: v.Lacks} {
			for _, id := range ids {
				if got := v.Read.Includes(id); got != want {
					t.Errorf("%s: %s is read: %t, want %t", v.Name, id, got, want)
				}
			}
		}
	}
}
