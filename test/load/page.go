package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page returns reports as one HTML file that needs nothing else.
func page(reports []Report) ([]byte, error) {
	view := struct {
		Reports []Report
		Lines   []line
		Charts  []chart
	}{Reports: reports, Lines: comparison(reports)}
	for _, c := range []struct {
		title string
		of    func(Report) Latency
	}{
		{"Send to ack", func(r Report) Latency { return r.Ack }},
		{"Send to each delivery", func(r Report) Latency { return r.Each }},
		{"Send to last delivery", func(r Report) Latency { return r.Last }},
	} {
		drawn, err := percentiles(c.title, reports, c.of)
		if err != nil {
			return nil, err
		}
		view.Charts = append(view.Charts, drawn)
	}
	view.Charts = append(view.Charts,
		overTime("Send to last delivery, p99 of each second", "ms", reports, func(s Second) float64 { return s.Last.P99 }),
		overTime("Deliveries a second", "", reports, func(s Second) float64 { return float64(s.Delivered) }),
		overTime("Acks a second", "", reports, func(s Second) float64 { return float64(s.Acked) }))
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, view)
	return out.Bytes(), err
}

// line is a row of the table: a figure of each report.
type line struct {
	Name  string
	Cells []string
}

func comparison(reports []Report) (lines []line) {
	for i, f := range reports[0].figures() {
		l := line{Name: f.name}
		for _, r := range reports {
			cell := ""
			if all := r.figures(); i < len(all) && all[i].name == f.name {
				cell = strconv.FormatFloat(all[i].value, 'f', f.decimals, 64)
			}
			l.Cells = append(l.Cells, cell)
		}
		lines = append(lines, l)
	}
	return append(lines, counted(reports)...)
}

func counted(reports []Report) (lines []line) {
	for _, c := range []struct {
		name string
		of   func(Report) int64
	}{
		{"messages sent", func(r Report) int64 { return r.Sent }},
		{"deliveries", func(r Report) int64 { return r.Delivered }},
		{"lost", func(r Report) int64 { return r.Lost }},
		{"doubled", func(r Report) int64 { return r.Doubled }},
		{"late", func(r Report) int64 { return r.Late }},
	} {
		l := line{Name: c.name}
		for _, r := range reports {
			l.Cells = append(l.Cells, strconv.FormatInt(c.of(r), 10))
		}
		lines = append(lines, l)
	}
	return lines
}

// A chart is drawn in a box of this size, in the units of its viewBox.
const (
	chartWidth, chartHeight = 560, 260
	left, right, top, base  = 56, 548, 12, 226
)

type chart struct {
	Title  string
	Curves []curve
	X, Y   []tick
}

type curve struct {
	Name   string
	Points string // of an SVG polyline
}

type tick struct {
	At   float64
	Text string
}

// scale maps values of an axis to the box.
type scale struct {
	from, to float64 // values
	min, max float64 // of the box
}

func (s scale) at(v float64) float64 {
	return s.min + (s.max-s.min)*(v-s.from)/(s.to-s.from)
}

// percentiles draws distributions: a percentile's distance from 100 % and its
// latency, both on logarithmic scales, so that the tail is as wide as the rest.
func percentiles(title string, reports []Report, of func(Report) Latency) (chart, error) {
	c := chart{Title: title}
	least, most := math.Inf(1), 0.1
	for _, r := range reports {
		if l := of(r); l.Count > 0 {
			least, most = min(least, l.P50), max(most, l.Max)
		}
	}
	least = min(least, most)
	y := scale{from: math.Floor(math.Log10(max(least/2, 0.01))), to: math.Ceil(math.Log10(most)), min: base, max: top}
	x := scale{from: 0, to: 4, min: left, max: right}
	for nines, text := range map[float64]string{0: "0", 0.30103: "50", 1: "90", 2: "99", 3: "99.9", 4: "99.99 %"} {
		c.X = append(c.X, tick{x.at(nines), text})
	}
	for power := y.from; power <= y.to; power++ {
		c.Y = append(c.Y, tick{y.at(power), strconv.FormatFloat(math.Pow(10, power), 'g', -1, 64) + " ms"})
	}
	for _, r := range reports {
		histogram, err := of(r).decode()
		if err != nil {
			return c, err
		}
		if histogram.TotalCount() == 0 {
			continue
		}
		var points strings.Builder
		const steps = 80
		for step := range steps + 1 {
			nines := x.to * float64(step) / steps
			ms := max(float64(histogram.ValueAtPercentile(100*(1-math.Pow(10, -nines))))/1000, math.Pow(10, y.from))
			fmt.Fprintf(&points, "%.1f,%.1f ", x.at(nines), y.at(math.Log10(ms)))
		}
		c.Curves = append(c.Curves, curve{r.Name, points.String()})
	}
	return c, nil
}

// overTime draws a value of each whole second in which messages were sent.
func overTime(title, unit string, reports []Report, of func(Second) float64) chart {
	c := chart{Title: title}
	seconds, most := 1, 1.0
	for _, r := range reports {
		seconds = max(seconds, len(r.whole()))
		for _, s := range r.whole() {
			most = max(most, of(s))
		}
	}
	x := scale{from: 0, to: float64(max(seconds-1, 1)), min: left, max: right}
	y := scale{from: 0, to: most, min: base, max: top}
	for second := 0.0; second <= x.to; second += math.Ceil(x.to / 5) {
		c.X = append(c.X, tick{x.at(second), strconv.FormatFloat(second, 'f', 0, 64) + " s"})
	}
	for i := range 5 {
		value := most * float64(i) / 4
		c.Y = append(c.Y, tick{y.at(value), strings.TrimSpace(strconv.FormatFloat(value, 'f', 0, 64) + " " + unit)})
	}
	for _, r := range reports {
		var points strings.Builder
		for i, s := range r.whole() {
			fmt.Fprintf(&points, "%.1f,%.1f ", x.at(float64(i)), y.at(of(s)))
		}
		c.Curves = append(c.Curves, curve{r.Name, points.String()})
	}
	return c
}

// whole are the whole seconds in which messages were sent and measured.
func (r Report) whole() []Second { return r.Seconds[:min(len(r.Seconds), int(r.Elapsed))] }
