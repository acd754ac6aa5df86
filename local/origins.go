package local

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/streamroom/streamroom/local/apigateway"
	"github.com/streamroom/streamroom/shared/topology"
)

// cors lets in pages of Config.Origins and of this machine, with the methods and
// headers that infra deploys.
func (s *Server) cors() apigateway.CORS {
	return apigateway.CORS{
		AllowOrigin:  s.allowOrigin,
		AllowMethods: topology.APIMethods(),
		AllowHeaders: topology.APIHeaders(),
		MaxAge:       topology.APIPreflightAge,
	}
}

func (s *Server) allowOrigin(origin string) bool {
	return isLoopback(origin) || slices.Contains(s.c.Origins, origin)
}

// isLoopback reports whether an origin is served by this machine itself, so that
// what can serve it can call this server without a browser, too. Names below
// localhost resolve to loopback only (RFC 6761, section 6.3).
func isLoopback(origin string) bool {
	u, err := topology.ParseOrigin(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// shared serves what is not the HTTP API to the same pages as that.
func (s *Server) shared(serve http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	if !s.cors().Apply(w, r) {
		serve(w, r)
	}
}
