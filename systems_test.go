package streamroom_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// What differs by system is in files for each: every package, with its tests, compiles on
// all of these. CI runs on one; this finds what the others lack of package syscall.
func TestSyscalls_AreThoseOfAllSystems(t *testing.T) {
	used := map[string][]string{} // by file
	for file, lines := range texts(t) {
		if path.Ext(file) == ".go" {
			used[file] = usedOfSyscall(t, file, strings.Join(lines, "\n"))
		}
	}
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output() // the build's own is gone with -trimpath
	if err != nil {
		t.Fatal("go env GOROOT: ", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "syscall")
	for _, system := range []string{"linux", "darwin", "windows"} {
		on := build.Default
		on.GOOS, on.CgoEnabled = system, false
		known := syscalls(t, &on, folder)
		for file, names := range used {
			if match, err := on.MatchFile(path.Dir(file), path.Base(file)); err != nil || !match {
				continue
			}
			for _, name := range names {
				if !known[name] {
					t.Errorf("%s: package syscall has no %s on %s: put what needs it into a file for each system", file, name, system)
				}
			}
		}
	}
}

// syscalls returns the names that package syscall, in its folder, has on a system, those of
// fields among them.
func syscalls(t *testing.T, on *build.Context, folder string) map[string]bool {
	t.Helper()
	p, err := on.ImportDir(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range p.GoFiles {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok {
				names[name.Name] = true
			}
			return true
		})
	}
	return names
}

// usedOfSyscall returns what a file names of package syscall: what it has, and fields of
// its structs.
func usedOfSyscall(t *testing.T, file, text string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if isSyscall(n) {
				names = append(names, n.Sel.Name)
			}
		case *ast.CompositeLit:
			for _, element := range n.Elts {
				if field, ok := element.(*ast.KeyValueExpr); ok && isSyscall(n.Type) {
					names = append(names, field.Key.(*ast.Ident).Name)
				}
			}
		}
		return true
	})
	return names
}

func isSyscall(e ast.Expr) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	of, ok := selector.X.(*ast.Ident)
	return ok && of.Name == "syscall"
}
