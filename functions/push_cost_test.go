package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/local/inprocess"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/webpush"
	"github.com/streamroom/streamroom/shared/webpush/webpushtest"
)

// counting counts the bytes that leave for push services.
type counting struct {
	next http.RoundTripper

	mu  sync.Mutex
	out float64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.out += float64(r.ContentLength)
	for name, values := range r.Header {
		c.out += float64(len(name) + len(values[0]) + 4)
	}
	c.mu.Unlock()
	return c.next.RoundTrip(r)
}

// What a notification asks for is what operate/cost has, its event and the time that push
// services take aside.
func TestCost_Push(t *testing.T) {
	private, err := webpush.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := webpush.PublicKey(private)
	if err != nil {
		t.Fatal(err)
	}
	d := newDeployed(t, 3)
	service := webpushtest.New(t)
	sent := &counting{next: service.Transport()}
	getenv := d.env.Getenv
	d.env.Getenv = func(name string) string {
		if name == config.PushKey {
			return public
		}
		return getenv(name)
	}
	d.env.Pushes = sent
	d.env.Parameters = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://ssm.test"), Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
		HTTPClient: inprocess.Client{Handler: inprocess.Service(func(string, []byte) (int, any) {
			return http.StatusOK, map[string]any{"Parameter": map[string]string{"Value": private}}
		})},
	}
	d.handlers[topology.Push] = d.wired(functions.Push)
	offline := []string{user(1), user(2)}
	for _, one := range offline {
		b := service.Subscribe()
		d.must(d.store.PutSubscription(t.Context(), one, chat.Subscription{Endpoint: b.Endpoint, Key: b.Key, Auth: b.Auth}, chat.MaxSubscriptions))
	}
	event, err := json.Marshal(object{"detail": object{"id": "notification:01M8KHZ1G9YJ6F8M9QV27W6XFN", "type": "notification", "data": object{
		"chatRoomId": room, "messageId": "01M8KHZ1G9YJ6F8M9QV27W6XFN", "senderId": user(0), "timestamp": 1, "reason": "room", "offline": offline,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	got := d.do(cost.Action{Events: 1}, topology.Push, event)
	got.Out = sent.out
	d.expect(fmt.Sprint("pushes to ", len(offline)), cost.Push(float64(len(offline))), got)
	if want, got := cost.LogLines[topology.Push], d.lines[topology.Push]; got.Lines != want.Lines || !within(got.Bytes, want.Bytes) {
		t.Errorf("it logs %v lines of %v bytes, operate/cost has %v of %v", got.Lines, got.Bytes, want.Lines, want.Bytes)
	}
}
