package webpush

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	library "github.com/SherClockHolmes/webpush-go"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/parallel"
)

const (
	// attempts at an endpoint, each within attemptTimeout, with a pause between.
	attempts       = 2
	attemptTimeout = 5 * time.Second
	pause          = 500 * time.Millisecond
	// inFlight is how many endpoints are sent to at once, and how many users' subscriptions
	// are read: a room of 100 members who are offline takes two rounds of posts of some
	// 100 ms, and slow endpoints hold up few others.
	inFlight = 64

	// life is how long a push service keeps what it can't deliver yet.
	life = 24 * time.Hour
	// tokenLife is how long a push service may take a signature for: at most a day (RFC
	// 8292, 2).
	tokenLife = time.Hour

	// maxContent is how many characters of a message a push has. With six bytes each, as JSON
	// escapes some, the payload stays below the 3,993 bytes that a push holds.
	maxContent = 400
	// maxAnswer is how much of an answer is read, in bytes, so that its connection is kept.
	maxAnswer = 4 << 10
)

// Store has the subscriptions.
type Store interface {
	Subscriptions(ctx context.Context, userID string) ([]chat.Subscription, error)
	RemoveSubscription(ctx context.Context, userID, endpoint string) error
}

// Config says how to send.
type Config struct {
	Store Store
	// PublicKey and PrivateKey are the deployment's, base64url. PrivateKey is asked for by
	// each event.
	PublicKey  string
	PrivateKey func(context.Context) (string, error)
	Contact    string // a mailto: or https: URL of the operator, for push services
	Transport  http.RoundTripper
	Now        func() time.Time
	Log        zerolog.Logger // gets no endpoints, which are secrets
}

// Notifier sends pushes. It is safe for concurrent use.
type Notifier struct{ c Config }

// New returns a Notifier.
func New(c Config) *Notifier { return &Notifier{c} }

// Event is an event of EventBridge whose detail is a CloudEvent, of which this is what a
// push needs.
type Event struct {
	Detail struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data data   `json:"data"`
	} `json:"detail"`
}

type data struct {
	ChatRoomID string   `json:"chatRoomId"`
	MessageID  string   `json:"messageId"`
	SenderID   string   `json:"senderId"`
	Timestamp  int64    `json:"timestamp"` // ms
	Mentions   []string `json:"mentions"`
	Content    string   `json:"content"`
	Reason     string   `json:"reason"`
	Offline    []string `json:"offline"`
}

// notification is the type of the events that are served.
const notification = "notification"

// payload is what a browser decrypts. docs/protocol.md describes it.
type payload struct {
	Type       string `json:"type"`
	ChatRoomID string `json:"chatRoomId"`
	MessageID  string `json:"messageId"`
	SenderID   string `json:"senderId"`
	Timestamp  int64  `json:"timestamp"`
	Reason     string `json:"reason"`
	Mentioned  bool   `json:"mentioned,omitempty"`
	Content    string `json:"content,omitempty"`
}

// push is one to send.
type push struct {
	userID string
	to     chat.Subscription
	body   []byte
	urgent bool
	topic  string
}

// result is what becomes of a push.
type result string

const (
	sent    result = "sent"
	gone    result = "gone"    // the subscription has ended
	refused result = "refused" // it will never be taken
	failed  result = "failed"  // it may be taken later
)

// Handle sends a push to each browser of those who are offline. It returns an error if none
// of them could be sent, and one may be later.
func (n *Notifier) Handle(ctx context.Context, e Event) error {
	if e.Detail.Type != notification {
		n.c.Log.Error().Str("event", e.Detail.ID).Str("type", e.Detail.Type).Msg("an event of another type")
		return nil
	}
	private, err := n.privateKey(ctx)
	if err != nil {
		return err
	}
	pushes, unread := n.pushes(ctx, e.Detail.Data)
	counts := map[result]int{failed: unread}
	var mu sync.Mutex
	parallel.Each(len(pushes), inFlight, func(i int) {
		became := n.deliver(ctx, pushes[i], private)
		mu.Lock()
		defer mu.Unlock()
		counts[became]++
	})
	n.c.Log.Info().Str("event", e.Detail.ID).Str("room_id", e.Detail.Data.ChatRoomID).Int("users", len(e.Detail.Data.Offline)).
		Int(string(sent), counts[sent]).Int(string(gone), counts[gone]).Int(string(refused), counts[refused]).Int(string(failed), counts[failed]).
		Msg("pushed")
	if counts[failed] > 0 && counts[sent] == 0 {
		return fmt.Errorf("none of %d pushes of %s was taken", counts[failed], e.Detail.ID)
	}
	return nil
}

// privateKey returns the private key, if it is that which browsers subscribed with.
func (n *Notifier) privateKey(ctx context.Context) (string, error) {
	private, err := n.c.PrivateKey(ctx)
	if err != nil {
		return "", err
	}
	public, err := PublicKey(private)
	if err == nil && public != n.c.PublicKey {
		err = errors.New("the private key for pushes is not that of the public key")
	}
	return private, err
}

// pushes returns a push for each browser, and of how many users it could not be read which
// they have.
func (n *Notifier) pushes(ctx context.Context, d data) (all []push, unread int) {
	sum := sha256.Sum256([]byte(d.ChatRoomID))
	topic := base64.RawURLEncoding.EncodeToString(sum[:24]) // at most 32 characters (RFC 8030, 5.4)
	var mu sync.Mutex
	parallel.Each(len(d.Offline), inFlight, func(i int) {
		user := d.Offline[i]
		subscriptions, err := n.c.Store.Subscriptions(ctx, user)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			n.c.Log.Error().Err(err).Str("user_id", user).Msg("read subscriptions")
			unread++
			return
		}
		mentioned := slices.Contains(d.Mentions, user)
		body, _ := json.Marshal(payload{ //nolint:errchkjson // texts and a number
			"message", d.ChatRoomID, d.MessageID, d.SenderID, d.Timestamp, d.Reason, mentioned, chat.Beginning(d.Content, maxContent),
		})
		// Of those that were stored at once there may be more for a moment.
		for _, to := range subscriptions[max(0, len(subscriptions)-chat.MaxSubscriptions):] {
			all = append(all, push{user, to, body, mentioned || d.Reason == "dm", topic})
		}
	})
	return all, unread
}

// deliver sends a push, and removes a subscription that has ended.
func (n *Notifier) deliver(ctx context.Context, p push, private string) result {
	log := n.c.Log.With().Str("user_id", p.userID).Str("push", chat.SubscriptionID(p.to.Endpoint)).Logger()
	became, status, err := n.send(ctx, p, private)
	switch became {
	case sent:
	case gone:
		log.Info().Int("status", status).Msg("a subscription has ended")
		if err := n.c.Store.RemoveSubscription(ctx, p.userID, p.to.Endpoint); err != nil {
			log.Error().Err(err).Msg("remove a subscription") // the next push finds it again
		}
	case refused, failed:
		log.Warn().Err(err).Int("status", status).Str("outcome", string(became)).Msg("a push was not taken")
	}
	return became
}

// send sends a push, and once more if that may help.
func (n *Notifier) send(ctx context.Context, p push, private string) (became result, status int, err error) {
	for try := range attempts {
		if try > 0 && backoff.Sleep(ctx, pause) != nil {
			return failed, status, err
		}
		status, err = n.post(ctx, p, private)
		switch {
		case errors.Is(err, ErrInner):
			return refused, 0, err
		case err != nil, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
			became = failed
		case status == http.StatusNotFound, status == http.StatusGone:
			return gone, status, nil
		case status >= http.StatusOK && status < http.StatusMultipleChoices:
			return sent, status, nil
		default: // a redirect, too
			return refused, status, nil
		}
	}
	return became, status, err
}

// single makes one request, and follows no redirect.
type single struct{ http.RoundTripper }

// Do implements the library's HTTPClient.
func (s single) Do(r *http.Request) (*http.Response, error) { return s.RoundTrip(r) }

// post makes one request to a push service. Its error has no endpoint.
func (n *Notifier) post(ctx context.Context, p push, private string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	urgency := library.UrgencyNormal
	if p.urgent {
		urgency = library.UrgencyHigh
	}
	// Version 1.4.0 writes the padding into what is left behind a message, which the pushes of
	// a user share.
	body := slices.Clip(p.body)
	resp, err := library.SendNotificationWithContext(ctx, body, &library.Subscription{
		Endpoint: p.to.Endpoint, Keys: library.Keys{P256dh: p.to.Key, Auth: p.to.Auth},
	}, &library.Options{
		HTTPClient: single{n.c.Transport}, TTL: int(life.Seconds()), Topic: p.topic, Urgency: urgency,
		Subscriber: subscriber(n.c.Contact), VAPIDPublicKey: n.c.PublicKey, VAPIDPrivateKey: private,
		VapidExpiration: n.c.Now().Add(tokenLife),
	})
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // what is longer costs the connection
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// subscriber is the contact as the library wants it: it puts mailto: before what does not
// begin with https:.
func subscriber(contact string) string { return strings.TrimPrefix(contact, "mailto:") }
