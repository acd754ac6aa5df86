//go:build unix

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

func TestEmulator_ConnectFindsTheKeysOfAnyIssuer(t *testing.T) {
	needEmulator(t)
	net := newInternet(t)
	connect := net.run(topology.Connect)
	for token, want := range map[string]string{net.token("alice"): `"statusCode":200`, "x.y.z": `"statusCode":401`} {
		event := net.route("connect", connection(0), func(event object) {
			headers, _ := event["headers"].(object)
			delete(event, "multiValueHeaders")
			headers["Sec-WebSocket-Protocol"] = auth.Subprotocol + ", " + token
		})
		if got := connect.invoke(event); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s\n%s", got, want, connect.log.String())
		}
	}
}

func TestEmulator_AConnectionThatHangsCostsOneAttempt(t *testing.T) {
	needEmulator(t)
	net := newInternet(t)
	net.connect(0)
	net.hangs.Store(1)
	fallback := net.run(topology.Default)
	if got := fallback.invoke(net.frame(connection(0), object{"action": "ping"})); !strings.Contains(got, `\"type\":\"pong\"`) {
		t.Errorf("got %s, want a pong\n%s", got, fallback.log.String())
	}
}
