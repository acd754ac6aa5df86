package web

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestBundle(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"app/main.js":  "// one\nimport { b } from \"./ui/b.js\";\nimport { c } from \"../lib/c.js\";\nconsole.log(b, c);\n",
		"app/ui/b.js":  "import { c } from \"../../lib/c.js\";\n/** two */\nexport const b = [c];\nexport const unused = `gone`;\n",
		"lib/c.js":     "export const c = \"https://three\";\n",
		"app/page.css": "@import \"ui.css\";\n@import \"more.css\";\n",
		"app/ui.css":   "/* four */\na { color: red; }\n",
		"app/more.css": "a {\n  height: 100vh;\n  height: 100dvh;\n}\n",
		"missing.js":   "import \"./lib/none.js\";\n",
		"bare.js":      "import \"fs\";\n",
		"wrong.js":     "\nconst a = ;\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	got, err := bundle(files, "app/main.js", "app/page.css")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"app/main.js":  "var o=\"https://three\";var t=[o];console.log(t,o);\n//# sourceMappingURL=main.js.map\n",
		"app/page.css": "a{color:red}a{height:100vh;height:100dvh}\n/*# sourceMappingURL=page.css.map */\n",
	}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, []string{"app/main.js", "app/main.js.map", "app/page.css", "app/page.css.map"}) {
		t.Errorf("got %q", names)
	}
	for name, text := range want {
		if string(got[name]) != text {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got[name], text)
		}
	}
	for name, want := range map[string]string{"missing.js": "lib/none.js", "bare.js": "fs", "wrong.js": "wrong.js:2:10"} {
		if _, err := bundle(files, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one that names %s", name, err, want)
		}
	}
}

func TestNameOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, path string }{
		{"/", "/app/app.js"},
		{`C:\`, `C:\app\app.js`},
		{`\\server\share\`, `\\server\share\app\app.js`},
	} {
		if got := nameOf(c.root, c.path); got != "app/app.js" {
			t.Errorf("%s in %s: got %q", c.path, c.root, got)
		}
	}
}
