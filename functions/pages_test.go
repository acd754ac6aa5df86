package functions_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onThePage checks that the table of actions below a heading of docs/operations.md has the
// rows, in this order.
func onThePage(t *testing.T, heading string, want ...string) {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, body, table := strings.Cut(section, "\n| action |")
	if !found || !table {
		t.Fatalf("docs/operations.md has no table of actions in %s", heading)
	}
	body, _, _ = strings.Cut(body, "\n\n")
	got := strings.Split(strings.TrimSpace(body), "\n")[2:] // without its head and the line below
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s in docs/operations.md (-the functions +the page):\n%s", heading, diff)
	}
}

// row is a row of a page's table.
func row(what string, numbers ...float64) string {
	cells := []string{what}
	for _, n := range numbers {
		cells = append(cells, grouped(n))
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// grouped is a number with commas between thousands.
func grouped(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	whole, _, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		text = string(slices.Insert([]byte(text), at, ','))
	}
	return text
}
