package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How far a failure is shrunk: how many runs that may take, how many more tell how often the
// smallest one fails, and how long after the failure before it a smaller run goes on.
const (
	shrinkRuns  = 24
	againRuns   = 3
	shrinkSlack = time.Hour
)

// shrunk is a run that fails, and was found by shrinking another one.
type shrunk struct {
	config DaysConfig
	broken Violation // what failed last
	runs   int       // that were made to find it
	again  int       // of againRuns more
}

// String says how to make the run again, and what it has broken.
func (s shrunk) String() string {
	without := "none"
	if len(s.config.Without) > 0 {
		without = strings.Join(s.config.Without, ",")
	}
	return fmt.Sprintf("-seed %d -days %d -users %d -crowd %d -without %s, by virtual time %s; it failed again %d of %d times: %s",
		s.config.Seed, s.config.Days, s.config.Users, s.config.Crowd, without, s.config.Until-shrinkSlack, s.again, againRuns, s.broken)
}

// shrink finds a smaller run that fails as c does: of fewer users, with fewer kinds of
// faults, by halves. fails makes a run, and gives what it has broken, if that is the same
// promise; and the virtual time at which it ended. A smaller run ends there, an hour later
// at the latest.
func shrink(c DaysConfig, ended time.Duration, broken Violation, fails func(DaysConfig) (v Violation, ended time.Duration, failed bool)) shrunk {
	smallest := shrunk{config: c, broken: broken}
	smallest.config.Until = ended + shrinkSlack
	attempt := func(c DaysConfig) bool {
		if smallest.runs == shrinkRuns {
			return false
		}
		smallest.runs++
		v, ended, failed := fails(c)
		if failed {
			smallest.config, smallest.broken = c, v
			smallest.config.Until = ended + shrinkSlack
		}
		return failed
	}
	halveUsers := func() {
		for smallest.config.Users > minDaysUsers {
			c := smallest.config
			if c.Users = max(minDaysUsers, c.Users/2); !attempt(c) {
				return
			}
		}
	}
	halveUsers()
	if c := smallest.config; c.Crowd > 0 {
		c.Crowd = 0
		attempt(c)
	}
	for size := len(dayFaults); size > 0; size /= 2 {
		for part := range slices.Chunk(dayFaults, size) {
			c := smallest.config
			c.Without = slices.Clone(c.Without)
			for _, kind := range part {
				if c.happens(kind) {
					c.Without = append(c.Without, kind)
				}
			}
			if len(c.Without) > len(smallest.config.Without) && attempt(c) && len(smallest.config.Without) == len(dayFaults) {
				size = 0 // nothing is left to leave out
				break
			}
		}
	}
	halveUsers()
	for range againRuns {
		if _, _, failed := fails(smallest.config); failed {
			smallest.again++
		}
	}
	return smallest
}
