package chat

import (
	"errors"
	"fmt"
)

// Code tells a client what was wrong. Codes are part of the protocol: they are
// added to, never renamed.
type Code string

// The codes, as docs/protocol.md lists them.
const (
	CodeInvalidRequest Code = "invalid_request" // mend the request
	CodeUnauthorized   Code = "unauthorized"    // sign in
	CodeTokenExpired   Code = "token_expired"   // reconnect with a fresh token
	CodeNotAMember     Code = "not_a_member"    // also for rooms that do not exist
	CodeForbidden      Code = "forbidden"       // a member, but not one who may
	CodeNotFound       Code = "not_found"
	CodeTooLarge       Code = "too_large"
	CodeRateLimited    Code = "rate_limited" // wait, then send again
	CodeUnknownAction  Code = "unknown_action"
	CodeReconnect      Code = "reconnect" // this connection is not known any more: open a new one
	CodeInternal       Code = "internal"  // our fault: send again
)

// Error is an error that a client is told of. Message is safe to show; the
// wrapped cause is for the log.
type Error struct {
	Code    Code
	Message string
	Err     error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Reason returns what a client may know of err: its Error, or CodeInternal
// without any detail.
func Reason(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "something failed on our side; try again", Err: err}
}
