package streamroom_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// Of a struct that embeds one that embeds a third, no file shows what methods it has: one
// of the two gets a name.
func TestEmbedding_HasOneLevel(t *testing.T) {
	embedded := embeddings(t)
	for _, name := range slices.Sorted(maps.Keys(embedded)) {
		for _, inner := range embedded[name] {
			if further := embedded[inner]; len(further) > 0 {
				t.Errorf("%s embeds %s, which embeds %s: want a field with a name", name, inner, strings.Join(further, " and "))
			}
		}
	}
}

// embeddings returns what each struct embeds, all as the folder of a package and a name.
func embeddings(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for file, lines := range texts(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, strings.Join(lines, "\n"), 0)
		if err != nil {
			t.Fatal(err)
		}
		folders := map[string]string{} // of packages, by their names in this file
		for _, spec := range parsed.Imports {
			imported := strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module)
			folders[path.Base(imported)] = imported
			if spec.Name != nil {
				folders[spec.Name.Name] = imported
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if fields, ok := spec.Type.(*ast.StructType); ok {
					name := path.Dir(file) + "." + spec.Name.Name
					for _, field := range fields.Fields.List {
						if len(field.Names) == 0 {
							found[name] = append(found[name], typeName(field.Type, path.Dir(file), folders))
						}
					}
				}
			}
			return true
		})
	}
	return found
}

// typeName returns the folder and name of an embedded type, without a pointer and its
// parameters.
func typeName(of ast.Expr, folder string, folders map[string]string) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return typeName(of.X, folder, folders)
	case *ast.IndexExpr:
		return typeName(of.X, folder, folders)
	case *ast.IndexListExpr:
		return typeName(of.X, folder, folders)
	case *ast.SelectorExpr:
		return folders[of.X.(*ast.Ident).Name] + "." + of.Sel.Name
	case *ast.Ident:
		return folder + "." + of.Name
	}
	return ""
}
