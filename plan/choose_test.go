package plan

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// measured is the kind of machine that raise runs on: narrow models run at a
// fraction of the peak.
func measured(peak float64) []Rate {
	return []Rate{{64, 0.15 * peak}, {128, 0.3 * peak}, {256, 0.55 * peak}, {512, 0.8 * peak}, {1024, peak}}
}

func TestChooseIsSensible(t *testing.T) {
	for _, family := range []string{"gpt2", "llama"} {
		for _, seconds := range []float64{60, 300} {
			for _, peak := range []float64{0.1e12, 1e12} {
				best, table, err := Choose(ChooseOptions{
					Candidates: Ladder(family, 4096, 256), Rates: measured(peak), Seconds: seconds, Unique: 20e6,
				})
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("%s, %g s at %g FLOP/s", family, seconds, peak)
				t.Logf("%s: %d x %d, N %.2f M, D %.1f M, %.2f epochs, %s", name, best.Shape.Layers, best.Shape.Width,
					float64(best.Parameters)/1e6, float64(best.Tokens)/1e6, best.Epochs, best.Limit)
				if best.Parameters < 400e3 || best.Parameters > 15e6 || best.Epochs > 4 || best.Seconds > seconds*(1+1e-9) {
					t.Errorf("%s: %+v", name, best)
				}
				for _, c := range table {
					if c.Loss < best.Loss {
						t.Errorf("%s: width %d has a lower loss, %g, than the chosen %g", name, c.Shape.Width, c.Loss, best.Loss)
					}
				}
			}
		}
	}
}

// By hand: one rate, one shape, more time than data.
func TestChooseArithmetic(t *testing.T) {
	s := llama(2, 64, 192, 4, 2, 1000)
	s.Context = 128
	o := ChooseOptions{Candidates: []Shape{s}, Rates: []Rate{{64, 1e9}}, Seconds: 10, Unique: 1000}
	c, _, err := Choose(o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Limit != "epochs" || c.Tokens != 4000 || c.Epochs != 4 || c.Loss != Muennighoff.Loss(float64(s.Count().Total), 4000, 1000) {
		t.Errorf("bounded by data: %+v", c)
	}
	if want := 4000 * s.FLOP(128).Training / 1e9; !within(c.Seconds, want, 1e-12) {
		t.Errorf("%g s, want %g", c.Seconds, want)
	}
	o.Unique = 1e12
	c, _, err = Choose(o)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(10 * 1e9 / s.FLOP(128).Training); c.Limit != "time" || c.Tokens != want {
		t.Errorf("bounded by time: %+v, want %d tokens", c, want)
	}
}

func TestRateAt(t *testing.T) {
	rates := []Rate{{64, 10}, {256, 30}}
	for _, c := range []struct {
		width int
		want  float64
	}{{32, 10}, {64, 10}, {128, 20}, {256, 30}, {512, 30}} {
		if got := rateAt(rates, c.width); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("width %d: %g, want %g", c.width, got, c.want)
		}
	}
}

func TestChooseIsDeterministicAndOrdered(t *testing.T) {
	o := ChooseOptions{Candidates: Ladder("llama", 8192, 512), Rates: measured(5e11), Seconds: 120, Unique: 1e7}
	a, ta, err := Choose(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Rates = []Rate{o.Rates[3], o.Rates[0], o.Rates[4], o.Rates[2], o.Rates[1]}
	b, tb, err := Choose(o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(ta, tb) {
		t.Error("the order of the rates changes the choice")
	}
	for i := 1; i < len(ta); i++ {
		if ta[i].Parameters < ta[i-1].Parameters {
			t.Errorf("alternatives %d and %d are not by rising parameters", i-1, i)
		}
	}
}

func TestChooseErrors(t *testing.T) {
	good := ChooseOptions{Candidates: Ladder("gpt2", 1000, 128), Rates: measured(1e11), Seconds: 60, Unique: 1e6}
	mixed := append(Ladder("gpt2", 1000, 128), Ladder("gpt2", 2000, 128)...)
	for _, c := range []struct {
		name   string
		change func(*ChooseOptions)
		want   string
	}{
		{"no shapes", func(o *ChooseOptions) { o.Candidates = nil }, "no shapes"},
		{"no rates", func(o *ChooseOptions) { o.Rates = nil }, "no measured rates"},
		{"no time", func(o *ChooseOptions) { o.Seconds = 0 }, "0 seconds"},
		{"time is NaN", func(o *ChooseOptions) { o.Seconds = math.NaN() }, "NaN seconds"},
		{"no data", func(o *ChooseOptions) { o.Unique = 0 }, "0 training tokens"},
		{"bad rate", func(o *ChooseOptions) { o.Rates = []Rate{{64, 0}} }, "0 FLOP/s at width 64"},
		{"bad shape", func(o *ChooseOptions) { o.Candidates = []Shape{{Family: "gpt2"}} }, "layers is 0"},
		{"two vocabularies", func(o *ChooseOptions) { o.Candidates = mixed }, "vocabularies of 2000 and 1000"},
		{"too little time", func(o *ChooseOptions) { o.Seconds = 1e-6 }, "tokens"},
		{"too little memory", func(o *ChooseOptions) { o.MaxMemory = 1 << 20 }, "a step takes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := good
			c.change(&o)
			if _, _, err := Choose(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLadderIsValid(t *testing.T) {
	for _, family := range []string{"gpt2", "llama"} {
		for _, s := range Ladder(family, 4096, 256) {
			if err := s.Validate(); err != nil {
				t.Errorf("%+v: %v", s, err)
			}
			if s.Heads*s.HeadDim != s.Width {
				t.Errorf("%+v: heads do not fill the width", s)
			}
		}
	}
}
