package local_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a Streamroom whose HTTP API is held to its description.
func start(t testing.TB, c local.Config) *rig.Rig {
	t.Helper()
	s := rig.Start(t, c)
	s.Inspect = func(r *http.Request, sent []byte, response *http.Response, body []byte) {
		t.Helper()
		described().check(t, r, sent, response, body)
	}
	return s
}
