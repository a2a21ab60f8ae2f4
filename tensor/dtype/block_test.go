package dtype

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

func vector(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(golden.Data(t, "quant_vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func floats(b []byte) []float32 {
	x := make([]float32, len(b)/4)
	Dequantize(F32, x, b)
	return x
}

func vectorTypes(t testing.TB) map[Type]float64 {
	t.Helper()
	var index struct {
		Items []struct {
			Type string
			RMSE float64
		}
	}
	if err := json.Unmarshal(vector(t, "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	out := map[Type]float64{}
	for _, item := range index.Items {
		dt, err := Parse(string(bytes.ToLower([]byte(item.Type))))
		if err != nil {
			t.Fatal(err)
		}
		out[dt] = item.RMSE
	}
	if len(out) < 14 {
		t.Fatalf("only %d formats have vectors", len(out))
	}
	return out
}

func upper(t Type) string { return string(bytes.ToUpper([]byte(t.String()))) }

// TestDequantizeVectors compares with what ggml reads from the same bytes.
func TestDequantizeVectors(t *testing.T) {
	for dt := range vectorTypes(t) {
		blocks, want := vector(t, upper(dt)+".blocks"), floats(vector(t, upper(dt)+".dequant.f32"))
		got := make([]float32, len(want))
		Dequantize(dt, got, blocks)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Errorf("%s: value %d = %g, want %g", dt, i, got[i], want[i])
				break
			}
		}
	}
}

// TestQuantizeVectors quantises what ggml quantised and may not be worse.
func TestQuantizeVectors(t *testing.T) {
	x := floats(vector(t, "input.f32"))
	for dt, want := range vectorTypes(t) {
		b := make([]byte, dt.RowBytes(len(x)))
		Quantize(dt, b, x)
		y := make([]float32, len(x))
		Dequantize(dt, y, b)
		if got := rmse(x, y); got > want*(1+1e-6) {
			t.Errorf("%s: root mean squared error %.8f, ggml has %.8f", dt, got, want)
		} else {
			t.Logf("%s: %.8f, ggml %.8f", dt, got, want)
		}
	}
}

// TestQuantizeSameBytes checks the formats whose bytes are a plain formula.
func TestQuantizeSameBytes(t *testing.T) {
	x := floats(vector(t, "input.f32"))
	for _, dt := range []Type{F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1} {
		b := make([]byte, dt.RowBytes(len(x)))
		Quantize(dt, b, x)
		want := vector(t, upper(dt)+".blocks")
		_, size := dt.Block()
		for i := 0; i < len(b); i += size {
			if !bytes.Equal(b[i:i+size], want[i:i+size]) {
				t.Errorf("%s: block %d\ngot  %x\nwant %x", dt, i/size, b[i:i+size], want[i:i+size])
				break
			}
		}
	}
}

func rmse(x, y []float32) float64 {
	var sum float64
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(x)))
}

// Odd values break nothing, and plain ones come back.
func TestQuantizeOddValues(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, dt := range Types() {
		for name, odd := range map[string][]float32{
			"zero": {0}, "inf": {inf, 1, -inf}, "nan": {nan, 2, -3}, "all nan": {nan}, "largest": {math.MaxFloat32, -math.MaxFloat32},
			"tiny": {math.SmallestNonzeroFloat32, -1e-40}, "one": {1}, "minus one": {-1},
		} {
			x := make([]float32, 256)
			for i := range x {
				x[i] = odd[i%len(odd)]
			}
			b, y := make([]byte, dt.RowBytes(len(x))), make([]float32, len(x))
			Quantize(dt, b, x)
			Dequantize(dt, y, b)
			for i := range y {
				switch {
				case dt.IsBlock() && !finite(y[i]):
					t.Fatalf("%s: %s: value %d became %g", dt, name, i, y[i])
				case name == "zero" && y[i] != 0, (name == "one" || name == "minus one") && math.Abs(float64(y[i]-x[i])) > 1e-2:
					t.Fatalf("%s: %s: value %d = %g, want %g", dt, name, i, y[i], x[i])
				}
			}
		}
	}
}

// TestMXFP4 checks the layout with values that the format holds exactly.
func TestMXFP4(t *testing.T) {
	b := make([]byte, 17)
	b[0] = 128 // a scale of 2
	for j := range 16 {
		b[1+j] = byte(j | (15-j)<<4)
	}
	want := []float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}
	y := make([]float32, 32)
	Dequantize(MXFP4, y, b)
	for j := range 16 {
		if y[j] != want[j] || y[31-j] != want[j] {
			t.Fatalf("code %d = %g and %g, want %g", j, y[j], y[31-j], want[j])
		}
	}
	again := make([]byte, 17)
	Quantize(MXFP4, again, y)
	z := make([]float32, 32)
	Dequantize(MXFP4, z, again)
	if rmse(y, z) != 0 {
		t.Errorf("exact values came back as %v", z)
	}
}

func TestSizes(t *testing.T) {
	for _, dt := range Types() {
		values, size := dt.Block()
		if got := dt.RowBytes(3 * values); got != 3*size {
			t.Errorf("%s: three blocks have %d bytes, want %d", dt, got, 3*size)
		}
		if back, err := Parse(dt.String()); err != nil || back != dt {
			t.Errorf("Parse(%s) = %v, %v", dt, back, err)
		}
		if !dt.IsBlock() && (values != 1 || size != dt.Size()) {
			t.Errorf("%s: Block() = %d, %d, Size() = %d", dt, values, size, dt.Size())
		}
	}
	for name, f := range map[string]func(){
		"size of a block type": func() { Q4_K.Size() },
		"part of a block":      func() { Q4_0.RowBytes(33) },
		"wrong lengths":        func() { Dequantize(Q8_0, make([]float32, 32), make([]byte, 33)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func random(n int) []float32 {
	x, seed := make([]float32, n), uint32(1)
	for i := range x {
		for range 4 { // roughly normal
			seed = seed*1664525 + 1013904223
			x[i] += float32(seed>>8)/(1<<24) - 0.5
		}
	}
	return x
}

func BenchmarkQuantize(b *testing.B) {
	x := random(1 << 12)
	for _, dt := range Types() {
		b.Run(dt.String(), func(b *testing.B) {
			out := make([]byte, dt.RowBytes(len(x)))
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Quantize(dt, out, x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/value")
		})
	}
}

func BenchmarkDequantize(b *testing.B) {
	x := random(1 << 12)
	for _, dt := range Types() {
		b.Run(dt.String(), func(b *testing.B) {
			out := make([]byte, dt.RowBytes(len(x)))
			Quantize(dt, out, x)
			b.SetBytes(int64(4 * len(x)))
			for b.Loop() {
				Dequantize(dt, x, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/value")
		})
	}
}
