package local

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/streamroom/streamroom/local/identity"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/shared/httpapi"
	"github.com/streamroom/streamroom/web"
)

const (
	apiPath      = "/api"
	tokenPath    = "/token"
	healthPath   = "/healthz"
	failuresPath = "/failures"
	eventsPath   = "/events"
	openapiPath  = "/openapi.json"
	asyncapiPath = "/asyncapi.json"
	objectsPath  = "/objects"
)

// handler serves everything but the table. It picks by prefix and leaves paths as
// they are for the gateways to read.
func (s *Server) handler() (http.Handler, error) {
	page, err := web.Handler(web.Config{
		Mode: web.ModeLocal, WebSocketURL: "/" + s.deployed.Stage, APIURL: apiPath, TokenURL: tokenPath,
		StorageURL: s.URL(), // of forms and links, under whatever name the page is reached
	})
	if err != nil {
		return nil, fmt.Errorf("serve the browser client: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case under(path, "/"+s.deployed.Stage):
			s.websocket.ServeHTTP(w, r)
		case under(path, apiPath):
			s.api.ServeHTTP(w, r)
		case under(path, objectsPath):
			s.shared(unhurried(s.data.objects.ServeHTTP), w, r)
		case path == tokenPath:
			s.shared(s.serveToken, w, r)
		case path == identity.DescriptionPath, path == identity.KeysPath:
			s.shared(s.serveIssuer, w, r)
		case path == healthPath:
			s.serveHealth(w, r)
		case path == openapiPath:
			s.shared(description(httpapi.Description), w, r)
		case path == asyncapiPath:
			s.shared(description(httpapi.Frames), w, r)
		case path == eventsPath && s.c.Events != nil:
			s.bus.ServeHTTP(w, r)
		case path == failuresPath:
			s.data.failures.ServeHTTP(w, r)
		default:
			page.ServeHTTP(w, r)
		}
	}), nil
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// description serves one of the API's two descriptions.
func description(document []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document) // the client may be gone
	}
}

// serveIssuer describes the user pool, and publishes its keys.
func (s *Server) serveIssuer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == identity.KeysPath {
		s.pool.ServeJWKS(w, r)
		return
	}
	s.pool.ServeDescription(w, r)
}

// serveToken hands out tokens to anyone who asks by an address of this machine.
// A web page from elsewhere whose host name resolves to this machine (DNS
// rebinding) asks by that name and gets none.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if namesHost(r.Host) {
		http.Error(w, "tokens are handed out by IP address or localhost only", http.StatusForbidden)
		return
	}
	s.pool.ServeToken(w, r)
}

// rejectDNSRebinding blocks browsers' requests by host name to the table, which
// has no authentication. Browsers send an Origin with the requests that its
// protocol takes; other programs send none and may use any name.
func rejectDNSRebinding(table http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" && namesHost(r.Host) {
			http.Error(w, "browsers reach the table by IP address or localhost only", http.StatusForbidden)
			return
		}
		table.ServeHTTP(w, r)
	})
}

// namesHost reports whether a request's host is a name, which anyone may point at
// this machine, rather than an IP address or localhost.
func namesHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil
}

// probeTimeout is how long the write of a health check may take.
const probeTimeout = 5 * time.Second

// serveHealth answers 200 if the server is ready and a write succeeds.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	if err := s.data.probe(ctx); err != nil {
		s.log.Error().Err(err).Msg("a health check cannot write to the table")
		http.Error(w, "writes to the table fail: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // a prober that is gone needs no answer
}

// services serves what stands in for AWS on the table's port: DynamoDB and its
// streams, Lambda, and the buckets of failures and of attachments. An SDK client finds all of it under one endpoint.
func (s *Server) services() http.Handler {
	functions := lambda.NewAPI(s.invoker, s.mappings.all...)
	bucket, objects := lambda.NewBucketAPI(s.data.failures), s.data.objects.Unguarded()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case under(r.URL.Path, lambda.APIPath):
			withoutBrowsers(functions, w, r)
		case under(r.URL.Path, "/"+AttachmentsBucket):
			withoutBrowsers(objects, w, r)
		case under(r.URL.Path, lambda.BucketPath):
			bucket.ServeHTTP(w, r)
		default:
			s.data.engine.ServeHTTP(w, r)
		}
	})
}

// withoutBrowsers serves a request that no page of a browser makes: no header of AWS's own
// keeps those from elsewhere from this.
func withoutBrowsers(serve http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" {
		http.Error(w, "browsers may not use this", http.StatusForbidden)
		return
	}
	serve.ServeHTTP(w, r)
}
