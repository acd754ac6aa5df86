package dynamodb

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite's interface in C, as it was translated to Go, is called directly. A driver of
// database/sql adds a quarter to what the statements themselves take: it allocates in C for
// each argument, names the columns of each query, and copies each value of a row.

// busyTimeout is how many milliseconds a statement waits for locks that another connection
// has on the file.
const busyTimeout = 10_000

// conn is one connection with its prepared statements. It serves one goroutine at a time.
// Each of its methods runs a statement to its end, and a statement is never interrupted.
type conn struct {
	tls        *libc.TLS
	db         uintptr // sqlite3*
	statements map[string]statement
	values     buffer
	running    bool // a query, whose arguments are in the buffer
}

// statement is a prepared statement: sqlite3_stmt*, and how many arguments it takes.
type statement struct {
	at        uintptr
	arguments int
}

// storageError is what SQLite says of a call that failed.
type storageError struct {
	code    int32 // extended: of a kind that its lowest 8 bits give
	message string
}

func (e *storageError) Error() string { return e.message }

// The translation has a wrong size of the operating system's pages on arm64, which its driver
// corrects (https://gitlab.com/cznic/sqlite/-/issues/199).
func init() { sqlite3.PatchIssue199() }

// openConn opens a file, which is created if there is none, or a database in memory for
// the path "".
func openConn(path string) (*conn, error) {
	if err := setUpMemory(); err != nil {
		return nil, fmt.Errorf("set up SQLite: %w", err)
	}
	c := &conn{tls: libc.NewTLS(), statements: make(map[string]statement)}
	if err := c.open(path); err != nil {
		return nil, fmt.Errorf("open SQLite: %w", errors.Join(err, c.close()))
	}
	return c, nil
}

func (c *conn) open(path string) error {
	inMemory := path == ""
	if inMemory {
		path = ":memory:"
	}
	name, err := libc.CString(path)
	if err != nil {
		return err
	}
	defer libc.Xfree(c.tls, name)
	made := c.tls.Alloc(pointerSize)
	defer c.tls.Free(pointerSize)
	// No two goroutines use a connection at once, so SQLite need not lock it in each call.
	code := sqlite3.Xsqlite3_open_v2(c.tls, name, made,
		sqlite3.SQLITE_OPEN_READWRITE|sqlite3.SQLITE_OPEN_CREATE|sqlite3.SQLITE_OPEN_NOMUTEX|sqlite3.SQLITE_OPEN_EXRESCODE, 0)
	c.db = pointerAt(made) // even if it failed, for its message
	if code != sqlite3.SQLITE_OK {
		return c.failure(code)
	}
	if inMemory {
		return nil
	}
	if code := sqlite3.Xsqlite3_busy_timeout(c.tls, c.db, busyTimeout); code != sqlite3.SQLITE_OK {
		return c.failure(code)
	}
	return c.exec("PRAGMA cache_size=-4000")
}

func (c *conn) close() error {
	var err error
	for _, s := range c.statements {
		sqlite3.Xsqlite3_finalize(c.tls, s.at) // returns the error of its last run again
	}
	if code := sqlite3.Xsqlite3_close_v2(c.tls, c.db); code != sqlite3.SQLITE_OK {
		err = c.failure(code)
	}
	c.values.free(c.tls)
	c.tls.Close()
	return err
}

// failure returns the error of the call that returned a code.
func (c *conn) failure(code int32) error {
	is := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, code))
	if c.db != 0 {
		if says := libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db)); says != is {
			is += ": " + says
		}
	}
	return &storageError{code: code, message: fmt.Sprintf("%s (%d)", is, code)}
}

func (c *conn) prepare(sql string) (statement, error) {
	if s, ok := c.statements[sql]; ok {
		return s, nil
	}
	text, err := libc.CString(sql)
	if err != nil {
		return statement{}, err
	}
	defer libc.Xfree(c.tls, text)
	made := c.tls.Alloc(2 * pointerSize)
	defer c.tls.Free(2 * pointerSize)
	tail := made + uintptr(pointerSize)
	if code := sqlite3.Xsqlite3_prepare_v3(c.tls, c.db, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, made, tail); code != sqlite3.SQLITE_OK {
		return statement{}, fmt.Errorf("prepare %q: %w", sql, c.failure(code))
	}
	s := statement{at: pointerAt(made)}
	s.arguments = int(sqlite3.Xsqlite3_bind_parameter_count(c.tls, s.at))
	if rest := int(pointerAt(tail) - text); s.at == 0 || strings.TrimSpace(sql[rest:]) != "" {
		sqlite3.Xsqlite3_finalize(c.tls, s.at)
		return statement{}, fmt.Errorf("prepare %q: want one statement", sql)
	}
	c.statements[sql] = s
	return s, nil
}

// bind gives a statement its arguments, which are []byte, string or int64. They are copied to
// memory that SQLite reads while the statement runs; the next statement overwrites it.
func (c *conn) bind(s statement, arguments []any) error {
	if len(arguments) != s.arguments {
		return fmt.Errorf("got %d arguments, want %d", len(arguments), s.arguments)
	}
	length := 0
	for _, a := range arguments {
		switch a := a.(type) {
		case []byte:
			length += len(a)
		case string:
			length += len(a)
		}
	}
	if err := c.values.reserve(c.tls, length); err != nil {
		return err
	}
	at := c.values.at
	for i, a := range arguments {
		place := int32(i + 1)
		var code int32
		// An address that is not 0 has SQLite see an empty blob or text, and not NULL.
		switch a := a.(type) {
		case []byte:
			n := copy(libc.GoBytes(at, len(a)), a)
			code = sqlite3.Xsqlite3_bind_blob(c.tls, s.at, place, at, int32(n), sqlite3.SQLITE_STATIC) //nolint:gosec // reserve checked it
			at += uintptr(n)
		case string:
			n := copy(libc.GoBytes(at, len(a)), a)
			code = sqlite3.Xsqlite3_bind_text(c.tls, s.at, place, at, int32(n), sqlite3.SQLITE_STATIC) //nolint:gosec // reserve checked it
			at += uintptr(n)
		case int64:
			code = sqlite3.Xsqlite3_bind_int64(c.tls, s.at, place, a)
		default:
			return fmt.Errorf("invalid argument %d: want []byte, string or int64", i+1)
		}
		if code != sqlite3.SQLITE_OK {
			return c.failure(code)
		}
	}
	return nil
}

// exec runs a statement and passes over its rows.
func (c *conn) exec(sql string, arguments ...any) error {
	return c.query(sql, arguments, func(columns) (bool, error) { return true, nil })
}

// query calls each for every row until it returns false or an error. Within each the
// connection runs no other statement.
func (c *conn) query(sql string, arguments []any, each func(columns) (bool, error)) (err error) {
	if c.running {
		return fmt.Errorf("run %q: another statement runs", sql)
	}
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	if err := c.bind(s, arguments); err != nil {
		return fmt.Errorf("bind to %q: %w", sql, err)
	}
	c.running = true
	defer func() { // even if each panics
		c.running = false
		sqlite3.Xsqlite3_reset(c.tls, s.at) // returns the error of its last step again
	}()
	for {
		switch code := sqlite3.Xsqlite3_step(c.tls, s.at); code {
		case sqlite3.SQLITE_ROW:
			if more, err := each(columns{c, s.at}); err != nil || !more {
				return err
			}
		case sqlite3.SQLITE_DONE:
			return nil
		default:
			return fmt.Errorf("run %q: %w", sql, c.failure(code))
		}
	}
}

// blob returns the first column of the first row, nil if there is no row.
func (c *conn) blob(sql string, arguments ...any) ([]byte, error) {
	var out []byte
	err := c.query(sql, arguments, func(row columns) (bool, error) {
		out = append([]byte{}, row.blob(0)...)
		return false, nil
	})
	return out, err
}

// integer returns the first column of the first row, 0 if there is no row.
func (c *conn) integer(sql string, arguments ...any) (int64, error) {
	var out int64
	err := c.query(sql, arguments, func(row columns) (bool, error) {
		out = row.integer(0)
		return false, nil
	})
	return out, err
}

// written returns how many pages the connection has written since it was last asked.
func (c *conn) written() (int, error) {
	const counters = 8 // two of 32 bits
	at := c.tls.Alloc(counters)
	defer c.tls.Free(counters)
	if code := sqlite3.Xsqlite3_db_status(c.tls, c.db, sqlite3.SQLITE_DBSTATUS_CACHE_WRITE, at, at+counters/2, 1); code != sqlite3.SQLITE_OK {
		return 0, c.failure(code)
	}
	return int(valueAt[int32](at)), nil
}

// columns are those of the row that a query is at. They are counted from 0.
type columns struct {
	c         *conn
	statement uintptr
}

// blob returns SQLite's own memory: the caller copies what it keeps beyond its turn.
func (r columns) blob(i int32) []byte {
	at := sqlite3.Xsqlite3_column_blob(r.c.tls, r.statement, i)
	if at == 0 { // NULL, or empty
		return nil
	}
	n := int(sqlite3.Xsqlite3_column_bytes(r.c.tls, r.statement, i))
	return libc.GoBytes(at, n)[:n:n]
}

func (r columns) text(i int32) string {
	at := sqlite3.Xsqlite3_column_text(r.c.tls, r.statement, i) // in UTF-8, whatever the file has
	if at == 0 {
		return ""
	}
	return string(libc.GoBytes(at, int(sqlite3.Xsqlite3_column_bytes(r.c.tls, r.statement, i))))
}

func (r columns) integer(i int32) int64 {
	return sqlite3.Xsqlite3_column_int64(r.c.tls, r.statement, i)
}

// buffer is memory of SQLite's for what a statement is given.
type buffer struct {
	at   uintptr
	size int
}

// firstBuffer is what the values of nearly every statement take, in bytes.
const firstBuffer = 4 << 10

// reserve makes room for a number of bytes. What was there is lost.
func (b *buffer) reserve(tls *libc.TLS, length int) error {
	if b.at != 0 && length <= b.size {
		return nil
	}
	size := max(firstBuffer, 2*length)
	if size > math.MaxInt32 {
		return fmt.Errorf("arguments have %d bytes, want fewer", length)
	}
	b.free(tls)
	if b.at = sqlite3.Xsqlite3_malloc(tls, int32(size)); b.at == 0 {
		return errors.New("no memory for arguments")
	}
	b.size = size
	return nil
}

func (b *buffer) free(tls *libc.TLS) {
	sqlite3.Xsqlite3_free(tls, b.at) // which takes 0
	*b = buffer{}
}

const pointerSize = int(unsafe.Sizeof(uintptr(0)))

func pointerAt(at uintptr) uintptr { return valueAt[uintptr](at) }

// valueAt reads what SQLite wrote to an address that is not in Go's memory.
func valueAt[T any](at uintptr) T {
	var size T
	return *(*T)(unsafe.Pointer(unsafe.SliceData(libc.GoBytes(at, int(unsafe.Sizeof(size)))))) //nolint:gosec // of SQLite's memory
}
