package op_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/tensor/op"
)

// TestLoRAOverConstantWeights compares a LoRA over weights in bf16 with one over
// the same values as f32: results and gradients.
func TestLoRAOverConstantWeights(t *testing.T) {
	for _, precision := range []string{"f32", "bf16"} {
		t.Run(precision, func(t *testing.T) { loraOverConstantWeights(t, precision) })
	}
}

func loraOverConstantWeights(t *testing.T, precision string) {
	const N, C, F, R = 9, 70, 40, 3
	b, err := cpu.New(cpu.Options{Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	x0, w0 := values(N*C, "x"), values(F*C, "w")
	data := make([]byte, 2*len(w0))
	for i, v := range w0 {
		bits := math.Float32bits(v) >> 16
		binary.LittleEndian.PutUint16(data[2*i:], uint16(bits))
		w0[i] = math.Float32frombits(bits << 16)
	}
	run := func(constant bool) (y, dx, da, db []float32) {
		w := op.NewParam(b, "w", F, C)
		b.Upload(w.T, w0)
		if constant {
			if err := w.SetWeights(b, dtype.BF16, data); err != nil {
				t.Fatal(err)
			}
		}
		w.LoRA = &op.LoRA{A: op.NewParam(b, "a", R, C), B: op.NewParam(b, "b", F, R), Scale: 2}
		for _, q := range []*op.Param{w.LoRA.A, w.LoRA.B} {
			b.Upload(q.T, values(q.Len(), q.Name))
			q.NeedGrad(b)
		}
		p := op.NewPass(b, op.Options{Record: true})
		defer p.Close()
		x := p.Input(x0, N, C, true)
		out := op.Linear{W: w, Wide: true}.Apply(p, x).Keep()
		y = p.Host(out.T)
		p.Seed(out, values(len(y), "seed"))
		p.Backward()
		return y, p.Host(x.Gradient()), p.Host(w.LoRA.A.Grad), p.Host(w.LoRA.B.Grad)
	}
	y1, dx1, da1, db1 := run(false)
	y2, dx2, da2, db2 := run(true)
	for _, c := range []struct {
		name      string
		got, want []float32
		tolerance float64
	}{
		{"y", y2, y1, 1e-2}, // products with bf16 weights round x to bf16
		{"dx", dx2, dx1, 1e-5}, {"dA", da2, da1, 1e-5}, {"dB", db2, db1, 1e-5},
	} {
		var diff, norm float64
		for i := range c.want {
			diff += math.Pow(float64(c.got[i]-c.want[i]), 2)
			norm += math.Pow(float64(c.want[i]), 2)
		}
		if e := math.Sqrt(diff / norm); !(e <= c.tolerance) {
			t.Errorf("%s over bf16 differs from f32 by %.2g of its norm, want at most %g", c.name, e, c.tolerance)
		}
	}
}

// TestLogProbsAndEntropies compares with sums over the whole softmax.
func TestLogProbsAndEntropies(t *testing.T) {
	const N, C, V = 70, 8, 50
	b, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, limit := range []float64{0, 2} {
		p := op.NewPass(b, op.Options{})
		defer p.Close()
		w := op.NewParam(b, "w", V, C)
		b.Upload(w.T, values(V*C, "w"))
		h := p.Input(values(N*C, "h"), N, C, false)
		targets := ids(N, V)
		targets[3] = -1
		logp, entropy := op.LogProbs(p, h, w, targets, limit), op.Entropies(p, h, w, limit)
		l := op.Logits(p, h, w)
		for i := range N {
			row := tensor.Row[float32](l.T, i)
			var z, mean float64
			x := make([]float64, V)
			for j, v := range row {
				if x[j] = float64(v); limit != 0 {
					x[j] = limit * math.Tanh(x[j]/limit)
				}
				z += math.Exp(x[j])
			}
			for _, v := range x {
				mean += math.Exp(v) / z * v
			}
			want := 0.0
			if targets[i] >= 0 {
				want = x[targets[i]] - math.Log(z)
			}
			if math.Abs(logp[i]-want) > 2e-5 {
				t.Errorf("cap %g: log-probability %d = %g, want %g", limit, i, logp[i], want)
			}
			if want := math.Log(z) - mean; math.Abs(entropy[i]-want) > 2e-5 {
				t.Errorf("cap %g: entropy %d = %g, want %g", limit, i, entropy[i], want)
			}
		}
	}
}
