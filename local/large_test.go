package local_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/test/rig"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/fanout"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/wire"
)

func TestALargeRoomIsReachedThroughSlices(t *testing.T) {
	s := start(t, local.Config{LogLevel: "warn"})
	room := s.Room("alice", "zoe") // first and last of all members
	s.Crowd(room, fanout.SliceAbove+200)
	middle := fmt.Sprintf("crowd-%06d", fanout.SliceAbove/2)
	devices := []*rig.Socket{s.Connect("alice"), s.Connect("zoe"), s.Connect(middle), s.Connect("crowd-000000")}
	stranger := s.Connect("bob")

	ack, own := devices[0].Deliver(room, "hello all", "c-1")
	if own.ClientMessageID != "c-1" {
		t.Errorf("the sender's frame is %+v", own)
	}
	for _, d := range devices[1:] {
		if got := d.ExpectIn(room, wire.TypeMessage); got.MessageID != ack.MessageID || got.ClientMessageID != "" {
			t.Errorf("%s got %+v, the ack is %+v", d.User, got, ack)
		}
	}
	if slices := s.CountItems(table.FanoutPrefix); slices < 3 {
		t.Errorf("%d slices are stored, want some", slices)
	}

	_, second := devices[1].Deliver(room, "and you", "")
	if second.PreviousMessageID == nil || *second.PreviousMessageID != ack.MessageID {
		t.Errorf("the second message follows %v, not the first", second.PreviousMessageID)
	}
	for _, d := range []*rig.Socket{devices[0], devices[2], devices[3]} {
		if got := d.ExpectIn(room, wire.TypeMessage); got.MessageID != second.MessageID {
			t.Errorf("%s got %+v, the ack is %+v", d.User, got, second)
		}
	}
	for _, d := range append(devices, stranger) {
		d.ExpectNoneIn(room, wire.TypeMessage)
	}
	if strings.Contains(s.Logs.String(), "failed") {
		t.Errorf("the server logged failures")
	}
}
