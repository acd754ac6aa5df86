package functions_test

import (
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/functions"
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
}

func TestAFunctionReadsTheVariablesThatTheTopologyLists(t *testing.T) {
	constructors := functions.All()
	for _, f := range topology.Functions() {
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
