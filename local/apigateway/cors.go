package apigateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CORS lets pages of other origins use an HTTP API. The zero value lets in none.
//
// API Gateway answers a preflight itself, without a token, and adds its headers to
// answers ("Configure CORS for HTTP APIs in API Gateway", API Gateway Developer
// Guide). A page of an origin that is not allowed gets the same without these
// headers: its browser then keeps the answer from it.
type CORS struct {
	AllowOrigin  func(origin string) bool
	AllowMethods []string
	AllowHeaders []string // that a request may have, in lower case
	MaxAge       time.Duration
}

// Apply adds the headers for the page that makes a request. If the request is a
// preflight it answers it, and returns true.
func (c CORS) Apply(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	if c.AllowOrigin == nil || origin == "" {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if c.AllowOrigin(origin) {
		header.Set("Access-Control-Allow-Origin", origin)
		if preflight {
			header.Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
			header.Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
			header.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge.Seconds())))
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}

// withoutCORS removes the CORS headers of a function's response: with a
// configuration of its own, API Gateway ignores them (as above).
func (c CORS) withoutCORS(r proxyResponse) proxyResponse {
	if c.AllowOrigin == nil {
		return r
	}
	for name := range r.Headers {
		if isCORS(name) {
			delete(r.Headers, name)
		}
	}
	for name := range r.MultiValueHeaders {
		if isCORS(name) {
			delete(r.MultiValueHeaders, name)
		}
	}
	return r
}

func isCORS(name string) bool { return strings.HasPrefix(strings.ToLower(name), "access-control-") }
