package probs_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/foundling-lm/foundling/eval/probs"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// outcome is what chain.js returns.
type outcome struct {
	Kept    int
	Mass    float64
	Entropy float64
	Probs   []float64
	Rest    float64
	Exact   bool
}

// browser runs the page's script on rows.
func browser(t *testing.T) func(row probs.Row, s probs.Settings) outcome {
	t.Helper()
	source, err := os.ReadFile("chain.js")
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	if _, err := vm.RunScript("chain.js", string(source)+"\nfunction run(row, s) { return JSON.stringify(chain(JSON.parse(row), JSON.parse(s))) }"); err != nil {
		t.Fatal(err)
	}
	run, ok := goja.AssertFunction(vm.Get("run"))
	if !ok {
		t.Fatal("no function chain")
	}
	encode := func(x any) goja.Value {
		data, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return vm.ToValue(string(data))
	}
	return func(row probs.Row, s probs.Settings) (o outcome) {
		v, err := run(goja.Undefined(), encode(row), encode(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(v.String()), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
}

func label(id int32) string { return fmt.Sprint("t", id) }

// TestPageEqualsTheChain compares the script with generate/sample to 1e-6, on rows
// that are listed whole and on one that is not.
func TestPageEqualsTheChain(t *testing.T) {
	run := browser(t)
	exact := 0
	for _, v := range []int{1, 5, 100, 399, 6000, 50000} {
		for _, scale := range []float64{0.3, 2, 6} {
			x := make([]float32, v)
			for i := range x {
				x[i] = float32(scale * rng.Normal(uint64(v), 0, uint64(i)))
			}
			row := probs.Compact(x, nil, label)
			for i := range uint64(24) {
				pick := func(n uint64, of ...float64) float64 { return of[rng.Intn(uint64(v), i, n, len(of))] }
				s := probs.Settings{Temperature: pick(1, 0, .1, .5, 1, 1.37, 2, 3), TopK: int(pick(2, 0, 0, 1, 7, 40, 400)), TopP: pick(3, 0, 1, .2, .9, .99), MinP: pick(4, 0, 0, .01, .3, 1)}
				got := run(row, s)
				if !got.Exact {
					continue
				}
				exact++
				compare(t, x, row, s, got)
			}
		}
	}
	if exact < 300 {
		t.Errorf("only %d settings were exact", exact)
	}
}

func compare(t *testing.T, x []float32, row probs.Row, s probs.Settings, got outcome) {
	t.Helper()
	c, err := sample.New(sample.Options{Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP, MinP: s.MinP})
	if err != nil {
		t.Fatal(err)
	}
	reports := c.Explain(x, sample.At{}, row.IDs[0], row.IDs)
	mass := 1.0
	for _, r := range reports {
		mass *= r.Kept
	}
	last := reports[len(reports)-1].After
	near := func(what string, a, b float64) {
		t.Helper()
		if !(math.Abs(a-b) <= 1e-6) {
			t.Errorf("%d logits, %+v: %s is %v on the page, %v in Go", len(x), s, what, a, b)
		}
	}
	if got.Kept != last.Candidates {
		t.Errorf("%d logits, %+v: the page keeps %d, Go %d", len(x), s, got.Kept, last.Candidates)
	}
	near("mass", got.Mass, mass)
	near("entropy", got.Entropy, last.Entropy)
	sum := 0.0
	for i, p := range last.Probs {
		near("probability of "+row.Labels[i], got.Probs[i], p)
		sum += p
	}
	near("the rest", got.Rest, 1-sum)
}

func TestCompact(t *testing.T) {
	x := make([]float32, 3000)
	for i := range x {
		x[i] = float32(3 * rng.Normal(1, 0, uint64(i)))
	}
	mask := make([]uint64, 47)
	for i := range mask {
		mask[i] = 0xffffffff
	}
	row := probs.Compact(x, mask, label)
	n, listed := len(row.IDs), 0.0
	for i, lp := range row.LogProbs {
		listed += math.Exp(lp)
		if row.IDs[i]%64 >= 32 {
			t.Fatalf("id %d is masked", row.IDs[i])
		}
	}
	last := row.LogProbs[n-1]
	for _, b := range row.Rest {
		n += b.Count
		listed += float64(b.Count) * math.Exp(b.Mean) * (1 + b.Variance/2)
		if b.High > last || b.Low > b.High || b.High-b.Low > 1./16 {
			t.Errorf("bin %+v after %v", b, last)
		}
		last = b.Low
	}
	if n != 1504 || len(row.IDs) != probs.Listed || math.Abs(listed-1) > 1e-6 {
		t.Errorf("%d candidates with a mass of %v", n, listed)
	}
}

// TestPage checks that the file stands alone, that every input has its label, and
// that text of a model stays text.
func TestPage(t *testing.T) {
	evil := `</script><script>alert(1)</script>`
	p := probs.Page{Title: "Probabilities <b>", Warning: "the model looks untrained", Places: []probs.Place{
		{Label: evil, ID: 1, Prompt: true, Rank: 2, LogProb: -1, Row: probs.Compact([]float32{1, 0}, nil, func(int32) string { return evil })},
		{ID: -1, Row: probs.Compact([]float32{1, 0}, nil, label)},
	}, Settings: probs.Settings{Temperature: .8, TopK: 40, TopP: .95}}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := p.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	if strings.Contains(page, evil) || strings.Contains(page, "<b>") {
		t.Error("text became markup")
	}
	if m := regexp.MustCompile(`(?i)(src|href)=|https?://|@import|url\(`).FindString(page); m != "" {
		t.Errorf("the page loads something: %s", m)
	}
	inputs := regexp.MustCompile(`<input id="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(inputs) != 4 {
		t.Errorf("%d sliders", len(inputs))
	}
	for _, in := range inputs {
		if !strings.Contains(page, `<label for="`+in[1]+`">`) {
			t.Errorf("slider %s has no label", in[1])
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", `role="alert"`, "the model looks untrained", `"top_k":40`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	script := page[strings.LastIndex(page, "<script>")+len("<script>") : strings.LastIndex(page, "</script>")]
	if _, err := goja.Compile("page", script, true); err != nil {
		t.Errorf("the script of the page: %v", err)
	}
	if err := (&probs.Page{}).Render(&strings.Builder{}); err == nil {
		t.Error("a page without places: no error")
	}
	none := probs.Page{Places: []probs.Place{{ID: -1, Row: probs.Compact([]float32{float32(math.NaN())}, nil, label)}}}
	if err := none.Render(&strings.Builder{}); err == nil {
		t.Error("a place without candidates: no error")
	}
}
