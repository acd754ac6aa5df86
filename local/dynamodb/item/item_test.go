package item_test

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

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

func TestReadItem(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"sorted, last twin wins", `{"b":{"S":"1"},"a":{"S":"2"},"b":{"S":"3"}}`, `{"a":{"S":"2"},"b":{"S":"3"}}`},
		{"numbers are canonical", `{"n":{"N":"+001.2300e1"}}`, `{"n":{"N":"12.3"}}`},
		{"sets are sorted", `{"n":{"NS":["10","9","-1"]},"s":{"SS":["b","a"]}}`, `{"n":{"NS":["-1","9","10"]},"s":{"SS":["a","b"]}}`},
		{"nested", `{"m":{"M":{"l":{"L":[{"NULL":true},{"BOOL":false},{"B":"AP8="}]}}}}`, `{"m":{"M":{"l":{"L":[{"NULL":true},{"BOOL":false},{"B":"AP8="}]}}}}`},
		{"escapes", `{"s":{"S":"\u00e9\ud83d\ude00\/\t\ud800x"}}`, `{"s":{"S":"é😀/\t�x"}}`},
		{"empty values", `{"l":{"L":[]},"m":{"M":{}},"s":{"S":""},"b":{"B":""}}`, `{"b":{"B":""},"l":{"L":[]},"m":{"M":{}},"s":{"S":""}}`},
		{"unknown types beside a known one", `{"a":{"X":1,"S":"s"}}`, `{"a":{"S":"s"}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(parse(t, tc.in).AppendJSON(nil)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestReadItemRefuses(t *testing.T) {
	deep := strings.Repeat(`{"L":[`, 34) + `{"S":""}` + strings.Repeat(`]}`, 34)
	for _, tc := range []struct{ in, want string }{
		{`{"":{"S":"x"}}`, "An attribute name must not be empty"},
		{`{"m":{"M":{"":{"S":"x"}}}}`, "An attribute name must not be empty"},
		{`{"a":{}}`, "is empty, must contain exactly one"},
		{`{"a":null}`, "is empty, must contain exactly one"},
		{`{"a":{"S":"x","N":"1"}}`, "more than one datatypes"},
		{`{"a":{"S":1}}`, "NUMBER_VALUE cannot be converted to String"},
		{`{"a":{"N":1}}`, "NUMBER_VALUE cannot be converted to String"},
		{`{"a":{"N":""}}`, "cannot be converted to a numeric value"},
		{`{"a":{"N":"1x"}}`, "cannot be converted to a numeric value: 1x"},
		{`{"a":{"N":"."}}`, "cannot be converted to a numeric value"},
		{`{"a":{"N":"1e126"}}`, "Number overflow"},
		{`{"a":{"N":"1e99999999999999999999"}}`, "Number overflow"},
		{`{"a":{"N":"1e-131"}}`, "Number underflow"},
		{`{"a":{"N":"123456789012345678901234567890123456789"}}`, "more than 38 significant digits"},
		{`{"a":{"SS":[]}}`, "An string set  may not be empty"},
		{`{"a":{"SS":["x","y","x"]}}`, "Input collection [x, y, x] contains duplicates."},
		{`{"a":{"NS":["1","1.0"]}}`, "contains duplicates"},
		{`{"a":{"NULL":false}}`, "Null attribute value types must have the value of true"},
		{`{"a":{"B":"*"}}`, "base64"},
		{`{"a":"s"}`, "Unexpected field type"},
		{`{"a":` + deep + `}`, "Nesting Levels have exceeded supported limits"},
	} {
		_, err := item.ReadItem(jsonio.NewReader(tc.in))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60s: got %v, want %s", tc.in, err, tc.want)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, in := range []string{
		``, `{`, `{"a"`, `{"a":`, `{"a":{`, `{"a":{"S":"x"}`, `{"a":{"S":"x"}} x`, `{"a":{"S":"x"},}`, `{a:1}`, `{"a":{"S":"` + "\x01" + `"}}`,
		`{"a":{"S":"` + "\xff" + `"}}`, `{"a":{"S":"\x"}}`, `{"a":{"S":"\u12"}}`, `{"a":{"S":"\`, `{"a":{"BOOL":tru}}`, `{"a":{"Y":01}}`, `{"a":{"Y":1.}}`,
		`{"a":{"Y":-}}`, `{"a":{"Y":1e}}`, strings.Repeat(`[`, 100000), strings.Repeat(`{"a":`, 100000),
	} {
		r := jsonio.NewReader(in)
		_, err := item.ReadItem(r)
		if err == nil {
			err = r.End()
		}
		_, syntax := errors.AsType[*jsonio.SyntaxError](err)
		_, mismatch := errors.AsType[*jsonio.TypeError](err)
		if !syntax && !mismatch {
			t.Errorf("%.40q: got %v, want a syntax error", in, err)
		}
	}
}

func TestSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int
	}{
		{`{"ab":{"S":"héé"}}`, 2 + 5},
		{`{"n":{"N":"0"}}`, 1 + 1},
		{`{"n":{"N":"12345"}}`, 1 + 4},
		{`{"n":{"N":"-12345"}}`, 1 + 5},
		{`{"n":{"N":"1200000"}}`, 1 + 2},
		{`{"n":{"N":"0.00012"}}`, 1 + 2},
		{`{"n":{"N":"12.5"}}`, 1 + 3},
		{`{"b":{"B":"AAEC"},"t":{"BOOL":true},"z":{"NULL":true}}`, 4 + 2 + 2},
		{`{"l":{"L":[{"S":"ab"},{"NULL":true}]}}`, 1 + 3 + 1 + 2 + 1 + 1},
		{`{"m":{"M":{"k":{"S":"ab"}}}}`, 1 + 3 + 1 + 1 + 2},
		{`{"s":{"SS":["a","bc"]}}`, 1 + 3},
	} {
		if got := parse(t, tc.in).Size(); got != tc.want {
			t.Errorf("%s: got %d bytes, want %d", tc.in, got, tc.want)
		}
	}
}

func TestArithmetic(t *testing.T) {
	big38 := strings.Repeat("9", 38)
	for _, tc := range []struct{ a, b, sum, difference string }{
		{"1", "2", "3", "-1"},
		{"0.1", "0.2", "0.3", "-0.1"},
		{"99999999999999999", "1", "100000000000000000", "99999999999999998"},
		{"-5", "5", "0", "-10"},
		{big38, "1", "1" + strings.Repeat("0", 38), strings.Repeat("9", 37) + "8"},
		{"1", "0.00001", "1.00001", "0.99999"},
	} {
		if got, err := item.Add(tc.a, tc.b); err != nil || got != tc.sum {
			t.Errorf("%s + %s: got %s, %v, want %s", tc.a, tc.b, got, err, tc.sum)
		}
		if got, err := item.Subtract(tc.a, tc.b); err != nil || got != tc.difference {
			t.Errorf("%s - %s: got %s, %v, want %s", tc.a, tc.b, got, err, tc.difference)
		}
	}
	largest := strings.Repeat("9", 38) + strings.Repeat("0", 88)
	for _, pair := range [][2]string{{largest, largest}, {"1" + strings.Repeat("0", 60), "1"}} {
		if got, err := item.Add(pair[0], pair[1]); err == nil {
			t.Errorf("%s + %s: got %s, want an error", pair[0], pair[1], got)
		}
	}
}

// FuzzNumber checks parsing, order and arithmetic against big.Rat.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "-1", "1.5", "0.001", "1e10", "-1.25e-7", "+00012.3400", "1e125", "1e-130", "9.9E+3", "..", "1e", "", "12345678901234567890", "100"} {
		f.Add(s, "-2.5")
		f.Add("10", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errA := item.ParseNumber(a)
		y, errB := item.ParseNumber(b)
		if errA != nil || errB != nil {
			return
		}
		if again, err := item.ParseNumber(x); err != nil || again != x {
			t.Fatalf("%q became %q, and that %q, %v", a, x, again, err)
		}
		p, q := rational(t, x), rational(t, y)
		if value, ok := new(big.Rat).SetString(strings.TrimPrefix(a, "+")); ok && value.Cmp(p) != 0 { // big.Rat takes no exponent of any length
			t.Fatalf("%q became %q", a, x)
		}
		want := p.Cmp(q)
		if got := item.CompareNumbers(x, y); got != want {
			t.Fatalf("compare %s with %s: got %d, want %d", x, y, got, want)
		}
		if got := bytes.Compare(order(x), order(y)); got != want {
			t.Fatalf("order of %s and %s: got %d, want %d", x, y, got, want)
		}
		if sum, err := item.Add(x, y); err == nil && rational(t, sum).Cmp(new(big.Rat).Add(p, q)) != 0 {
			t.Fatalf("%s + %s = %s", x, y, sum)
		}
		if difference, err := item.Subtract(x, y); err == nil && rational(t, difference).Cmp(new(big.Rat).Sub(p, q)) != 0 {
			t.Fatalf("%s - %s = %s", x, y, difference)
		}
		if len(strings.Trim(x, "-0.")) > 40 {
			t.Fatalf("%q has too many digits", x)
		}
	})
}

func order(n string) []byte { return item.Value{Kind: item.N, Text: n}.AppendOrdered(nil) }

func rational(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
	if !ok {
		t.Fatalf("%q is not a number", s)
	}
	return r
}

// FuzzItem checks that what is read survives both of its forms, and that nothing makes
// the reader panic.
func FuzzItem(f *testing.F) {
	f.Add(`{"a":{"S":"x"},"b":{"N":"1.50"},"c":{"L":[{"M":{"d":{"NS":["2","1"]}}}]},"e":{"B":"AP8="},"f":{"BS":["AA==","AQ=="]}}`)
	f.Add(`{"a":{"NULL":true},"b":{"BOOL":true},"\u0000":{"SS":["\ud83d\ude00"]}}`)
	f.Add(`{"a":{"S":`)
	f.Fuzz(func(t *testing.T, text string) {
		it, err := item.ReadItem(jsonio.NewReader(text))
		if err != nil {
			return
		}
		stored := it.Append(nil)
		back, err := item.Decode(stored)
		if err != nil || !back.Equal(it) {
			t.Fatalf("%q: got %v, %v from its bytes", text, back, err)
		}
		again := parse(t, string(it.AppendJSON(nil)))
		if !again.Equal(it) || !bytes.Equal(again.Append(nil), stored) {
			t.Fatalf("%q: got %v from its JSON", text, again)
		}
		for i := range stored {
			if _, err := item.Decode(stored[:i]); err == nil {
				t.Fatalf("%q: the first %d of %d bytes are an item", text, i, len(stored))
			}
		}
	})
}

// FuzzOrder checks that keys sort as their values do, also with more behind them.
func FuzzOrder(f *testing.F) {
	for _, s := range []string{"", "a", "a\x00", "a\x00b", "ab", "b", "\x00", "\x00\xff", "\x00\x01", "\xff"} {
		f.Add(s, "a", "tail")
		f.Add("a\x00", s, "")
	}
	f.Fuzz(func(t *testing.T, a, b, tail string) {
		x, y := item.Text(a), item.Text(b)
		if a == b {
			return
		}
		keyA, keyB := append(x.AppendOrdered(nil), tail...), append(y.AppendOrdered(nil), "other"...)
		if got, want := bytes.Compare(keyA, keyB), strings.Compare(a, b); got != want {
			t.Fatalf("%q and %q: got order %d, want %d", a, b, got, want)
		}
		if got, want := bytes.HasPrefix(keyA, y.AppendPrefix(nil)), strings.HasPrefix(a, b); got != want {
			t.Fatalf("%q begins with %q: got %t, want %t", keyA, b, got, want)
		}
	})
}
