package batch

import (
	"reflect"
	"testing"
)

func TestLay(t *testing.T) {
	examples := randomExamples(40, 33)
	b, places := Lay(examples, 32)
	if b.T > 32 || b.B*b.T > 2*32*40 {
		t.Fatalf("%d rows of %d", b.B, b.T)
	}
	taken := make([]bool, b.B*b.T)
	trained := 0
	for i, e := range examples {
		p, n := places[i], len(e.IDs)-1
		if p.N != n || p.At/b.T != (p.At+n-1)/b.T {
			t.Fatalf("example %d of %d ids lies at %+v of rows of %d", i, len(e.IDs), p, b.T)
		}
		for k := range n {
			at, want := p.At+k, int32(-1)
			if e.Train[k+1] {
				want = e.IDs[k+1]
				trained++
			}
			got := []int32{b.IDs[at], b.Targets[at], b.Pos[at], b.Start[at]}
			if !reflect.DeepEqual(got, []int32{e.IDs[k], want, int32(k), int32(p.At % b.T)}) || taken[at] {
				t.Fatalf("example %d, place %d: %v", i, k, got)
			}
			taken[at] = true
		}
	}
	for i, x := range taken {
		if !x && (b.Targets[i] != -1 || b.Start[i] != int32(i%b.T)) {
			t.Errorf("place %d is free and not padding", i)
		}
	}
	if b.Trained != trained {
		t.Errorf("%d targets, want %d", b.Trained, trained)
	}
}

// TestLayCutsRows lays few examples out without a place to spare.
func TestLayCutsRows(t *testing.T) {
	b, _ := Lay(randomExamples(2, 9), 100)
	n := 0
	for _, e := range randomExamples(2, 9) {
		n += len(e.IDs) - 1
	}
	if b.B != 1 || b.T != n {
		t.Errorf("%d rows of %d tokens, want one of %d", b.B, b.T, n)
	}
}
