package report

import (
	"fmt"
	"math"
	"strings"
)

// LineChart shows how values go over another one, such as loss over steps.
type LineChart struct {
	Title  string
	Note   string
	X, Y   Axis
	Series []Series
	Marks  []Mark
}

// Series is a line. X rises; values that are not finite leave a gap.
type Series struct {
	Name      string
	X, Y      []float64 // of equal length
	Low, High []float64 // a band around Y, or nil
	Dashed    bool
	Faint     bool // thin and pale: the noise behind a smoothed line
	Points    bool // a dot on every point
	Same      bool // the colour of the series before this one
}

// Mark is a horizontal line across the chart, such as a baseline.
type Mark struct {
	Label string
	Y     float64
}

// The size of a chart in its own units; it is scaled to the width of the page.
const (
	chartWidth  = 800.0
	chartHeight = 340.0
	linePoints  = 500 // points of a line that are drawn at most
	hoverPoints = 100 // places of a chart that answer the pointer at most
)

type pathView struct {
	Class string
	D     string
	Area  bool
}

type dotView struct{ X, Y, Class string }

type hitView struct {
	X, Left, Width string
	Title          string
	Dots           []dotView
}

type markView struct{ Y, TextY, Label string }

type legendView struct {
	Class, Name string
	Dashed      bool
}

type lineView struct {
	Number         int
	Title, Note    string
	XLabel, YLabel string
	Left, Right    string
	Top, Bottom    string
	Width, Height  string // of the plot
	XTicks, YTicks []tick
	Paths          []pathView
	Dots           []dotView
	Marks          []markView
	Hits           []hitView
	Legend         []legendView
	Empty          bool
	Summary        string
}

// lineDrawing is a LineChart on its way to a lineView.
type lineDrawing struct {
	*LineChart
	v     *lineView
	x, y  scale
	color []string // class of each series
}

func (c LineChart) view(r *renderer) (string, any) {
	xs, ys := emptySpan(), emptySpan()
	for _, s := range c.Series {
		if len(s.X) != len(s.Y) || s.Low != nil && (len(s.Low) != len(s.Y) || len(s.High) != len(s.Y)) {
			panic(fmt.Sprintf("report: series %q has %d x, %d y, %d low, %d high values", s.Name, len(s.X), len(s.Y), len(s.Low), len(s.High)))
		}
		for i := range s.X {
			for _, y := range s.ys(i) {
				if c.X.shown(s.X[i]) && c.Y.shown(y) {
					xs.add(s.X[i])
					ys.add(y)
				}
			}
		}
	}
	const left, right, top, bottom = 62.0, 784.0, 14.0, 288.0
	v := &lineView{
		Number: r.chart(), Title: c.Title, Note: c.Note, XLabel: c.X.Label, YLabel: c.Y.Label,
		Left: place(left), Right: place(right), Top: place(top), Bottom: place(bottom),
		Width: place(right - left), Height: place(bottom - top), Empty: xs.empty(),
	}
	if v.Empty {
		return "line", v
	}
	for _, m := range c.Marks {
		if c.Y.shown(m.Y) {
			ys.add(m.Y)
		}
	}
	d := &lineDrawing{LineChart: &c, v: v, x: newScale(c.X, xs, left, right, 0), y: newScale(c.Y, ys, bottom, top, 0.05)}
	v.XTicks, v.YTicks = d.x.ticks(8), d.y.ticks(6)
	d.lines()
	d.marks()
	d.hits(left, right)
	return "line", v
}

// ys are the values of point i that must be in the picture.
func (s *Series) ys(i int) []float64 {
	if s.Low == nil {
		return s.Y[i : i+1]
	}
	return []float64{s.Y[i], s.Low[i], s.High[i]}
}

func (d *lineDrawing) shown(s *Series, i int) bool { return d.X.shown(s.X[i]) && d.Y.shown(s.Y[i]) }

// inside says whether a place lies in the plot; an axis may be bounded.
func (d *lineDrawing) inside(x, y float64) bool {
	return x >= d.x.from-0.1 && x <= d.x.to+0.1 && y >= d.y.to-0.1 && y <= d.y.from+0.1
}

func (d *lineDrawing) lines() {
	color := -1
	var names []string
	for k := range d.Series {
		s := &d.Series[k]
		if color < 0 || !s.Same {
			color++
		}
		class := fmt.Sprintf("c%d", color%8)
		d.color = append(d.color, class)
		if s.Name != "" {
			names = append(names, s.Name)
			d.v.Legend = append(d.v.Legend, legendView{class, s.Name, s.Dashed})
		}
		if s.Low != nil {
			d.v.Paths = append(d.v.Paths, pathView{class, d.band(s), true})
		}
		if s.Faint {
			class += " faint"
		}
		if s.Dashed {
			class += " dashed"
		}
		d.v.Paths = append(d.v.Paths, pathView{class, d.line(s), false})
		if s.Points {
			for i := range s.X {
				if x, y := d.x.at(s.X[i]), d.y.at(s.Y[i]); d.shown(s, i) && d.inside(x, y) {
					d.v.Dots = append(d.v.Dots, dotView{place(x), place(y), d.color[k]})
				}
			}
		}
	}
	d.v.Summary = fmt.Sprintf("Line chart: %s against %s", d.Y.Label, d.X.Label)
	if len(names) > 0 {
		d.v.Summary += "; " + strings.Join(names, ", ")
	}
}

// line is the path of a series. Of a long series each narrow column of the
// picture keeps its first, least, greatest and last value, so that no spike is
// lost.
func (d *lineDrawing) line(s *Series) string {
	var b strings.Builder
	pen := "M"
	put := func(i int) {
		fmt.Fprintf(&b, "%s%s %s", pen, place(d.x.at(s.X[i])), place(d.y.at(s.Y[i])))
		pen = "L"
	}
	width := 4 * (d.x.to - d.x.from) / linePoints // of a column
	var column []int
	flush := func() {
		lo, hi := 0, 0
		for k, i := range column {
			if s.Y[i] < s.Y[column[lo]] {
				lo = k
			}
			if s.Y[i] > s.Y[column[hi]] {
				hi = k
			}
		}
		for k, i := range column {
			if k == 0 || k == lo || k == hi || k == len(column)-1 {
				put(i)
			}
		}
		column = column[:0]
	}
	for i := range s.X {
		switch {
		case !d.shown(s, i):
			flush()
			pen = "M" // a gap
		case len(s.X) <= linePoints:
			put(i)
		default:
			if len(column) > 0 && d.x.at(s.X[i]) >= d.x.at(s.X[column[0]])+width {
				flush()
			}
			column = append(column, i)
		}
	}
	flush()
	return b.String()
}

// band is the area between Low and High.
func (d *lineDrawing) band(s *Series) string {
	var there, back []string
	for i := range s.X {
		if d.shown(s, i) && d.Y.shown(s.Low[i]) && d.Y.shown(s.High[i]) {
			x := place(d.x.at(s.X[i]))
			there = append(there, x+" "+place(d.y.at(s.High[i])))
			back = append([]string{x + " " + place(d.y.at(s.Low[i]))}, back...)
		}
	}
	if there == nil {
		return ""
	}
	return "M" + strings.Join(append(there, back...), "L") + "Z"
}

func (d *lineDrawing) marks() {
	for _, m := range d.Marks {
		if !d.Y.shown(m.Y) {
			continue
		}
		y := d.y.at(m.Y)
		text := y - 5
		if text < 26 { // no room above
			text = y + 14
		}
		d.v.Marks = append(d.v.Marks, markView{place(y), place(text), m.Label + "  " + value(m.Y)})
	}
}

// hits are upright strips that show the values of all series at one x.
func (d *lineDrawing) hits(left, right float64) {
	longest := -1
	for k, s := range d.Series {
		if !s.Faint && (longest < 0 || len(s.X) > len(d.Series[longest].X)) {
			longest = k
		}
	}
	if longest < 0 {
		return
	}
	guide := &d.Series[longest]
	var at []int
	for i, last := 0, math.Inf(-1); i < len(guide.X); i++ {
		if x := guide.X[i]; d.X.shown(x) && d.x.at(x) >= last+(right-left)/hoverPoints {
			at, last = append(at, i), d.x.at(x)
		}
	}
	for n, i := range at {
		x := d.x.at(guide.X[i])
		lo, hi := left, right
		if n > 0 {
			lo = (x + d.x.at(guide.X[at[n-1]])) / 2
		}
		if n+1 < len(at) {
			hi = (x + d.x.at(guide.X[at[n+1]])) / 2
		}
		h := hitView{X: place(x), Left: place(lo), Width: place(max(hi-lo, 0.5))}
		h.Title = fmt.Sprintf("%s %s", d.X.Label, value(guide.X[i]))
		for k := range d.Series {
			s := &d.Series[k]
			j := nearest(s.X, guide.X[i])
			if j < 0 || s.Faint || !d.shown(s, j) || !d.inside(d.x.at(s.X[j]), d.y.at(s.Y[j])) || math.Abs(d.x.at(s.X[j])-x) > 2+(hi-lo)/2 {
				continue
			}
			h.Title += fmt.Sprintf("\n%s: %s", s.Name, value(s.Y[j]))
			h.Dots = append(h.Dots, dotView{h.X, place(d.y.at(s.Y[j])), d.color[k]})
		}
		d.v.Hits = append(d.v.Hits, h)
	}
}

// nearest is the index of the value of rising xs next to x, -1 for none.
func nearest(xs []float64, x float64) int {
	best := -1
	for i, v := range xs {
		if best < 0 || math.Abs(v-x) < math.Abs(xs[best]-x) {
			best = i
		}
	}
	return best
}

// value is a number as tooltips say it.
func value(v float64) string {
	if a := math.Abs(v); a >= 1e5 {
		return SI(v, "")
	}
	return fmt.Sprintf("%.4g", v)
}
