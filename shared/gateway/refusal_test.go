package gateway_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/streamroom/streamroom/shared/chat"
)

func TestConnect_LogsWhyATokenIsRefused(t *testing.T) {
	r := newRoutes(t, false)
	for reason, token := range map[string]string{
		"expired":   r.token(t, "alice", -time.Hour),
		"malformed": "gibberish",
		"user":      r.token(t, "a#b", time.Hour),
		"missing":   "",
	} {
		r.log.Reset()
		e := request("CONNECT", "$connect", "c", "")
		e.Headers = map[string]string{"Sec-WebSocket-Protocol": "streamroom, " + token}
		if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusUnauthorized || err != nil {
			t.Errorf("%s: %+v, error %v; want 401", reason, response, err)
		}
		wantRefusalLogged(t, r.log.String(), reason)
	}
}

// API Gateway and Lambda count a refused token and a failure of ours alike, so only
// the function can tell an alarm which of them it was.
func TestConnect_CountsItsOwnFailuresOnly(t *testing.T) {
	defer func(name string) { lambdacontext.FunctionName = name }(lambdacontext.FunctionName)
	lambdacontext.FunctionName = "streamroom-connect"
	r := newRoutes(t, false)
	e := request("CONNECT", "$connect", "c", "")
	for range 6 {
		e.Headers = map[string]string{"Sec-WebSocket-Protocol": "streamroom, " + r.token(t, "alice", -time.Hour)}
		if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusUnauthorized || err != nil {
			t.Errorf("%+v, error %v; want 401", response, err)
		}
	}
	if log := r.log.String(); strings.Contains(log, "_aws") || strings.Count(log, `"outcome":"unauthorized"`) != 6 {
		t.Errorf("expired tokens count as failures: %s", log)
	}
	r.log.Reset()
	r.keys = errors.New("no network")
	e.Headers["Sec-WebSocket-Protocol"] = "streamroom, " + r.token(t, "alice", time.Hour)
	if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != http.StatusInternalServerError || err != nil {
		t.Errorf("%+v, error %v; want 500", response, err)
	}
	if log := r.log.String(); !strings.Contains(log, `"Name":"internal"`) || !strings.Contains(log, `"internal":1`) {
		t.Errorf("without the issuer's keys nothing is counted: %s", log)
	}
}

func TestConnect_RefusesAUserWhoConnectsTooFast(t *testing.T) {
	r := newRoutes(t, false)
	for i := range chat.ConnectBurst + 1 {
		r.log.Reset()
		e := request("CONNECT", "$connect", fmt.Sprint("c-", i), "")
		e.Headers = map[string]string{"Sec-WebSocket-Protocol": "streamroom, " + r.token(t, "alice", time.Hour)}
		want := http.StatusOK
		if i == chat.ConnectBurst {
			want = http.StatusTooManyRequests
		}
		if response, err := r.connect.Handle(t.Context(), e); response.StatusCode != want || err != nil {
			t.Errorf("connection %d: %+v, error %v; want %d", i, response, err, want)
		}
	}
	if line := r.log.String(); !strings.Contains(line, `"outcome":"rate_limited"`) {
		t.Errorf("the refusal is logged as %s", line)
	}
}
