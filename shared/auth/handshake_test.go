package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/shared/auth"
)

func TestTokenFromHandshake(t *testing.T) {
	query := map[string]string{"token": "q.q.q"}
	for name, test := range map[string]struct {
		protocols   []string
		query       map[string]string
		allowQuery  bool
		token       string // "" for an error
		subprotocol string
	}{
		"a raw header":                      {protocols: []string{"streamroom, a.b.c"}, token: "a.b.c", subprotocol: "streamroom"},
		"without spaces":                    {protocols: []string{"streamroom,a.b.c"}, token: "a.b.c", subprotocol: "streamroom"},
		"split":                             {protocols: []string{"streamroom", "a.b.c"}, token: "a.b.c", subprotocol: "streamroom"},
		"empty elements":                    {protocols: []string{" ,streamroom\t, ,a.b.c,"}, token: "a.b.c", subprotocol: "streamroom"},
		"the header wins":                   {protocols: []string{"streamroom, a.b.c"}, query: query, allowQuery: true, token: "a.b.c", subprotocol: "streamroom"},
		"the query":                         {query: query, allowQuery: true, token: "q.q.q"},
		"the query, and a subprotocol":      {protocols: []string{"streamroom"}, query: query, allowQuery: true, token: "q.q.q", subprotocol: "streamroom"},
		"the query, and others":             {protocols: []string{"mqtt, streamroom, x"}, query: query, allowQuery: true, token: "q.q.q", subprotocol: "streamroom"},
		"the query, and a foreign protocol": {protocols: []string{"mqtt"}, query: query, allowQuery: true, token: "q.q.q"},
		"the query, not allowed":            {query: query},
		"subprotocol, query not allowed":    {protocols: []string{"streamroom"}, query: query},
		"an empty query":                    {query: map[string]string{"token": ""}, allowQuery: true},
		"nothing":                           {},
		"nothing, query allowed":            {allowQuery: true},
		"the token alone":                   {protocols: []string{"a.b.c"}},
		"the wrong order":                   {protocols: []string{"a.b.c, streamroom"}},
		"a third one":                       {protocols: []string{"streamroom, a.b.c, d"}},
		"another case":                      {protocols: []string{"Streamroom, a.b.c"}},
	} {
		t.Run(name, func(t *testing.T) {
			token, subprotocol, err := auth.TokenFromHandshake(test.protocols, test.query, test.allowQuery)
			if token != test.token || subprotocol != test.subprotocol {
				t.Errorf("got %q, %q, want %q, %q", token, subprotocol, test.token, test.subprotocol)
			}
			if missing := test.token == ""; missing != errors.Is(err, auth.ErrUnauthorized) || missing != (err != nil) {
				t.Errorf("got error %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "a.b.c") || strings.Contains(err.Error(), "q.q.q")) {
				t.Errorf("the error quotes the token: %v", err)
			}
		})
	}
}

func FuzzTokenFromHandshake(f *testing.F) {
	f.Add("streamroom, a.b.c", "", true)
	f.Add("", "a.b.c", true)
	f.Add(",,streamroom,", "a.b.c", false)
	f.Fuzz(func(t *testing.T, header, query string, allowQuery bool) {
		token, subprotocol, err := auth.TokenFromHandshake([]string{header}, map[string]string{"token": query}, allowQuery)
		if (err == nil) != (token != "") {
			t.Errorf("token %q with error %v", token, err)
		}
		if subprotocol != "" && !strings.Contains(header, subprotocol) {
			t.Errorf("selects %q, which was not offered", subprotocol)
		}
		if !allowQuery && token != "" && !strings.Contains(header, token) {
			t.Errorf("token %q is not of the header", token)
		}
	})
}
