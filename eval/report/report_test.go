package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/rng"
)

// small has every kind of block once.
func small() *Page {
	return &Page{
		Title: "A small <page>", Subtitle: "seed 1",
		Sections: []Section{
			{Title: "Figures", Note: "What was measured.", Blocks: []Block{
				Cards{{Label: "Parameters", Value: "1.2", Unit: "M"}, {Label: "Bits a byte", Value: "1.61", Note: "5-gram 2.05", Tone: Accent}},
				Table{Title: "Bits a byte", Columns: []Column{Left("model"), Right("bits")}, Rows: []Row{
					{Cells: []string{"ours", "1.61"}, Tone: Accent}, {Cells: []string{"xz", "1.75"}, Tone: Muted}}},
				KeyValues{Title: "Options", Rows: []KeyValue{{"seed", "1"}}},
				Text("One paragraph.\n\nAnother one."),
			}},
			{Title: "Figures", Blocks: []Block{
				LineChart{Title: "Loss", X: Axis{Label: "step"}, Y: Axis{Label: "bits a byte"},
					Series: []Series{
						{Name: "training", X: []float64{0, 1, 2, 3}, Y: []float64{8, 4, math.NaN(), 2}, Faint: true},
						{Name: "validation", X: []float64{0, 3}, Y: []float64{8, 2.5}, Low: []float64{7, 2}, High: []float64{9, 3}, Points: true},
					}, Marks: []Mark{{"5-gram", 2.05}}},
				BarChart{Title: "Parse rate", Axis: Axis{Label: "share"}, Groups: []string{"before", "after"}, Bars: []Bar{
					{Label: "base", Value: 0.12, Low: 0.08, High: 0.18}, {Label: "SFT", Value: 0.4, Group: 1, Tone: Accent}}},
				Samples{{Title: "first", Prompt: "func f() {\n", Text: "\treturn\n}\x00\xff", Badges: []Badge{{"parses", Good}}}},
				Tokens{Title: "chosen", Badges: []Badge{{"1 trained", Good}}, List: []Token{{Text: "<q>\x1b", Title: "id 1"}, {Text: "a", Title: "id 2", Marked: true}}},
				Fold{Summary: "More", Blocks: []Block{Code{Title: "run.json", Text: `{"seed": 1}`}}},
			}},
		},
		Footer: "The end.",
	}
}

func render(t testing.TB, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	got := render(t, small())
	if again := render(t, small()); again != got {
		t.Error("two renderings differ")
	}
	golden.Check(t, "small.html", []byte(got))
}

// check parses a page as XML (the templates write well-formed markup) and
// reports everything that could make a browser ask the network, or run code.
func check(t *testing.T, page string) (text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = true
	d.Entity = xml.HTMLEntity
	ids, links := map[string]bool{}, []string{}
	var all strings.Builder
	var style bool
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			style = e.Name.Local == "style"
			switch e.Name.Local {
			case "script", "iframe", "object", "embed", "img", "audio", "video", "base", "form", "use", "image", "foreignObject":
				t.Errorf("element <%s>", e.Name.Local)
			}
			for _, a := range e.Attr {
				name := strings.ToLower(a.Name.Local)
				switch {
				case name == "id":
					if ids[a.Value] {
						t.Errorf("id %q twice", a.Value)
					}
					ids[a.Value] = true
				case strings.HasPrefix(name, "on"):
					t.Errorf("handler %s on <%s>", name, e.Name.Local)
				case name == "href" && strings.HasPrefix(a.Value, "#"):
					links = append(links, a.Value[1:])
				case name == "href" && a.Value != "data:,", name == "src", name == "srcset", name == "action":
					t.Errorf("<%s %s=%q> leads out of the page", e.Name.Local, name, a.Value)
				case strings.Contains(a.Value, "url(") && !strings.HasPrefix(a.Value, "url(#"):
					t.Errorf("<%s %s=%q> leads out of the page", e.Name.Local, name, a.Value)
				}
			}
		case xml.CharData:
			if style && (bytes.Contains(e, []byte("url(")) || bytes.Contains(e, []byte("@import"))) {
				t.Error("the style sheet loads something")
			}
			all.Write(e)
		}
	}
	for _, l := range links {
		if !ids[l] {
			t.Errorf("link to #%s, which does not exist", l)
		}
	}
	return all.String()
}

func TestStandsAlone(t *testing.T) {
	check(t, render(t, small()))
	check(t, render(t, &Page{}))
	check(t, render(t, demo()))
}

// Whatever the text is, it stays text.
func TestHostileText(t *testing.T) {
	const evil = `</pre></title><script src="https://example.com/x.js">alert(1)</script><img src=x onerror=alert(1)>"'` + "\x00\xff\u202e"
	p := &Page{Title: evil, Subtitle: evil, Footer: evil, Sections: []Section{{Title: evil, Note: evil, Blocks: []Block{
		Cards{{evil, evil, evil, evil, Tone(evil)}}, KeyValues{evil, []KeyValue{{evil, evil}}},
		Table{evil, evil, []Column{Left(evil)}, []Row{{[]string{evil}, Tone(evil)}}},
		Text(evil), Code{evil, evil}, Samples{{evil, evil, evil, []Badge{{evil, Tone(evil)}}}}, Fold{Summary: evil},
		LineChart{Title: evil, Note: evil, X: Axis{Label: evil}, Y: Axis{Label: evil}, Marks: []Mark{{evil, 1}},
			Series: []Series{{Name: evil, X: []float64{1, 2}, Y: []float64{1, 2}}, {Name: evil, X: []float64{1, 2}, Y: []float64{2, 2}}}},
		BarChart{Title: evil, Note: evil, Axis: Axis{Label: evil}, Groups: []string{evil, evil}, Bars: []Bar{{Label: evil, Value: 1, Text: evil, Tone: Tone(evil)}}},
	}}}}
	out := render(t, p)
	// NUL and other control characters are no XML characters: html/template
	// replaces NUL, the rest goes through plain in samples only.
	text := check(t, out)
	if !strings.Contains(text, `<script src="https://example.com/x.js">`) {
		t.Error("the text was changed")
	}
	if strings.Contains(out, "<script") || strings.Contains(out, "<img") {
		t.Error("text became markup")
	}
}

func TestPlain(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a\tb\nc é 世", "a\tb\nc é 世"},
		{"\x00\x1b[31m\r\x7f", "\u2400\u241b[31m\u240d\u2421"},
		{"a\xffb\xc3", "a\ufffdb\ufffd"},
		{"x\u202ey\u2066\u0085\uffff", `x\u202ey\u2066\u0085\uffff`},
	} {
		if got := plain(c.in); got != c.want {
			t.Errorf("plain(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCharts(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name  string
		block Block
		want  string // in the markup
		not   string
	}{
		{"no series", LineChart{}, "No values", "<svg"},
		{"nothing finite", LineChart{Series: []Series{{X: []float64{1}, Y: []float64{nan}}}}, "No values", "<svg"},
		{"log axis without positive values", LineChart{Y: Axis{Log: true}, Series: []Series{{X: []float64{1}, Y: []float64{-1}}}}, "No values", "<svg"},
		{"one point", LineChart{Series: []Series{{X: []float64{1}, Y: []float64{1}}}}, "<svg", "NaN"},
		{"infinite values", LineChart{Series: []Series{{X: []float64{1, 2, 3}, Y: []float64{1, inf, nan}}}}, "<svg", "Inf"},
		{"a gap is two pieces", LineChart{Series: []Series{{X: []float64{0, 1, 2, 3}, Y: []float64{0, nan, 1, 1}}}}, "M62 275.5M543.3 26.5L784 26.5", "NaN"},
		{"points outside a bounded axis", LineChart{Y: Axis{Max: 1}, Series: []Series{{X: []float64{0, 1}, Y: []float64{0.5, 5}, Points: true}}}, `cx="62" cy="151"`, `cx="784"`},
		{"log axes", LineChart{X: Axis{Log: true}, Y: Axis{Log: true}, Series: []Series{{X: []float64{1, 1000}, Y: []float64{0.01, 100}}}}, ">0.1<", "NaN"},
		{"no bars", BarChart{}, "<svg", "NaN"},
		{"bars of zero", BarChart{Bars: []Bar{{Label: "a"}}}, "<svg", "NaN"},
		{"a bar without a value", BarChart{Bars: []Bar{{Label: "a", Value: nan}, {Label: "b", Value: 2}}}, "a: no value", "NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := render(t, &Page{Sections: []Section{{Blocks: []Block{c.block}}}})
			out = out[strings.Index(out, "<main"):]
			if !strings.Contains(out, c.want) || strings.Contains(out, c.not) {
				t.Errorf("want %q, and no %q, in\n%s", c.want, c.not, out)
			}
		})
	}
}

// The ends of a line lie where its axis says.
func TestScale(t *testing.T) {
	s := newScale(Axis{Log: true}, span{1, 100}, 0, 200, 0)
	for _, c := range []struct{ x, want float64 }{{1, 0}, {10, 100}, {100, 200}} {
		if got := s.at(c.x); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("log: %g lies at %g, want %g", c.x, got, c.want)
		}
	}
	s = newScale(Axis{Min: 2, Max: 4}, span{0, 100}, 100, 0, 0.05)
	if s.at(2) != 100 || s.at(4) != 0 || s.at(3) != 50 {
		t.Errorf("linear, downwards: %g %g %g", s.at(2), s.at(3), s.at(4))
	}
	labels := func(s scale, n int) (out []string) {
		for _, k := range s.ticks(n) {
			out = append(out, k.Label)
		}
		return out
	}
	for _, c := range []struct {
		axis Axis
		data span
		want string
	}{
		{Axis{}, span{0, 1}, "[0 0.2 0.4 0.6 0.8 1]"},
		{Axis{}, span{1.02, 8.4}, "[2 4 6 8]"},
		{Axis{}, span{0, 50000}, "[0 10 k 20 k 30 k 40 k 50 k]"},
		{Axis{Log: true}, span{1, 100}, "[1 2 5 10 20 50 100]"},
		{Axis{Log: true}, span{1e3, 1e9}, "[1000 10 k 100 k 1 M 10 M 100 M 1 G]"},
		{Axis{Log: true}, span{2, 8}, "[2 3 4 5 6 7 8]"},
		{Axis{Log: true}, span{1e-6, 1e-2}, "[10⁻⁶ 10⁻⁵ 10⁻⁴ 0.001 0.01]"},
		{Axis{}, span{0, 4e-4}, "[0 10⁻⁴ 2·10⁻⁴ 3·10⁻⁴ 4·10⁻⁴]"},
	} {
		if got := fmt.Sprint(labels(newScale(c.axis, c.data, 0, 1, 0), 6)); got != c.want {
			t.Errorf("ticks of %+v: %s, want %s", c.data, got, c.want)
		}
	}
}

// Thinning a long line keeps its spikes.
func TestLongLineKeepsSpikes(t *testing.T) {
	s := Series{Name: "loss"}
	for i := range 20_000 {
		s.X, s.Y = append(s.X, float64(i)), append(s.Y, 2)
	}
	s.Y[7777], s.Y[13_131] = 9, 0.5
	out := render(t, &Page{Sections: []Section{{Blocks: []Block{LineChart{Series: []Series{s}}}}}})
	d := regexp.MustCompile(`class="line c0" d="([^"]*)"`).FindStringSubmatch(out)[1]
	if n := strings.Count(d, "L") + strings.Count(d, "M"); n < 100 || n > linePoints+10 {
		t.Errorf("%d points drawn", n)
	}
	// The spike is the top of the data range, 5 % below the plot's top.
	ys := regexp.MustCompile(`[ML][\d.]+ ([\d.]+)`).FindAllStringSubmatch(d, -1)
	top, bottom := 1e9, 0.0
	for _, y := range ys {
		var v float64
		fmt.Sscan(y[1], &v)
		top, bottom = min(top, v), max(bottom, v)
	}
	if math.Abs(top-26.5) > 0.2 || math.Abs(bottom-275.5) > 0.2 {
		t.Errorf("the line spans %g to %g, want 26.5 to 275.5", top, bottom)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{SI(12345678, "B"), "12.3\u00a0MB"}, {SI(999, ""), "999"}, {SI(999.7, ""), "1.00\u00a0k"}, {SI(0.5, "s"), "0.50\u00a0s"},
		{SI(1e12, "FLOP/s"), "1.00\u00a0TFLOP/s"}, {SI(3, "B"), "3\u00a0B"}, {SI(-2500, ""), "-2.50\u00a0k"}, {SI(99.97e6, ""), "100\u00a0M"},
		{Integer(1234567), "1\u202f234\u202f567"}, {Integer(-1000), "\u22121\u202f000"}, {Integer(12), "12"},
		{Percent(0.1234), "12.3\u00a0%"}, {Percent(math.NaN()), "–"}, {PercentRange(0.5, 0.25, 0.75), "50.0\u00a0% (25.0–75.0)"},
		{Fixed(1.5617, 3), "1.562"}, {Seconds(420 * time.Millisecond), "0.42 s"}, {Seconds(245 * time.Second), "4 min 05 s"},
		{Seconds(59960 * time.Millisecond), "1 min 00 s"}, {Seconds(2*time.Hour + 90*time.Second), "2 h 02 min"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestEMA(t *testing.T) {
	got := EMA([]float64{1, math.NaN(), 1, 1, 5}, 1) // the last point weighs half of all
	if got[0] != 1 || got[3] != 1 || math.Abs(got[4]-(5+0.5+0.25+0.125)/(1+0.5+0.25+0.125)) > 1e-12 {
		t.Errorf("EMA = %v", got)
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	if err := small().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != render(t, small()) {
		t.Errorf("the file differs from the rendering (%v)", err)
	}
}

// demo is a page of the size and kind that a run writes.
func demo() *Page {
	const steps = 2400
	raw, smooth := Series{Name: "", Faint: true}, Series{Name: "training", Same: true}
	for i := range steps {
		x := float64(i + 1)
		y := 1.45 + 6.5*math.Exp(-x/90) + 1.1*math.Exp(-x/900) + 0.09*rng.Normal(1, 2, uint64(i))
		raw.X, raw.Y = append(raw.X, x), append(raw.Y, y)
	}
	smooth.X, smooth.Y = raw.X, EMA(raw.Y, 15)
	val := Series{Name: "validation", Points: true}
	for i := 100; i <= steps; i += 200 {
		x := float64(i)
		val.X, val.Y = append(val.X, x), append(val.Y, 1.52+6.5*math.Exp(-x/90)+1.1*math.Exp(-x/900))
	}
	learn := Series{Name: "learning rate", X: raw.X}
	for i := range steps {
		learn.Y = append(learn.Y, 3e-3*min(float64(i+1)/100, 1)*0.5*(1+math.Cos(math.Pi*float64(i)/steps)))
	}
	var frontier Series
	frontier.Name, frontier.Points = "expected by the law", true
	for i := range 12 {
		n := 4e5 * math.Pow(1.6, float64(i))
		frontier.X, frontier.Y = append(frontier.X, n), append(frontier.Y, 4+12*math.Pow(math.Log(n/3e6), 2)/30)
	}
	return &Page{
		Title:    "foundling raise: a 4.9 M parameter model of Go source",
		Subtitle: "run1, seed 1, kernels avx2, 2 threads",
		Sections: []Section{
			{Title: "Result", Blocks: []Block{
				Cards{
					{Label: "Held-out bits per byte", Value: "1.584", Note: "byte 5-gram 2.052, xz 1.749", Tone: Accent},
					{Label: "Parameters", Value: "4.91", Unit: "M", Note: "llama, 5 layers × 256"},
					{Label: "Training tokens", Value: "9.83", Unit: "M", Note: "0.46 epochs"},
					{Label: "Function bodies that parse", Value: "41.2 %", Note: "before SFT 12.0 %", Tone: Good},
					{Label: "Type-check", Value: "3.4 %", Note: "95 %: 2.1 to 5.5", Tone: Bad},
					{Label: "Wall clock", Value: "4 min 48 s", Note: "budget 5 min", Tone: Muted},
				},
				Text("The model learned from the Go source tree of this machine's toolchain. Whole directories were held out; every byte of them is counted below."),
			}},
			{Title: "Data", Note: "Go source of the toolchain, split by directory; generated files lie on the training side only.", Blocks: []Block{
				Table{Columns: []Column{Left("Kind"), Right("Files"), Right("Bytes"), Right("Duplicates"), Left("Licence")}, Rows: []Row{
					{Cells: []string{"Go source", "7,698", "90.4 MB", "12", "BSD-3-Clause"}},
					{Cells: []string{"Markdown", "118", "0.9 MB", "0", "BSD-3-Clause"}},
					{Cells: []string{"Assembly", "512", "6.2 MB", "3", "BSD-3-Clause"}, Tone: Muted},
				}},
				BarChart{Title: "Bytes per token by kind of text", Axis: Axis{Label: "bytes per token"}, Bars: []Bar{
					{Label: "Go source", Value: 3.81, Tone: Accent}, {Label: "Go comments", Value: 3.9}, {Label: "Markdown", Value: 3.42}, {Label: "Chinese prose", Value: 1.31, Tone: Muted}}},
			}},
			{Title: "Training", Blocks: []Block{
				LineChart{Title: "Loss", Note: "Training loss smoothed over 15 steps; single steps are pale.", X: Axis{Label: "step", Log: true}, Y: Axis{Label: "bits per byte"},
					Series: []Series{raw, smooth, val}, Marks: []Mark{{"byte 5-gram", 2.052}}},
				LineChart{Title: "Learning rate", X: Axis{Label: "step"}, Y: Axis{Label: "learning rate", Log: true}, Series: []Series{learn}},
				LineChart{Title: "Alternatives", X: Axis{Label: "parameters", Log: true}, Y: Axis{Label: "expected loss, nats per token"}, Series: []Series{frontier}},
			}},
			{Title: "Against counting", Blocks: []Block{
				BarChart{Title: "Held-out bits per byte", Note: "Less is better.", Axis: Axis{Label: "bits per byte"}, Groups: []string{"counted over bytes", "counted over the model's tokens", "other"}, Bars: []Bar{
					{Label: "this model", Value: 1.584, Low: 1.551, High: 1.62, Tone: Accent, Group: 2}, {Label: "xz, primed with 16 MB", Value: 1.749, Group: 2},
					{Label: "5-gram, bytes", Value: 2.052}, {Label: "4-gram, bytes", Value: 2.363}, {Label: "3-gram, bytes", Value: 2.934},
					{Label: "3-gram, tokens", Value: 1.9, Group: 1}, {Label: "5-gram, tokens", Value: 1.71, Group: 1},
				}},
				BarChart{Title: "Function bodies that parse", Axis: Axis{Label: "share", Max: 1}, Bars: []Bar{
					{Label: "before SFT", Value: 0.12, Low: 0.085, High: 0.167, Text: "12.0 %"}, {Label: "after SFT", Value: 0.412, Low: 0.352, High: 0.474, Text: "41.2 %", Tone: Accent}}},
			}},
			{Title: "Samples", Blocks: []Block{
				Samples{
					{Title: "doc comment and signature → body", Prompt: "// Sum returns the sum of xs.\nfunc Sum(xs []int) int {\n", Text: "\ttotal := 0\n\tfor _, x := range xs {\n\t\ttotal += x\n\t}\n\treturn total\n}", Badges: []Badge{{"parses", Good}, {"type-checks", Good}}},
					{Title: "package → synopsis", Prompt: "What is package bufio for?\n", Text: "Package bufio implements buffered I/O. It wraps an io.Reader or io.Writer ob\x1bject\xff", Badges: []Badge{{"no final stop", Bad}}},
				},
			}},
			{Title: "Options", Blocks: []Block{
				KeyValues{Title: "Plan", Rows: []KeyValue{{"layers", "5"}, {"width", "256"}, {"heads", "4"}, {"context", "256"}, {"vocabulary", "4096"}, {"learning rate", "0.003"}, {"seed", "1"}, {"law", "muennighoff (arXiv 2305.16264)"}}},
				Fold{Summary: "run.json", Blocks: []Block{Code{Text: "{\n  \"seed\": 1,\n  \"kernels\": \"avx2\"\n}"}}},
			}},
		},
		Footer: "Figures after ± or in brackets are 95 % confidence limits.",
	}
}

// TestWriteDemo keeps a page for a look in a browser: set REPORT_DEMO.
func TestWriteDemo(t *testing.T) {
	path := os.Getenv("REPORT_DEMO")
	if path == "" {
		t.Skip("REPORT_DEMO is unset: it names the file to write")
	}
	if err := demo().WriteFile(path); err != nil {
		t.Fatal(err)
	}
}

// Any bytes of a model become a well-formed page with the same markup.
func FuzzSample(f *testing.F) {
	f.Add("func f() {", "\x00\xff</pre><b>")
	f.Fuzz(func(t *testing.T, prompt, text string) {
		page := render(t, &Page{Sections: []Section{{Blocks: []Block{Samples{{Prompt: prompt, Text: text}}}}}})
		check(t, page)
		if n := strings.Count(page, "<pre>"); n != 1 {
			t.Errorf("%d blocks", n)
		}
	})
}
