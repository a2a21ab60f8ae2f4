// Package probs is a page on which a reader changes how the next token is chosen:
// sliders for temperature, top-k, top-p and min-p over the real logits of a text,
// with what is kept and dropped, the entropy, and rank and probability of the token
// that was chosen. The page is one file that loads nothing.
//
// A Row is a row of logits small enough for a page: the most probable tokens one
// by one, the rest in bins of the logit with their first two moments. What the
// page computes (chain.js) is what generate/sample computes in its default order,
// to 1e-6; the test runs the page's own script beside it. Where the border of a
// choice falls among the rest, the page says that its numbers are approximate.
package probs

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/atomicfile"
)

//go:embed page.html
var pageSource string

//go:embed chain.js
var chainSource string

//go:embed view.js
var viewSource string

// Listed is how many tokens a Row has one by one, at most.
const Listed = 400

// binWidth is that of the bins of the rest, in nats.
const binWidth = 1.0 / 16

// Row is the distribution of a next token.
type Row struct {
	IDs      []int32   `json:"ids"`
	Labels   []string  `json:"labels"`
	LogProbs []float64 `json:"logprobs"` // falling; of the model
	Rest     []Bin     `json:"rest"`     // all other candidates, by falling logit
}

// Bin is candidates of nearly the same log-probability.
type Bin struct {
	Count    int     `json:"n"`
	Mean     float64 `json:"m"`
	Variance float64 `json:"v"`
	High     float64 `json:"hi"`
	Low      float64 `json:"lo"`
}

// Compact makes a Row of logits (V) of the ids that mask allows (nil: all); label
// names an id.
func Compact(logits []float32, mask []uint64, label func(id int32) string) Row {
	s, err := sample.New(sample.Options{Temperature: 1})
	if err != nil {
		panic("probs: " + err.Error()) // the options are possible
	}
	d := s.Distribution(logits, sample.At{Mask: mask})
	n := min(Listed, len(d))
	r := Row{Rest: []Bin{}}
	for _, t := range d[:n] {
		r.IDs, r.Labels, r.LogProbs = append(r.IDs, t.ID), append(r.Labels, label(t.ID)), append(r.LogProbs, t.LogProb)
	}
	for rest := d[n:]; len(rest) > 0; {
		k, _ := slices.BinarySearchFunc(rest, rest[0].LogProb-binWidth, func(t sample.Token, to float64) int { return cmp.Compare(to, t.LogProb) })
		k = max(k, 1)
		r.Rest = append(r.Rest, bin(rest[:k]))
		rest = rest[k:]
	}
	return r
}

func bin(ts []sample.Token) Bin {
	b := Bin{Count: len(ts), High: ts[0].LogProb, Low: ts[len(ts)-1].LogProb}
	for _, t := range ts {
		b.Mean += t.LogProb / float64(len(ts))
	}
	for _, t := range ts {
		b.Variance += (t.LogProb - b.Mean) * (t.LogProb - b.Mean) / float64(len(ts))
	}
	return b
}

// Place is one position of a text.
type Place struct {
	Label  string `json:"label"`  // of the token that was chosen
	ID     int32  `json:"id"`     // of it; -1: none was
	Prompt bool   `json:"prompt"` // it was given
	// Rank of the token for the model, from 1, and its log-probability there; 0 and
	// 0 for none.
	Rank    int     `json:"rank"`
	LogProb float64 `json:"logprob"`
	Row     Row     `json:"row"`
}

// Settings is where the sliders stand at first.
type Settings struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	MinP        float64 `json:"min_p"`
}

// Page is what is shown.
type Page struct {
	Title    string
	Note     string // one line under the title
	Warning  string // what is wrong with the model; "": nothing
	Places   []Place
	Settings Settings
}

// WriteFile writes the page to path, whole or not at all.
func (p *Page) WriteFile(path string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return p.Render(w) })
}

// Render writes the page.
func (p *Page) Render(w io.Writer) error {
	if len(p.Places) == 0 {
		return fmt.Errorf("probs: a page without places")
	}
	for i, x := range p.Places {
		if len(x.Row.LogProbs) == 0 || math.IsNaN(x.Row.LogProbs[0]) {
			return fmt.Errorf("probs: place %d has no candidates", i)
		}
	}
	t, err := template.New("probs").Parse(pageSource)
	if err != nil {
		return err
	}
	type data struct {
		Places   []Place  `json:"places"`
		Settings Settings `json:"settings"`
	}
	return t.Execute(w, struct {
		*Page
		Script template.JS
		Data   data
	}{p, template.JS(chainSource + viewSource), data{p.Places, p.Settings}})
}
