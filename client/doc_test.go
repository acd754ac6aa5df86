package client

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The package's documentation names the fields of each type.
func TestDocSuffices(t *testing.T) {
	pkg := documentation(t)
	comments := map[string]string{}
	funcs := pkg.Funcs
	for _, typ := range pkg.Types {
		comments[typ.Name] = typ.Doc
		funcs = append(append(funcs, typ.Funcs...), typ.Methods...)
	}
	for _, f := range funcs {
		ast.Inspect(f.Decl.Type, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.X.(*ast.Ident).Name == "wire" {
				t.Errorf("%s has wire.%s in its signature, which is documented elsewhere", f.Name, s.Sel.Name)
			}
			return true
		})
	}
	for _, alias := range []any{
		Ack{}, Sent{}, RoomRequest{}, Room{}, RoomMember{}, RoomList{}, RoomSummary{}, LastMessage{}, History{}, HistoryMessage{}, Attachment{}, Place{}, NearbyList{}, NearbyRoom{},
	} {
		typ := reflect.TypeOf(alias)
		for i := range typ.NumField() {
			if name := typ.Field(i).Name; !strings.Contains(comments[typ.Name()], "\t"+name+" ") {
				t.Errorf("the comment of %s doesn't name %s:\n%s", typ.Name(), name, comments[typ.Name()])
			}
		}
	}
}

func documentation(t *testing.T) *doc.Package {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, "github.com/streamroom/streamroom/client")
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
