package objects_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
)

func TestKeep_WhatWasNotUploaded(t *testing.T) {
	for name, open := range servers {
		t.Run(name, func(t *testing.T) {
			s, a := open(t), attachment(t)
			if kept, err := s.files.Keep(t.Context(), a); kept || err != nil {
				t.Errorf("kept: %t, error %v, want neither", kept, err)
			}
			if s.exists(t, objects.Key(a.RoomID, a.ID)) {
				t.Error("there is a copy of nothing")
			}
			// A copy that is there is no upload.
			s.keep(t, a)
			if err := s.files.RemoveUploads(t.Context(), a.RoomID, []string{a.ID}); err != nil {
				t.Fatal(err)
			}
			if kept, err := s.files.Keep(t.Context(), a); kept || err != nil {
				t.Errorf("kept again: %t, error %v, want neither", kept, err)
			}
			if !s.exists(t, objects.Key(a.RoomID, a.ID)) {
				t.Error("the copy went with the upload")
			}
		})
	}
}

// TestRemove removes some of the files of a room, and does so again: deletions are
// delivered at least once.
func TestRemove(t *testing.T) {
	for name, open := range servers {
		t.Run(name, func(t *testing.T) {
			s, a := open(t), attachment(t)
			s.keep(t, a)
			room := "removed-" + a.ID
			ids := []string{"01ID01", "01ID02", "01ID0", "01ID"}
			for _, key := range []func(room, id string) string{objects.Key, objects.PendingKey} {
				for _, id := range ids {
					s.copy(t, a, key(room, id))
				}
				s.copy(t, a, key(room+"-2", "01ID01"))
			}
			check := func(what string, files, uploads map[string]bool) {
				t.Helper()
				for _, id := range ids {
					if got := s.holds(t, objects.Key(room, id)); got != files[id] {
						t.Errorf("%s: the file %s exists: %t", what, id, got)
					}
					if got := s.holds(t, objects.PendingKey(room, id)); got != uploads[id] {
						t.Errorf("%s: the upload %s exists: %t", what, id, got)
					}
				}
				if !s.holds(t, objects.Key(room+"-2", "01ID01")) || !s.holds(t, objects.PendingKey(room+"-2", "01ID01")) {
					t.Errorf("%s: a file of another room is gone", what)
				}
			}
			all := map[string]bool{"01ID01": true, "01ID02": true, "01ID0": true, "01ID": true}
			left := map[string]bool{"01ID02": true, "01ID": true}
			gone := []string{"01ID01", "01ID0", "01ID99"} // the last has never been
			for _, what := range []string{"files", "files once more"} {
				if err := s.files.Remove(t.Context(), room, gone); err != nil {
					t.Fatalf("remove %s: %v", what, err)
				}
				check(what, left, all)
			}
			for _, what := range []string{"uploads", "uploads once more"} {
				if err := s.files.RemoveUploads(t.Context(), room, gone); err != nil {
					t.Fatalf("remove %s: %v", what, err)
				}
				check(what, left, left)
			}
			if err := s.files.Remove(t.Context(), room, nil); err != nil {
				t.Errorf("remove none: %v", err)
			}
			check("none", left, left)
		})
	}
}

// TestRemove_MoreThanOneRequestMayName needs few of those that it names to be there.
func TestRemove_MoreThanOneRequestMayName(t *testing.T) {
	for name, open := range servers {
		t.Run(name, func(t *testing.T) {
			s, a := open(t), attachment(t)
			s.keep(t, a)
			room, ids := "removed-"+a.ID, make([]string, 1_001)
			for i := range ids {
				ids[i] = fmt.Sprintf("01ID%04d", i)
			}
			for _, id := range []string{ids[0], ids[999], ids[1_000]} {
				s.copy(t, a, objects.Key(room, id))
			}
			if err := s.files.Remove(t.Context(), room, ids); err != nil {
				t.Fatal(err)
			}
			if s.exists(t, objects.Key(room, "")) {
				t.Error("the room has files left")
			}
		})
	}
}

// copy copies a file that is kept to another key.
func (s server) copy(t *testing.T, a chat.Attachment, key string) {
	t.Helper()
	_, err := s.admin.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), CopySource: aws.String(bucket + "/" + objects.Key(a.RoomID, a.ID)),
	})
	if err != nil {
		t.Fatal(err)
	}
}
