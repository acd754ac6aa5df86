package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/streamroom/streamroom/shared/topology"
)

// Source is where records come from.
type Source string

// The sources.
const (
	FromTable    Source = "table"    // rebuilt from messages and members, by room and time
	FromStream   Source = "stream"   // of the last 24 hours, in the shards' order
	FromFailures Source = "failures" // what a mapping gave up, by the entries of its bucket
	FromFile     Source = "file"     // saved earlier, in the file's order
)

// ToNone is the target of a run that counts, shows and saves records.
const ToNone = "none"

// streamRetention is how long a stream keeps its records.
const streamRetention = 24 * time.Hour

// Config configures a Run. Zero values have defaults, see the fields.
type Config struct {
	Source    Source
	Target    string // topology.LastMessage, topology.Fanout or ToNone
	Selection Selection
	Entries   []string // FromFailures: ids of entries; none is all of the target's
	File      string   // FromFile: its path

	Apply        bool // send the records; a run that doesn't is a dry run
	Deliver      bool // allow topology.Fanout: clients get frames, and drop those that they have
	PauseMapping bool // FromStream: disable the target's own mapping during the run

	Rate     float64 // records sent a second; 0 is as fast as it goes
	ReadRate float64 // read units taken of the table a second; 0 is as fast as it goes
	Attempts int     // how often records are sent before they are given up; default 5
	GiveUp   int     // a run stops when it has given up this many records; default 100

	Show       int    // ToNone: how many records to pass to Events.Shown
	Save       string // ToNone: the file to save records in; it must not exist
	Checkpoint string // the file that says how far it has come; "" keeps none. Not used FromFailures.

	RunID string // names the run in its records

	// For tests; the defaults are the mapping's, and leave room for other traffic.
	BatchSize   int           // the most records of a batch; default the mapping's
	RetryPause  time.Duration // the longest first pause before records are sent again; default 500 ms
	StreamPause time.Duration // between two reads of the stream; default 250 ms
}

// Check returns the first error of a Config, in terms of the command's flags.
func (c *Config) Check(now time.Time) error {
	switch c.Source {
	case FromTable, FromStream, FromFailures, FromFile:
	default:
		return fmt.Errorf("invalid --source %q: want table, stream, failures or file", c.Source)
	}
	switch c.Target {
	case topology.LastMessage, ToNone:
	case topology.Fanout:
		if c.Apply && !c.Deliver {
			return errors.New("--target fanout sends frames to users' devices again: add --deliver to allow it")
		}
	default:
		return fmt.Errorf("invalid --target %q: want %s, %s or %s", c.Target, topology.LastMessage, topology.Fanout, ToNone)
	}
	switch {
	case c.Source == FromFile && c.File == "":
		return errors.New("--source file needs --file")
	case c.Source != FromFile && c.File != "":
		return errors.New("--file is for --source file")
	case c.Save != "" && c.Target != ToNone:
		return errors.New("--save is for --target none")
	case c.PauseMapping && (c.Source != FromStream || c.Target == ToNone):
		return errors.New("--pause-mapping is for --source stream and the function that is its target")
	case len(c.Entries) > 0 && c.Source != FromFailures:
		return errors.New("entries are for --source failures")
	case c.Rate < 0 || c.ReadRate < 0:
		return fmt.Errorf("invalid rate: want 0 or more, got %v", min(c.Rate, c.ReadRate))
	}
	return c.Selection.check(c.Source, now)
}

func (c *Config) setDefaults() {
	if c.Attempts <= 0 {
		c.Attempts = 5
	}
	if c.GiveUp <= 0 {
		c.GiveUp = 100
	}
	if c.RetryPause <= 0 {
		c.RetryPause = 500 * time.Millisecond
	}
	if c.StreamPause <= 0 {
		c.StreamPause = 250 * time.Millisecond
	}
}
