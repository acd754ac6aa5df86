package webpush_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/chat/memory"
	"github.com/streamroom/streamroom/shared/webpush"
	"github.com/streamroom/streamroom/shared/webpush/webpushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a notifier, a store and a push service.
type world struct {
	*testing.T
	service  *webpushtest.Service
	store    *memory.Store
	notifier *webpush.Notifier
	public   string
	log      *strings.Builder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, service: webpushtest.New(t), store: memory.New(time.Now), log: &strings.Builder{}}
	private, err := webpush.NewKey()
	if err == nil {
		w.public, err = webpush.PublicKey(private)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.notifier = w.over(w.service.Transport(), private)
	return w
}

func (w *world) over(transport http.RoundTripper, private string) *webpush.Notifier {
	return webpush.New(webpush.Config{
		Store: w.store, PublicKey: w.public, PrivateKey: func(context.Context) (string, error) { return private, nil },
		Contact: "mailto:ops@example.com", Transport: transport, Now: time.Now, Log: zerolog.New(zerolog.SyncWriter(w.log)),
	})
}

// subscribe has a user subscribe in a new browser.
func (w *world) subscribe(user string) *webpushtest.Browser {
	w.Helper()
	b := w.service.Subscribe()
	pushes := chat.NewPushes(w.store, w.public, time.Now)
	if err := pushes.Subscribe(w.Context(), user, chat.Subscription{Endpoint: b.Endpoint, Key: b.Key, Auth: b.Auth}); err != nil {
		w.Fatal(err)
	}
	return b
}

// notify hands an event to the notifier.
func (w *world) notify(detail string) error {
	w.Helper()
	var e webpush.Event
	if err := json.Unmarshal([]byte(`{"version":"0","detail-type":"notification","detail":`+detail+`}`), &e); err != nil {
		w.Fatal(err)
	}
	return w.notifier.Handle(w.Context(), e)
}

const (
	begin = `{"id":"notification:01H","type":"notification","data":{"chatRoomId":"r","messageId":"01H","senderId":"alice","timestamp":7,`
	toBob = begin + `"reason":"dm","offline":["bob"]}}`
)

func TestHandle_SendsToEveryBrowserOfThoseWhoAreOffline(t *testing.T) {
	w := newWorld(t)
	phone, laptop, carols, daves := w.subscribe("bob"), w.subscribe("bob"), w.subscribe("carol"), w.subscribe("dave")
	event := begin + `"reason":"room","mentions":["carol"],"offline":["bob","carol","erin"]}}`
	if err := w.notify(event); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		browser       *webpushtest.Browser
		urgency, body string
	}{
		"phone":   {phone, "normal", `{"type":"message","chatRoomId":"r","messageId":"01H","senderId":"alice","timestamp":7,"reason":"room"}`},
		"laptop":  {laptop, "normal", `{"type":"message","chatRoomId":"r","messageId":"01H","senderId":"alice","timestamp":7,"reason":"room"}`},
		"carol's": {carols, "high", `{"type":"message","chatRoomId":"r","messageId":"01H","senderId":"alice","timestamp":7,"reason":"room","mentioned":true}`},
	} {
		got := test.browser.Received()
		if len(got) != 1 {
			t.Errorf("%s got %d pushes", name, len(got))
			continue
		}
		p := got[0]
		if p.Body != test.body || p.Urgency != test.urgency || p.TTL != "86400" || len(p.Topic) != 32 || p.Key != w.public || p.Contact != "mailto:ops@example.com" {
			t.Errorf("%s got %+v", name, p)
		}
	}
	if got := daves.Received(); len(got) > 0 {
		t.Errorf("dave, who is not named, got %+v", got)
	}
	if strings.Contains(w.log.String(), webpushtest.Origin) {
		t.Errorf("an endpoint is in the log: %s", w.log)
	}
}

// The longest payload fits, whatever its characters.
func TestHandle_CutsContent(t *testing.T) {
	w := newWorld(t)
	b := w.subscribe("bob")
	for _, character := range []string{"x", "<", "😀", "é"} {
		long := strings.Repeat(character, 16_000)
		id := strings.Repeat("u", 128)
		text, _ := json.Marshal(long)
		event := strings.NewReplacer(`"r"`, `"`+id+`"`, `"alice"`, `"`+id+`"`, `"reason"`, `"content":`+string(text)+`,"reason"`).Replace(toBob)
		if err := w.notify(event); err != nil {
			t.Fatal(err)
		}
		got := b.Received()
		var body struct{ Content string }
		if err := json.Unmarshal([]byte(got[len(got)-1].Body), &body); err != nil || body.Content != strings.Repeat(character, 400) {
			t.Errorf("%s: got %.100s, %v", character, got[len(got)-1].Body, err)
		}
	}
	if got := len(b.Received()); got != 4 {
		t.Errorf("got %d pushes", got)
	}
}

// A subscription that has ended is removed, one that is refused stays, and neither has the
// event come again.
func TestHandle_RemovesWhatHasEnded(t *testing.T) {
	for status, removed := range map[int]bool{404: true, 410: true, 400: false, 403: false, 413: false, 301: false, 307: false, 200: false, 202: false} {
		w := newWorld(t)
		b := w.subscribe("bob")
		b.Answer(func(rw http.ResponseWriter) {
			rw.Header().Set("Location", webpushtest.Origin+"/inner")
			rw.WriteHeader(status)
		})
		if err := w.notify(toBob); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		left, err := w.store.Subscriptions(t.Context(), "bob")
		if err != nil || (len(left) == 0) != removed || b.Asked() != 1 {
			t.Errorf("%d: left %d, %v, after %d requests", status, len(left), err, b.Asked())
		}
	}
}

// What may succeed later is tried again at once, and with the event if nothing was sent:
// else those who got it would get it again.
func TestHandle_TriesAgain(t *testing.T) {
	for _, status := range []int{429, 500, 503} {
		w := newWorld(t)
		broken := w.subscribe("bob")
		broken.Answer(webpushtest.Status(status))
		if err := w.notify(toBob); err == nil || broken.Asked() != 2 {
			t.Errorf("%d: %v after %d requests", status, err, broken.Asked())
		}
		works := w.subscribe("bob")
		if err := w.notify(toBob); err != nil || len(works.Received()) != 1 {
			t.Errorf("%d beside one that works: %v", status, err)
		}
		if left, _ := w.store.Subscriptions(t.Context(), "bob"); len(left) != 2 {
			t.Errorf("%d: %d subscriptions are left", status, len(left))
		}
	}
}

func TestHandle_WithoutItsKeyNothingIsSent(t *testing.T) {
	w := newWorld(t)
	b := w.subscribe("bob")
	another, err := webpush.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{another, "", "x"} {
		w.notifier = w.over(w.service.Transport(), private)
		if err := w.notify(toBob); err == nil {
			t.Errorf("with the key %q it is sent", private)
		}
	}
	if b.Asked() > 0 {
		t.Errorf("%d requests", b.Asked())
	}
}

func TestHandle_LeavesOtherEvents(t *testing.T) {
	w := newWorld(t)
	b := w.subscribe("bob")
	if err := w.notify(strings.ReplaceAll(toBob, `"type":"notification"`, `"type":"message.sent"`)); err != nil || b.Asked() > 0 {
		t.Errorf("%v, %d requests", err, b.Asked())
	}
}

// Whatever a name resolves to, no address of this machine is dialled.
func TestTransport_DialsTheInternetOnly(t *testing.T) {
	service := webpushtest.New(t)
	_, port, _ := strings.Cut(service.Addr(), ":")
	transport := webpush.Transport()
	defer transport.CloseIdleConnections()
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "0.0.0.0"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+":"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, webpush.ErrInner) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// An endpoint whose name leads to an inner address is not asked again, nor is it an error.
func TestHandle_RefusesInnerAddresses(t *testing.T) {
	w := newWorld(t)
	transport := webpush.Transport()
	defer transport.CloseIdleConnections()
	_, port, _ := strings.Cut(w.service.Addr(), ":")
	b := w.subscribe("carol")
	s := chat.Subscription{Endpoint: "https://localhost:" + port + "/send/0", Key: b.Key, Auth: b.Auth}
	if err := w.store.PutSubscription(t.Context(), "bob", s, 10); err != nil { // past what the API refuses
		t.Fatal(err)
	}
	private, _ := webpush.NewKey()
	w.public, _ = webpush.PublicKey(private)
	w.notifier = w.over(transport, private)
	if err := w.notify(toBob); err != nil || b.Asked() > 0 {
		t.Errorf("%v, %d requests", err, b.Asked())
	}
	if !strings.Contains(w.log.String(), `"refused":1`) {
		t.Errorf("the log is %s", w.log)
	}
}
