package main

import (
	"strings"
	"testing"
)

func TestBadContextIsSaidInOneLine(t *testing.T) {
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"no environment":        {map[string]any{}, "missing environment: add -c env=dev or -c env=prod"},
		"another environment":   {map[string]any{"env": "test"}, "invalid -c env=test: want dev or prod"},
		"an empty environment":  {map[string]any{"env": ""}, "invalid -c env=: want dev or prod"},
		"a misspelt setting":    {map[string]any{"env": "dev", "orgins": "x"}, "unknown setting -c orgins"},
		"a domain with a path":  {map[string]any{"env": "dev", "webSocketDomain": "chat.example.com/x"}, "want a domain such as chat.example.com"},
		"a domain without dots": {map[string]any{"env": "dev", "webSocketDomain": "chat"}, "want a domain such as chat.example.com"},
		"a domain alone":        {map[string]any{"env": "dev", "webSocketDomain": "chat.example.com"}, "webSocketDomain and webSocketCertificate need each other"},
		"no certificate's ARN":  {map[string]any{"env": "dev", "webSocketCertificate": "abc"}, "want the ARN of an ACM certificate"},
		"an origin with a path": {map[string]any{"env": "dev", "origins": "https://a.example/x"}, `got "https://a.example/x"`},
		"an origin, bare":       {map[string]any{"env": "dev", "origins": "a.example"}, `got "a.example"`},
		"an origin too many":    {map[string]any{"env": "dev", "origins": "https://a.example,"}, `got ""`},
		"an issuer over http":   {map[string]any{"env": "dev", "issuer": "http://a.example", "audience": "x"}, "want a URL such as https://"},
		"an issuer alone":       {map[string]any{"env": "dev", "issuer": "https://a.example"}, "issuer and audience need each other"},
		"keys of no issuer":     {map[string]any{"env": "dev", "keysUrl": "https://a.example/keys"}, "keysUrl needs issuer"},
		"keys over http":        {map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "keysUrl": "http://a.example/keys"}, "want a URL such as https://"},
		"two issuers": {map[string]any{
			"env": "dev", "issuer": "https://a.example", "audience": "x", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x",
		}, "tokens have one issuer"},
		"a site with a path":     {map[string]any{"env": "dev", "site": "https://chat.example.com/"}, "without a path"},
		"a site over http":       {map[string]any{"env": "dev", "site": "http://chat.example.com"}, "want an origin such as https://"},
		"a site of another pool": {map[string]any{"env": "dev", "site": "https://d1.cloudfront.net", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x"}, "for an existing user pool set signInPage"},
		"a site with a port":     {map[string]any{"env": "dev", "site": "https://chat.example.com:8443"}, "want a domain such as chat.example.com"},
		"a site, uncertified":    {map[string]any{"env": "dev", "site": "https://chat.example.com"}, "site=https://chat.example.com needs siteCertificate"},
		"a certificate alone":    {map[string]any{"env": "dev", "siteCertificate": "arn:aws:acm:us-east-1:123456789012:certificate/a"}, "siteCertificate needs site"},
		"a certificate's region": {map[string]any{"env": "dev", "site": "https://chat.example.com", "siteCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a"}, "in us-east-1"},
		"an API's domain alone":  {map[string]any{"env": "dev", "apiDomain": "api.example.com"}, "apiDomain and apiCertificate need each other"},
		"one name for both APIs": {map[string]any{
			"env": "dev", "apiDomain": "api.example.com", "apiCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a",
			"webSocketDomain": "api.example.com", "webSocketCertificate": "arn:aws:acm:eu-central-1:123456789012:certificate/a",
		}, "need three names"},
		"a page without a pool":  {map[string]any{"env": "dev", "signInPage": "https://x.auth.eu-central-1.amazoncognito.com"}, "signInPage needs userPoolId"},
		"a pool alone":           {map[string]any{"env": "dev", "userPoolId": "eu-central-1_abc"}, "userPoolId and userPoolClientId need each other"},
		"no burst":               {map[string]any{"env": "dev", "connectBurst": "0"}, "want a number from 1 to 10000"},
		"another case of ids":    {map[string]any{"env": "dev", "userIdCase": "lower"}, "invalid -c userIdCase=lower: want insensitive or sensitive"},
		"no number":              {map[string]any{"env": "dev", "throttleRate": "fast"}, "want a number from 1 to 100000"},
		"a throttle of zero":     {map[string]any{"env": "dev", "throttleBurst": "0"}, "want a number from 1 to 100000"},
		"no retention of theirs": {map[string]any{"env": "dev", "logRetentionDays": "10"}, "want one of"},
		"an unknown function":    {map[string]any{"env": "dev", "reservedConcurrency": "fan=5"}, "the functions are connect,"},
		"a budget of no one":     {map[string]any{"env": "dev", "budget": "100"}, "budget needs alarmTopic"},
		"units of nothing":       {map[string]any{"env": "dev", "maxWriteUnits": "0"}, "want a number from 1 to 1000000"},
		"no topic":               {map[string]any{"env": "dev", "alarmTopic": "ops"}, "want the ARN of an SNS topic"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings(test.values)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q, want one line with %q", err, test.want)
			}
		})
	}
}

// Only of the pool that this app creates it is known that it ignores case.
func TestCaseOfUserIDs(t *testing.T) {
	pool := map[string]any{"env": "dev", "userPoolId": "eu-central-1_abc", "userPoolClientId": "x"}
	for _, test := range []struct {
		values map[string]any
		want   string
	}{
		{map[string]any{"env": "dev"}, "insensitive"},
		{map[string]any{"env": "dev", "userIdCase": "sensitive"}, "sensitive"},
		{pool, "sensitive"},
		{map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "userClaim": "sub"}, "sensitive"},
		{map[string]any{"env": "dev", "issuer": "https://a.example", "audience": "x", "userIdCase": "insensitive"}, "insensitive"},
	} {
		s, err := parseSettings(test.values)
		if got := s.userIDCase(); got != test.want || err != nil {
			t.Errorf("%v: %s, %v; want %s", test.values, got, err, test.want)
		}
	}
}

func TestRunSaysWhatIsMissingBeforeItSynthesizes(t *testing.T) {
	err := run(t.Context(), func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), "npx aws-cdk@") {
		t.Errorf("without the CLI: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	err = run(t.Context(), func(string) string { return `{"env":"dev"}` })
	if err == nil || !strings.Contains(err.Error(), "node is not installed") {
		t.Errorf("without Node: %v", err)
	}
}
