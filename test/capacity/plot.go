package main

import (
	"fmt"
	"math"
	"strings"
)

// Colours that can be read on white and on black.
const (
	ink   = "#808890"
	blue  = "#2f81f7"
	amber = "#d97706"
)

// panel is a plot with logarithmic axes: x from 10 to 1,000,000.
type panel struct {
	b           *strings.Builder
	left, top   float64
	low, high   int // the y axis, in powers of ten
	title, unit string
}

const (
	wide, tall = 360.0, 300.0 // of a panel, in pixels
	maxX       = 6            // powers of ten
)

// Plot draws the time to the last delivery and the cost over the number of
// connections, as an SVG image.
func (r *Report) Plot() string {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 980 430" font-family="system-ui, sans-serif" font-size="13" fill="` + ink + `">` + "\n" +
		"<title>Time to the last delivery and cost of one message, by the number of connections (simulated)</title>\n")
	half := len(r.sizes) / 2
	all, few := r.sizes[:half], r.sizes[half:]
	last := func(s *scenario) float64 { return s.lastDelivery().Seconds() }

	time := panel{&b, 80, 50, -1, 4, "Time to the last delivery", "seconds"}
	time.axes()
	time.line("floor", ink, all, func(s *scenario) float64 { return s.atQuota().Seconds() })
	time.line("", blue, all, last)
	time.line("", amber, few, last)
	cost := panel{&b, 570, 50, -5, 1, "Cost of one message", "US dollars"}
	cost.axes()
	cost.line("", blue, all, (*scenario).messageCost)
	cost.line("", amber, few, (*scenario).messageCost)

	for i, entry := range []struct{ colour, dash, text string }{
		{blue, "", "all members online"},
		{amber, "", "2 % of the members online"},
		{ink, ` stroke-dasharray="6 5"`, "all posts at 10,000 a second, the quota"},
	} {
		x := 80 + 280*float64(i)
		fmt.Fprintf(&b, `<line x1="%g" y1="415" x2="%g" y2="415" stroke="%s" stroke-width="2.5"%s/><text x="%g" y="419">%s</text>`+"\n",
			x, x+36, entry.colour, entry.dash, x+44, entry.text)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p panel) x(power float64) float64 { return p.left + (power-1)/(maxX-1)*wide }
func (p panel) y(power float64) float64 {
	return p.top + tall - (power-float64(p.low))/float64(p.high-p.low)*tall
}

func (p panel) axes() {
	fmt.Fprintf(p.b, `<text x="%g" y="%g" font-size="16" text-anchor="middle">%s</text>`+"\n", p.left+wide/2, p.top-20, p.title)
	for power := 1; power <= maxX; power++ {
		x := p.x(float64(power))
		p.grid(x, p.top, x, p.top+tall)
		fmt.Fprintf(p.b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", x, p.top+tall+18, thousands(int(math.Pow10(power))))
	}
	for power := p.low; power <= p.high; power++ {
		y := p.y(float64(power))
		p.grid(p.left, y, p.left+wide, y)
		label := fmt.Sprintf("%.*f", max(-power, 0), math.Pow10(power))
		if power > 2 {
			label = thousands(int(math.Pow10(power)))
		}
		fmt.Fprintf(p.b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`+"\n", p.left-8, y+4, label)
	}
	fmt.Fprintf(p.b, `<text x="%g" y="%g" text-anchor="middle">connections</text>`+"\n", p.left+wide/2, p.top+tall+38)
	fmt.Fprintf(p.b, `<text transform="translate(%g %g) rotate(-90)" text-anchor="middle">%s</text>`+"\n", p.left-64, p.top+tall/2, p.unit)
}

func (p panel) grid(x1, y1, x2, y2 float64) {
	fmt.Fprintf(p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.3"/>`+"\n", x1, y1, x2, y2, ink)
}

// line draws values over the connections of scenarios; a floor is dashed, has
// no points, and begins where it meets the axis.
func (p panel) line(kind, colour string, scenarios []*scenario, value func(*scenario) float64) {
	var points, dots []string
	for _, s := range scenarios {
		x, y := p.x(math.Log10(float64(s.Online))), p.y(math.Log10(value(s)))
		if y > p.top+tall {
			continue
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
		dots = append(dots, fmt.Sprintf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, colour))
	}
	dash := ""
	if kind == "floor" {
		dash, dots = ` stroke-dasharray="6 5"`, nil
	}
	fmt.Fprintf(p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"%s/>%s`+"\n",
		strings.Join(points, " "), colour, dash, strings.Join(dots, ""))
}
