#!/usr/bin/env bash
# github.com/jonboulle/clockwork v0.5.0.
#
# Since Go 1.23 a timer that was stopped or reset has no tick of before in its channel, and
# Stop and Reset report true if the tick was not received; so the old advice to drain the
# channel is gone. clockwork's fake timers still keep the tick and report false. Code that is
# right by time's documentation takes the old tick for the new one, hours early, under a
# FakeClock only; code that counts on the result takes the other branch there. Under
# testing/synctest, time's own timers behave as in production.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > timer_test.go <<'GO'
package finding

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"
)

func TestFake(t *testing.T) {
	clock := clockwork.NewFakeClock()
	behaviour("fake", clock, clock.Advance)
}

func TestReal(t *testing.T) {
	synctest.Test(t, func(*testing.T) { behaviour("real", clockwork.NewRealClock(), time.Sleep) })
}

func behaviour(name string, clock clockwork.Clock, pass func(time.Duration)) {
	tick := func(timer interface{ Chan() <-chan time.Time }) bool {
		select {
		case <-timer.Chan():
			return true
		default:
			return false
		}
	}
	timer := clock.NewTimer(time.Second)
	pass(2 * time.Second)
	fmt.Printf("%s: Stop after the time is over: %t, ", name, timer.Stop())
	fmt.Printf("a tick then: %t\n", tick(timer))

	timer = clock.NewTimer(time.Second)
	pass(2 * time.Second)
	fmt.Printf("%s: Reset to an hour: %t, ", name, timer.Reset(time.Hour))
	fmt.Printf("a tick at once: %t\n", tick(timer))

	ticker := clock.NewTicker(time.Second)
	pass(2 * time.Second)
	ticker.Reset(time.Hour)
	fmt.Printf("%s: a ticker reset to an hour, a tick at once: %t\n", name, tick(ticker))
}
GO
go mod init finding >/dev/null 2>&1
go get github.com/jonboulle/clockwork@v0.5.0 >/dev/null 2>&1
go test -v . | grep -E '^(fake|real):' | tee seen
diff seen - <<'SEEN' && echo 'still so'
fake: Stop after the time is over: false, a tick then: true
fake: Reset to an hour: false, a tick at once: true
fake: a ticker reset to an hour, a tick at once: true
real: Stop after the time is over: true, a tick then: false
real: Reset to an hour: true, a tick at once: false
real: a ticker reset to an hour, a tick at once: false
SEEN
