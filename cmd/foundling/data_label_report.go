package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/text/dataset/label"
)

// printLabels writes the report of labels as tables.
func printLabels(out io.Writer, r label.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d labels of %d items\n\n", r.Labels, r.Items)
	fmt.Fprintf(w, "labeller\tlabels\tskipped\tties\tseconds (median)\thours\tshown first chosen\t95 %%\tas the file\tmean score\n")
	for _, l := range r.Labellers {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.1f\t%.2f\t", printable(l.Name), l.Labels, l.Skipped, l.Ties, l.Seconds, l.Hours)
		if l.Decided > 0 {
			fmt.Fprintf(w, "%d of %d\t%.2f to %.2f\t%d of %d\t", l.Shown, l.Decided, l.Bias[0], l.Bias[1], l.First, l.Decided)
		} else {
			fmt.Fprintf(w, "-\t-\t-\t")
		}
		if l.Mean > 0 {
			fmt.Fprintf(w, "%.2f\n", l.Mean)
		} else {
			fmt.Fprintf(w, "-\n")
		}
	}
	if len(r.Pairs) > 0 {
		fmt.Fprintf(w, "\nlabellers\titems\tagreement\twithout ties\tCohen's kappa\tweighted\n")
	}
	for _, p := range r.Pairs {
		fmt.Fprintf(w, "%s, %s\t%d\t%.3f\t%s\t%s\t%s\n", printable(p.A), printable(p.B), p.Items, p.Agreement, optional(p.Untied), optional(p.Kappa), optional(p.Weighted))
	}
	if r.FleissItems > 0 {
		fmt.Fprintf(w, "\nFleiss' kappa\t%s\tof %d items that all %d labelled\n", optional(r.Fleiss), r.FleissItems, len(r.Labellers))
	}
	for _, l := range r.Labellers {
		if l.Decided >= 10 && (l.Bias[0] > 0.5 || l.Bias[1] < 0.5) {
			fmt.Fprintf(w, "\n%s has a position bias: the answer shown first is chosen in %d of %d, 95 %% interval %.2f to %.2f\n",
				printable(l.Name), l.Shown, l.Decided, l.Bias[0], l.Bias[1])
		}
	}
	return w.Flush()
}

// optional is a figure that may not be defined.
func optional(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *x)
}
