package cost

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Table is a part of the answer, for terminals, pages and programs.
type Table struct {
	Title string
	Head  []string
	Rows  [][]Cell
}

// A Cell is a text, or a number with how it is shown.
type Cell struct {
	text   string
	number *float64
}

func text(s string) Cell { return Cell{text: s} }

func number(n float64, show func(float64) string) Cell { return Cell{show(n), &n} }

// dollars is an amount, "" for what doesn't occur.
func dollars(d float64) Cell {
	return number(d, func(d float64) string {
		if d == 0 {
			return ""
		}
		return Dollars(d)
	})
}

// Dollars renders an amount with two decimals, or a small one with two digits.
func Dollars(d float64) string {
	decimals := 2
	for least := 0.1; d > 0 && d < least && decimals < 9; least /= 10 {
		decimals++
	}
	return "$" + thousands(strconv.FormatFloat(d, 'f', decimals, 64))
}

// amount is a number of things, shown in full up to a million.
func amount(n float64) Cell {
	return number(n, func(n float64) string {
		switch {
		case n == 0:
			return ""
		case n >= 1e9:
			return short(n/1e9) + " bn"
		case n >= 1e6:
			return short(n/1e6) + " M"
		case n == math.Trunc(n):
			return thousands(strconv.FormatFloat(n, 'f', 0, 64))
		default:
			return short(n)
		}
	})
}

// count is an amount in a sentence, where none is 0.
func count(n float64) string { return cmp.Or(amount(n).text, "0") }

// short renders a number with three digits or up to two decimals.
func short(n float64) string {
	decimals := 2
	if n >= 100 {
		decimals = 0
	} else if n >= 10 {
		decimals = 1
	}
	s := strconv.FormatFloat(n, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return thousands(s)
}

// thousands puts commas into the whole part of a number.
func thousands(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}

// WriteText writes the table in columns: texts to the left, numbers to the right.
func (t Table) WriteText(w io.Writer) {
	widths := make([]int, len(t.Head))
	for i, h := range t.Head {
		widths[i] = utf8.RuneCountInString(h)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	line := func(cell func(i int) string) {
		var b strings.Builder
		for i := range t.Head {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell(i)))
			if t.isNumber(i) {
				b.WriteString(pad + cell(i))
			} else {
				b.WriteString(cell(i) + pad)
			}
			b.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	if t.Title != "" {
		fmt.Fprintln(w, t.Title+"\n")
	}
	line(func(i int) string { return t.Head[i] })
	for _, row := range t.Rows {
		line(func(i int) string { return row[i].text })
	}
}

// isNumber says whether a column has numbers in most rows.
func (t Table) isNumber(column int) bool {
	n := 0
	for _, row := range t.Rows {
		if row[column].number != nil {
			n++
		}
	}
	return 2*n > len(t.Rows)
}

// WriteMarkdown writes the table for a page, without its title.
func (t Table) WriteMarkdown(w io.Writer) {
	row := func(cell func(i int) string) {
		fmt.Fprint(w, "|")
		for i := range t.Head {
			fmt.Fprint(w, strings.TrimRight(" "+cell(i), " ")+" |")
		}
		fmt.Fprintln(w)
	}
	row(func(i int) string { return t.Head[i] })
	fmt.Fprint(w, "|")
	for i := range t.Head {
		if t.isNumber(i) {
			fmt.Fprint(w, "---:|")
		} else {
			fmt.Fprint(w, "---|")
		}
	}
	fmt.Fprintln(w)
	for _, cells := range t.Rows {
		row(func(i int) string { return cells[i].text })
	}
}

// MarshalJSON renders the rows as objects by the names of their columns.
func (t Table) MarshalJSON() ([]byte, error) {
	rows := make([]map[string]any, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = map[string]any{}
		for j, cell := range row {
			if cell.number != nil {
				rows[i][t.Head[j]] = *cell.number
			} else {
				rows[i][t.Head[j]] = cell.text
			}
		}
	}
	return json.Marshal(map[string]any{"title": t.Title, "rows": rows})
}
