package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local"
)

// installed is the folder of a project in which lib is installed as a package of npm.
const installed = "node_modules/@streamroom/client/"

// packagePage runs the package's example as a browser does that has no bundler.
const packagePage = `<!doctype html><title>a package</title>
<script>globalThis.said = []; console.log = (text) => said.push(text)</script>
<script type="importmap">{"imports": {"@streamroom/client": "/` + installed + `streamroom.js"}}</script>
<script type="module" src="/` + installed + `example.mjs"></script>
`

// TestPackage runs the example of lib as an installed package, in Node.js 20 and in Chromium.
func TestPackage(t *testing.T) {
	project := os.Getenv("STREAMROOM_PROJECT")
	if project == "" {
		t.Skip("STREAMROOM_PROJECT doesn't name a project in which lib is installed; .ci/package makes one and runs this test")
	}
	startBrowser(t)
	server := startLocal(t, local.Config{Addr: "127.0.0.1:0", DynamoDBAddr: "127.0.0.1:0", LogLevel: "error", Log: t.Output()})
	const said = "alice: Hello from a package"
	example := filepath.Join(project, filepath.FromSlash(installed), "example.mjs")
	out, err := exec.CommandContext(t.Context(), "node", "--experimental-websocket", "--no-warnings", example, server.URL()).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != said {
		t.Errorf("in Node.js: %v, %q", err, out)
	}

	out, err = exec.CommandContext(t.Context(), "node", example, server.URL()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "run Node.js 20 or 21 with --experimental-websocket") {
		t.Errorf("in Node.js without its flag: %v, %q", err, out)
	}

	files := http.FileServer(http.Dir(project))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, packagePage)
	}))
	t.Cleanup(site.Close)
	page := openPage(t, site.URL+"/?server="+url.QueryEscape(server.URL()))
	page.until(fmt.Sprintf(`said.includes(%q)`, said))
}
