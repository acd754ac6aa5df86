package cputime_test

import (
	"testing"

	"github.com/streamroom/streamroom/test/cputime"
)

func TestUsed(t *testing.T) {
	before := cputime.Used(t)
	if before <= 0 {
		t.Errorf("got %v, want more than none", before)
	}
	sum := 0
	for cputime.Used(t) == before { // ends: each turn takes some
		for i := range 1 << 20 {
			sum += i
		}
	}
	if after := cputime.Used(t); after < before {
		t.Errorf("got %v after %v (%d)", after, before, sum)
	}
}
