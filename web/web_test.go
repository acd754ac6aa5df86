package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

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
		{"GET", "/app/app.js.map", 200, "application/json"},
		{"GET", "/app/pushworker.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/app/page.css", 200, "text/css; charset=utf-8"},
		{"GET", "/app/icon.svg", 200, "image/svg+xml"},
		{"GET", "/config.json", 200, "application/json"},
		{"GET", "/app/ui/", 404, "text/plain; charset=utf-8"},
		{"GET", "/app/ui/dom.js", 404, "text/plain; charset=utf-8"},
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
	if other := get(t, h, "GET", "/app/page.css", "If-None-Match", etag); other.StatusCode != http.StatusOK {
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
		if strings.HasSuffix(name, ".map") {
			continue // of comments, too
		}
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http://", "https://", "//cdn", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=\"", " onclick=", "<style"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
}

// The page waits for each file that it asks for: what follows from another one takes a
// round trip more.
func TestThePageAsksForAllFilesAtOnce(t *testing.T) {
	files := files(t)
	for name, body := range files {
		switch {
		case strings.HasSuffix(name, ".map") || name == "index.html" || name == "app/pushworker.js":
			continue
		case !strings.Contains(string(files["index.html"]), `"`+name+`"`):
			t.Errorf("index.html doesn't ask for %s", name)
		}
		for _, later := range []string{"import ", "import(", "import{", "import\"", "@import", "url("} {
			if strings.Contains(string(body), later) {
				t.Errorf("%s contains %q", name, later)
			}
		}
	}
}

// Who opens the page first waits for its scripts. A change that makes them larger than this
// says what it is worth that.
func TestBytesOfScripts(t *testing.T) {
	const most, mostZipped = 195_000, 66_000 // each compressed by itself, as they are sent
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
		t.Errorf("scripts are %d bytes, %d compressed, want %d and %d at most", size, zipped, most, mostZipped)
	}
}

// Node.js takes what is served, app.js as a module and pushworker.js as a script. Each source
// is in a bundle, whose map has it as it is written.
func TestServedFiles(t *testing.T) {
	node := nodeJS(t)
	dir := t.TempDir()
	bundled := make(map[string]bool)
	for name, body := range files(t) {
		switch path.Ext(name) {
		case ".js":
			if err := os.WriteFile(filepath.Join(dir, path.Base(name)), body, 0o600); err != nil {
				t.Fatal(err)
			}
			fallthrough
		case ".css":
			if !bytes.Contains(body, []byte("# sourceMappingURL="+path.Base(name)+".map")) {
				t.Errorf("%s names no source map", name)
			}
		case ".map":
			var sourceMap struct{ Sources, SourcesContent []string }
			if err := json.Unmarshal(body, &sourceMap); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, source := range sourceMap.Sources {
				source = strings.TrimPrefix(source, "web:")
				text, err := fs.ReadFile(web.Sources(), source)
				if err != nil || sourceMap.SourcesContent[i] != string(text) {
					t.Errorf("%s has another text of %s, %v", name, source, err)
				}
				bundled[source] = true
			}
		}
	}
	err := fs.WalkDir(web.Sources(), ".", func(name string, d fs.DirEntry, err error) error {
		isBundled := path.Ext(name) == ".js" || path.Ext(name) == ".css" && name != "app/page.css" // of which only imports are left
		if !d.IsDir() && isBundled && !bundled[name] {
			t.Errorf("no bundle has %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// As node --check does with a file.
	const check = `
		const text = (name) => fs.readFileSync(process.argv[1] + "/" + name, "utf8");
		new vm.SourceTextModule(text("app.js"));
		new vm.Script(text("pushworker.js"));`
	out, err := exec.CommandContext(t.Context(), node, "--experimental-vm-modules", "--no-warnings", "-e", check, dir).CombinedOutput()
	if err != nil {
		t.Errorf("Node.js refuses a file: %v\n%s", err, out)
	}
}
