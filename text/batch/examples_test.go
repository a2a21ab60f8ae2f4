package batch

import (
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// randomExamples makes examples with unique ids whose second half is trained.
func randomExamples(n, longest int) []Example {
	examples := make([]Example, n)
	for i := range examples {
		e := &examples[i]
		length := 2 + rng.Intn(1, 1, uint64(i), longest-1)
		for j := range length {
			e.IDs = append(e.IDs, int32(1000*(i+1)+j))
			e.Train = append(e.Train, j >= length/2)
		}
	}
	return examples
}

func TestExamplesArePackedWhole(t *testing.T) {
	const rowTokens = 64
	examples := randomExamples(200, rowTokens+1)
	for _, single := range []bool{false, true} {
		p, err := PackExamples(examples, rowTokens, PackOptions{Single: single})
		if err != nil {
			t.Fatal(err)
		}
		l := p.Loader(3, 9)
		rows := int(l.RowsPerEpoch())
		seen := map[int]int{}
		trained := 0
		for g := range 2 * rows {
			b, row := l.At(int64(g/3)), g%3
			for _, span := range checkRow(t, b, row) {
				from, n := row*rowTokens+span[0], span[1]-span[0]
				if b.IDs[from] == 0 {
					continue
				}
				i := int(b.IDs[from]/1000) - 1
				e := examples[i]
				if n != len(e.IDs)-1 {
					t.Fatalf("example %d of %d ids takes %d places", i, len(e.IDs), n)
				}
				seen[i]++
				for k := range n {
					want := int32(-1)
					if e.Train[k+1] {
						want = e.IDs[k+1]
						trained++
					}
					if b.IDs[from+k] != e.IDs[k] || b.Targets[from+k] != want {
						t.Fatalf("example %d, place %d: got (%d, %d), want (%d, %d)", i, k, b.IDs[from+k], b.Targets[from+k], e.IDs[k], want)
					}
				}
			}
		}
		for i := range examples {
			if seen[i] != 2 {
				t.Errorf("example %d was seen %d times in 2 epochs", i, seen[i])
			}
		}
		st := p.Stats()
		if st.Examples != 200 || st.Rows != rows || 2*st.Trained != trained || single != (rows == 200) {
			t.Errorf("single %v: got %+v, %d rows, %d trained in 2 epochs", single, st, rows, trained)
		}
		if fill := float64(st.Tokens) / float64(rows*rowTokens); !single && fill < 0.95 {
			t.Errorf("rows are filled to %.3f", fill)
		}
	}
}

func TestExampleLoaderSeeks(t *testing.T) {
	p, err := PackExamples(randomExamples(50, 20), 32, PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l := p.Loader(4, 1)
	var want []*Batch
	for step := range int64(40) {
		want = append(want, l.At(step))
	}
	for step := int64(39); step >= 0; step-- {
		if got := p.Loader(4, 1).At(step); !reflect.DeepEqual(got, want[step]) || !reflect.DeepEqual(l.At(step), want[step]) {
			t.Fatalf("step %d differs when it is sought", step)
		}
	}
	if reflect.DeepEqual(p.Loader(4, 2).At(0), want[0]) {
		t.Error("another seed gives the same batch")
	}
}

func TestExamplePolicies(t *testing.T) {
	flags := func(s string) (train []bool) {
		for _, c := range s {
			train = append(train, c == '1')
		}
		return train
	}
	examples := []Example{
		{[]int32{1, 2, 3}, flags("011")},
		{[]int32{1, 2, 3, 4, 5, 6}, flags("001111")}, // too long for 4
		{[]int32{1, 2, 3, 4, 5, 6}, flags("000001")}, // too long, nothing left when cut
		{[]int32{1, 2, 3, 4, 5}, flags("00001")},     // fits exactly
		{[]int32{1, 2}, flags("10")},                 // only the first id: no target
		{nil, nil},
	}
	for _, tt := range []struct {
		policy TooLong
		want   PackStats
	}{
		{"", PackStats{Examples: 2, Dropped: 2, Empty: 2, Rows: 2, Tokens: 6, Trained: 3}},
		{Truncate, PackStats{Examples: 3, Truncated: 1, Empty: 3, Rows: 3, Tokens: 10, Trained: 6}},
	} {
		p, err := PackExamples(examples, 4, PackOptions{TooLong: tt.policy})
		if err != nil {
			t.Fatal(err)
		}
		if p.Stats() != tt.want {
			t.Errorf("policy %q: got %+v, want %+v", tt.policy, p.Stats(), tt.want)
		}
	}
	if _, err := PackExamples(examples[4:], 4, PackOptions{}); err == nil || !strings.Contains(err.Error(), "of 2 examples none") {
		t.Errorf("nothing to learn: got %v", err)
	}
	if _, err := PackExamples(examples, 4, PackOptions{TooLong: "split"}); err == nil || !strings.Contains(err.Error(), "split") {
		t.Errorf("bad policy: got %v", err)
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lengths []int
		t       int
		want    [][]int32
	}{
		{"best fit", []int{6, 5, 4, 5}, 10, [][]int32{{0, 2}, {1, 3}}},
		{"full rows", []int{4, 4, 4}, 4, [][]int32{{0}, {1}, {2}}},
		{"fullest first", []int{7, 8, 2, 3}, 10, [][]int32{{1, 2}, {0, 3}}},
		{"one token rows", []int{1, 1}, 1, [][]int32{{0}, {1}}},
		{"word borders", []int{64, 63, 1, 65}, 128, [][]int32{{3, 1}, {0, 2}}},
	} {
		if got := fit(tt.lengths, tt.t); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	for seed := range uint64(30) {
		lengths := make([]int, 300)
		for i := range lengths {
			lengths[i] = 1 + rng.Intn(seed, 1, uint64(i), 100)
		}
		seen := make([]bool, len(lengths))
		for _, row := range fit(lengths, 100) {
			sum := 0
			for _, i := range row {
				if seen[i] {
					t.Fatalf("seed %d: item %d is in two rows", seed, i)
				}
				seen[i] = true
				sum += lengths[i]
			}
			if sum > 100 {
				t.Fatalf("seed %d: a row holds %d", seed, sum)
			}
		}
		for i, ok := range seen {
			if !ok {
				t.Fatalf("seed %d: item %d is in no row", seed, i)
			}
		}
	}
}
