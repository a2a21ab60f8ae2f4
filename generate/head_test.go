package generate_test

import (
	"context"
	"math"
	"reflect"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/op"
)

// TestHeadScores compares scores of several texts in one call with those of each
// alone, and with a full pass and a product in float64.
func TestHeadScores(t *testing.T) {
	b := backend(t, cpu.Options{Threads: 2, Precision: "f32"})
	for _, family := range []string{"gpt2", "llama"} {
		m := small(t, b, family)
		head := model.NewHead(b, m, 3)
		head.Init(b, 2)
		e := generate.New(b, m, tokens())
		defer e.Close()
		texts := [][]int32{ids(40), ids(3), ids(160), {9}}
		at := [][]int{{0, 5, 39}, {2}, {10, 159}, {}}
		got, err := e.HeadScores(context.Background(), head, texts, at)
		if err != nil {
			t.Fatal(err)
		}
		w := make([]float32, head.W.Len())
		b.Download(w, head.W.T)
		for i, text := range texts {
			if len(got[i]) != len(at[i]) {
				t.Fatalf("text %d has %d scores, want %d", i, len(got[i]), len(at[i]))
			}
			alone, err := e.HeadScores(context.Background(), head, [][]int32{text}, [][]int{at[i]})
			if err != nil || !reflect.DeepEqual(alone[0], got[i]) {
				t.Errorf("%s: text %d alone has scores %v (%v), with others %v", family, i, alone, err, got[i])
			}
			p := op.NewPass(b, op.Options{})
			h := p.Host(m.Hidden(p, &model.Input{B: 1, T: len(text), IDs: text, Pos: model.Positions(0, len(text))}).T)
			p.Close()
			for k, j := range at[i] {
				for n := range 3 {
					var want float64
					for c := range 32 {
						want += float64(h[j*32+c]) * float64(w[n*32+c])
					}
					if math.Abs(got[i][k][n]-want) > 1e-4 {
						t.Errorf("%s: text %d, place %d, score %d = %g, want %g", family, i, j, n, got[i][k][n], want)
					}
				}
			}
		}
		last, err := e.HeadScores(context.Background(), head, texts, nil)
		if err != nil || !reflect.DeepEqual(last[0][0], got[0][2]) {
			t.Errorf("scores of the last tokens %v (%v), want %v first", last, err, got[0][2])
		}
		if _, err := e.HeadScores(context.Background(), head, texts, [][]int{{40}, {}, {}, {}}); err == nil {
			t.Error("a place after the end: no error")
		}
	}
}
