package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/mix"
)

type dataMixCmd struct {
	Path  []string `arg:"" help:"Files of records (JSON Lines, JSON, Parquet), or folders of them." placeholder:"PATH"`
	Model string   `help:"Count lengths in tokens of this model's vocabulary, instead of words." placeholder:"MODEL"`
	Eval  []string `help:"Evaluation set to look for in the data. Repeat it." placeholder:"PATH" sep:"none"`
	Words int      `help:"Length of the n-grams that --eval looks for." default:"13"`

	MinutesDemonstration float64 `help:"Time to write one demonstration. Default: its prompt is read at 238 and its answer written at 19 words a minute." placeholder:"MIN"`
	MinutesPair          float64 `help:"Time to compare two answers. Default: 0.61." placeholder:"MIN"`
	PriceHour            float64 `help:"Price of an hour. Default: 29.35." placeholder:"PRICE"`

	JSON bool `name:"json" help:"Print one JSON object."`
	recordFlags
	storeFlags
}

// Help is the detail of --help.
func (dataMixCmd) Help() string {
	return `Tasks and languages are found by rules on the words of a text: a rough count, in
English for the tasks. Near duplicates share 80 % of their word 3-grams. Of --eval sets,
questions that are nearly the same as a record's are counted, and the share of word
n-grams that occur in the data (as in Brown et al. 2020).

The cost is an estimate of what people would take to make the data. Its defaults are
published rates: silent reading 238 words a minute (Brysbaert 2019), composing 19
(Karat et al. 1999); 1,000 comparisons of AlpacaEval took people 36,800 seconds and cost
300 dollars (Li et al. 2023).

Examples:

    foundling data mix demonstrations.jsonl
    foundling data mix sft/ preference/pairs.parquet --model run1 --json
    foundling data mix data.json --eval gsm8k_test.jsonl --words 8
    foundling data mix pairs.jsonl --minutes-pair 3 --price-hour 20`
}

// Validate is called by kong.
func (c *dataMixCmd) Validate() error {
	if c.Words < 1 || c.MinutesDemonstration < 0 || c.MinutesPair < 0 || c.PriceHour < 0 {
		return fmt.Errorf("--words must be at least 1, minutes and prices not negative")
	}
	return nil
}

// mixReport is the result as JSON.
type mixReport struct {
	read
	mix.Report
}

// Run reads, counts and prints.
func (c *dataMixCmd) Run(ctx context.Context) error {
	o := mix.Options{Costs: mix.Costs{PerDemonstration: c.MinutesDemonstration, PerPair: c.MinutesPair, PerHour: c.PriceHour}}
	if c.Model != "" {
		t, err := c.openTokenizer(c.Model)
		if err != nil {
			return err
		}
		o.Length, o.Unit = func(s string) int { return len(t.Encode(s)) }, "tokens"
	}
	p := newProgress("reading")
	defer p.Close()
	counter := mix.New(o)
	var records []dataset.Record
	found, err := c.each(ctx, c.Path, nil, func(r dataset.Record) (bool, error) {
		counter.Add(r)
		if len(c.Eval) > 0 {
			records = append(records, r)
		}
		p.Set("reading", int64(counter.Len()), 0)
		return true, nil
	})
	if err != nil {
		return err
	}
	if counter.Len() == 0 {
		return found.nothing(c.Path)
	}
	report := mixReport{found, counter.Report()}
	for _, path := range c.Eval {
		p.Set("comparing with "+path, 0, 0)
		e, err := mix.OpenEval(path, &report.Skips)
		if err != nil {
			return fmt.Errorf("--eval: %w", err)
		}
		overlap, err := e.Overlap(records, c.Words)
		if err != nil {
			return fmt.Errorf("--eval %s: %w", path, err)
		}
		report.Overlaps = append(report.Overlaps, overlap)
	}
	p.Close()
	if c.JSON {
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Println(string(data))
		return err
	}
	report.describe()
	return report.print(os.Stdout)
}

// print writes the report as tables.
func (r *mixReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d records\n", r.Records)
	for _, part := range []struct {
		title string
		list  []mix.Count
	}{{"kind", r.Kinds}, {"task (by rules)", r.Tasks}, {"task (as the files say)", r.Named}, {"language (by rules)", r.Languages}} {
		if len(part.list) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\tn\tshare\n", part.title)
		for i, x := range part.list {
			if i == 20 {
				fmt.Fprintf(w, "  and %d more\t\t\n", len(part.list)-i)
				break
			}
			fmt.Fprintf(w, "  %s\t%d\t%.1f %%\n", printable(x.Name), x.N, 100*x.Share)
		}
	}
	fmt.Fprintf(w, "\nlength (%s)\tmean\tmin\tp50\tp90\tp99\tmax\tsum\n", r.Unit)
	for _, part := range []struct {
		name string
		l    mix.Lengths
	}{{"prompt", r.Prompt}, {"answer", r.Answer}, {"turns (messages)", r.Turns}} {
		if l := part.l; l.N > 0 {
			fmt.Fprintf(w, "  %s\t%.1f\t%d\t%d\t%d\t%d\t%d\t%d\n", part.name, l.Mean, l.Min, l.P50, l.P90, l.P99, l.Max, l.Sum)
		}
	}
	d := r.Duplicates
	fmt.Fprintf(w, "\nduplicates\t\n  exact\t%d\t%.1f %%\n  near (similarity >= %g)\t%d\t%.1f %%\n  same prompt\t%d\t%.1f %%\n",
		d.Exact, r.share(d.Exact), d.Similarity, d.Near, r.share(d.Near), d.Prompts, r.share(d.Prompts))
	for _, e := range d.Examples {
		fmt.Fprintf(w, "    %.2f  %s  %s\n", e.Similarity, e.Of, e.Again)
	}
	fmt.Fprintf(w, "\ndiversity\tdistinct-1\tdistinct-2\tdistinct-3\tself-BLEU\n")
	for _, part := range []struct {
		name string
		d    mix.Diversity
	}{{"prompts", r.Prompts}, {"answers", r.Answers}} {
		if v := part.d; v.Texts > 1 {
			fmt.Fprintf(w, "  %s\t%.3f\t%.3f\t%.3f\t%.3f\n", part.name, v.Distinct[0], v.Distinct[1], v.Distinct[2], v.SelfBLEU)
		}
	}
	if r.LongerWins != nil {
		fmt.Fprintf(w, "\nthe longer answer is the chosen one\t%.1f %%\n", 100**r.LongerWins)
	}
	for _, o := range r.Overlaps {
		fmt.Fprintf(w, "\noverlap with %s\t%d items\n  questions nearly the same\t%d\t%.1f %%\n", o.Set, o.Items, o.Questions, 100*float64(o.Questions)/float64(o.Items))
		if o.Example != "" {
			fmt.Fprintf(w, "    %s\n", o.Example)
		}
		fmt.Fprintf(w, "  %d-grams of words\t%d of %d\t%.2f %%\n", o.Grams.N, o.Grams.Found, o.Grams.Total, 100*o.Grams.Share)
	}
	r.printCost(w)
	return w.Flush()
}

// printCost shows the arithmetic.
func (r *mixReport) printCost(w io.Writer) {
	c := r.Cost
	if c.Demonstrations == 0 && c.Pairs == 0 {
		return
	}
	fmt.Fprintf(w, "\ncost, if people made it\t\n")
	if c.PromptWords+c.AnswerWords > 0 {
		fmt.Fprintf(w, "  one demonstration\t%d words / %g + %d words / %g, over %d = %.2f min\n",
			c.PromptWords, mix.Reading(), c.AnswerWords, mix.Composing(), c.Demonstrations, c.MinutesPerDemonstration)
	}
	fmt.Fprintf(w, "  hours\t(%d demonstrations x %.2f min + %d pairs x %.2f min) / 60 = %.1f h\n",
		c.Demonstrations, c.MinutesPerDemonstration, c.Pairs, c.MinutesPerPair, c.Hours)
	fmt.Fprintf(w, "  price\t%.1f h x %.2f = %.0f\n", c.Hours, c.PricePerHour, c.Price)
}

func (r *mixReport) share(n int) float64 { return 100 * float64(n) / float64(r.Records) }
