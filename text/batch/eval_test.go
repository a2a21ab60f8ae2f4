package batch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestEvalCountsEveryTokenOnce covers documents with windows and checks that
// every token is a counted target once, with as much context as the stride
// promises.
func TestEvalCountsEveryTokenOnce(t *testing.T) {
	for _, tt := range []struct{ docs, longest, b, t, stride int }{
		{40, 100, 4, 16, 8}, {40, 100, 4, 16, 16}, {40, 100, 4, 16, 1}, {10, 10, 3, 64, 0}, {3, 300, 2, 7, 3}, {5, 20, 1, 1, 1},
	} {
		name := fmt.Sprintf("%+v", tt)
		docs := numbered(3, tt.docs, tt.longest)
		e, err := NewEval(inMemory(t, docs, testEnd), EvalOptions{B: tt.b, T: tt.t, Stride: tt.stride})
		if err != nil {
			t.Fatal(err)
		}
		counted, ends, total := map[int32]int{}, 0, int64(0)
		for i := range e.Batches() {
			b := e.At(i)
			trained := 0
			for row := range b.B {
				for _, span := range checkRow(t, b, row) {
					for k := row*b.T + span[0]; k < row*b.T+span[1]; k++ {
						target := b.Targets[k]
						if target < 0 {
							continue
						}
						trained++
						if target == testEnd {
							ends++
							continue
						}
						counted[target]++
						// Context: min(index, T - stride) tokens of the document lie before.
						if index := int(target % 1000); int(b.Pos[k]) < min(index, tt.t-e.Stride()) {
							t.Errorf("%s: target %d has %d tokens before it", name, target, b.Pos[k])
						}
					}
				}
			}
			if trained != b.Trained {
				t.Errorf("%s: batch %d says %d targets, has %d", name, i, b.Trained, trained)
			}
			total += int64(trained)
		}
		for _, d := range docs {
			for _, id := range d[:len(d)-1] {
				if counted[id] != 1 {
					t.Fatalf("%s: token %d is counted %d times", name, id, counted[id])
				}
			}
		}
		if ends != len(docs) || total != e.Counted() || e.Uncounted() != 0 || total != e.s.Tokens() {
			t.Errorf("%s: got %d end tokens and %d of %d tokens", name, ends, total, e.s.Tokens())
		}
	}
}

func TestEvalWholeText(t *testing.T) {
	all := make([]int32, 100)
	for i := range all {
		all[i] = int32(i)
	}
	e, err := NewEval(inMemory(t, [][]int32{all[:33], all[33:]}, NoEnd), EvalOptions{B: 2, T: 16, Stride: 12, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []int32
	for i := range e.Batches() {
		b := e.At(i)
		for k, target := range b.Targets {
			if target >= 0 {
				got = append(got, target)
				if b.IDs[k] != target-1 {
					t.Errorf("target %d follows %d", target, b.IDs[k])
				}
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, all[1:]) || e.Counted() != 99 || e.Uncounted() != 1 {
		t.Errorf("got %d targets, %d counted, %d uncounted", len(got), e.Counted(), e.Uncounted())
	}
}

func TestEvalPlainSkipsFirstTokens(t *testing.T) {
	docs := numbered(3, 20, 30)
	s := inMemory(t, docs, testEnd)
	e, err := NewEval(s, EvalOptions{B: 2, T: 8, Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	if e.Uncounted() != 20 || e.Counted() != s.Tokens()-20 {
		t.Errorf("got %d counted, %d not, of %d", e.Counted(), e.Uncounted(), s.Tokens())
	}
	for i := range e.Batches() {
		for _, target := range e.At(i).Targets {
			if target >= 0 && target != testEnd && target%1000 == 0 {
				t.Errorf("the first token of a document is a target: %d", target)
			}
		}
	}
}

func TestEvalErrors(t *testing.T) {
	s := inMemory(t, [][]int32{{1}}, NoEnd)
	for _, tt := range []struct {
		o    EvalOptions
		want string
	}{
		{EvalOptions{B: 1}, "must be positive"},
		{EvalOptions{B: 1, T: 4, Stride: 5}, "stride is 5"},
		{EvalOptions{B: 1, T: 4}, "no token of 1 documents"},
	} {
		if _, err := NewEval(s, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.o, err, tt.want)
		}
	}
}

func TestBatchBytes(t *testing.T) {
	s := inMemory(t, [][]int32{{3, 4, testEnd}}, testEnd)
	e, _ := NewEval(s, EvalOptions{B: 1, T: 8})
	lengths := make([]int32, 10)
	lengths[3], lengths[4] = 5, 6
	if got := e.At(0).Bytes(lengths); got != 11 {
		t.Errorf("got %d bytes, want 11", got)
	}
}
