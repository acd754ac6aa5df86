// Package web is the browser client: the page's sources, embedded here, the bundles that
// they make, and the handler that serves these. The page knows no endpoint; it reads
// them from config.json, so the same files serve every deployment.
//
// lib/ is the client library, lib/streamroom.js its entry; it works without the
// page, and is a package of npm (.ci/package). index.html and app/ are the page. The sources
// need no build step: a server of this folder serves the page, too, file by file.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed index.html app lib/*.js
var sources embed.FS

// Sources are the files as they are written: the page works with them, too, and lib is
// what a program imports.
func Sources() fs.FS { return sources }

// Files returns the static files as they are served, by the names that the page asks for
// them: index.html, its icon, and the bundles of app/app.js, app/page.css and
// app/pushworker.js, each with its source map. config.json is not among them. Callers don't
// change them.
var Files = sync.OnceValues(func() (map[string][]byte, error) {
	files, err := bundle(sources, "app/app.js", "app/page.css", "app/pushworker.js")
	if err != nil {
		return nil, fmt.Errorf("bundle the page: %w", err)
	}
	for _, name := range []string{"index.html", "app/icon.svg"} {
		if files[name], err = sources.ReadFile(name); err != nil {
			return nil, fmt.Errorf("read the embedded page: %w", err)
		}
	}
	return files, nil
})

// Config is what the page reads from config.json. URLs are absolute, or relative
// to the page; a relative WebSocketURL takes ws or wss from the page's scheme.
// Relative ones let a page work under every name that its server is reached by.
type Config struct {
	Mode         string `json:"mode"`         // how people sign in: ModeLocal, ModeCognito or ModeExternal
	WebSocketURL string `json:"webSocketURL"` // ends in the stage, as in /local
	APIURL       string `json:"apiURL"`       // the HTTP API's root, as in /api
	// TokenURL answers {"user":…} with {"token":…} in ModeLocal, and is Cognito's
	// endpoint in ModeCognito.
	TokenURL string `json:"tokenURL"`
	// SignInURL is the user pool's domain, in ModeCognito: people sign in on its
	// page, by the authorization code flow with PKCE. "" has them type their
	// password into this page.
	SignInURL string `json:"signInURL,omitempty"`
	// ClientID is the user pool's app client, in ModeCognito.
	ClientID string `json:"clientId,omitempty"`
	// UserClaim is the claim of its tokens that is the user id; "" is username.
	UserClaim string `json:"userClaim,omitempty"`
	// StorageURL is where attachments are uploaded to and read from. The page learns it
	// from each form and link; only its policy has to allow it before.
	StorageURL string `json:"-"`
}

// How people sign in.
const (
	ModeLocal    = "local"    // by name alone, through Config.TokenURL
	ModeCognito  = "cognito"  // at a user pool: on its page, or by name and password here
	ModeExternal = "external" // elsewhere: the page can't
)

// ContentSecurityPolicy is the policy to serve the page with: scripts and styles
// from the page's origin only, no HTML made from strings, connections to the
// page's origin (WebSockets included) and to the origins that c names; pictures, sound
// and videos from the page's origin, where attachments are, and from the page itself; its
// own service worker. It fails when a URL of c can't be parsed.
func (c Config) ContentSecurityPolicy() (string, error) {
	connect := []string{"'self'"}
	media := []string{"'self'", "blob:"}
	for _, raw := range []string{c.WebSocketURL, c.APIURL, c.TokenURL, c.SignInURL, c.StorageURL} {
		u, err := url.Parse(raw)
		if err != nil {
			return "", fmt.Errorf("web config: %w", err)
		}
		if u.Host == "" {
			continue
		}
		origin := u.Scheme + "://" + u.Host
		if !slices.Contains(connect, origin) {
			connect = append(connect, origin)
		}
		if raw == c.StorageURL {
			media = append(media, origin)
		}
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src data: " + strings.Join(media, " "),
		"media-src " + strings.Join(media, " "),
		"connect-src " + strings.Join(connect, " "),
		"worker-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		// The page makes this one, once, for the one script that it registers as its service
		// worker: see app/ui/push.js. No other can be made, not even one of the same name.
		"trusted-types streamroom-worker",
	}, "; "), nil
}

// file is one answer, ready to serve.
type file struct {
	contentType string
	etag        string
	body        []byte
}

// Handler serves the page at /, its files beside it, and cfg as /config.json.
// Browsers may keep the files but ask every time whether they changed (ETag).
// It fails when a URL of cfg can't be parsed.
func Handler(cfg Config) (http.Handler, error) {
	policy, err := cfg.ContentSecurityPolicy()
	if err != nil {
		return nil, err
	}
	static, err := Files()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("web config: %w", err)
	}
	files := map[string]file{"/config.json": newFile("config.json", config)}
	for name, body := range static {
		files["/"+name] = newFile(name, body)
	}
	files["/"] = files["/index.html"]

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is read with GET", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", f.contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	}), nil
}

// contentTypes is spelled out because the mime package's answers depend on the
// machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".map":  "application/json",
	".svg":  "image/svg+xml",
}

func newFile(name string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{
		contentType: contentTypes[path.Ext(name)],
		etag:        `"` + hex.EncodeToString(sum[:12]) + `"`,
		body:        body,
	}
}
