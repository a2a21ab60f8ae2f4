package label

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
)

func plain(s string) dataset.Text { return dataset.Text{Plain: s} }

func TestItems(t *testing.T) {
	pair := dataset.Record{Kind: dataset.Preference, Prompt: plain("p"), Chosen: plain("a"), Rejected: plain("b"), Source: "f:1"}
	other := pair
	other.Chosen, other.Rejected = pair.Rejected, pair.Chosen
	x, y := Items(pair, false), Items(other, false)
	if len(x) != 1 || !x[0].Pair() || !x[0].Decided || x[0].ID == y[0].ID || x[0].ID != Items(pair, false)[0].ID {
		t.Errorf("a pair: %+v, the other way round %+v", x, y)
	}
	if g := Items(pair, true); len(g) != 2 || g[0].Pair() || g[0].ID == g[1].ID || g[0].ID == x[0].ID {
		t.Errorf("graded: %+v", g)
	}
	turns := []dataset.Turn{{Role: "user", Content: "q"}, {Role: "assistant", Content: "a"}, {Role: "user", Content: "r"}}
	if m := Items(dataset.Record{Kind: dataset.Messages, Messages: turns}, false); len(m) != 1 || m[0].Answers[0].Turns[0].Content != "a" || len(m[0].Prompt.Turns) != 1 {
		t.Errorf("messages: %+v", m)
	}
	swapped, differ := 0, 0
	for i := range 1000 {
		id := fmt.Sprint(i)
		anna := Swapped(1, "anna", id)
		if anna {
			swapped++
		}
		if anna != Swapped(1, "ben", id) {
			differ++
		}
	}
	if swapped < 440 || swapped > 560 || differ < 440 || differ > 560 {
		t.Errorf("%d of 1000 pairs are swapped, %d not as for another labeller", swapped, differ)
	}
}

// A label that was added is there whatever happens to the file's end later.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.jsonl")
	f, labels, broken, err := Open(path)
	if err != nil || len(labels)+broken != 0 {
		t.Fatal(labels, broken, err)
	}
	want := []Label{
		{Item: "1", Labeller: "anna", Choice: First, Swapped: true, Seconds: 2.5},
		{Item: "2", Labeller: "anna", Score: 4},
		{Item: "1", Labeller: "ben", Choice: Skip},
	}
	for _, l := range want {
		if err := f.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Add(Label{Item: "3", Labeller: "anna", Score: 6}); err == nil {
		t.Error("a score of 6 was saved")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) {
		if err := os.WriteFile(path, whole[:len(whole)-cut], 0o644); err != nil {
			t.Fatal(err)
		}
		f, labels, _, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kept := strings.Count(string(whole[:len(whole)-cut]), "\n")
		if cut == 1 { // only the line end is missing
			kept++
		}
		if len(labels) < kept || len(labels) > 0 && !reflect.DeepEqual(labels, want[:len(labels)]) {
			t.Fatalf("%d bytes cut: %d labels, want at least %d", cut, len(labels), kept)
		}
		again := Label{Item: "9", Labeller: "anna", Choice: Tie}
		if err := f.Add(again); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		after, _, err := Read(path)
		if err != nil || len(after) != len(labels)+1 || after[len(after)-1] != again {
			t.Fatalf("%d bytes cut: then %v, %v", cut, after, err)
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, _, _, err = Open(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := Label{Item: "1", Labeller: "anna", Choice: Tie}
	if err := f.Add(changed); err != nil {
		t.Fatal(err)
	}
	if labels, _, err := Read(path); err != nil || len(labels) != 3 || labels[0] != changed {
		t.Errorf("a label that was changed: %v, %v", labels, err)
	}
}

func choices(labeller, s string) []Label {
	var out []Label
	for i, c := range s {
		l := Label{Item: fmt.Sprint(i), Labeller: labeller}
		switch c {
		case 'a':
			l.Choice = First
		case 'b':
			l.Choice = Second
		case 't':
			l.Choice = Tie
		case 's':
			l.Choice = Skip
		case ' ':
			continue
		default:
			l.Score = int(c - '0')
		}
		out = append(out, l)
	}
	return out
}

func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > 5e-4 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// Published examples: Cohen's kappa 0.4 of the table 20 5 10 15, Fleiss' 0.210 of
// 14 raters, 10 items and 5 categories (Fleiss' own form of table).
func TestKappa(t *testing.T) {
	a := choices("a", strings.Repeat("a", 25)+strings.Repeat("b", 25))
	b := choices("b", strings.Repeat("a", 20)+strings.Repeat("b", 5)+strings.Repeat("a", 10)+strings.Repeat("b", 15))
	r := Measure(append(a, b...))
	near(t, "Cohen's kappa", r.Pairs[0].Kappa, 0.4)
	if r.Pairs[0].Agreement != 0.7 || r.Pairs[0].Items != 50 {
		t.Errorf("%+v", r.Pairs[0])
	}
	near(t, "Fleiss' kappa of two", r.Fleiss, (0.7-(0.55*0.55+0.45*0.45))/(1-(0.55*0.55+0.45*0.45)))
	var labels []Label
	for i, row := range []string{"0 0 0 0 14", "0 2 6 4 2", "0 0 3 5 6", "0 3 9 2 0", "2 2 8 1 1", "7 7 0 0 0", "3 2 6 3 0", "2 5 3 2 2", "6 5 2 1 0", "0 2 2 3 7"} {
		rater := 0
		for k, n := range strings.Fields(row) {
			var count int
			fmt.Sscan(n, &count)
			for range count {
				labels = append(labels, Label{Item: fmt.Sprint(i), Labeller: fmt.Sprintf("r%02d", rater), Score: k + 1})
				rater++
			}
		}
	}
	r = Measure(labels)
	near(t, "Fleiss' kappa", r.Fleiss, 0.210)
	if r.FleissItems != 10 || len(r.Labellers) != 14 || len(r.Pairs) != 91 {
		t.Errorf("%d items, %d labellers, %d pairs", r.FleissItems, len(r.Labellers), len(r.Pairs))
	}
	// Squared distances: seen (0+0+1+4)/4, by chance (0+1+4+4+ 1+0+1+1+ 4+1+0+0 +4+1+0+0)/16.
	p := Measure(append(choices("a", "1233"), choices("b", "1221")...)).Pairs[0]
	left, right := []int{1, 2, 3, 3}, []int{1, 2, 2, 1}
	seen, chance := 0.0, 0.0
	for i := range left {
		seen += float64((left[i]-right[i])*(left[i]-right[i])) / 4
		for j := range right {
			chance += float64((left[i]-right[j])*(left[i]-right[j])) / 16
		}
	}
	near(t, "weighted kappa", p.Weighted, 1-seen/chance)
}

func TestMeasure(t *testing.T) {
	labels := append(choices("anna", "aabts"), choices("ben", "abbb ")...)
	for i := range labels {
		labels[i].Seconds = float64(i + 1)
		labels[i].Swapped = i == 0
	}
	r := Measure(labels)
	anna := r.Labellers[0]
	if anna.Labels != 4 || anna.Skipped != 1 || anna.Ties != 1 || anna.Decided != 3 || anna.Shown != 1 || anna.First != 2 || anna.Seconds != 3 {
		t.Errorf("anna: %+v", anna)
	}
	p := r.Pairs[0]
	if p.Items != 4 || p.Agreement != 0.5 || *p.Untied != 2.0/3 {
		t.Errorf("%+v", p)
	}
	if w := wilson(5, 10); math.Abs(w[0]-0.2366) > 1e-4 || math.Abs(w[1]-0.7634) > 1e-4 {
		t.Errorf("Wilson's interval %v", w)
	}
	v := Verdicts(labels)
	if len(v) != 4 || v[0].Choice != First || v[1].Choice != Tie || v[2].Choice != Second || v[3].Choice != Tie {
		t.Errorf("verdicts %+v", v)
	}
	same := Measure(append(choices("a", "aa"), choices("b", "aa")...))
	if same.Pairs[0].Kappa != nil || same.Fleiss != nil {
		t.Error("a kappa without any chance of disagreement")
	}
	if r := Measure(nil); r.Labels != 0 || r.Fleiss != nil {
		t.Errorf("nothing: %+v", r)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"item":"1","labeller":"a","choice":"tie"}` + "\n{"))
	f.Add([]byte(`{"item":"1","labeller":"a","score":3,"seconds":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		labels, _, err := read(bufio.NewReader(strings.NewReader(string(data))))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range labels {
			if err := l.check(); err != nil {
				t.Fatal(err)
			}
		}
		Measure(labels)
		Verdicts(labels)
	})
}
