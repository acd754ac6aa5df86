package streamroom_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// banned are words that slow a reader down, with what to write instead. They
// are looked for in code, comments, error texts, help texts and pages, within
// identifiers too. The list is short on purpose: a word joins it after it was
// found to confuse readers.
var banned = []struct{ pattern, instead string }{
	// Rare or old words: a reader who learnt English from documentation stumbles.
	{`mend(?:s|ed|ing)?`, "fix, repair or correct"},
	{`anew`, "again, or a new one"},
	{`who(?:m|se)?ever`, "anyone who"},
	{`nobody`, "no one, no user, no member"},
	{`somebody`, "someone, a user, a member"},
	{`everybody`, "everyone, all users, all members"},
	{`meanwhile`, "in the meantime, or say during what"},
	{`for good`, "permanently"},
	{`dear(?:er|est)`, "more expensive, the most expensive"},
	{`for ever`, "forever, or permanently"},
	{`heirs?`, "successor"},
	{`unborn`, "spare"},
	{`familial`, "by parent, parents first"},
	{`census`, "count"},
	{`forerunner`, "the one before"},

	// Phrases for which the field has a term.
	{`(?:is|are|was|were) to know`, "recipient, or is notified"},
	{`(?:is|are|was|were|be|been) told of`, "is notified of, or gets"},
	{`none of ours`, "unknown"},
	{`so many`, "as many as, or the number"},
	{`in its course`, "running"},
	{`collect seldom`, "tuneGC"},
	{`untangled?`, "retryConflicts"},

	// Errors: what was wanted, what came, what to do.
	{`[qsvdt}]"? is no(?:ne)?`, `invalid X "…": want a URL such as …`},
	{`is %[qv](?: \(|:)? (?:give|want|rates|no)`, `invalid X: want Y, got Z`},
	{`%[qsdv]:? (?:it |they )?(?:must|has to|have to) be`, `invalid X: want Y, got Z`},
	{`more than nothing`, "must be positive"},
	{`others were faster`, "gave up after N concurrent changes"},
}

// TestWords fails on banned words.
func TestWords(t *testing.T) {
	patterns, literals := make([]string, len(banned)), make([]string, len(banned))
	for i, b := range banned {
		patterns[i], literals[i] = "("+b.pattern+")", literal(t, b.pattern)
	}
	// Groups of patterns don't nest, so group i+1 is banned[i].
	anyOf := regexp.MustCompile(`(?:\b|%)(?:` + strings.Join(patterns, "|") + `)\b`)
	for path, lines := range texts(t) {
		if path == "words_test.go" {
			continue
		}
		for n, line := range lines {
			line = apart(line)
			if !slices.ContainsFunc(literals, func(s string) bool { return strings.Contains(line, s) }) {
				continue // the expression takes ten seconds for all lines
			}
			for _, found := range anyOf.FindAllStringSubmatch(line, -1) {
				i := slices.IndexFunc(found[1:], func(group string) bool { return group != "" })
				t.Errorf("%s:%d: %q: write %s", path, n+1, found[0], banned[i].instead)
			}
		}
	}
}

// literal returns a text that is in everything that a pattern matches.
func literal(t *testing.T, pattern string) (longest string) {
	t.Helper()
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	parts := []*syntax.Regexp{parsed}
	if parsed.Op == syntax.OpConcat {
		parts = parsed.Sub
	}
	for _, part := range parts {
		if part.Op == syntax.OpLiteral && len(part.Rune) > utf8.RuneCountInString(longest) {
			longest = string(part.Rune)
		}
	}
	if longest == "" {
		t.Fatalf("the pattern %q has no literal text", pattern)
	}
	return longest
}

// apart returns a line in lower case, with the words of identifiers apart.
func apart(line string) string {
	var text strings.Builder
	lower := false
	for _, r := range line {
		if lower && unicode.IsUpper(r) {
			text.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		text.WriteRune(unicode.ToLower(r))
	}
	return text.String()
}

// TestMarkdownWidth fails on lines of pages that are longer than 100 columns, and on
// those that end far before, although the first word of the next one would fit. Tables,
// code, headings and pictures can't be wrapped.
func TestMarkdownWidth(t *testing.T) {
	const width, short = 100, 80
	// The first word of a line that goes on with a paragraph. Code and links, which are not
	// broken, may be longer than a word; list items begin a paragraph.
	first := regexp.MustCompile(`^ *(?:[\pL\pN"“(*][^\s` + "`" + `\[]*)(?:\s|$)`)
	item := regexp.MustCompile(`^ *(?:[-*+]|\d+[.)])\s`)
	for path, lines := range texts(t) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		fenced := false
		for n, line := range lines {
			text := strings.TrimSpace(line)
			if strings.HasPrefix(text, "```") {
				fenced = !fenced
			}
			code := fenced || strings.HasPrefix(line, "    ")
			fixed := strings.HasPrefix(text, "|") || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "![")
			columns := utf8.RuneCountInString(line)
			if columns > width && !code && !fixed {
				t.Errorf("%s:%d has %d columns: wrap it at %d", path, n+1, columns, width)
			}
			if n+1 < len(lines) && text != "" && !code && !fixed && !item.MatchString(lines[n+1]) {
				next := first.FindString(lines[n+1])
				if next != "" && columns+1+utf8.RuneCountInString(strings.TrimSpace(next)) <= short {
					t.Errorf("%s:%d ends at column %d, in mid-paragraph: wrap the paragraph again", path, n+1, columns)
				}
			}
		}
	}
}

// TestMarkdownLinks fails on links to files and headings that don't exist.
func TestMarkdownLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for path, lines := range texts(t) {
		if filepath.Ext(path) != ".md" {
			continue
		}
		for _, found := range link.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(found[1], "#")
			target := filepath.Clean(path)
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, found[1])
			} else if heading != "" && !slices.Contains(headings(t, target), heading) {
				t.Errorf("%s links to %s, a heading that does not exist", path, found[1])
			}
		}
	}
}

// TestMarkdownPaths fails on paths of this repository that pages name and that
// don't exist.
func TestMarkdownPaths(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			folders = append(folders, entry.Name())
		}
	}
	named := regexp.MustCompile("`((?:" + strings.Join(folders, "|") + ")/[\\w./-]*)`")
	for path, lines := range texts(t) {
		if filepath.Ext(path) != ".md" || path == "CHANGELOG.md" { // which names what is gone, too
			continue
		}
		for n, line := range lines {
			for _, found := range named.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(found[1]); err != nil {
					t.Errorf("%s:%d names %s, which does not exist", path, n+1, found[1])
				}
			}
		}
	}
}

// TestMapIsComplete fails on folders that the map in README.md does not name.
func TestMapIsComplete(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for path := range texts(t) {
		folder, below, found := strings.Cut(path, "/")
		if !found || strings.HasPrefix(folder, ".") {
			continue
		}
		if folder == "shared" { // a package each
			pkg, _, _ := strings.Cut(below, "/")
			folder += "/" + pkg
		}
		if !strings.Contains(string(readme), "`"+folder) {
			t.Errorf("the map in README.md does not name %s", folder)
		}
	}
}

// headings returns the anchors that a page's headings get.
func headings(t *testing.T, path string) (anchors []string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dropped := regexp.MustCompile(`[^\pL\pN_ -]`)
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			text := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			anchors = append(anchors, strings.ReplaceAll(text, " ", "-"))
		}
	}
	return anchors
}

// texts returns the lines of all files that people read, by path.
func texts(t *testing.T) map[string][]string {
	t.Helper()
	read := []string{".go", ".js", ".mjs", ".md", ".html", ".css", ".json", ".sh", ".ts", ".yml"}
	skipped := []string{".git", ".streamroom", "node_modules", "cdk.out", "bin", "dist", "fuzz"}
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || !slices.Contains(read, filepath.Ext(path)) && filepath.Dir(path) != ".ci":
			return nil
		}
		content, err := os.ReadFile(path)
		found[filepath.ToSlash(path)] = strings.Split(string(content), "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 100 {
		t.Fatalf("only %d files found", len(found))
	}
	return found
}
