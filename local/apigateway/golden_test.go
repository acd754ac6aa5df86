package apigateway_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// random are the values of an event that differ each time. What they must look
// like is what they are matched by.
var random = []struct {
	pattern     *regexp.Regexp
	placeholder string
}{
	{regexp.MustCompile(`"(connectionId|requestId|extendedRequestId|messageId)": "[\w-]{15}="`), `"$1": "ID"`},
	{regexp.MustCompile(`(?i)"(Sec-WebSocket-Key)": "[^"]{24}"`), `"$1": "KEY"`},
	{regexp.MustCompile(`(?i)"(Sec-WebSocket-Key)": \[\s*"[^"]{24}"\s*\]`), `"$1": ["KEY"]`},
	{regexp.MustCompile(`(?i)"(X-Amzn-Trace-Id)": "Root=1-[0-9a-f]{8}-[0-9a-f]{24}"`), `"$1": "TRACE"`},
	{regexp.MustCompile(`(?i)"(X-Amzn-Trace-Id)": \[\s*"Root=1-[0-9a-f]{8}-[0-9a-f]{24}"\s*\]`), `"$1": ["TRACE"]`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), `HOST`},
	{regexp.MustCompile(`"X-Forwarded-Port": "\d+"`), `"X-Forwarded-Port": "PORT"`},
	{regexp.MustCompile(`"X-Forwarded-Port": \[\s*"\d+"\s*\]`), `"X-Forwarded-Port": ["PORT"]`},
}

// golden compares an event with a file in testdata, field by field.
func golden(t *testing.T, name string, event []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, event, "", "  "); err != nil {
		t.Fatalf("event is not JSON: %v", err)
	}
	got := indented.Bytes()
	for _, r := range random {
		got = r.pattern.ReplaceAll(got, []byte(r.placeholder))
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(bytes.TrimSpace(got), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, want), decode(t, got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func decode(t *testing.T, data []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// strict decodes an event into one of aws-lambda-go's types, which must know
// every field.
func strict(t *testing.T, event []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(event))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Errorf("aws-lambda-go's type: %v", err)
	}
}
