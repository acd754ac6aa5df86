package dynamodb

import (
	"strconv"
	"sync/atomic"

	"github.com/rs/zerolog"
)

const (
	// checkpointPages is after how many pages of 4 KB that were written to the log it is
	// moved to the file. A page that was written several times is moved once. While a log
	// that still grows is moved, a write may wait for the disk: with 1000 pages that was
	// once in half a second at 200 sends a second.
	checkpointPages = 4000
	// maxLogPages is how long the log grows while writes never pause: 32 MB, and what comes
	// until the next pass. A pass that has not ended while as much again was written has
	// writes wait for it.
	maxLogPages = 8000
	// maxPasses is how often a long log is moved before writes wait for the rest.
	maxPasses = 3
	// fewPages are moved in some milliseconds.
	fewPages = 200
	// readersWait is how many milliseconds a log that is as long as it may be waits for
	// readers that still use it; a longer one waits in proportion, up to mostWait.
	readersWait, mostWait = 20, 1000
)

// checkpointer moves what the log holds to the data file, beside the writer and on a
// connection of its own, so that no write waits for the disk. SQLite begins the log again
// with the first write that finds all of it moved. While writes never pause there is
// always a rest, so once the log is long they are held for the time that this rest takes.
// On a busy machine passes may come late: then writes wait for them, so that the log is
// bounded by what is written and not by the scheduler.
//
// A pass that fails, as on a full disk, changes nothing: the log stays and grows, and the
// next pass tries again ("Write-Ahead Logging", sqlite.org).
type checkpointer struct {
	storage *storage
	log     zerolog.Logger
	path    string
	every   int   // pages: checkpointPages
	longest int64 // pages: maxLogPages

	pages   int           // written since the last pass was due; the writer's own
	behind  atomic.Int64  // pages, written since the pass that ended last began
	due     chan struct{} // holds one token
	passed  chan struct{} // holds one token: a pass has ended
	closing chan struct{}
	ended   chan struct{}
}

func newCheckpointer(s *storage, log zerolog.Logger) *checkpointer {
	return &checkpointer{
		storage: s, log: log, path: s.path, every: checkpointPages, longest: maxLogPages,
		due: make(chan struct{}, 1), passed: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
}

// wrote is called after each group of writes, with the writer's connection.
func (k *checkpointer) wrote(c *conn) {
	pages, err := c.written()
	if err != nil {
		k.log.Error().Err(err).Msg("cannot count the pages of the data file's log")
		pages = 1
	}
	k.behind.Add(int64(pages))
	if k.pages += pages; k.pages < k.every {
		return
	}
	k.pages = 0
	select {
	case k.due <- struct{}{}:
	default:
	}
}

// wait has the writer, which holds no lock, wait until passes are no longer late. One that
// failed has ended, too: writes go on.
func (k *checkpointer) wait() {
	for k.behind.Load() >= int64(k.every)+k.longest {
		select {
		case <-k.passed:
		case <-k.ended:
			return
		}
	}
}

func (k *checkpointer) run() {
	defer close(k.ended)
	for {
		select {
		case <-k.closing:
			return
		case <-k.due:
		}
		written := k.behind.Load()
		err := guard(k.pass)
		k.behind.Add(-written)
		select {
		case k.passed <- struct{}{}:
		default:
		}
		if err != nil {
			k.log.Error().Err(err).Msg("the data file's log could not be moved to it, and grows until that succeeds; nothing is lost, but see to it that the disk has room")
		}
	}
}

// stop ends the passes and waits for the one that runs.
func (k *checkpointer) stop() {
	close(k.closing)
	<-k.ended
}

// pass moves the log, and holds writes for its end if it is long.
func (k *checkpointer) pass() (err error) {
	c, err := openConn(k.path)
	if err != nil {
		return err
	}
	defer func() {
		if closing := c.close(); err == nil {
			err = closing
		}
	}()
	var l logState
	for range maxPasses {
		if l, err = c.checkpoint("PASSIVE"); err != nil || l.pages-l.moved < fewPages {
			break
		}
	}
	if err != nil || l.pages < k.longest {
		return err
	}
	k.storage.writing.Lock()
	defer k.storage.writing.Unlock()
	// Readers that still use the log are waited for. If they take longer it grows on until
	// the next pass.
	wait := min(readersWait*l.pages/k.longest, mostWait)
	if err := c.exec("PRAGMA busy_timeout=" + strconv.FormatInt(wait, 10)); err != nil {
		return err
	}
	_, err = c.checkpoint("RESTART")
	return err
}

// logState is how many pages the log has, and how many of them the file has, too.
type logState struct{ pages, moved int64 }

// checkpoint moves the log to the file, in one of SQLite's modes.
func (c *conn) checkpoint(mode string) (l logState, err error) {
	err = c.query("PRAGMA wal_checkpoint("+mode+")", nil, func(row columns) (bool, error) {
		l.pages, l.moved = row.integer(1), row.integer(2) // the first says whether readers were in the way
		return true, nil
	})
	return l, err
}
