package lab

import (
	"slices"
	"strings"
	"testing"
)

// A run in small has all rows, on a page.
func TestSnowballRows(t *testing.T) {
	r, err := SnowballLab(t.Context(), exactBackend(t, 1), SnowballOptions{Towns: 8, Steps: 3, Seed: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 3*2*5 || r.Params == 0 {
		t.Errorf("%d rows of %d parameters", len(r.Rows), r.Params)
	}
	for _, x := range r.Rows {
		if want := map[string]int{snowGiven: 48, snowFound: 8}[x.Question]; x.Right.N != want || x.False.N != want || len(x.wrong) != want {
			t.Errorf("%+v, want %d questions", x, want)
		}
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "2305.13534") {
		t.Errorf("page: %v", err)
	}
	for _, o := range []SnowballOptions{{Towns: 3}, {Steps: -1}, {TakenBack: 0.7}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// Texts are true but for the share that is taken back, and keep off what is held out.
func TestSnowWorld(t *testing.T) {
	w := newSnowWorld(16, true, 0.2, 5)
	wheres, whos, backs := 0, 0, 0
	for k := range 20000 {
		ids := w.example(k).IDs
		if ids[len(ids)-1] != snowEnd || len(ids) > snowLength {
			t.Fatalf("text %d: %v", k, ids)
		}
		where := ids[0] == snowWhere
		switch ids[0] {
		case snowWhere, snowWho:
		case snowCheck:
			if w.isTrue(ids[1], ids[2]) != (ids[4] == snowTrue) {
				t.Errorf("text %d: %v", k, ids)
			}
			continue
		default:
			if !w.isTrue(ids[1], ids[2]) {
				t.Errorf("text %d: %v", k, ids)
			}
			continue
		}
		r := readSnow(where, ids[3:len(ids)-1])
		right := snowNo
		if where {
			wheres++
			person := int(ids[1] - w.person(0))
			if ids[2] == snowRegion(w.held(person)) {
				t.Errorf("text %d asks for what is held out: %v", k, ids)
			}
			if ids[2] == snowRegion(regionOf(w.pairs[person][0])) {
				right = snowYes
			}
		} else {
			whos++
			at := [2]int{int(ids[1] - snowTown(0)), int(ids[2] - snowJob(0))}
			if snowHeld(at[0], at[1]) {
				t.Errorf("text %d asks for what is held out: %v", k, ids)
			}
			if _, ok := w.who[at]; ok {
				right = snowYes
			}
		}
		if r.back {
			backs++
		}
		for _, c := range r.claims {
			if !w.isTrue(c[0], c[1]) {
				t.Errorf("text %d claims %v: %v", k, c, ids)
			}
		}
		if !r.ok || r.answer != right || len(r.claims) == 0 && (where || right == snowYes) {
			t.Errorf("text %d: %v is read as %+v", k, ids, r)
		}
	}
	if share := float64(backs) / float64(wheres+whos) * 3 / 2; share < 0.18 || share > 0.22 {
		t.Errorf("%.3f of the answers are taken back", share)
	}
}

func TestReadSnow(t *testing.T) {
	for _, c := range []struct {
		name string
		ids  []int32
		ok   bool
		want int32
		n    int
	}{
		{"yes with a reason", []int32{snowAnswer, snowYes, snowBecause, 90, 91, 92}, true, snowYes, 2},
		{"nobody, no", []int32{snowBecause, snowNobody, snowAnswer, snowNo}, true, snowNo, 0},
		{"taken back", []int32{snowAnswer, snowYes, snowBut, snowNo}, true, snowNo, 0},
		{"cut", []int32{snowAnswer, snowYes, snowBecause, 90}, false, snowYes, 0},
		{"nothing", nil, false, 0, 0},
		{"noise", []int32{snowFact, snowEnd, snowYes}, false, 0, 0},
	} {
		r := readSnow(false, slices.Clone(c.ids))
		if r.ok != c.ok || r.answer != c.want || len(r.claims) != c.n {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
