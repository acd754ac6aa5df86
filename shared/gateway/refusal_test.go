package gateway_test

import (
	"net/http"
	"testing"
	"time"
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
