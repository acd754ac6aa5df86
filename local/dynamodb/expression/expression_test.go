package expression_test

import (
	"strings"
	"testing"

	"github.com/streamroom/streamroom/local/dynamodb/expression"
	"github.com/streamroom/streamroom/local/dynamodb/item"
	"github.com/streamroom/streamroom/local/dynamodb/jsonio"
)

func parse(t testing.TB, text string) item.Item {
	t.Helper()
	it, err := item.ReadItem(jsonio.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return it
}

// args are placeholders for every type, and one that leads to a reserved word.
func args(t testing.TB) *expression.Args {
	t.Helper()
	return &expression.Args{
		Names: []expression.Name{{Placeholder: "#n", Name: "name"}, {Placeholder: "#a", Name: "a"}, {Placeholder: "#dot", Name: "x.y"}},
		Values: parse(t, `{":s":{"S":"abc"},":ab":{"S":"ab"},":x":{"S":"x"},":0":{"N":"0"},":1":{"N":"1"},":2":{"N":"2"},":3":{"N":"3"},
			":t":{"BOOL":true},":null":{"NULL":true},":b":{"B":"AQI="},":l":{"L":[{"N":"1"}]},":m":{"M":{"k":{"S":"v"}}},
			":ss":{"SS":["a","b"]},":ss2":{"SS":["b","c"]},":ns":{"NS":["1","2"]},":bs":{"BS":["AQ=="]},":ts":{"S":"S"},":bad":{"S":"Q"}}`),
	}
}

const sample = `{"s":{"S":"abcdef"},"name":{"S":"bob"},"x.y":{"N":"7"},"n":{"N":"2"},"z":{"BOOL":true},"nil":{"NULL":true},"bin":{"B":"AQID"},
	"l":{"L":[{"N":"1"},{"S":"two"},{"M":{"deep":{"S":"yes"}}}]},"m":{"M":{"k":{"S":"v"},"nested":{"M":{"n":{"N":"5"}}}}},
	"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]}}`

func TestConditions(t *testing.T) {
	it := parse(t, sample)
	for text, want := range map[string]bool{
		"s = :s": false, "s <> :s": true, "s > :s": true, "s >= :s": true, "s < :s": false, "s <= :s": false,
		"n = :2": true, ":2 = n": true, "n > :1": true, "n < s": false, "n > s": false, "n <> s": true, "n between :1 and :3": true, "n BETWEEN :2 AND :2": true,
		"n between :3 and :3": false, "n in (:1, :2)": true, "n IN (:1, :3)": false, "n IN (:x)": false,
		"gone = :1": false, "gone <> :1": true, "gone < :1": false, "gone between :1 and :2": false, "gone IN (:1)": false, "NOT gone = :1": true,
		"attribute_exists(s)": true, "attribute_exists(gone)": false, "attribute_not_exists(gone)": true, "attribute_not_exists(m.k)": false,
		"attribute_exists(m.nested.n)": true, "attribute_exists(l[2].deep)": true, "attribute_exists(l[3])": false, "attribute_exists(s[0])": false, "attribute_exists(s.x)": false,
		"attribute_type(s, :ts)": true, "attribute_type(n, :ts)": false, "attribute_type(gone, :ts)": false,
		"begins_with(s, :s)": true, "begins_with(s, :x)": false, "begins_with(bin, :b)": true, "begins_with(n, :s)": false, "begins_with(gone, :s)": false,
		"contains(s, :s)": true, "contains(s, :x)": false, "contains(ss, :x)": false, "contains(l, :1)": true, "contains(l, :2)": false, "contains(ns, :2)": true,
		"contains(n, :2)": false, "contains(gone, :1)": false, "contains(ss, :1)": false,
		"size(s) > :3": true, "size(l) = :3": true, "size(m) = :2": true, "size(ss) = :2": true, "size(bin) = :3": true, "size(n) = :1": false, "size(gone) = :0": false,
		":2 < size(l)": true, "size(l) BETWEEN :1 AND :3": true,
		"#n = :x OR #a = :x OR #dot > :3": true, "z = :t AND nil = :null": true, "ss = :ss": true, "m.nested.n > :3": true, "l[1] = :x": false, "m = :m": false,
		"n = :1 OR n = :2 AND s = :x":                           false, // AND binds tighter
		"(n = :2 OR n = :1) AND (s > :x OR NOT (s = :x))":       true,
		"NOT n = :1 AND NOT n = :3":                             true,
		"NOT NOT n = :2":                                        true,
		"not(n=:2)or(n=:2)":                                     true,
		"\n n\t= \r\n:2 ":                                       true,
		"attribute_exists(s) and not attribute_exists(gone)":    true,
		"attribute_not_exists(gone) OR gone < :1":               true,
		"(attribute_not_exists(gone)) AND (begins_with(s, :s))": true,
	} {
		c, err := expression.ParseCondition(expression.KindCondition, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		b, err := c.Bind(args(t))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := b.Matches(it); got != want {
			t.Errorf("%s: got %t, want %t", text, got, want)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "Invalid ConditionExpression: The expression can not be empty;",
		"  ":                      "The expression can not be empty;",
		"s":                       `Syntax error; token: "<EOF>", near: "s<EOF>"`,
		"s =":                     `Syntax error; token: "<EOF>", near: "=<EOF>"`,
		"s = = :s":                `Syntax error; token: "=", near: "= = :s"`,
		"s & :s":                  `Syntax error; token: "&", near: "s & :s"`,
		"s = :s :s":               `Syntax error; token: ":s", near: ":s :s"`,
		"s = :s AND":              `token: "<EOF>"`,
		"(s = :s":                 `token: "<EOF>"`,
		"s = :s)":                 `token: ")"`,
		"((s = :s))":              "The expression has redundant parentheses;",
		"s BETWEEN :s OR :s":      `token: "OR"`,
		"s IN ()":                 `token: ")"`,
		"s. = :s":                 `token: "="`,
		"l[a] = :s":               `token: "a"`,
		"l[99999999999] = :s":     "List index is not within the allowable range",
		"# = :s":                  `token: "#"`,
		"s = :":                   `token: ":"`,
		"s = 5":                   `token: "5"`,
		"s = 'x'":                 `token: "'"`,
		"name = :s":               "Attribute name is a reserved keyword; reserved keyword: name",
		"m.Status = :s":           "Attribute name is a reserved keyword; reserved keyword: Status",
		"#x = :s":                 "An expression attribute name used in the document path is not defined; attribute name: #x",
		"s = :q":                  "An expression attribute value used in expression is not defined; attribute value: :q",
		"nope(s)":                 "Invalid function name; function: nope",
		"Begins_With(s, :s)":      "Invalid function name; function: Begins_With",
		"attribute_exists(s, n)":  "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
		"begins_with(s)":          "operator or function: begins_with, number of operands: 1",
		"size(s, n) = :1":         "operator or function: size, number of operands: 2",
		"attribute_exists(:s)":    "Operator or function requires a document path; operator or function: attribute_exists",
		"size(s)":                 "The function is not allowed to be used this way in an expression; function: size",
		"contains(s, :s) = :s":    `token: "="`,
		"if_not_exists(s, :s)":    "The function is not allowed in a condition expression; function: if_not_exists",
		"begins_with(s, :1)":      "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
		"s < :t":                  "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
		"attribute_type(s, :bad)": "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
		"attribute_type(s, :1)":   "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
		"n BETWEEN :2 AND :1":     "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
		"n BETWEEN :2 AND :s":     "The BETWEEN operator requires same data type for lower and upper bounds",
		"s = s":                   "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [s]",
		"s IN (" + strings.Repeat(":s, ", 100) + ":s)": "operator or function: IN, number of operands: 101",
		strings.Repeat("x", 4097):                      "Expression size has exceeded the maximum allowed size;  expression size: 4097",
	} {
		c, err := expression.ParseCondition(expression.KindCondition, text)
		if err == nil {
			_, err = c.Bind(args(t))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got  %v\nwant %s", text, err, want)
		}
	}
}

func TestUpdates(t *testing.T) {
	const before = `{"n":{"N":"5"},"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"3"}]},"m":{"M":{"k":{"S":"v"}}},"ss":{"SS":["a","b"]},"s":{"S":"old"}}`
	for _, tc := range []struct{ update, want string }{
		{"SET s = :s, fresh = :1", `{"s":{"S":"abc"},"fresh":{"N":"1"}}`},
		{"SET n = n + :1", `{"n":{"N":"6"}}`},
		{"SET n = :1 - n", `{"n":{"N":"-4"}}`},
		{"SET n = if_not_exists(n, :0) + :1, c = if_not_exists(c, :0) + :1", `{"n":{"N":"6"},"c":{"N":"1"}}`},
		{"SET s = n, n = :1", `{"s":{"N":"5"},"n":{"N":"1"}}`}, // the right side is of the old item
		{"SET l = list_append(l, :l)", `{"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"3"},{"N":"1"}]}}`},
		{"SET k = list_append(if_not_exists(k, :l), :l)", `{"k":{"L":[{"N":"1"},{"N":"1"}]}}`},
		{"SET l[1] = :s, l[9] = :x", `{"l":{"L":[{"N":"0"},{"S":"abc"},{"N":"2"},{"N":"3"},{"S":"x"}]}}`},
		{"SET m.k2 = :1, m.k = :s", `{"m":{"M":{"k":{"S":"abc"},"k2":{"N":"1"}}}}`},
		{"REMOVE s, gone, m.k, m.gone, l[17]", `{"s":null,"m":{"M":{}}}`},
		{"REMOVE l[0], l[2]", `{"l":{"L":[{"N":"1"},{"N":"3"}]}}`},
		{"REMOVE l[2] SET l[3] = :s", `{"l":{"L":[{"N":"0"},{"N":"1"},{"S":"abc"}]}}`},
		{"ADD n :2, c :1, ss :ss2, ns :ns", `{"n":{"N":"7"},"c":{"N":"1"},"ss":{"SS":["a","b","c"]},"ns":{"NS":["1","2"]}}`},
		{"DELETE ss :ss2, gone :ss", `{"ss":{"SS":["a"]}}`},
		{"DELETE ss :ss", `{"ss":null}`},
		{"set s = :s remove n add c :1 delete ss :ss2", `{"s":{"S":"abc"},"n":null,"c":{"N":"1"},"ss":{"SS":["a"]}}`},
		{"SET n = (n + :1)", `{"n":{"N":"6"}}`},
		{"ADD m.hits :1", `{"m":{"M":{"hits":{"N":"1"},"k":{"S":"v"}}}}`},
	} {
		t.Run(tc.update, func(t *testing.T) {
			old := parse(t, before)
			u, err := expression.ParseUpdate(tc.update)
			if err != nil {
				t.Fatal(err)
			}
			b, err := u.Bind(args(t))
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.Apply(old)
			if err != nil {
				t.Fatal(err)
			}
			if !old.Equal(parse(t, before)) {
				t.Error("the old item has changed")
			}
			if want := overlay(t, before, tc.want); !got.Equal(want) {
				t.Errorf("got  %s\nwant %s", got.AppendJSON(nil), want.AppendJSON(nil))
			}
		})
	}
}

// overlay is an item with changed attributes; null removes one.
func overlay(t *testing.T, base, changes string) item.Item {
	t.Helper()
	it := parse(t, base)
	r := jsonio.NewReader(changes)
	err := r.Map(func(name string) error {
		if r.Null() {
			it = it.Without(name)
			return nil
		}
		v, err := item.ReadValue(r)
		it = it.With(name, v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestUpdateErrors(t *testing.T) {
	it := parse(t, sample)
	for text, want := range map[string]string{
		"":                              "The expression can not be empty;",
		"SET":                           `Syntax error; token: "<EOF>", near: "SET<EOF>"`,
		"SET s":                         `token: "<EOF>"`,
		"SET s = :s,":                   `token: "<EOF>"`,
		"s = :s":                        `Syntax error; token: "s", near: "s ="`,
		"SET s = :s SET n = :1":         `The "SET" section can only be used once in an update expression;`,
		"SET s = :s, s = :x":            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [s], path two: [s]",
		"SET m = :m REMOVE m.k":         "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, k]",
		"SET m.k = :s, m[0] = :s":       "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, k], path two: [m, [0]]",
		"SET status = :s":               "Attribute name is a reserved keyword; reserved keyword: status",
		"SET s = gone":                  "The provided expression refers to an attribute that does not exist in the item",
		"SET s = gone + :1":             "The provided expression refers to an attribute that does not exist in the item",
		"SET n = s + :1":                "An operand in the update expression has an incorrect data type",
		"SET n = n + :s":                "Incorrect operand type for operator or function; operator or function: +, operand type: S",
		"SET l = list_append(l, s)":     "An operand in the update expression has an incorrect data type",
		"SET l = list_append(l, :s)":    "Incorrect operand type for operator or function; operator or function: list_append, operand type: S",
		"SET gone.a = :s":               "The document path provided in the update expression is invalid for update",
		"SET s.a = :s":                  "The document path provided in the update expression is invalid for update",
		"SET m[0] = :s":                 "The document path provided in the update expression is invalid for update",
		"REMOVE gone.a":                 "The document path provided in the update expression is invalid for update",
		"ADD s :1":                      "An operand in the update expression has an incorrect data type",
		"ADD s :s":                      "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
		"DELETE ss :1":                  "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND",
		"DELETE ns :ss":                 "An operand in the update expression has an incorrect data type",
		"SET s = size(s)":               "The function is not allowed in an update expression; function: size",
		"SET s = nope(s)":               "Invalid function name; function: nope",
		"SET s = if_not_exists(s)":      "Incorrect number of operands for operator or function; operator or function: if_not_exists, number of operands: 1",
		"SET s = if_not_exists(:s, :s)": "Operator or function requires a document path; operator or function: if_not_exists",
		"ADD n n":                       `token: "n"`,
	} {
		u, err := expression.ParseUpdate(text)
		var b *expression.BoundUpdate
		if err == nil {
			b, err = u.Bind(args(t))
		}
		if err == nil {
			_, err = b.Apply(it)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got  %v\nwant %s", text, err, want)
		}
	}
}

func TestProjections(t *testing.T) {
	it := parse(t, sample)
	for text, want := range map[string]string{
		"s, n":               `{"n":{"N":"2"},"s":{"S":"abcdef"}}`,
		"#n, #dot":           `{"name":{"S":"bob"},"x.y":{"N":"7"}}`,
		"gone, m.gone, s[1]": `{}`,
		"m.nested.n, m.k":    `{"m":{"M":{"k":{"S":"v"},"nested":{"M":{"n":{"N":"5"}}}}}}`,
		"l[2].deep, l[0]":    `{"l":{"L":[{"N":"1"},{"M":{"deep":{"S":"yes"}}}]}}`,
		"l[1], l[7]":         `{"l":{"L":[{"S":"two"}]}}`,
	} {
		p, err := expression.ParseProjection(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		b, err := p.Bind(args(t))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := string(b.Apply(it).AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"s,":        `token: "<EOF>"`,
		"s n":       `token: "n"`,
		"a, #a":     "Two document paths overlap",
		"m, m.k":    "Two document paths overlap",
		"user":      "reserved keyword: user",
		"size(s)":   "reserved keyword: size",
		"l[0], l.a": "Two document paths conflict",
	} {
		p, err := expression.ParseProjection(text)
		if err == nil {
			_, err = p.Bind(args(t))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestKeyConditions(t *testing.T) {
	key := func(text, sort string) (expression.KeyCondition, error) {
		c, err := expression.ParseCondition(expression.KindKeyCondition, text)
		if err != nil {
			return expression.KeyCondition{}, err
		}
		b, err := c.Bind(args(t))
		if err != nil {
			return expression.KeyCondition{}, err
		}
		return b.Key("PK", sort)
	}
	for text, op := range map[string]string{
		"PK = :s": "", "PK = :s AND SK = :x": "=", "SK >= :x AND PK = :s": ">=", "(PK = :s) AND (begins_with(SK, :x))": "begins_with",
		"PK = :s and SK between :ab and :x": "BETWEEN",
	} {
		got, err := key(text, "SK")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.Hash.Text != "abc" || (got.Range == nil) != (op == "") || (got.Range != nil && got.Range.Op != op) {
			t.Errorf("%s: got %+v", text, got)
		}
	}
	for text, want := range map[string]string{
		"SK = :s":                          "Query condition missed key schema element: PK",
		"elsewhere = :s":                   "Query condition missed key schema element: PK",
		"PK = :s AND elsewhere = :x":       "Query condition missed key schema element: SK",
		"PK > :s":                          "Query key condition not supported",
		"PK = :s OR SK = :x":               "Invalid operator used in KeyConditionExpression: OR",
		"NOT PK = :s":                      "Invalid operator used in KeyConditionExpression: NOT",
		"PK <> :s":                         "Invalid operator used in KeyConditionExpression: <>",
		"PK = :s AND contains(SK, :x)":     "Invalid operator used in KeyConditionExpression: contains",
		"PK = :s AND SK IN (:x)":           "Invalid operator used in KeyConditionExpression: IN",
		"PK = :s AND PK = :x":              "KeyConditionExpressions must only contain one condition per key",
		"PK = :s AND SK > :ab AND SK < :x": "Conditions can be of length 1 or 2 only",
		"PK.a = :s":                        "KeyConditionExpressions cannot have conditions on nested attributes",
		"PK = SK":                          "Multiple attribute names used in one condition",
	} {
		if _, err := key(text, "SK"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := key("PK = :s AND SK = :x", ""); err == nil {
		t.Error("a condition on a sort key that the table has not was accepted")
	}
}

func TestUnused(t *testing.T) {
	a := args(t)
	p, err := expression.ParseProjection("#n, #a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Bind(a); err != nil {
		t.Fatal(err)
	}
	want := "Value provided in ExpressionAttributeNames unused in expressions: keys: {#dot}"
	if err := a.Unused(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCacheForgets(t *testing.T) {
	var c expression.Cache
	for range 2 {
		for i := range 2000 {
			text := "a" + strings.Repeat("b", i)
			if _, err := c.Projection(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, _ := c.Projection("z")
	second, _ := c.Projection("z")
	if first != second {
		t.Error("an expression just parsed was parsed again")
	}
	if _, err := c.Update("z"); err == nil {
		t.Error("a projection came back as an update")
	}
}

// FuzzExpression checks that no text makes parser or evaluation panic, and that every
// condition and its negation differ.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"s = :s AND (n < :2 OR NOT contains(ss, :x))", "a[0].b.#n BETWEEN :1 AND :2", "size(l) IN (:1, :2)", "SET l[1] = list_append(l, :l), m.k = :s REMOVE x ADD n :1 DELETE ss :ss",
		"SET n = if_not_exists(n, :0) - (:1)", "s, m.nested, l[0]", "((((", "#", ":", "a.b.c[", "attribute_type(s, :ts)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		it, bound := parse(t, sample), args(t)
		if c, err := expression.ParseCondition(expression.KindFilter, text); err == nil {
			if b, err := c.Bind(bound); err == nil {
				_, _ = b.Key("s", "n")
				n, err := expression.ParseCondition(expression.KindFilter, "NOT ("+text+")")
				if err == nil {
					not, err := n.Bind(bound)
					if err != nil || not.Matches(it) == b.Matches(it) {
						t.Fatalf("%q and its negation agree, %v", text, err)
					}
				}
			}
		}
		if u, err := expression.ParseUpdate(text); err == nil {
			if b, err := u.Bind(bound); err == nil {
				if after, err := b.Apply(it); err == nil {
					b.Updated(after)
					if _, err := item.Decode(after.Append(nil)); err != nil {
						t.Fatalf("%q leaves an item that cannot be stored: %v", text, err)
					}
				}
				if !it.Equal(parse(t, sample)) {
					t.Fatalf("%q changed the old item", text)
				}
			}
		}
		if p, err := expression.ParseProjection(text); err == nil {
			if b, err := p.Bind(bound); err == nil {
				b.Apply(it)
			}
		}
	})
}
