package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/streamroom/streamroom/local/eventbridge"
	"github.com/streamroom/streamroom/local/inprocess"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/atomicfile"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/shared/webpush"
)

const (
	pushKeyFile = "push-key"
	pushSecret  = "/streamroom/local/push"
	pushContact = "mailto:operator@local.streamroom" // whom push services would write to

	// pushesWaiting and pushesAtOnce bound the events that wait for the function, and its
	// invocations at once: on AWS the account's.
	pushesWaiting = 1_000
	pushesAtOnce  = 4
	// pushRetry is the pause before an event is delivered again: on AWS a minute, and then
	// two ("Asynchronous invocation", AWS Lambda Developer Guide).
	pushRetry = time.Second
)

// memoryPushKey is the key of servers without a data folder, as their pool's is.
var memoryPushKey = sync.OnceValues(webpush.NewKey)

// openPushKey reads the private key in the data folder, or makes one the first time:
// browsers have subscribed with its public key.
func (c Config) openPushKey() (string, error) {
	path := c.path(pushKeyFile)
	if path == "" {
		return memoryPushKey()
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the user's own data folder
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the key for pushes: %w", err)
	}
	key, err := webpush.NewKey()
	if err == nil {
		err = os.MkdirAll(c.DataDir, 0o700)
	}
	if err == nil {
		err = atomicfile.Write(path, []byte(key+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("keep the key for pushes: %w", err)
	}
	return key, nil
}

// openPush adds the function that sends Web Push, and has the bus invoke it.
func (s *Server) openPush(ctx context.Context) error {
	private, err := s.c.openPushKey()
	if err != nil {
		return err
	}
	public, err := webpush.PublicKey(private)
	if err != nil {
		return fmt.Errorf("the file %s is damaged: %w; delete it to start with a new key, which ends all subscriptions", s.c.path(pushKeyFile), err)
	}
	s.deployed.notify(s.c.LogLevel, public)
	s.push = newPushTarget(ctx, s, private)
	s.bus.Target(s.push.take)
	return nil
}

// pushTarget is the rule that has notification events invoke the function, as Lambda does:
// at once, and again if it fails. What waits is lost with the process.
type pushTarget struct {
	s       *Server
	private string
	events  chan eventbridge.Event
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newPushTarget(ctx context.Context, s *Server, private string) *pushTarget {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &pushTarget{s: s, private: private, events: make(chan eventbridge.Event, pushesWaiting), cancel: cancel}
	for range pushesAtOnce {
		p.running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case e := <-p.events:
					p.deliver(ctx, e)
				}
			}
		})
	}
	return p
}

// take takes an event of the bus.
func (p *pushTarget) take(e eventbridge.Event) {
	if e.DetailType != config.Notification {
		return
	}
	select {
	case p.events <- e:
	default:
		p.s.log.Warn().Msg("too many notifications wait; one is left out")
	}
}

// deliver invokes the function until it takes an event.
func (p *pushTarget) deliver(ctx context.Context, e eventbridge.Event) {
	payload, err := json.Marshal(e)
	if err != nil {
		p.s.log.Error().Err(err).Msg("encode an event")
		return
	}
	for try := range topology.PushRetries + 1 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return
			case <-p.s.clock.After(pushRetry << (try - 1)):
			}
		}
		_, err = p.s.invoke(ctx, topology.Push, payload)
		if err == nil || errors.Is(err, lambda.ErrClosed) || ctx.Err() != nil {
			return
		}
	}
	p.s.log.Error().Err(err).Msg("an event is given up that the function push does not take")
}

// stop ends it; invocations that run end with the functions.
func (p *pushTarget) stop() {
	if p != nil {
		p.cancel()
		p.running.Wait()
	}
}

// parameters configures the way to secrets, without a network.
func (s *Server) parameters() aws.Config {
	if s.push == nil {
		return aws.Config{Region: region}
	}
	return aws.Config{Region: region, Credentials: keys, BaseEndpoint: aws.String("http://ssm.local"), HTTPClient: inprocess.Client{Handler: parameter(s.push.private)}}
}

// parameter stands in for Systems Manager, of which every parameter has that value.
func parameter(value string) inprocess.Service {
	return func(operation string, _ []byte) (status int, answer any) {
		if operation != "AmazonSSM.GetParameter" {
			return http.StatusBadRequest, map[string]string{"__type": "UnknownOperationException"}
		}
		return http.StatusOK, map[string]any{"Parameter": map[string]string{"Value": value}}
	}
}
