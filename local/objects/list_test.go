package objects_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/objects"
)

// TestList lists what is below rooms/, in the order of keys and over several pages.
func TestList(t *testing.T) {
	const files = 1_005
	for name, open := range servers {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			a := attachment(t)
			s.keep(t, a)
			room := "listed-" + a.ID
			var want []string
			for i := range files {
				id := fmt.Sprintf("01ID%04d", i)
				s.copy(t, a, objects.Key(room, id))
				want = append(want, id)
			}
			s.copy(t, a, objects.PendingKey(room, "01ID0001"))
			s.copy(t, a, objects.Key(room+"-2", "01ID0001"))
			s.copy(t, a, objects.Key(room+"-2", "01ID00010"))
			before := time.Now().Add(-time.Minute)
			list := func(room, from string) (ids []string) {
				t.Helper()
				for o, err := range s.files.List(t.Context(), room, from) {
					if err != nil || o.RoomID == room && o.Key != objects.Key(room, o.AttachmentID) || o.Modified.Before(before) {
						t.Fatalf("%+v, %v", o, err)
					}
					ids = append(ids, o.AttachmentID)
				}
				return ids
			}
			if got := list(room, ""); !slices.Equal(got, want) {
				t.Errorf("the room has %d files, want %d in order", len(got), len(want))
			}
			if got := list(room, want[1_003]); !slices.Contains(got, want[1_003]) || !slices.Contains(got, want[1_004]) || len(got) > 10 {
				t.Errorf("from %s on: %v", want[1_003], got)
			}
			if got := list("", ""); len(got) < files+2 {
				t.Errorf("all are %d", len(got))
			}
			for id, exists := range map[string]bool{"01ID0001": true, "01ID000": false, "01ID9999": false} {
				if o, got, err := s.files.Find(t.Context(), room+"-2", id); err != nil || got != exists || got && o.AttachmentID != id {
					t.Errorf("%s exists: %t, %v", id, got, err)
				}
			}
		})
	}
}
