package label

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Report is what a file of labels says of its labellers.
type Report struct {
	Labels    int        `json:"labels"`
	Items     int        `json:"items"` // with at least one label that is not skipped
	Labellers []Labeller `json:"labellers"`
	Pairs     []Pair     `json:"pairs,omitempty"` // of labellers with items in common
	// Fleiss is Fleiss' kappa over the items that all labellers labelled; nil
	// where there are none, or fewer than two labellers, or it is not defined.
	Fleiss      *float64 `json:"fleiss_kappa,omitempty"`
	FleissItems int      `json:"fleiss_items,omitempty"`
}

// Labeller is what one labeller did.
type Labeller struct {
	Name    string  `json:"name"`
	Labels  int     `json:"labels"` // without skipped items
	Skipped int     `json:"skipped"`
	Ties    int     `json:"ties"`
	Seconds float64 `json:"median_seconds"` // per label
	Hours   float64 `json:"hours"`
	// Shown is how often the answer that was shown first was chosen, of Decided
	// choices that are no ties; with no position bias it is about half of them.
	Shown   int        `json:"shown_first_chosen"`
	Decided int        `json:"decided"`
	Bias    [2]float64 `json:"shown_first_interval"` // 95 %, of the share
	// First is how often the first answer of the item was chosen: where the file
	// prefers it, agreement with the file.
	First int     `json:"first_chosen"`
	Mean  float64 `json:"mean_score,omitempty"` // of graded items
}

// Pair is the agreement of two labellers on the items that both labelled.
type Pair struct {
	A         string  `json:"a"`
	B         string  `json:"b"`
	Items     int     `json:"items"`
	Agreement float64 `json:"agreement"` // share of equal labels, ties count as any other
	// Untied is the share of equal choices where neither said tie.
	Untied *float64 `json:"agreement_without_ties,omitempty"`
	// Kappa is Cohen's (1960, A coefficient of agreement for nominal scales);
	// Weighted his of 1968 with squared distances, of graded items. They are nil
	// where both gave one and the same label to everything.
	Kappa    *float64 `json:"cohen_kappa,omitempty"`
	Weighted *float64 `json:"weighted_kappa,omitempty"`
}

// Measure makes the report of labels, in which every labeller has at most one for
// an item (as Read gives them).
func Measure(labels []Label) Report {
	r := Report{Labels: len(labels)}
	by := map[string]map[string]Label{} // labeller -> item -> label
	items := map[string]map[string]Label{}
	for _, l := range labels {
		if by[l.Labeller] == nil {
			by[l.Labeller] = map[string]Label{}
		}
		if l.value() == "" {
			continue
		}
		by[l.Labeller][l.Item] = l
		if items[l.Item] == nil {
			items[l.Item] = map[string]Label{}
		}
		items[l.Item][l.Labeller] = l
	}
	r.Items = len(items)
	names := slices.Sorted(maps.Keys(by))
	for i, name := range names {
		r.Labellers = append(r.Labellers, labeller(name, labels))
		for _, other := range names[i+1:] {
			if p := pair(by[name], by[other]); p.Items > 0 {
				p.A, p.B = name, other
				r.Pairs = append(r.Pairs, p)
			}
		}
	}
	if len(names) < 2 {
		return r
	}
	categories := map[string]int{}
	var counts []map[string]int
	for _, id := range slices.Sorted(maps.Keys(items)) {
		if len(items[id]) < len(names) {
			continue
		}
		c := map[string]int{}
		for _, l := range items[id] {
			c[l.value()]++
			categories[l.value()]++
		}
		counts = append(counts, c)
	}
	if r.FleissItems = len(counts); len(counts) > 0 {
		r.Fleiss = fleiss(counts, len(names))
	}
	return r
}

func labeller(name string, labels []Label) Labeller {
	w := Labeller{Name: name}
	var seconds []float64
	scores := 0
	for _, l := range labels {
		if l.Labeller != name {
			continue
		}
		seconds = append(seconds, l.Seconds)
		w.Hours += l.Seconds / 3600
		if l.Choice == Skip {
			w.Skipped++
			continue
		}
		w.Labels++
		switch l.Choice {
		case Tie:
			w.Ties++
		case First, Second:
			w.Decided++
			if (l.Choice == First) != l.Swapped {
				w.Shown++
			}
			if l.Choice == First {
				w.First++
			}
		default:
			w.Mean += float64(l.Score)
			scores++
		}
	}
	if scores > 0 {
		w.Mean /= float64(scores)
	}
	slices.Sort(seconds)
	if n := len(seconds); n > 0 {
		w.Seconds = (seconds[(n-1)/2] + seconds[n/2]) / 2
	}
	w.Bias = wilson(w.Shown, w.Decided)
	return w
}

// wilson is the 95 % interval of a share (Wilson 1927).
func wilson(k, n int) [2]float64 {
	if n == 0 {
		return [2]float64{0, 1}
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return [2]float64{mid - half, mid + half}
}

func pair(a, b map[string]Label) Pair {
	var p Pair
	type both struct{ a, b string }
	table := map[both]int{}
	untied, equal := 0, 0
	scores := true
	for _, id := range slices.Sorted(maps.Keys(a)) {
		x := a[id]
		y, ok := b[id]
		if !ok || (x.Choice == "") != (y.Choice == "") {
			continue
		}
		p.Items++
		table[both{x.value(), y.value()}]++
		if x.value() == y.value() {
			p.Agreement++
		}
		if x.Choice == "" {
			continue
		}
		scores = false
		if x.Choice != Tie && y.Choice != Tie {
			untied++
			if x.Choice == y.Choice {
				equal++
			}
		}
	}
	if p.Items == 0 {
		return p
	}
	p.Agreement /= float64(p.Items)
	if untied > 0 {
		share := float64(equal) / float64(untied)
		p.Untied = &share
	}
	left, right := map[string]int{}, map[string]int{}
	for k, n := range table {
		left[k.a] += n
		right[k.b] += n
	}
	cell := func(x, y string) int { return table[both{x, y}] }
	p.Kappa = cohen(left, right, cell, p.Items, func(x, y string) float64 {
		if x == y {
			return 0
		}
		return 1
	})
	if scores {
		p.Weighted = cohen(left, right, cell, p.Items, func(x, y string) float64 {
			d := float64(x[0]) - float64(y[0]) // one digit each
			return d * d
		})
	}
	return p
}

// cohen is 1 minus the disagreement that is seen over that which chance would
// give; nil where chance gives none.
func cohen(left, right map[string]int, cell func(a, b string) int, n int, weight func(a, b string) float64) *float64 {
	seen, chance := 0.0, 0.0
	for _, x := range slices.Sorted(maps.Keys(left)) {
		for _, y := range slices.Sorted(maps.Keys(right)) {
			w := weight(x, y)
			seen += w * float64(cell(x, y)) / float64(n)
			chance += w * float64(left[x]) * float64(right[y]) / (float64(n) * float64(n))
		}
	}
	if chance == 0 {
		return nil
	}
	k := 1 - seen/chance
	return &k
}

// fleiss is Fleiss' kappa (1971, Measuring nominal scale agreement among many
// raters) of items with raters labels each, by category; nil where all labels are
// the same.
func fleiss(items []map[string]int, raters int) *float64 {
	n, N := float64(raters), float64(len(items))
	totals := map[string]int{}
	agree := 0.0
	for _, c := range items {
		same := 0.0
		for category, k := range c {
			totals[category] += k
			same += float64(k * (k - 1)) // integers: any order gives the same sum
		}
		agree += same / (n * (n - 1))
	}
	agree /= N
	chance := 0.0
	for _, category := range slices.Sorted(maps.Keys(totals)) {
		p := float64(totals[category]) / (N * n)
		chance += p * p
	}
	if chance >= 1 {
		return nil
	}
	k := (agree - chance) / (1 - chance)
	return &k
}

// Verdict is what all labellers together say of an item.
type Verdict struct {
	Item   string
	Labels int
	Choice Choice  // the choice of most; Tie where two are equal or most say so
	Score  float64 // the mean of the scores
}

// Verdicts joins the labels of each item; skipped items are left out. They come
// in the order of items.
func Verdicts(labels []Label) []Verdict {
	type sum struct {
		first, second, tie, score, scores int
	}
	sums := map[string]*sum{}
	for _, l := range labels {
		if l.Choice == Skip {
			continue
		}
		s := sums[l.Item]
		if s == nil {
			s = &sum{}
			sums[l.Item] = s
		}
		switch l.Choice {
		case First:
			s.first++
		case Second:
			s.second++
		case Tie:
			s.tie++
		default:
			s.score, s.scores = s.score+l.Score, s.scores+1
		}
	}
	var out []Verdict
	for id, s := range sums {
		v := Verdict{Item: id, Labels: s.first + s.second + s.tie + s.scores, Choice: Tie}
		switch {
		case s.scores > 0:
			v.Choice, v.Score = "", float64(s.score)/float64(s.scores)
		case s.first > s.second && s.first > s.tie:
			v.Choice = First
		case s.second > s.first && s.second > s.tie:
			v.Choice = Second
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Verdict) int { return cmp.Compare(a.Item, b.Item) })
	return out
}
