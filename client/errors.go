package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// The codes of an [Error]. The server's are part of the protocol: they are
// added to, never renamed.
//
//	code             what it means                                      tried again by Send
//	invalid_request  the request is malformed                           no: fix it
//	unauthorized     no token, or one that the server doesn't accept    no: sign in
//	token_expired    the connection's token has ended                   yes, on a new connection with a fresh token
//	not_a_member     not a member, or no such room                      no
//	forbidden        a member, but not one who may                      no
//	muted            a member who may not speak, see Until              no
//	banned           a user who may not join, see Until                 no
//	denied           a review of the deployment refuses the message     no
//	not_found        no such thing                                      no
//	never_signed_in  users were named who have never signed in          no: ask the user
//	too_large        content or frame over the limit                    no: shorten it
//	rate_limited     more than the server takes from one user           yes, after RetryAfter, up to an hour, and a pause
//	unknown_action   the server doesn't know the frame's action         no
//	reconnect        the server has forgotten this connection           yes, on a new connection
//	replaced         newer connections of the user have replaced this   no: Run ends
//	disconnected     a service or an operator ended the connections     no: Run ends
//	internal         failed on the server's side                        yes, after a growing pause
//
// The gateway in front of the server answers some failures by itself, with a
// frame that has no code ("Internal server error", "Endpoint request timed
// out"). Here these are internal.
const (
	CodeInvalidRequest = "invalid_request"
	CodeUnauthorized   = "unauthorized"
	CodeTokenExpired   = "token_expired"
	CodeNotAMember     = "not_a_member"
	CodeForbidden      = "forbidden"
	CodeMuted          = "muted"
	CodeBanned         = "banned"
	CodeDenied         = "denied"
	CodeNotFound       = "not_found"
	CodeNeverSignedIn  = "never_signed_in"
	CodeTooLarge       = "too_large"
	CodeRateLimited    = "rate_limited"
	CodeUnknownAction  = "unknown_action"
	CodeReconnect      = "reconnect"
	CodeReplaced       = "replaced"
	CodeDisconnected   = "disconnected"
	CodeInternal       = "internal"
)

// ErrClosed is returned by calls on a client that was closed or whose Run has
// ended.
var ErrClosed = errors.New("the client is closed")

// Error is a refusal: by the server, the gateway in front of it, or by the
// client itself where the server would surely refuse.
type Error struct {
	Code    string // one of the codes above, or a newer one
	Message string // what to do, for people; it comes from the server, so neutralise it before showing it in a terminal
	Status  int    // the HTTP status, 0 where the refusal was no HTTP answer

	NeverSignedIn []string // with CodeNeverSignedIn, the ids of those who have not

	// RetryAfter is, with CodeRateLimited, the time that the server asks to wait, an
	// hour at most; 0 if it does not say.
	RetryAfter time.Duration

	Until int64 // with CodeMuted and CodeBanned, until when, in ms since 1970; 0: without an end
}

// Error implements error.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Retryable tells whether the same request may succeed later. Send tries such
// failures again by itself.
func (e *Error) Retryable() bool {
	return e.Code == CodeRateLimited || e.Code == CodeInternal || e.endsConnection() && !e.endsClient()
}

// endsConnection tells whether the connection is of no more use.
func (e *Error) endsConnection() bool {
	return e.Code == CodeReconnect || e.Code == CodeTokenExpired || e.endsClient()
}

// endsClient tells whether no other connection is to be opened unasked.
func (e *Error) endsClient() bool { return e.Code == CodeReplaced || e.Code == CodeDisconnected }

// isCode tells whether err is an Error with this code.
func isCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// maxRetryAfter is the longest that the protocol lets a server ask to wait. A longer
// wait is a mistake, and is cut to this.
const maxRetryAfter = time.Hour

// retryAfter is how long the server asked to wait before the same request, 0 if it did
// not, at most maxRetryAfter.
func retryAfter(err error) time.Duration {
	var e *Error
	if !errors.As(err, &e) {
		return 0
	}
	return min(max(e.RetryAfter, 0), maxRetryAfter)
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// statusCode is the code for an HTTP answer that carries none, such as one of
// the gateway's own.
func statusCode(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return CodeUnauthorized
	case status == http.StatusForbidden:
		return CodeForbidden
	case status == http.StatusNotFound:
		return CodeNotFound
	case status == http.StatusRequestEntityTooLarge:
		return CodeTooLarge
	case status == http.StatusTooManyRequests:
		return CodeRateLimited
	case status >= http.StatusInternalServerError:
		return CodeInternal
	}
	return CodeInvalidRequest
}
