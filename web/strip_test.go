package web

import "testing"

func TestStrip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, source, want string }{
		{"comments", "// one\nimport a from \"b\"; // two\n/** three\n * four\n */\nf(/* five */ a);\n", "\nimport a from \"b\";\n\n\n\nf( a);\n"},
		{"blanks", "if (a) {\n    b();\n\n\tc()   + d;\n}\n", "if (a) {\nb();\n\nc() + d;\n}\n"},
		{"a comment parts what it stands between", "a/**/b\nc/*\n*/d\n", "a b\nc\nd\n"},
		{"strings", `a("// no", '/* no */', "\"//");` + "\n", `a("// no", '/* no */', "\"//");` + "\n"},
		{"templates", "a = `//  ${ /* yes */ b + `/*  ${c}` } \n   // no`; // yes\n", "a = `//  ${ b + `/*  ${c}` } \n   // no`;\n"},
		{"regular expressions", `a = /[/*"]\//u.test(b) && c.d(/"/, e / f / g); // yes` + "\n", `a = /[/*"]\//u.test(b) && c.d(/"/, e / f / g);` + "\n"},
		{"after a keyword", "return /'/u; // yes\n", "return /'/u;\n"},
		{"a division", "a = (b) / 2; c /= d[0] / 3 / this.e; // '\n", "a = (b) / 2; c /= d[0] / 3 / this.e;\n"},
		{"private names", "class A { #b = 1_000; get c() { return #b in this && this.#b ?? 1n; } }\n", "class A { #b = 1_000; get c() { return #b in this && this.#b ?? 1n; } }\n"},
		{"no line break at the end", "a();", "a();\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := strip([]byte(tt.source))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	for _, source := range []string{"a = \"open\nb", "a @ b"} {
		if got, err := strip([]byte(source)); err == nil {
			t.Errorf("%q: got %q, want an error", source, got)
		}
	}
}
