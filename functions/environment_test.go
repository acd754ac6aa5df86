package functions_test

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/topology"
)

// values are variables that every function is content with.
var values = map[string]string{
	config.TableName:   "table",
	config.CallbackURL: "https://gateway.example/dev",
	config.Issuer:      "https://issuer.example",
	config.Audience:    "client",
	config.LogLevel:    "info",
	config.PushKey:     "key",
	config.PushSecret:  "/streamroom/push",
	config.PushContact: "mailto:ops@example.com",
}

func TestAFunctionReadsTheVariablesThatTheTopologyLists(t *testing.T) {
	constructors := functions.All()
	for _, f := range topology.Programs() {
		read := map[string]bool{}
		env := functions.Env{
			Getenv: func(name string) string {
				read[name] = true
				return values[name]
			},
			AWS: aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")},
			Now: func() time.Time { return time.UnixMilli(0) },
			Log: io.Discard,
		}
		if _, err := constructors[f.Name](env); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(f.Variables)), slices.Sorted(maps.Keys(read))); diff != "" {
			t.Errorf("%s (-listed +read):\n%s", f.Name, diff)
		}
	}
}

// What infra deploys is what the functions accept.
func TestServicesAreTheTopologys(t *testing.T) {
	if chat.ServiceScope != topology.ServiceScope {
		t.Errorf("the scope is %s, and deployed is %s", chat.ServiceScope, topology.ServiceScope)
	}
	pattern := regexp.MustCompile(`\A(?:` + topology.ServiceName + `)\z`)
	for _, name := range []string{"", "bot", "Bot", "news-feed", "-", "a-", "-a", "a--b", "1a", "a1", "a-1", "bot\n", strings.Repeat("a", chat.MaxServiceName), "é"} {
		if valid := chat.ValidateServiceName(name) == nil; valid != pattern.MatchString(name) {
			t.Errorf("%q is valid: %t", name, valid)
		}
	}
}

// Both ways in ask for a key of the distribution before they look at anything else.
func TestBothAPIsAskForTheKeysOfTheirOrigin(t *testing.T) {
	env := functions.Env{
		Getenv: func(name string) string {
			if name == config.OriginKeys {
				return "old,new"
			}
			return values[name]
		},
		AWS: aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", "")},
		Now: func() time.Time { return time.UnixMilli(0) },
		Log: io.Discard,
	}
	for name, construct := range map[string]functions.Constructor{topology.Connect: functions.Connect, topology.API: functions.API} {
		handler, err := construct(env)
		if err != nil {
			t.Fatal(err)
		}
		for key, refused := range map[string]bool{"": true, "newer": true, "new": false} {
			event := fmt.Sprintf(`{"headers":{"x-origin-key":%q},"requestContext":{"eventType":"CONNECT","routeKey":"$connect"}}`, key)
			answer, err := handler.Invoke(t.Context(), []byte(event))
			if forbidden := strings.Contains(string(answer), `"statusCode":403`); forbidden != refused {
				t.Errorf("%s answers the key %q with %s, %v", name, key, answer, err)
			}
		}
	}
}
