package functions_test

import (
	"os"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/auth"
	"github.com/streamroom/streamroom/shared/topology"
)

// emulatorEnv has the path of AWS's Lambda Runtime Interface Emulator, which
// .ci/lambda installs. Without it the tests of this file are skipped.
const emulatorEnv = "STREAMROOM_LAMBDA_EMULATOR"

func needEmulator(t *testing.T) {
	t.Helper()
	if os.Getenv(emulatorEnv) == "" {
		t.Skipf("%s is not set: .ci/lambda installs AWS's emulator and runs this", emulatorEnv)
	}
}

// Connect finds the keys of an issuer by its description, and the user by the claim of the
// setting; a token for the issuer's other APIs is refused.
func TestEmulator_ConnectTakesTokensOfAnyIssuer(t *testing.T) {
	needEmulator(t)
	net := newInternet(t)
	connections := 0
	for name, issuer := range realms {
		t.Run(name, func(t *testing.T) {
			id := connection(connections)
			connections++
			connect := net.run(topology.Connect, issuer)
			for _, test := range []struct{ token, want string }{
				{"x.y.z", `"statusCode":401`},
				{net.token(issuer, object{"aud": "account"}), `"statusCode":401`},
				{net.token(issuer, nil), `"statusCode":200`},
			} {
				event := net.route("connect", id, func(event object) {
					headers, _ := event["headers"].(object)
					delete(event, "multiValueHeaders")
					headers["Sec-WebSocket-Protocol"] = auth.Subprotocol + ", " + test.token
				})
				if got := connect.invoke(event); !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %s\n%s", got, test.want, connect.log.String())
				}
			}
			stored, _, err := net.store.Connection(t.Context(), id)
			if want := issuer.claims[issuer.userClaim]; err != nil || stored.UserID != want {
				t.Errorf("connected is %q, %v; want %v", stored.UserID, err, want)
			}
		})
	}
}

func TestEmulator_AConnectionThatHangsCostsOneAttempt(t *testing.T) {
	needEmulator(t)
	net := newInternet(t)
	net.connect(0)
	net.hangs.Store(1)
	fallback := net.run(topology.Default, realms["Keycloak"])
	if got := fallback.invoke(net.frame(connection(0), object{"action": "ping"})); !strings.Contains(got, `\"type\":\"pong\"`) {
		t.Errorf("got %s, want a pong\n%s", got, fallback.log.String())
	}
}
