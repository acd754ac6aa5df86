package local_test

import (
	"net/http"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a Streamroom whose HTTP API and frames are held to their descriptions.
func start(t testing.TB, c local.Config) *rig.Rig {
	t.Helper()
	s := rig.Start(t, held(t, c))
	s.Inspect = func(r *http.Request, sent []byte, response *http.Response, body []byte) {
		t.Helper()
		described().check(t, r, sent, response, body)
	}
	return s
}

// held has a server's frames held to their description.
func held(t testing.TB, c local.Config) local.Config {
	t.Helper()
	wrap := c.Wrap
	c.Wrap = func(d local.Deployment) local.Deployment {
		if wrap != nil {
			d = wrap(d)
		}
		d.Received = func(frame, answer string) { describedFrames().checkReceived(t, frame, answer) }
		d.Sent = func(frame []byte) { describedFrames().checkSent(t, frame) }
		return d
	}
	return c
}

// switchedOff switches off what a variable of functions switches.
func switchedOff(name string) func(local.Deployment) local.Deployment {
	return local.EachFunction(func(f local.Function) local.Function {
		if slices.Contains(f.Variables, name) {
			f.Environment[name] = config.Off
		}
		return f
	})
}
