package client

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listVector is a test of docs/vectors/lists.json, whose README says what its fields
// mean.
type listVector struct {
	Name  string
	Steps []struct {
		Page    string
		Rooms   []string
		Range   []int
		Without string
		Next    string
	}
	Final json.RawMessage
}

// TestListing_Vectors runs the tests that web/testdata/lists.js runs, too.
func TestListing_Vectors(t *testing.T) {
	data, err := os.ReadFile("../docs/vectors/lists.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []listVector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) { runList(t, v) })
	}
}

func runList(t *testing.T, v listVector) {
	t.Helper()
	l, next, more := newListing(), "", true
	for i, step := range v.Steps {
		if want := strings.TrimPrefix(step.Page, "first"); !more || next != want {
			t.Fatalf("before page %d: reads %q, more %t; want %q", i, next, more, want)
		}
		var page []RoomSummary
		for _, text := range step.Rooms {
			page = append(page, listed(t, text))
		}
		if len(step.Range) == 2 {
			for n := step.Range[0]; n < step.Range[1]; n++ {
				if text := fmt.Sprintf("x%03d %d", n, 1000-n); !strings.HasPrefix(text, step.Without+" ") {
					page = append(page, listed(t, text))
				}
			}
		}
		next, more = l.page(page, step.Next)
	}
	if more {
		t.Fatalf("reads on at %q, want it to end", next)
	}
	got := []string{}
	for _, room := range l.list() {
		got = append(got, strings.TrimSpace(fmt.Sprint(room.ChatRoomID, " ", room.LastMessageAt, " ", room.Name)))
	}
	var want []string
	if err := json.Unmarshal(v.Final, &want); err == nil {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
		return
	}
	var ends struct {
		Count       int
		First, Last string
	}
	if err := json.Unmarshal(v.Final, &ends); err != nil {
		t.Fatal(err)
	}
	if len(got) != ends.Count || got[0] != ends.First || got[len(got)-1] != ends.Last {
		t.Errorf("%d rooms from %s to %s, want %+v", len(got), got[0], got[len(got)-1], ends)
	}
}

// listed is a room of a vector: its id, the time of its last message, and its name.
func listed(t *testing.T, text string) RoomSummary {
	t.Helper()
	parts := strings.Fields(text)
	at, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return RoomSummary{ChatRoomID: parts[0], LastMessageAt: at, Name: strings.Join(parts[2:], " ")}
}
