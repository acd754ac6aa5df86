package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Storage is SQLite, used as an ordered map of bytes: a table of keys and items for each
// DynamoDB table, one of keys for each index, and an append-only one for each stream. There
// is one writer, and statements stay prepared.
//
// A file is in WAL mode with synchronous=NORMAL: a commit has reached the operating
// system before its write is acknowledged, so it survives the death of the process (kill
// -9). A power cut can lose the last moments but not consistency; FULL prevents that with an
// fsync per group of writes, which a tool for one's own machine does not need by itself.
// What the log holds is moved to the file by the engine's checkpointer: SQLite itself would
// do that in the commit that fills the log, and every write would wait for the disk.

// maxReaders limits concurrent reads of a file. More than there are cores would only take
// memory.
const maxReaders = 4

// groupSQL are the statements around a group of writes.
type groupSQL struct {
	begin, commit string
	rollback      []string
}

var (
	fileGroup = groupSQL{begin: "BEGIN IMMEDIATE", commit: "COMMIT", rollback: []string{"ROLLBACK"}}
	// In memory one transaction stays open permanently, because SQLite's commit walks the
	// whole page cache after a page split, and that cache is the whole database. A
	// savepoint undoes a group as well and ends at once.
	memoryGroup = groupSQL{begin: "SAVEPOINT writes", commit: "RELEASE writes", rollback: []string{"ROLLBACK TO writes", "RELEASE writes"}}
)

// storage is one SQLite database: a connection for the writer and others for readers. In
// memory they share one connection, because only that gives a database without a file and
// without the locks of SQLite's shared cache.
type storage struct {
	path    string     // of the file, "" in memory
	writing sync.Mutex // held while the writer's connection is in use, or the log begins again
	group   groupSQL
	writer  *conn
	readers chan *conn // of a file; nil entries are connections yet to be opened
	closed  chan struct{}
}

// openStorage opens a file, or a database in memory. With fsync a commit has reached the
// disk before its write is acknowledged.
func openStorage(path string, fsync bool) (*storage, error) {
	s := &storage{path: path, group: memoryGroup, closed: make(chan struct{})}
	pragmas := []string{"PRAGMA temp_store=MEMORY", "PRAGMA foreign_keys=OFF"}
	if path != "" {
		s.group = fileGroup
		s.readers = make(chan *conn, maxReaders)
		for range maxReaders {
			s.readers <- nil
		}
		synchronous := "PRAGMA synchronous=NORMAL"
		if fsync {
			synchronous = "PRAGMA synchronous=FULL"
		}
		// WAL goes first: it decides what the others mean.
		pragmas = append(pragmas, "PRAGMA journal_mode=WAL", synchronous, "PRAGMA cache_size=-16000",
			"PRAGMA wal_autocheckpoint=0", "PRAGMA journal_size_limit=67108864")
	} else {
		// SQLite notes 250 bytes for each page, and larger ones are fuller. Still larger ones
		// take longer to copy for a savepoint: of 16 KiB an item with its stream record takes
		// 3 % less memory, and a put 11 % more processor time.
		pragmas = append(pragmas, "PRAGMA page_size=8192")
	}
	statements := slices.Concat(pragmas, []string{
		"CREATE TABLE IF NOT EXISTS meta (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID",
		"CREATE TABLE IF NOT EXISTS tokens (k TEXT PRIMARY KEY, at INTEGER, digest BLOB, units BLOB) WITHOUT ROWID",
	})
	if path == "" {
		statements = append(statements, "BEGIN")
	}
	var err error
	if s.writer, err = openConn(path); err != nil {
		return nil, err
	}
	for _, sql := range statements {
		if err := s.writer.exec(sql); err != nil {
			return nil, errors.Join(err, s.writer.close())
		}
	}
	return s, nil
}

// read runs f, for a few milliseconds at most, with a connection that sees everything
// committed before. It waits for a connection until ctx ends. While nothing is written that
// is the writer's: any other connection to a file drops the pages that it holds after each
// commit, and reads them from the file again.
func (s *storage) read(ctx context.Context, f func(*conn) error) error {
	if s.readers == nil {
		s.writing.Lock()
	} else if !s.writing.TryLock() {
		return s.readBeside(ctx, f)
	}
	defer s.writing.Unlock()
	select {
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
		return f(s.writer)
	}
}

// readLong is read for what may take longer. On a file it holds up no write.
func (s *storage) readLong(ctx context.Context, f func(*conn) error) error {
	if s.readers == nil {
		return s.read(ctx, f)
	}
	return s.readBeside(ctx, f)
}

// readBeside runs f with a reader's connection to a file.
func (s *storage) readBeside(ctx context.Context, f func(*conn) error) error {
	var c *conn
	select {
	case c = <-s.readers:
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- c }()
	if c == nil {
		var err error
		if c, err = openConn(s.path); err != nil {
			return err
		}
	}
	return f(c)
}

// snapshot is like read, but all statements of f see the same moment.
func (s *storage) snapshot(ctx context.Context, f func(*conn) error) error {
	return s.read(ctx, func(c *conn) (err error) {
		if c == s.writer {
			return f(c) // nothing is written now
		}
		if err := c.exec("BEGIN"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.exec("COMMIT")) }()
		return f(c)
	})
}

// close waits for readers, folds the log into the file, and closes every connection.
func (s *storage) close() error {
	var errs []error
	for range cap(s.readers) {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	close(s.closed)
	if s.readers != nil {
		if _, err := s.writer.checkpoint("TRUNCATE"); err != nil { // closing would do it, and keep an error to itself
			errs = append(errs, fmt.Errorf("fold the log into the data file: %w", err))
		}
	}
	return errors.Join(append(errs, s.writer.close())...)
}
