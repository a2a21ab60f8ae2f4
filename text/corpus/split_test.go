package corpus

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text"
)

// stream yields documents from memory.
func stream(docs []text.Document) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// randomDocuments makes n documents in 40 directories; some are generated, and
// some copy an earlier one.
func randomDocuments(seed uint64, n int) []text.Document {
	docs := make([]text.Document, n)
	for i := range docs {
		at := func(k uint64, n int) int { return rng.Intn(seed, k, uint64(i), n) }
		d := text.Document{Source: fmt.Sprintf("d%d/f%d.go", at(1, 40), i), Kind: "go"}
		d.ID = "root/" + d.Source
		d.Text = strings.Repeat(fmt.Sprintf("text %d ", i), 1+at(2, 50))
		if i > 10 && at(3, 10) == 0 {
			d.Text = docs[at(4, i)].Text
		}
		if at(5, 8) == 0 {
			d.Meta = map[string]string{"generated": "true"}
		}
		docs[i] = d
	}
	return docs
}

func TestSplitProperties(t *testing.T) {
	for seed := range uint64(20) {
		docs := randomDocuments(seed, 800)
		for _, method := range []Method{ByContent, ByDirectory} {
			s, err := Split(stream(docs), SplitOptions{Method: method, Share: 0.1, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s, seed %d", method, seed)
			train, validation := collect(t, s.Documents(Train)), collect(t, s.Documents(Validation))
			if len(train)+len(validation) != len(docs) {
				t.Fatalf("%s: got %d + %d documents, want %d", name, len(train), len(validation), len(docs))
			}
			sideOf, dirs := map[string]Side{}, map[string]bool{}
			var bytes [2]int
			for side, list := range [][]text.Document{train, validation} {
				for _, d := range list {
					if was, ok := sideOf[d.Text]; ok && was != Side(side) {
						t.Errorf("%s: a text lies on both sides", name)
					}
					sideOf[d.Text] = Side(side)
					bytes[side] += len(d.Text)
					if side == int(Validation) {
						dirs[path.Dir(d.Source)] = true
						if d.Meta["generated"] != "" {
							t.Errorf("%s: a generated file is in validation", name)
						}
					}
				}
			}
			if got := s.Count(Validation); got.Documents != len(validation) || got.Bytes != int64(bytes[1]) {
				t.Errorf("%s: got count %v, want %d documents and %d bytes", name, got, len(validation), bytes[1])
			}
			if share := float64(bytes[1]) / float64(bytes[0]+bytes[1]); share < 0.03 || share > 0.2 {
				t.Errorf("%s: validation share %.3f, want about 0.1", name, share)
			}
			if method == ByDirectory {
				checkDirectories(t, name, dirs, sideOf, docs)
			}
		}
	}
}

// checkDirectories fails if a hand-written, unique text of a validation
// directory lies in training.
func checkDirectories(t *testing.T, name string, validation map[string]bool, sideOf map[string]Side, docs []text.Document) {
	copies := map[string]int{}
	for _, d := range docs {
		copies[d.Text]++
	}
	for _, d := range docs {
		if validation[path.Dir(d.Source)] && copies[d.Text] == 1 && d.Meta["generated"] == "" && sideOf[d.Text] != Validation {
			t.Errorf("%s: %s lies in training, its directory in validation", name, d.Source)
		}
	}
}

func TestSplitIsStable(t *testing.T) {
	docs := randomDocuments(3, 400)
	print := func(docs []text.Document, o SplitOptions) string {
		s, err := Split(stream(docs), o)
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	o := SplitOptions{Method: ByContent, Share: 0.1}
	if a, b := print(docs, o), print(docs, o); a != b {
		t.Errorf("two splits of one corpus: %s and %s", a, b)
	}
	if a, b := print(docs, o), print(docs, SplitOptions{Method: ByContent, Share: 0.1, Seed: 1}); a == b {
		t.Error("another seed gives the same split")
	}
	// By content, a document keeps its side when the corpus grows.
	small, _ := Split(stream(docs[:200]), o)
	large, _ := Split(stream(docs), o)
	held := collect(t, large.Documents(Validation))
	for _, d := range collect(t, small.Documents(Validation)) {
		moved := !slices.ContainsFunc(held, func(e text.Document) bool { return e.ID == d.ID })
		generatedCopy := slices.ContainsFunc(docs, func(e text.Document) bool { return e.Text == d.Text && generated(&e) })
		if moved && !generatedCopy {
			t.Errorf("%s left validation when the corpus grew", d.ID)
		}
	}
}

func TestSplitByTail(t *testing.T) {
	docs := []text.Document{{ID: "a", Source: "a", Text: strings.Repeat("é", 100)}, {ID: "b", Source: "b", Text: "0123456789"}}
	s, err := Split(stream(docs), SplitOptions{Share: 0.105})
	if err != nil {
		t.Fatal(err)
	}
	if s.Method() != ByTail {
		t.Errorf("two documents: got method %q, want tail", s.Method())
	}
	train, validation := collect(t, s.Documents(Train)), collect(t, s.Documents(Validation))
	for i, want := range []string{strings.Repeat("é", 89), "01234567"} {
		if train[i].Text != want || train[i].Text+validation[i].Text != docs[i].Text {
			t.Errorf("got %q and %q, want %q first", train[i].Text, validation[i].Text, want)
		}
	}
	if validation[0].ID != "a^" {
		t.Errorf("got ID %q, want a^", validation[0].ID)
	}
}

func TestSplitAuto(t *testing.T) {
	for _, tt := range []struct {
		name string
		docs []text.Document
		want Method
	}{
		{"many directories", randomDocuments(1, 400), ByDirectory},
		{"one directory", func() []text.Document {
			docs := randomDocuments(1, 60)
			for i := range docs {
				docs[i].Source, docs[i].Meta = "x/y.jsonl", nil
			}
			return docs
		}(), ByContent},
		{"few documents", randomDocuments(1, 10), ByTail},
	} {
		s, err := Split(stream(tt.docs), SplitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Method() != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, s.Method(), tt.want)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	one := []text.Document{{ID: "a", Source: "a", Text: "a"}}
	for _, tt := range []struct {
		name string
		docs []text.Document
		o    SplitOptions
		want string
	}{
		{"bad share", one, SplitOptions{Share: 1}, "share"},
		{"bad method", one, SplitOptions{Method: "random"}, "random"},
		{"one document by directory", one, SplitOptions{Method: ByDirectory}, "validation side of 1 documents is empty"},
		{"one document by content", one, SplitOptions{Method: ByContent}, "training side of 1 documents is empty"},
		{"all generated", []text.Document{{Text: "g", Meta: map[string]string{"generated": "true"}}}, SplitOptions{}, "validation side"},
		{"no documents", nil, SplitOptions{}, "training side of 0 documents is empty"},
	} {
		if _, err := Split(stream(tt.docs), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// naiveOverlap counts word n-grams with strings in a map.
func naiveOverlap(train, validation []text.Document, n int) (total, found int64) {
	grams := func(d text.Document) (g []string) {
		words := strings.Fields(d.Text)
		for i := 0; i+n <= len(words); i++ {
			g = append(g, strings.Join(words[i:i+n], " "))
		}
		return g
	}
	seen := map[string]bool{}
	for _, d := range train {
		for _, g := range grams(d) {
			seen[g] = true
		}
	}
	for _, d := range validation {
		for _, g := range grams(d) {
			total++
			if seen[g] {
				found++
			}
		}
	}
	return total, found
}

// wordSoup makes documents of words drawn from a small vocabulary.
func wordSoup(stream uint64, docs, words, vocabulary int) []text.Document {
	out := make([]text.Document, docs)
	for i := range out {
		var b strings.Builder
		for j := range words {
			fmt.Fprintf(&b, "w%d \n", rng.Intn(9, stream, uint64(i*words+j), vocabulary))
		}
		out[i].Text = b.String()
	}
	return out
}

func TestOverlapMatchesNaiveCount(t *testing.T) {
	train, validation := wordSoup(1, 30, 400, 12), wordSoup(2, 10, 300, 12)
	for _, n := range []int{1, 2, 3, 4, 5} {
		got, err := MeasureOverlap(stream(train), stream(validation), OverlapOptions{N: n})
		if err != nil {
			t.Fatal(err)
		}
		total, found := naiveOverlap(train, validation, n)
		if got.Total != total || got.Found != found || got.Sampled != 1 {
			t.Errorf("%d-grams: got %d of %d, want %d of %d", n, got.Found, got.Total, found, total)
		}
	}
}

func TestOverlapSamplesWhenFull(t *testing.T) {
	train, validation := wordSoup(1, 40, 500, 30), wordSoup(2, 40, 500, 30)
	exact, _ := MeasureOverlap(stream(train), stream(validation), OverlapOptions{N: 3})
	got, err := MeasureOverlap(stream(train), stream(validation), OverlapOptions{N: 3, MaxEntries: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if got.Sampled >= 0.25 || got.Total >= exact.Total/2 {
		t.Errorf("got a sample of %v with %d n-grams: the bound was ignored", got.Sampled, got.Total)
	}
	if d := got.Share - exact.Share; d > 0.05 || d < -0.05 {
		t.Errorf("sampled share %.3f, exact %.3f", got.Share, exact.Share)
	}
}

func TestOverlapBytes(t *testing.T) {
	copied := strings.Repeat("0123456789", 6)
	got, err := MeasureOverlap(stream([]text.Document{{Text: "before " + copied + " after"}}),
		stream([]text.Document{{Text: copied}, {Text: strings.ToUpper("nothing of this text occurs in the other one, not at all")}}),
		OverlapOptions{Bytes: true})
	if err != nil {
		t.Fatal(err)
	}
	if got.N != 50 || got.Unit != "byte" || got.Total != 11+7 || got.Found != 11 {
		t.Errorf("got %+v, want 11 of 18 byte 50-grams", got)
	}
	if _, err := MeasureOverlap(stream(nil), stream(nil), OverlapOptions{}); err == nil {
		t.Error("empty validation: got no error")
	}
}

func BenchmarkOverlap(b *testing.B) {
	train, validation := wordSoup(1, 200, 5000, 5000), wordSoup(2, 20, 5000, 5000)
	n := 0
	for _, d := range train {
		n += len(d.Text)
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		if _, err := MeasureOverlap(stream(train), stream(validation), OverlapOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
