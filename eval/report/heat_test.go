package report

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"math"
	"strings"
	"testing"
)

// TestHeatMaps reads the picture in the page back.
func TestHeatMaps(t *testing.T) {
	p := &Page{Title: "t", Sections: []Section{{Title: "s", Blocks: []Block{HeatMaps{Title: "maps", Maps: []HeatMap{
		{Title: "<one>", Values: [][]float64{{0, 1, -1}, {0.5, math.NaN(), 0}}},
	}}}}}}
	var out bytes.Buffer
	if err := p.Render(&out); err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(out.String(), `src="data:image/png;base64,`)
	if !ok {
		t.Fatalf("no picture in %s", out.String())
	}
	data, _, _ := strings.Cut(rest, `"`)
	data = strings.NewReplacer("&#43;", "+", "&#34;", "").Replace(data)
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if b := picture.Bounds(); b.Dx() != 3 || b.Dy() != 2 {
		t.Fatalf("%v, want 3 by 2", b)
	}
	at := func(x, y int) [3]uint32 {
		r, g, b, _ := picture.At(x, y).RGBA()
		return [3]uint32{r >> 8, g >> 8, b >> 8}
	}
	for _, c := range []struct {
		x, y int
		want [3]uint32
	}{
		{0, 0, [3]uint32{255, 255, 255}}, {1, 0, [3]uint32{0x8c, 0x1d, 0x40}}, {2, 0, [3]uint32{0x1f, 0x4e, 0x9c}},
		{1, 1, [3]uint32{0x80, 0x80, 0x80}}, {0, 1, [3]uint32{198, 142, 160}},
	} {
		if got := at(c.x, c.y); got != c.want {
			t.Errorf("pixel %d, %d is %v, want %v", c.x, c.y, got, c.want)
		}
	}
	if !strings.Contains(out.String(), "&lt;one&gt;") {
		t.Error("the title is not escaped")
	}
}
