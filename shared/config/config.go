// Package config names the environment variables that the functions read, and
// loads them with their types. infra sets them by these names, the local
// runtime gives them by these names.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// The environment variables.
//
//nolint:gosec // names of variables, not credentials
const (
	TableName    = "TABLE_NAME"      // the DynamoDB table
	CallbackURL  = "CALLBACK_URL"    // the @connections API, https://{domain}/{stage}
	Issuer       = "JWT_ISSUER"      // the claim iss of accepted tokens
	KeysURL      = "JWT_KEYS_URL"    // the issuer's JWKS; optional, by default what the issuer's description names
	Audience     = "JWT_AUDIENCE"    // accepted client ids, separated by commas
	TokenUse     = "JWT_TOKEN_USE"   // accepted values of token_use, separated by commas; optional, not checked by default
	UserClaim    = "JWT_USER_CLAIM"  // the claim that is the user id; optional, see auth.UserID
	Services     = "JWT_SERVICES"    // services by their client ids, bot=CLIENTID, separated by commas; optional
	ConnectRate  = "CONNECT_RATE"    // connections that a user may open a minute, 0 for no limit; optional
	ConnectBurst = "CONNECT_BURST"   // and how many at once; optional
	SendRate     = "SEND_RATE"       // messages that a user may send a second, 0 for no limit of frames; optional
	SendBurst    = "SEND_BURST"      // and how many at once; optional
	WriteRate    = "WRITE_RATE"      // changes that a user may make a second by the HTTP API, 0 for no limit; optional
	WriteBurst   = "WRITE_BURST"     // and how many at once; optional
	ReadRate     = "READ_RATE"       // lists that a user may read a second by the HTTP API, 0 for no limit; optional
	ReadBurst    = "READ_BURST"      // and how many at once; optional
	ReportRate   = "REPORT_RATE"     // messages that a user may report a minute, 0 for no limit; optional
	ReportBurst  = "REPORT_BURST"    // and how many at once; optional
	OrderSeconds = "ORDER_INTERVAL"  // seconds between two moves of a room in lists of rooms, 0 for none; optional
	OriginKeys   = "ORIGIN_KEYS"     // keys of which a request carries one if it came by the distribution, separated by commas; optional
	Typing       = "TYPING"          // "off" takes no frames that say that a user types; optional
	Presence     = "PRESENCE"        // "off" has no one notified of who is online; optional
	UserIDCase   = "USER_ID_CASE"    // Sensitive or Insensitive; optional, Sensitive by default
	Review       = "REVIEW"          // whom to ask about messages: the ARN of a Lambda function, or a URL; optional
	ReviewFails  = "REVIEW_FAILURE"  // "allow" stores what could not be reviewed; optional, else it is refused
	Retention    = "RETENTION_DAYS"  // how many days new messages are kept; optional, forever by default
	EventBus     = "EVENT_BUS"       // the EventBridge bus that gets events; optional, without it there are none
	EventContent = "EVENT_CONTENT"   // "true" has events carry what messages say; optional
	EventTypes   = "EVENT_TYPES"     // "notification" has only events of that type put; optional, else all are
	Failures     = "FAILURES_BUCKET" // the S3 bucket that keeps records whose events the bus did not take; optional
	PushKey      = "PUSH_KEY"        // the public key that browsers subscribe to Web Push with; optional, without it there is none
	PushSecret   = "PUSH_SECRET"     // the parameter of Systems Manager that has its private key
	PushContact  = "PUSH_CONTACT"    // where push services reach the operator, a mailto: or https: URL
	QueryToken   = "TOKEN_IN_QUERY"  // "true" accepts ?token= at $connect; optional. URLs end up in logs.
	LogLevel     = "LOG_LEVEL"       // debug, info, warn or error; optional, info by default

	Attachments = "ATTACHMENTS_BUCKET" // the S3 bucket of attachments; optional, without it there are none
	MaxFile     = "ATTACHMENT_BYTES"   // the largest attachment; optional
)

// The values of UserIDCase: whether "Bob" and "bob" are two users or one.
const (
	Sensitive   = "sensitive"
	Insensitive = "insensitive"
)

// Reader loads variables and collects their errors, so that one error names every
// variable to fix.
type Reader struct {
	get  func(string) string
	errs []error
}

// NewReader reads variables with get, which is os.Getenv on AWS.
func NewReader(get func(string) string) *Reader { return &Reader{get: get} }

// Err returns the errors of the variables read so far.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

func (r *Reader) required(name string) string {
	value := r.get(name)
	if value == "" {
		r.errs = append(r.errs, fmt.Errorf("the environment variable %s is not set", name))
	}
	return value
}

// Table returns the table's name.
func (r *Reader) Table() string { return r.required(TableName) }

// Callback returns the URL of the @connections API.
func (r *Reader) Callback() string { return r.required(CallbackURL) }

// Tokens configures which tokens are accepted. See auth.Rule for the fields.
type Tokens struct {
	Issuer    string
	Audience  []string
	TokenUse  []string
	UserClaim string
}

// Tokens returns which tokens are accepted.
func (r *Reader) Tokens() Tokens {
	return Tokens{
		Issuer:    r.required(Issuer),
		Audience:  list(r.required(Audience)),
		TokenUse:  list(r.get(TokenUse)),
		UserClaim: r.get(UserClaim),
	}
}

// Services returns the names of services by their client ids.
func (r *Reader) Services() map[string]string {
	services := map[string]string{}
	for _, entry := range list(r.get(Services)) {
		name, clientID, ok := strings.Cut(entry, "=")
		if !ok || name == "" || clientID == "" {
			r.errs = append(r.errs, fmt.Errorf("invalid %s: want entries such as bot=CLIENTID, got %q", Services, entry))
			continue
		}
		services[clientID] = name
	}
	return services
}

// FoldCase reports whether the case of user ids is ignored: see chat.UserIDs.
func (r *Reader) FoldCase() bool {
	value := r.get(UserIDCase)
	switch value {
	case Insensitive:
		return true
	case "", Sensitive:
	default:
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want %s or %s, got %q", UserIDCase, Sensitive, Insensitive, value))
	}
	return false
}

// On and Off are the values of what can be switched.
const (
	On  = "on"
	Off = "off"
)

// Typing reports whether users are told who types.
func (r *Reader) Typing() bool { return r.switched(Typing) }

// Presence reports whether users are notified of who is online.
func (r *Reader) Presence() bool { return r.switched(Presence) }

// switched returns whether what is on by default is on.
func (r *Reader) switched(name string) bool {
	value := r.get(name)
	if value != "" && value != On && value != Off {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want %s or %s, got %q", name, On, Off, value))
	}
	return value != Off
}

// KeysURL returns where the tokens' issuer publishes its keys; "" for the default.
func (r *Reader) KeysURL() string { return r.get(KeysURL) }

// OriginKeys returns the keys of which a request has to carry one; none for any request.
func (r *Reader) OriginKeys() []string { return list(r.get(OriginKeys)) }

// TokenInQuery reports whether $connect accepts ?token=.
func (r *Reader) TokenInQuery() bool { return r.boolean(QueryToken) }

// Rates are the variables of limits per user: how many in a time, 0 for no limit.
func Rates() []string { return []string{ConnectRate, SendRate, WriteRate, ReadRate, ReportRate} }

// Limit returns a limit per user from the variables of its rate and its burst, or the
// values given where these are not set.
func (r *Reader) Limit(rateName, burstName string, rate, burst int) (inTime, atOnce int) {
	return r.integer(rateName, 0, rate), r.integer(burstName, 1, burst)
}

// The values of ReviewFails.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Review returns whom to ask about messages, "" for no one, and whether what could not be
// reviewed is stored.
func (r *Reader) Review() (target string, lax bool) {
	fails := r.get(ReviewFails)
	if fails != "" && fails != Allow && fails != Deny {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want %s or %s, got %q", ReviewFails, Allow, Deny, fails))
	}
	return r.get(Review), fails == Allow
}

// Retention returns how many days new messages are kept; 0: forever.
func (r *Reader) Retention() int { return r.integer(Retention, 1, 0) }

// Notification is a value of EventTypes.
const Notification = "notification"

// Events returns the bus of events, "" for none, whether they carry content, and whether
// notifications are the only ones.
func (r *Reader) Events() (bus string, content, notifications bool) {
	types := r.get(EventTypes)
	if types != "" && types != Notification {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want %s or nothing, got %q", EventTypes, Notification, types))
	}
	return r.get(EventBus), r.boolean(EventContent), types != ""
}

// Failures returns the bucket of failures, "" for none.
func (r *Reader) Failures() string { return r.get(Failures) }

// PublicPushKey returns the public key of Web Push, "" for none.
func (r *Reader) PublicPushKey() string { return r.get(PushKey) }

// Push returns what a function needs that sends Web Push.
func (r *Reader) Push() (publicKey, secret, contact string) {
	return r.required(PushKey), r.required(PushSecret), r.required(PushContact)
}

// OrderInterval returns how often a room moves up in lists at most, by default
// otherwise.
func (r *Reader) OrderInterval(otherwise time.Duration) time.Duration {
	return time.Duration(r.integer(OrderSeconds, 0, int(otherwise.Seconds()))) * time.Second
}

// Bucket returns the bucket of attachments, "" for none.
func (r *Reader) Bucket() string { return r.get(Attachments) }

// MaxFile returns how many bytes an attachment may have, by default otherwise.
func (r *Reader) MaxFile(otherwise int) int64 { return int64(r.integer(MaxFile, 1, otherwise)) }

// LogLevel returns from which level on to log.
func (r *Reader) LogLevel() zerolog.Level {
	value := r.get(LogLevel)
	if value == "" {
		return zerolog.InfoLevel
	}
	level, err := zerolog.ParseLevel(value)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want debug, info, warn or error, got %q", LogLevel, value))
		return zerolog.InfoLevel
	}
	return level
}

// integer returns a number that is at least `least`.
func (r *Reader) integer(name string, least, otherwise int) int {
	value := r.get(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want a number from %d, got %q", name, least, value))
		return otherwise
	}
	return n
}

func (r *Reader) boolean(name string) bool {
	value := r.get(name)
	if value == "" {
		return false
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("invalid %s: want true or false, got %q", name, value))
	}
	return b
}

// list splits a list at its commas; blanks and empty entries are left out.
func list(value string) []string {
	var out []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return slices.Clip(out)
}
