package item_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/streamroom/streamroom/local/dynamodb/item"
)

// drawKey draws a value that a key can have, with bytes that its order escapes or ends with.
func drawKey(t *rapid.T) item.Value {
	kind := rapid.SampledFrom([]item.Kind{item.S, item.N, item.B}).Draw(t, "kind")
	if kind != item.N {
		bytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0x7f, 0x80, 0xfe, 0xff}), 0, 8)
		return item.Value{Kind: kind, Text: string(bytes.Draw(t, "bytes"))}
	}
	digits := rapid.StringMatching(`-?[0-9]{1,38}`).Draw(t, "digits")
	number, err := item.ParseNumber(fmt.Sprintf("%se%d", digits, rapid.IntRange(-130, 88).Draw(t, "power")))
	if err != nil {
		number = "0" // it is out of range
	}
	return item.Value{Kind: kind, Text: number}
}

func TestCutOrdered_IsTheInverseOfAppendOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Custom(drawKey), 1, 3).Draw(t, "keys")
		var ordered []byte
		for _, key := range keys {
			ordered = key.AppendOrdered(ordered)
		}
		rest := string(ordered)
		for _, want := range keys {
			var got string
			var ok bool
			if got, rest, ok = item.CutOrdered(want.Kind, rest); !ok || got != want.Text {
				t.Fatalf("got %q, %t from %q, want %v", got, ok, ordered, want)
			}
		}
		if rest != "" {
			t.Fatalf("%q is left of %q", rest, ordered)
		}
		ordered = keys[0].AppendOrdered(nil)
		for i := range ordered {
			if got, _, ok := item.CutOrdered(keys[0].Kind, string(ordered[:i])); ok {
				t.Fatalf("the first %d bytes of %q are %q", i, ordered, got)
			}
		}
	})
}

func FuzzCutOrdered(f *testing.F) {
	f.Add("a\x00\xffb\x00\x01tail")
	f.Add("\x00\x02")
	f.Add("\x81\x00\x82" + strings.Repeat("1", 39) + "\x00")
	f.Add("\x7e\xff\x7d\xce\xff")
	f.Add("\x80")
	f.Fuzz(func(t *testing.T, s string) {
		_, _, _ = item.CutOrdered(item.N, s) // its digits may be anything
		text, rest, ok := item.CutOrdered(item.S, s)
		if again := item.Text(text).AppendOrdered(nil); ok && string(again)+rest != s {
			t.Fatalf("%q begins with %q, whose order is %q", s, text, again)
		}
	})
}

func TestDecodeWith_AddsWhatWasLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var whole item.Item
		var left []item.Key
		var names []string
		for _, name := range []string{"", "A", "B", "a", "aa", "b"} {
			if !rapid.Bool().Draw(t, "has "+name) {
				continue
			}
			a := item.Attribute{Name: name, Value: drawKey(t)}
			whole = append(whole, a)
			if rapid.Bool().Draw(t, "leaves out "+name) {
				left, names = append(left, item.Key{Name: name, Kind: a.Value.Kind, Text: a.Value.Text}), append(names, name)
			}
		}
		without := whole.AppendWithout(nil, names)
		lost := make(item.Item, rapid.IntRange(0, 8).Draw(t, "lost"))
		for i := range lost { // nothing of these may show
			lost[i] = item.Attribute{Name: "lost", Value: item.Value{Kind: item.M, Bool: true, List: []item.Value{item.Text("lost")}, Map: whole}}
		}
		if got, err := item.DecodeWith(lost, string(without), left); err != nil || !got.Equal(whole) {
			t.Fatalf("got %v, %v, want %v of which %v were left out", got, err, whole, names)
		}
		others := slices.Clone(left)
		for i := range others {
			others[i].Text = "other"
		}
		if got, err := item.DecodeWith(nil, string(whole.Append(nil)), others); err != nil || !got.Equal(whole) {
			t.Fatalf("got %v, %v of an item that has them, want %v", got, err, whole)
		}
		for i := range without {
			if got, err := item.DecodeWith(nil, string(without[:i]), left); err == nil {
				t.Fatalf("the first %d bytes are %v", i, got)
			}
		}
	})
}
