package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// benchCmd measures speed. Names and units are stable: other programs read
// them.
type benchCmd struct {
	What      string        `arg:"" optional:"" enum:"all,gemm,train,tokenizer,generate,grammar,sample,serve" default:"all" help:"What to measure: gemm, train, tokenizer, generate, grammar, sample or serve; all but serve without."`
	JSON      bool          `name:"json" help:"Print one JSON object a line: name, value (the median), unit, min, max, n."`
	Filter    string        `help:"Only names with this prefix." placeholder:"PREFIX"`
	Time      time.Duration `help:"Time for the repeats of one name; there is always at least one. 0 means 0.5 s for gemm and sample, 12 s for train, 20 s for serve, 2 s for the others."`
	Data      []string      `help:"Text for the tokenizer's benches instead of this machine's Go source." placeholder:"PATH"`
	Tokenizer string        `help:"Tokenizer for tokenizer/encode instead of one trained on the spot, and for grammar instead of Llama 3.2's in $FOUNDLING_DATA or one made up of that size." placeholder:"PATH"`
	Schemas   string        `help:"Schemas for grammar, a JSON object a line (.gz too): schema, tests with valid and data. Default: those in $FOUNDLING_DATA, or a few built in." placeholder:"FILE"`
	Against   string        `help:"For serve: the program llama-server of llama.cpp, which is measured beside, on the same file." placeholder:"PROGRAM" type:"existingfile"`
	File      string        `help:"For serve: where the model that is made up is kept, and taken from when it is there (GGUF)." placeholder:"FILE"`
	Shape     string        `help:"Shape of a public model for generate and serve, with random weights: llama-3.2-1b, qwen2.5-0.5b or smollm2-135m." placeholder:"NAME"`
	Type      string        `help:"Type of file in which --shape has its weights: a number format, or q4_k_m, q5_k_m, q6_k." default:"q8_0"`
	computeFlags

	shown *benchPrinter
}

// benchRow is one line of output.
type benchRow struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // median of n repeats
	Unit  string  `json:"unit"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	N     int     `json:"n"`
}

// benchCase measures the rows of the given names; their order is that of run's
// result, but for those that it shows by itself as they come. Rows that run leaves out
// could not be measured here.
type benchCase struct {
	names []string
	run   func(ctx context.Context, c *benchCmd) ([]benchRow, error)
}

func oneRow(name string, run func(ctx context.Context, c *benchCmd) (benchRow, error)) benchCase {
	return benchCase{[]string{name}, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
		r, err := run(ctx, c)
		r.Name = name
		return []benchRow{r}, err
	}}
}

// Run measures all names that are asked for.
func (c *benchCmd) Run(ctx context.Context) error {
	if c.Time < 0 {
		return usageError{fmt.Errorf("--time is %v: it must be positive, or 0 for the default", c.Time)}
	}
	if c.Shape != "" {
		if _, err := publicShape(c.Shape); err != nil {
			return err
		}
	}
	b, err := c.backend() // finds impossible options before anything runs
	if err != nil {
		return err
	}
	threads := b.Threads()
	b.Close()
	var cases []benchCase
	for _, group := range []struct {
		name  string
		cases func() []benchCase
	}{
		{"gemm", func() []benchCase { return gemmCases(threads, c.Precision) }},
		{"train", trainCases},
		{"tokenizer", tokenizerCases},
		{"generate", func() []benchCase {
			if c.Shape != "" {
				return c.shapeCases()
			}
			return generateCases(c.Precision)
		}},
		{"grammar", grammarCases},
		{"sample", sampleCases},
		{"serve", c.serveCases},
	} {
		if c.What == "all" && group.name != "serve" || c.What == group.name {
			cases = append(cases, group.cases()...)
		}
	}
	cases = slices.DeleteFunc(cases, func(k benchCase) bool { return !slices.ContainsFunc(k.names, c.wants) })
	if len(cases) == 0 {
		return usageError{fmt.Errorf("--filter %s: no name begins so; bench %s without it shows them all", c.Filter, c.What)}
	}
	out := benchPrinter{w: os.Stdout, json: c.JSON, live: !c.JSON && term.IsTerminal(int(os.Stderr.Fd()))}
	c.shown = &out
	for i, k := range cases {
		out.stage(fmt.Sprintf("%d of %d: %s", i+1, len(cases), k.names[0]))
		rows, err := k.run(ctx, c)
		if err != nil {
			out.clear()
			if ctx.Err() != nil {
				return interrupted("%s is not measured", k.names[0])
			}
			return fmt.Errorf("%s: %w", k.names[0], err)
		}
		for _, r := range rows {
			if err := c.show(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// show prints a row that is asked for.
func (c *benchCmd) show(r benchRow) error {
	if !c.wants(r.Name) {
		return nil
	}
	return c.shown.row(r)
}

func (c *benchCmd) wants(name string) bool { return strings.HasPrefix(name, c.Filter) }

// each is the time for the repeats of one name.
func (c *benchCmd) each(byDefault time.Duration) time.Duration {
	if c.Time > 0 {
		return c.Time
	}
	return byDefault
}

// repeat calls f until d has passed, at least once, and returns what it
// measured.
func repeat(ctx context.Context, d time.Duration, f func() (float64, error)) ([]float64, error) {
	var xs []float64
	for start := time.Now(); len(xs) == 0 || time.Since(start) < d; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, err := f()
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
	}
	return xs, nil
}

// rateOf is the work a second of f.
func rateOf(work float64, f func() error) (float64, error) {
	at := time.Now()
	err := f()
	return work / max(time.Since(at).Seconds(), 1e-9), err
}

// summary is the row of repeated measurements, of which there is at least one.
func summary(name, unit string, xs []float64) benchRow {
	s := slices.Sorted(slices.Values(xs))
	n := len(s)
	return benchRow{name, (s[n/2] + s[(n-1)/2]) / 2, unit, s[0], s[n-1], n}
}

// benchPrinter writes rows as they come.
type benchPrinter struct {
	w      io.Writer
	json   bool
	live   bool // show what is running on standard error
	headed bool
}

// stage says what is being done.
func (p *benchPrinter) stage(what string) {
	if p.live {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s ...", what)
	}
}

func (p *benchPrinter) clear() {
	if p.live {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func (p *benchPrinter) row(r benchRow) error {
	p.clear()
	if p.json {
		return json.NewEncoder(p.w).Encode(r)
	}
	if !p.headed {
		fmt.Fprintf(p.w, "%-48s %12s %-9s %12s %12s %4s\n", "name", "median", "unit", "min", "max", "n")
		p.headed = true
	}
	_, err := fmt.Fprintf(p.w, "%-48s %12s %-9s %12s %12s %4d\n", r.Name, figures(r.Value), r.Unit, figures(r.Min), figures(r.Max), r.N)
	return err
}

// figures writes x with four significant digits or all before the point.
func figures(x float64) string {
	switch {
	case x >= 1000:
		return fmt.Sprintf("%.0f", x)
	case x >= 100:
		return fmt.Sprintf("%.1f", x)
	case x >= 10:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}
