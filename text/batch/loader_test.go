package batch

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

func inMemory(t testing.TB, docs [][]int32, end int32) *Shards {
	t.Helper()
	s, err := InMemory(sequences(docs), ShardOptions{Vocab: 1 << 20, End: end, ShardBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// numbered makes documents in which every id but the end is unique: id
// 1000*doc + index + 1000, so that a batch tells where each token is from.
func numbered(seed uint64, n, longest int) [][]int32 {
	docs := make([][]int32, n)
	for i := range docs {
		docs[i] = make([]int32, 1+rng.Intn(seed, 3, uint64(i), longest))
		for j := range docs[i] {
			docs[i][j] = int32(1000*(i+1) + j)
		}
		docs[i][len(docs[i])-1] = testEnd
	}
	return docs
}

// pair is an input with its target, and the document it is from.
type pairAt struct{ doc, index int }

// checkRow checks the masks of a row and returns its stretches as [from, to).
func checkRow(t *testing.T, b *Batch, row int) (spans [][2]int) {
	t.Helper()
	for i := range b.T {
		k := row*b.T + i
		start := int(b.Start[k])
		if start > i || start < 0 || int(b.Pos[k]) != i-start {
			t.Fatalf("row %d, column %d: start %d and pos %d", row, i, start, b.Pos[k])
		}
		if start == i {
			spans = append(spans, [2]int{i, i + 1})
		} else {
			last := &spans[len(spans)-1]
			if last[0] != start {
				t.Fatalf("row %d, column %d: start %d lies inside a stretch from %d", row, i, start, last[0])
			}
			last[1] = i + 1
		}
	}
	return spans
}

// tokensOf returns the pairs of one stretch of a packed row, by the numbers in
// its ids, and fails unless they are consecutive pairs of one document.
func tokensOf(t *testing.T, docs [][]int32, ids, targets []int32, plain bool) []pairAt {
	t.Helper()
	if len(ids) == 1 && ids[0] == 0 && targets[0] == -1 {
		return nil // padding
	}
	// Any id that is not the end tells document and index.
	doc, first := -1, 0
	for i := range ids {
		if ids[i] != testEnd {
			doc, first = int(ids[i]/1000)-1, int(ids[i]%1000)-i
			if !plain {
				first++
			}
			break
		}
		if targets[i] >= 0 && targets[i] != testEnd {
			doc, first = int(targets[i]/1000)-1, int(targets[i]%1000)-i
			break
		}
	}
	if doc < 0 {
		return []pairAt{{-1, -1}} // nothing but end tokens: some document's last
	}
	d := docs[doc]
	var pairs []pairAt
	for i := range ids {
		j := first + i
		wantID, wantTarget := d[j], int32(-1)
		if plain {
			if j+1 < len(d) {
				wantTarget = d[j+1]
			}
		} else {
			wantTarget, wantID = d[j], testEnd
			if j > 0 {
				wantID = d[j-1]
			}
		}
		if ids[i] != wantID || targets[i] != wantTarget {
			t.Fatalf("document %d, token %d: got (%d, %d), want (%d, %d)", doc, j, ids[i], targets[i], wantID, wantTarget)
		}
		pairs = append(pairs, pairAt{doc, j})
	}
	return pairs
}

// TestEpochHoldsEveryTokenOnce reads epochs of several shapes and finds every
// token of every document in exactly one place of each, in order within its
// stretch.
func TestEpochHoldsEveryTokenOnce(t *testing.T) {
	for _, tt := range []struct{ docs, longest, b, t int }{
		{50, 30, 4, 16}, {50, 30, 3, 7}, {1, 100, 2, 8}, {30, 1, 2, 4}, {7, 200, 5, 64}, {20, 20, 1, 1000}, {40, 25, 2, 1},
	} {
		for _, plain := range []bool{false, true} {
			name := fmt.Sprintf("%+v plain %v", tt, plain)
			docs := numbered(uint64(tt.t), tt.docs, tt.longest)
			s := inMemory(t, docs, testEnd)
			l, err := NewLoader(s, LoaderOptions{B: tt.b, T: tt.t, Seed: 5, Plain: plain})
			if err != nil {
				t.Fatal(err)
			}
			const epochs = 3
			counts := make([]map[pairAt]int, epochs)
			ends := make([]int, epochs)
			for e := range counts {
				counts[e] = map[pairAt]int{}
			}
			rows := l.RowsPerEpoch()
			for step := int64(0); step*int64(tt.b) < epochs*rows; step++ {
				b := l.At(step)
				trained := 0
				for row := range b.B {
					e := (step*int64(b.B) + int64(row)) / rows
					if e >= epochs {
						break
					}
					for _, span := range checkRow(t, b, row) {
						from, to := row*b.T+span[0], row*b.T+span[1]
						for _, p := range tokensOf(t, docs, b.IDs[from:to], b.Targets[from:to], plain) {
							if p.doc < 0 {
								ends[e]++
							}
							counts[e][p]++
						}
					}
				}
				for _, target := range b.Targets {
					if target >= 0 {
						trained++
					}
				}
				if trained != b.Trained {
					t.Fatalf("%s: step %d says %d trained targets, has %d", name, step, b.Trained, trained)
				}
			}
			for e, got := range counts {
				missing := 0
				for doc, d := range docs {
					for j := range d {
						switch got[pairAt{doc, j}] {
						case 1:
						case 0:
							missing++
							if d[j] != testEnd {
								t.Fatalf("%s: epoch %d lacks token %d of document %d", name, e, j, doc)
							}
						default:
							t.Fatalf("%s: epoch %d has token %d of document %d %d times", name, e, j, doc, got[pairAt{doc, j}])
						}
					}
				}
				if missing != ends[e] {
					t.Errorf("%s: epoch %d lacks %d end tokens and has %d without a document", name, e, missing, ends[e])
				}
			}
		}
	}
}

func TestAtIsAFunctionOfStep(t *testing.T) {
	docs := numbered(1, 80, 60)
	s := inMemory(t, docs, testEnd)
	for _, mode := range []Mode{Packed, Windows} {
		o := LoaderOptions{B: 3, T: 20, Seed: 11, Mode: mode}
		l, err := NewLoader(s, o)
		if err != nil {
			t.Fatal(err)
		}
		var want []*Batch
		for step := range int64(120) {
			want = append(want, l.At(step))
		}
		if reflect.DeepEqual(want[0], want[1]) {
			t.Errorf("%s: steps 0 and 1 are equal", mode)
		}
		reused := New(9, 9)
		for i := range 300 { // a new loader, at random places
			step := rng.Intn(1, 1, uint64(i), len(want))
			if i%50 == 0 {
				l, _ = NewLoader(s, o)
			}
			if l.Fill(reused, int64(step)); !reflect.DeepEqual(reused, want[step]) {
				t.Fatalf("%s: step %d differs when it is sought", mode, step)
			}
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 50 {
					step := (37*i + 11*w) % len(want)
					if !reflect.DeepEqual(l.At(int64(step)), want[step]) {
						t.Errorf("%s: step %d differs when several ask", mode, step)
					}
				}
			})
		}
		wg.Wait()
		o.Seed++
		if other, _ := NewLoader(s, o); reflect.DeepEqual(other.At(0), want[0]) {
			t.Errorf("%s: another seed gives the same batch", mode)
		}
	}
}

func TestEpochsAreShuffled(t *testing.T) {
	s := inMemory(t, numbered(1, 200, 30), testEnd)
	l, _ := NewLoader(s, LoaderOptions{B: 1, T: 32})
	one, two := l.At(0), l.At(l.RowsPerEpoch())
	if slices.Equal(one.IDs, two.IDs) {
		t.Error("two epochs begin with the same row")
	}
}

func TestWindows(t *testing.T) {
	all := make([]int32, 101)
	for i := range all {
		all[i] = int32(i)
	}
	s := inMemory(t, [][]int32{all[:40], all[40:]}, NoEnd)
	l, err := NewLoader(s, LoaderOptions{B: 4, T: 10, Mode: Windows})
	if err != nil {
		t.Fatal(err)
	}
	starts := map[int32]bool{}
	for step := range int64(400) {
		b := l.At(step)
		for k, id := range b.IDs {
			if b.Targets[k] != id+1 || id-b.IDs[k/10*10] != int32(k%10) || b.Start[k] != 0 || b.Pos[k] != int32(k%10) {
				t.Fatalf("step %d: got %+v", step, b)
			}
		}
		for row := range 4 {
			starts[b.IDs[10*row]] = true
		}
	}
	if len(starts) != 91 || !starts[0] || !starts[90] {
		t.Errorf("windows began at %d places, want all 91 from 0 to 90", len(starts))
	}
}

func TestLoaderErrors(t *testing.T) {
	s := inMemory(t, [][]int32{{1, 2, 3}}, NoEnd)
	for _, tt := range []struct {
		o    LoaderOptions
		want string
	}{
		{LoaderOptions{B: 0, T: 4}, "must be positive"},
		{LoaderOptions{B: 1, T: 3, Mode: Windows}, "3 tokens cannot fill a window of 3"},
		{LoaderOptions{B: 1, T: 3, Mode: "sorted"}, "sorted"},
	} {
		if _, err := NewLoader(s, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.o, err, tt.want)
		}
	}
}

func BenchmarkLoader(b *testing.B) {
	s := inMemory(b, randomDocs(1, 20_000, 2000), testEnd)
	l, err := NewLoader(s, LoaderOptions{B: 16, T: 256})
	if err != nil {
		b.Fatal(err)
	}
	batch := new(Batch)
	l.Fill(batch, 0)
	b.SetBytes(16 * 256 * 2)
	for step := int64(0); b.Loop(); step++ {
		l.Fill(batch, step*7919%(l.RowsPerEpoch()/16))
	}
}

func BenchmarkEpochOrder(b *testing.B) {
	s := inMemory(b, randomDocs(1, 100_000, 20), testEnd)
	for b.Loop() {
		l, _ := NewLoader(s, LoaderOptions{B: 1, T: 256})
		l.At(0)
	}
}
