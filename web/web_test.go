package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"

	"github.com/streamroom/streamroom/web"
)

var localConfig = web.Config{Mode: web.ModeLocal, WebSocketURL: "/local", APIURL: "/api", TokenURL: "/token"}

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func newHandler(t *testing.T, cfg web.Config) http.Handler {
	t.Helper()
	h, err := web.Handler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHandlerServesThePage(t *testing.T) {
	h := newHandler(t, localConfig)
	for _, tt := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/app/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/lib/streamroom.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/app/ui/dom.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/app/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/app/icon.svg", 200, "image/svg+xml"},
		{"GET", "/config.json", 200, "application/json"},
		{"GET", "/app/ui/", 404, "text/plain; charset=utf-8"},
		{"GET", "/lib/package.json", 404, "text/plain; charset=utf-8"},
		{"GET", "/web.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/testdata/unit.js", 404, "text/plain; charset=utf-8"},
		{"GET", "/../web.go", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			res := get(t, h, tt.method, tt.path)
			if res.StatusCode != tt.status || res.Header.Get("Content-Type") != tt.contentType {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, res.Header.Get("Content-Type"), tt.status, tt.contentType)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("security headers are missing: %v", res.Header)
			}
			if !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'; ") {
				t.Errorf("policy is %q", res.Header.Get("Content-Security-Policy"))
			}
		})
	}
}

func TestHandlerAnswersNotModified(t *testing.T) {
	h := newHandler(t, localConfig)
	first := get(t, h, "GET", "/app/app.js")
	etag := first.Header.Get("ETag")
	if etag == "" || first.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("ETag %q, Cache-Control %q", etag, first.Header.Get("Cache-Control"))
	}
	if again := get(t, h, "GET", "/app/app.js", "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: got %d, want 304", again.StatusCode)
	}
	if other := get(t, h, "GET", "/app/style.css", "If-None-Match", etag); other.StatusCode != http.StatusOK {
		t.Errorf("another file: got %d, want 200", other.StatusCode)
	}
}

func TestHandlerServesItsConfig(t *testing.T) {
	cfg := web.Config{Mode: web.ModeLocal, WebSocketURL: "wss://ws.example/prod", APIURL: "https://api.example/v1", TokenURL: "/token"}
	res := get(t, newHandler(t, cfg), "GET", "/config.json")
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"mode": "local", "webSocketURL": "wss://ws.example/prod", "apiURL": "https://api.example/v1", "tokenURL": "/token"}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cfg     web.Config
		connect string
	}{
		{"relative", localConfig, "connect-src 'self';"},
		{
			"absolute",
			web.Config{WebSocketURL: "wss://ws.example/prod", APIURL: "https://api.example:8443/v1", TokenURL: "https://api.example:8443/token"},
			"connect-src 'self' wss://ws.example https://api.example:8443;",
		},
		{
			"hosted page",
			web.Config{WebSocketURL: "/local", APIURL: "/api", TokenURL: "https://cognito-idp.example/", SignInURL: "https://chat.auth.example"},
			"connect-src 'self' https://cognito-idp.example https://chat.auth.example;",
		},
		{
			"attachments elsewhere",
			web.Config{WebSocketURL: "/local", APIURL: "/api", TokenURL: "/token", StorageURL: "https://files.example/bucket"},
			"img-src data: 'self' blob: https://files.example; media-src 'self' blob: https://files.example; connect-src 'self' https://files.example;",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			policy, err := tt.cfg.ContentSecurityPolicy()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(policy, tt.connect) {
				t.Errorf("%q lacks %q", policy, tt.connect)
			}
			if own := "worker-src 'self'; "; !strings.Contains(policy, own) || !strings.HasSuffix(policy, "; require-trusted-types-for 'script'; trusted-types streamroom-worker") {
				t.Errorf("%q allows other workers, or other policies, than the page's one", policy)
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
				t.Errorf("%q allows too much", policy)
			}
		})
	}
	if _, err := web.Handler(web.Config{APIURL: "http://[::1"}); err == nil {
		t.Error("a URL that can't be parsed: no error")
	}
}

// files are those that are served.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := web.Files()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The page must need nothing that its policy forbids, and nothing from elsewhere.
func TestFilesStandAlone(t *testing.T) {
	for name, body := range files(t) {
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http://", "https://", "//cdn", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=\"", " onclick=", "<style"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
}

// Modules that are not asked for at once are found one after the other, a round
// trip each.
func TestThePageAsksForAllModulesAtOnce(t *testing.T) {
	files := files(t)
	for name := range files {
		if !strings.HasSuffix(name, ".js") || name == "app/app.js" || name == "app/pushworker.js" {
			continue
		}
		if !strings.Contains(string(files["index.html"]), `<link rel="modulepreload" href="`+name+`">`) {
			t.Errorf("index.html doesn't preload %s", name)
		}
	}
}

// Who opens the page first waits for all modules. A change that makes them larger than this
// says what it is worth that.
func TestBytesOfModules(t *testing.T) {
	const most, mostZipped = 320_000, 112_000 // each compressed by itself, as they are sent
	var size, zipped int
	for name, body := range files(t) {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		size += len(body)
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(body)
		_ = w.Close()
		zipped += out.Len()
	}
	t.Logf("%d bytes, %d compressed", size, zipped)
	if size > most || zipped > mostZipped {
		t.Errorf("modules are %d bytes, %d compressed, want %d and %d at most", size, zipped, most, mostZipped)
	}
}

// What is served is what the sources say: each module parses as its source does, line by
// line, in another parser than the one that strips them, too.
func TestServedModules(t *testing.T) {
	node := nodeJS(t)
	dir := t.TempDir()
	for name, body := range files(t) {
		if !strings.HasSuffix(name, ".js") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bytes.Count(body, []byte("\n")), bytes.Count(source, []byte("\n")); got != want {
			t.Errorf("%s has %d lines, its source %d", name, got, want)
		}
		if len(body) >= len(source) {
			t.Errorf("%s is served with %d bytes of %d", name, len(body), len(source))
		}
		var parsed [2]string
		for i, text := range [][]byte{body, source} {
			tree, err := js.Parse(parse.NewInputBytes(slices.Clone(text)), js.Options{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			parsed[i] = tree.String()
		}
		if parsed[0] != parsed[1] {
			t.Errorf("%s is served as something else than its source", name)
		}
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// As node --check does with a file, once for all of them.
	const check = `for (const file of fs.readdirSync(process.argv[1])) new vm.SourceTextModule(fs.readFileSync(process.argv[1] + "/" + file, "utf8"), { identifier: file })`
	out, err := exec.CommandContext(t.Context(), node, "--experimental-vm-modules", "--no-warnings", "-e", check, dir).CombinedOutput()
	if err != nil {
		t.Errorf("Node.js refuses a module: %v\n%s", err, out)
	}
}
