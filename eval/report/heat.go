package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
)

// HeatMaps stand side by side.
type HeatMaps struct {
	Title string
	Note  string
	Maps  []HeatMap
}

// HeatMap is a matrix as a picture: a square an element, rows from the top.
// Values from 0 on go from light to dark, negative ones in another colour. NaN is
// grey.
type HeatMap struct {
	Title  string
	Values [][]float64 // rows of equal length
	Top    float64     // the darkest magnitude; 0: the largest there is
}

func (b HeatMaps) view(*renderer) (string, any) {
	type picture struct {
		Title, Alt    string
		Source        template.URL
		Width, Height int
	}
	out := struct {
		Title, Note string
		Maps        []picture
	}{Title: b.Title, Note: b.Note}
	for _, m := range b.Maps {
		rows, cols := len(m.Values), 0
		if rows > 0 {
			cols = len(m.Values[0])
		}
		out.Maps = append(out.Maps, picture{
			Title: m.Title, Alt: fmt.Sprintf("%s: heat map of %d rows and %d columns", m.Title, rows, cols),
			Source: m.source(rows, cols), Width: cols, Height: rows,
		})
	}
	return "heatmaps", out
}

// source is the picture as a data URL: one pixel an element.
func (m *HeatMap) source(rows, cols int) template.URL {
	top := m.Top
	if top == 0 {
		for _, row := range m.Values {
			for _, x := range row {
				if !math.IsNaN(x) {
					top = max(top, math.Abs(x))
				}
			}
		}
	}
	p := image.NewNRGBA(image.Rect(0, 0, max(1, cols), max(1, rows)))
	for i, row := range m.Values {
		if len(row) != cols {
			panic(fmt.Sprintf("report: heat map %q: row %d has %d values, the first %d", m.Title, i, len(row), cols))
		}
		for j, x := range row {
			p.SetNRGBA(j, i, heat(x, top))
		}
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, p); err != nil {
		panic("report: " + err.Error()) // a buffer takes all
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes()))
}

// The ends of the two scales; both begin at white.
var warm, cold = color.NRGBA{0x8c, 0x1d, 0x40, 0xff}, color.NRGBA{0x1f, 0x4e, 0x9c, 0xff}

func heat(x, top float64) color.NRGBA {
	if math.IsNaN(x) {
		return color.NRGBA{0x80, 0x80, 0x80, 0xff}
	}
	end := warm
	if x < 0 {
		end = cold
	}
	share := 0.0
	if top > 0 {
		share = min(1, math.Abs(x)/top)
	}
	mix := func(c uint8) uint8 { return uint8(math.Round(255 + share*(float64(c)-255))) }
	return color.NRGBA{mix(end.R), mix(end.G), mix(end.B), 0xff}
}
