package report

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// BarChart compares values, each a bar from zero to the right.
type BarChart struct {
	Title string
	Note  string
	Axis  Axis // Log and Min are not used: a bar begins at 0
	Bars  []Bar
	// Groups are names for colours, listed above the chart; nil for one colour.
	Groups []string
}

// Bar is one value. Low and High, where they differ, are its confidence limits.
type Bar struct {
	Label     string
	Value     float64 // at least 0; what is not finite is listed without a bar
	Low, High float64
	Text      string // shown after the bar; "" means the value
	Group     int    // index in Groups
	Tone      Tone   // Accent: the bar that matters; Muted: pale
}

type barView struct {
	Label, LabelY    string
	Text, TextX      string
	Y, Width         string
	Class            string
	Whisker          bool
	LowX, HighX      string
	MidY, CapA, CapB string
	Title            string
}

type barsView struct {
	Number      int
	Title, Note string
	Label       string
	Left, Right string
	Bottom      string
	Height      string
	AxisY       string
	Ticks       []tick
	Bars        []barView
	Legend      []legendView
	Summary     string
}

func (c BarChart) view(r *renderer) (string, any) {
	const row, thick, top, right = 30.0, 18.0, 8.0, 700.0
	longest := 0
	data := span{0, 0}
	for _, b := range c.Bars {
		longest = max(longest, utf8.RuneCountInString(b.Label))
		for _, x := range []float64{b.Value, b.High} {
			if c.Axis.shown(x) {
				data.add(x)
			}
		}
	}
	left := min(60+6.4*float64(longest), 320)
	axis := Axis{Max: c.Axis.Max}
	x := newScale(axis, span{0, data.hi}, left, right, 0)
	if axis.Max == 0 && data.hi == 0 {
		x = scale{lo: 0, hi: 1, from: left, to: right}
	}
	bottom := top + row*float64(len(c.Bars))
	v := &barsView{
		Number: r.chart(), Title: c.Title, Note: c.Note, Label: c.Axis.Label,
		Left: place(left), Right: place(right), Bottom: place(bottom), AxisY: place(bottom + 18), Height: place(bottom + 44),
		Ticks: x.ticks(6), Summary: fmt.Sprintf("Bar chart: %s", c.Axis.Label),
	}
	for i, name := range c.Groups {
		v.Legend = append(v.Legend, legendView{Class: fmt.Sprintf("c%d", i%8), Name: name})
	}
	for i, b := range c.Bars {
		v.Bars = append(v.Bars, b.view(x, top+row*float64(i)+(row-thick)/2, thick))
	}
	if slices.ContainsFunc(c.Bars, func(b Bar) bool { return b.Value < 0 }) {
		panic(fmt.Sprintf("report: chart %q has a bar below 0", c.Title))
	}
	return "bars", v
}

func (b *Bar) view(x scale, y, thick float64) barView {
	v := barView{
		Label: b.Label, LabelY: place(y + thick/2 + 4.5), Y: place(y), Width: "0",
		Class: fmt.Sprintf("c%d", b.Group%8), Text: b.Text, TextX: place(x.from + 8),
	}
	if b.Tone != Plain {
		v.Class += " " + string(b.Tone)
	}
	if math.IsNaN(b.Value) || math.IsInf(b.Value, 0) {
		if v.Text == "" {
			v.Text = "–"
		}
		v.Title = b.Label + ": no value"
		return v
	}
	if v.Text == "" {
		v.Text = value(b.Value)
	}
	end := min(x.at(b.Value), x.to)
	v.Width = place(max(end-x.from, 0.5))
	v.Title = fmt.Sprintf("%s: %s", b.Label, v.Text)
	if b.Low < b.High {
		lo, hi := x.at(max(b.Low, 0)), min(x.at(b.High), x.to)
		v.Whisker, v.LowX, v.HighX = true, place(lo), place(hi)
		v.MidY, v.CapA, v.CapB = place(y+thick/2), place(y+thick/2-4), place(y+thick/2+4)
		v.Title += fmt.Sprintf(" (%s to %s)", value(b.Low), value(b.High))
		end = max(end, hi)
	}
	v.TextX = place(end + 8)
	return v
}
