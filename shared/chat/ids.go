package chat

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
)

// MaxUserID is the longest user id, in bytes.
const MaxUserID = 128

// Erased stands for a user who was erased, as the sender of a message or the maker of a
// room. No user has it as an id.
const Erased = "#erased"

// maxID is the longest room or client message id, in bytes.
const maxID = 128

// idByte reports whether room ids, client message ids and idempotency keys may
// have a byte. '#' is not among them: it separates the parts of the table's keys,
// so an id with it could forge a key.
func idByte(c byte) bool {
	switch {
	case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("_.@-", c) >= 0
}

// ValidateUserID checks a user id: 1 to 128 bytes of UTF-8 without control
// characters or '#'.
func ValidateUserID(id string) error {
	switch {
	case id == "":
		return Errorf(CodeInvalidRequest, "userId is missing")
	case len(id) > MaxUserID:
		return Errorf(CodeInvalidRequest, "invalid userId: want at most %d bytes, got %d", MaxUserID, len(id))
	case !utf8.ValidString(id) || strings.ContainsRune(id, utf8.RuneError):
		// Decoders put U+FFFD where text was broken: two broken names would be one
		// user.
		return Errorf(CodeInvalidRequest, "invalid userId: want valid UTF-8 without U+FFFD")
	case strings.ContainsRune(id, '#') || strings.ContainsFunc(id, unicode.IsControl):
		return Errorf(CodeInvalidRequest, "invalid userId: want no '#' and no control characters")
	}
	return nil
}

// ValidateRoomID checks a room id: 1 to 128 of the characters A-Z a-z 0-9 _ . @ -.
func ValidateRoomID(id string) error { return validateID("chatRoomId", id) }

// ValidateClientMessageID checks a client message id: "", for none, or as a room
// id.
func ValidateClientMessageID(id string) error {
	if id == "" {
		return nil
	}
	return validateID("clientMessageId", id)
}

// ValidateIdempotencyKey checks an idempotency key: "", for none, or as a room id.
func ValidateIdempotencyKey(key string) error {
	if key == "" {
		return nil
	}
	return validateID("Idempotency-Key", key)
}

func validateID(field, id string) error {
	if id == "" {
		return Errorf(CodeInvalidRequest, "%s is missing", field)
	}
	if len(id) > maxID {
		return Errorf(CodeInvalidRequest, "invalid %s: want at most %d bytes, got %d", field, maxID, len(id))
	}
	for i, r := range id {
		if !idByte(id[i]) {
			return Errorf(CodeInvalidRequest, "invalid %s: want only the characters A-Z a-z 0-9 _ . @ -, got %q", field, r)
		}
	}
	return nil
}

// IDs mints message and room ids.
type IDs struct {
	now     func() time.Time
	entropy io.Reader
}

// NewIDs mints ids from a clock and a source of randomness, which must be safe
// for concurrent use (crypto/rand.Reader is). A ulid.MonotonicReader has the ids of one
// millisecond rise.
func NewIDs(now func() time.Time, entropy io.Reader) IDs { return IDs{now, entropy} }

// Message mints a message id: a ULID, which carries the message's time ms.
func (g IDs) Message() (id string, ms int64, err error) {
	now := ulid.Timestamp(g.now())
	u, err := ulid.New(now, g.entropy)
	if err != nil {
		return "", 0, fmt.Errorf("mint a message id: %w", err)
	}
	return u.String(), int64(now), nil //nolint:gosec // a ULID's time has 48 bits
}

// Room mints the id of a group.
func (g IDs) Room() (string, error) {
	u, err := ulid.New(ulid.Timestamp(g.now()), g.entropy)
	if err != nil {
		return "", fmt.Errorf("mint a room id: %w", err)
	}
	return "room-" + strings.ToLower(u.String()), nil
}

// firstMessageID is the least message id that carries a time.
func firstMessageID(at time.Time) string {
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(at)); err != nil {
		panic("chat: the clock is after the year 10889: " + err.Error())
	}
	return id.String()
}

// MessageTime returns the time that a message id carries, in ms. The id must
// be a ULID in its canonical upper-case form: any other spelling would sort
// elsewhere.
func MessageTime(id string) (int64, error) {
	u, err := ulid.ParseStrict(id)
	if err != nil || u.String() != id {
		return 0, Errorf(CodeInvalidRequest, "invalid message id: want a ULID (26 upper-case characters of Crockford's base 32), got %s", quote(id))
	}
	return int64(u.Time()), nil //nolint:gosec // a ULID's time has 48 bits
}

// quote quotes the beginning of a text that a client sent, for an error.
func quote(text string) string {
	const most = 40 // characters; more than any id that is nearly right
	if part := Beginning(text, most); part != text {
		return strconv.Quote(part) + "…"
	}
	return strconv.Quote(text)
}

// directPrefix begins the ids of direct message rooms, and of no other.
const directPrefix = "dm-"

// IsDirectRoom reports whether a room is a direct message room, by its id.
func IsDirectRoom(roomID string) bool { return strings.HasPrefix(roomID, directPrefix) }

// DirectRoomID is the id of the direct message room of two users. It depends on
// the pair alone, not on its creator, so the room exists once.
func DirectRoomID(a, b string) string {
	if b < a {
		a, b = b, a
	}
	h := sha256.New()
	for _, user := range []string{a, b} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(user)))
		h.Write(length[:]) // so that ("ab","c") and ("a","bc") differ
		h.Write([]byte(user))
	}
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	return directPrefix + strings.ToLower(encoding.EncodeToString(h.Sum(nil)))
}
