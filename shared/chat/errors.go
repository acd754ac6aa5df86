package chat

import (
	"errors"
	"fmt"
	"time"
)

// Code classifies an error for clients. Codes are part of the protocol: new ones
// are added, none is ever renamed.
type Code string

// The codes, as docs/protocol.md lists them.
const (
	CodeInvalidRequest Code = "invalid_request" // fix the request
	CodeUnauthorized   Code = "unauthorized"    // sign in
	CodeTokenExpired   Code = "token_expired"   // reconnect with a fresh token
	CodeNotAMember     Code = "not_a_member"    // also for rooms that do not exist
	CodeForbidden      Code = "forbidden"       // a member without the right to do this
	CodeMuted          Code = "muted"           // a member who may not speak, until a time
	CodeBanned         Code = "banned"          // a user who may not join, until a time or without an end
	CodeNotFound       Code = "not_found"
	CodeNeverSignedIn  Code = "never_signed_in" // check the spelling of the user, or ask
	CodeTooLarge       Code = "too_large"
	CodeRateLimited    Code = "rate_limited" // wait, then send again
	CodeUnknownAction  Code = "unknown_action"
	CodeReconnect      Code = "reconnect"    // the connection is unknown or has expired: open a new one
	CodeReplaced       Code = "replaced"     // the user has opened more connections: do not reconnect unasked
	CodeDenied         Code = "denied"       // a review refuses the message
	CodeDisconnected   Code = "disconnected" // a service or an operator has ended the connection: do not reconnect unasked
	CodeInternal       Code = "internal"     // a failure of the server: try again
)

// Error is an error that a client may see: its Code and Message are sent to the
// client, the wrapped cause is for the log only.
type Error struct {
	Code    Code
	Message string
	Users   []string // with CodeNeverSignedIn, who has not
	// RetryAfter is, with CodeRateLimited, the time after which it may succeed; 0 if
	// that is unknown.
	RetryAfter time.Duration
	Until      int64 // with CodeMuted and CodeBanned, until when, ms; 0: without an end
	Err        error
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

// Reason returns the Error in err's chain, or CodeInternal without any detail.
func Reason(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "the server failed; try again", Err: err}
}
