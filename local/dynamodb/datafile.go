package dynamodb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// ownerOnly is the mode of everything that is stored: it holds what people wrote.
// SQLite gives its log and its shared memory the mode of the data file.
const ownerOnly fs.FileMode = 0o600

// The names, beside the data file's own, of what SQLite keeps with it ("Write-Ahead
// Logging", sqlite.org), of our lock, and of a data file that is not complete yet.
const (
	logSuffix    = "-wal"
	memorySuffix = "-shm"
	lockSuffix   = ".lock"
	newSuffix    = ".new"
)

// What to do about a file that is refused.
const (
	restore   = "restore it from a copy, or move it away to start with an empty table"
	elsewhere = "choose another folder with --data, or move the file away"
)

// prepareFile checks the data file at path, or creates an empty one, so that the
// tables in it can be opened. The caller holds the lock.
func prepareFile(path string) error {
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		if err := createFile(path); err != nil {
			return fmt.Errorf("create %s: %w", path, err)
		}
	case err != nil:
		return err
	default:
		if err := checkFile(path); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"", logSuffix, memorySuffix, lockSuffix} {
		if err := restrict(path + suffix); err != nil {
			return fmt.Errorf("restrict to its owner: %w", err)
		}
	}
	return nil
}

// createFile creates an empty data file. It is moved to its place once it is
// complete, so that a file that is not complete there has lost something.
func createFile(path string) (err error) {
	fresh := path + newSuffix
	// A log that was left without its data file would be read into the next one.
	for _, left := range []string{fresh, fresh + logSuffix, fresh + memorySuffix, path + logSuffix, path + memorySuffix} {
		if err := os.Remove(left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	file, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, ownerOnly) //nolint:gosec // the path is the caller's choice
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	s, err := openStorage(fresh, false)
	if err != nil {
		return err
	}
	_, _, err = loadCatalog(s.writer) // it stores the format
	if err := errors.Join(err, s.close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// The beginning of a file of SQLite ("Database File Format", sqlite.org): its name,
// and after it the size of a page, 1 for 65,536.
const (
	magic      = "SQLite format 3\x00"
	headerSize = len(magic) + 2
)

// checkFile refuses what is not a complete data file, before anything changes it.
func checkFile(path string) error {
	file, err := os.Open(path) //nolint:gosec // the path is the caller's choice
	if err != nil {
		return err
	}
	info, err := file.Stat()
	header := make([]byte, headerSize)
	if err == nil && info.Size() >= int64(headerSize) {
		_, err = io.ReadFull(file, header)
	}
	_ = file.Close() // it was read only
	pageSize := int64(binary.BigEndian.Uint16(header[len(magic):]))
	if pageSize <= 1 {
		pageSize = 1 << 16
	}
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case info.Size() == 0:
		return fmt.Errorf("%s is empty (0 bytes): %s", path, restore)
	case string(header[:len(magic)]) != magic:
		return fmt.Errorf("%s is not a data file of this program, or is damaged: %s", path, elsewhere)
	case info.Size()%pageSize != 0 && !exists(path+logSuffix): // with a log it may be its owner who was killed
		return fmt.Errorf("%s is damaged (its last page is not complete): %s", path, restore)
	}
	return checkContent(path, info.Size())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// maxInspect is the size in bytes up to which a file's whole structure is checked at
// each start, which takes half a second for 100 MB. Damage to a larger one shows
// when what is damaged is read.
const maxInspect = 256 << 20

// checkContent checks that a database is whole, and of this program.
func checkContent(path string, size int64) (err error) {
	damage, own := "", false
	c, err := openConn(path)
	if err == nil {
		damage, own, err = inspect(c, size <= maxInspect)
		err = errors.Join(err, c.close())
	}
	var failed *storageError
	switch {
	case errors.As(err, &failed) && (failed.code == sqlite3.SQLITE_CORRUPT || failed.code == sqlite3.SQLITE_NOTADB):
		return fmt.Errorf("%s is damaged (%w): %s", path, failed, restore)
	case damage != "":
		return fmt.Errorf("%s is damaged (%s): %s", path, damage, restore)
	case errors.As(err, &failed) && failed.code == sqlite3.SQLITE_ERROR, err == nil && !own: // it lacks the table, a column, the row
		return fmt.Errorf("%s is a database of another program: %s", path, elsewhere)
	}
	return err
}

// inspect returns whether a database is of this program and, if asked, what is
// wrong with its structure.
func inspect(c *conn, structure bool) (damage string, own bool, err error) {
	if structure {
		err = c.query("PRAGMA quick_check(1)", nil, func(row columns) (bool, error) {
			if found := row.text(0); found != "ok" {
				damage = found[strings.LastIndexByte(found, '\n')+1:] // a headline may go before
			}
			return false, nil
		})
	}
	if err != nil || damage != "" {
		return damage, false, err
	}
	err = c.query("SELECT v FROM meta WHERE k = ?", []any{metaFormat}, func(columns) (bool, error) {
		own = true
		return false, nil
	})
	return "", own, err
}

// restrict removes the permissions of others than the owner from a file that was
// created with more.
func restrict(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Perm()&^ownerOnly == 0:
		return nil
	}
	return os.Chmod(path, ownerOnly)
}
